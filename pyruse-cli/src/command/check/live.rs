//! What `check --live` asks beside what steps and services ask themselves: the storage and the journal.

use std::fs::OpenOptions;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{AccessFlags, Uid, access};
use pyruse_core::config::Diagnostics;
use pyruse_core::engine::Engine;
use pyruse_core::plugin::inspect::{Grade, Subject, Trouble};
use pyruse_core::review::tell_setting;

use crate::owner::Owner;
use crate::storage;
use pyruse_core::access::Reader;
use pyruse_sources::journal::{
    JournalSettings, Source, files_read, left_out, units_not_read, words_for_units,
};

/// `file` is the configuration's own.
pub(super) fn inspect(engine: &Engine, file: &Path, diagnostics: &mut Diagnostics) {
    // Of no setting: the file as a whole is meant.
    let unreadable = readable(file, &engine.config.storage).err().map(|found| ("", found));
    let mut found: Vec<_> = unreadable.into_iter().collect();
    found.extend(storage(&engine.config.storage).err().map(|found| ("storage", found)));
    found.extend(journal(engine).err().map(|found| ("journal", found)));
    found.extend(journal_of_service(engine).err().map(|found| ("journal", found)));
    found.extend(not_read(engine).into_iter().map(|found| ("journal", found)));
    for (setting, (grade, message, help)) in found {
        let at = Subject::Setting(setting.to_owned());
        tell_setting(engine, Trouble { grade, at, message, help: help.to_owned() }, diagnostics);
    }
}

/// What is wrong, and what to do about it.
type Wrong = (Grade, String, &'static str);

type Found = Result<(), Wrong>;

const OWNER: &str = "let its owner be the user that runs Pyruse; whoever checks may be somebody else";

/// The user that runs Pyruse, who owns the storage; not root, who can read everything.
fn service(storage: &Path) -> Option<Reader> {
    let owner = storage.metadata().ok().map(|found| Uid::from_raw(found.uid()));
    owner.filter(|uid| !uid.is_root()).and_then(Reader::of)
}

/// Can the user that runs Pyruse read the configuration?
fn readable(file: &Path, storage: &Path) -> Found {
    let Some(reader) = service(storage) else { return Ok(()) };
    let Some(obstacle) = reader.obstacle(file) else { return Ok(()) };
    let grade = if obstacle.may_be_passed() { Grade::Doubtful } else { Grade::Broken };
    Err((
        grade,
        reader.complain(file, &obstacle),
        "that user owns the storage, so Pyruse runs as it, and must read this",
    ))
}

/// Can the state be written there?
fn storage(directory: &Path) -> Found {
    let shown = directory.display();
    let mut there = directory;
    while !there.exists() {
        match there.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => there = parent,
            // A relative path is made in the current directory.
            _ => {
                there = Path::new(".");
                break;
            }
        }
    }
    if !there.is_dir() {
        let message = format!("the storage directory {shown} cannot be: {} is no directory", there.display());
        return Err((Grade::Broken, message, "name a directory, or remove what stands in its way"));
    }
    if let Err(e) = access(there, AccessFlags::W_OK | AccessFlags::X_OK) {
        let what = if there == directory { "written" } else { "made" };
        let message = format!("the storage directory {shown} cannot be {what}: {}", e.desc());
        return Err((Grade::Broken, message, OWNER));
    }
    if !directory.exists() {
        return Ok(());
    }
    let owner =
        Owner::of(directory).map_err(|message| (Grade::Broken, message, "else Pyruse does not start"))?;
    let file = storage::file(directory);
    match storage::read(directory) {
        Err(e) => {
            let help = if storage::is_loss(&e) {
                "Pyruse works without it, and forgets everything when it ends"
            } else {
                "Pyruse does not start with it"
            };
            Err((Grade::Broken, format!("{e:#}"), help))
        }
        Ok(None) => Ok(()),
        Ok(Some(_)) => {
            let _as_owner = owner.enter();
            OpenOptions::new().write(true).open(&file).map(drop).map_err(|e| {
                let message = format!("the state {} cannot be written: {e}", file.display());
                (Grade::Broken, message, OWNER)
            })
        }
    }
}

/// Can the journal be read?
fn journal(engine: &Engine) -> Found {
    const MAY: &str = "put the user that runs Pyruse into the group systemd-journal; root may always";
    let settings = engine.settings.get::<JournalSettings>();
    let opened = Source::open(&settings).and_then(|mut journal| {
        let end = journal.seek_tail()?;
        Ok((journal, end))
    });
    match opened {
        Err(e) => Err((Grade::Broken, format!("the journal cannot be read: {e:#}"), MAY)),
        Ok((journal, _)) if journal.is_nowhere() => {
            let message = "there is no journal yet where the configuration says".to_owned();
            Err((Grade::Doubtful, message, "Pyruse waits for it; is systemd-journald running?"))
        }
        Ok((_, end)) if end.cursor.is_none() => {
            let message =
                "no entry of the journal can be read: either there is none, or they may not be read";
            Err((Grade::Doubtful, message.to_owned(), MAY))
        }
        Ok(_) => Ok(()),
    }
}

/// Can the user that runs Pyruse read the journal's files?
fn journal_of_service(engine: &Engine) -> Found {
    const MEND: &str = "Pyruse runs as that user, who owns the storage: if it is in the group systemd-journal (id), give the \
                        files to that group: systemd-tmpfiles --create --prefix /var/log/journal; where that leaves one \
                        out: chgrp systemd-journal FILE";
    let Some(reader) = service(&engine.config.storage) else { return Ok(()) };
    let files = files_read(&engine.settings.get::<JournalSettings>());
    let mut denied: Vec<_> = files.iter().filter_map(|file| Some((file, reader.obstacle(file)?))).collect();
    // One that an access control list cannot open comes first.
    denied.sort_by_key(|(_, obstacle)| obstacle.may_be_passed());
    let Some((file, obstacle)) = denied.first() else { return Ok(()) };
    let grade = if obstacle.may_be_passed() { Grade::Doubtful } else { Grade::Broken };
    let of_all = match files.len() {
        1 => String::new(),
        all => format!(" (and {} of {all} files of the journal in all)", denied.len()),
    };
    Err((grade, format!("{}{of_all}", reader.denied(file, obstacle)), MEND))
}

/// What of the journal is not read?
fn not_read(engine: &Engine) -> Vec<Wrong> {
    const FILE: &str = "make it readable for the user that runs Pyruse, or, if it is damaged, move it away: journalctl \
                        --verify says what is wrong with it";
    const SCOPE: &str = "if rules should see them, set \"scope\": \"all\" in `journal`. For ssh.service this is normal: the \
                         processes of users' sessions write there, and the lines that rules want are written by root, and \
                         read";
    let settings = engine.settings.get::<JournalSettings>();
    let mut wrong: Vec<Wrong> =
        left_out(&settings).iter().map(|file| (Grade::Doubtful, file.words(), FILE)).collect();
    wrong.extend(words_for_units(&units_not_read(&settings)).map(|words| (Grade::Doubtful, words, SCOPE)));
    wrong
}
