//! What may be in a directory of log files, and in their lines.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use nix::sys::stat::Mode;

use super::*;

#[test]
fn a_directory_of_ten_thousand_sockets_and_pipes_is_no_hindrance() {
    let mut log = Log::new();
    for n in 0..5000 {
        // Their file stays when it is closed.
        UnixListener::bind(log.path(&format!("socket{n}.log"))).unwrap();
        nix::unistd::mkfifo(&log.path(&format!("pipe{n}.log")), Mode::S_IRWXU).unwrap();
    }
    log.append("a.log", "one\n");
    log.args = json!({"paths": [log.path("*.log")]});
    let mut reader = log.resume(Begin::Head);
    assert_eq!(read(&mut *reader), ["one"]);
    assert_eq!(reader.left_out().len(), 100);
    assert!(reader.left_out()[0].text.ends_with("it is not a regular file"));
    log.append("b.log", "two\n");
    let until = Instant::now() + Duration::from_secs(60);
    while read(&mut *reader) != ["two"] {
        assert!(Instant::now() < until, "b.log is not found");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nul_bytes_and_other_encodings_are_kept_and_other_lines_are_whole() {
    let log = Log::new();
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let content = [
        b"2026-11-18 12:06:40 a\0b\0\n".to_vec(),
        b"2026-11-18 12:06:41 Gr\xf6\xdfe\n".to_vec(),
        "2026-11-18 12:06:42 Größe\n".into(),
        b"\xff\xfe".to_vec(),
        utf16("2026-11-18 12:06:43 wide\nsecond\n"),
        b"\n2026-11-18 12:06:44 last\n".to_vec(),
    ];
    fs::write(log.path("log"), content.concat()).unwrap();
    let mut reader = log.resume(Begin::Head);
    let wide = |text: &str| text.chars().flat_map(|char| [char, '\0']).collect::<String>();
    let found = read(&mut *reader);
    // A line ends with its byte, so the second byte of the line feed begins the next line.
    let expected = [
        "a\0b\0".to_owned(),
        "Größe".to_owned(),
        "Größe".to_owned(),
        format!("ÿþ{}", wide("2026-11-18 12:06:43 wide")),
        format!("\0{}", wide("second")),
        "\0".to_owned(),
        "last".to_owned(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_line_of_one_gibibyte_is_cut_and_what_follows_is_whole() {
    let log = Log::new();
    log.append("log", "2026-11-18 12:06:40 first\n");
    let length = File::open(log.path("log")).unwrap().metadata().unwrap().len();
    let file = File::options().write(true).open(log.path("log")).unwrap();
    // A hole: it needs no space on the disk.
    file.set_len(length + (1 << 30)).unwrap();
    log.append("log", "\n2026-11-18 12:06:41 last\n");
    let mut reader = log.resume(Begin::Head);
    let found = read(&mut *reader);
    assert_eq!((found.len(), found[0].as_str(), found[2].as_str()), (3, "first", "last"));
    assert!(found[1].len() <= 64 << 10, "{}", found[1].len());
    assert!(said(&mut *reader).contains(&("cut".to_owned(), 1)), "{:?}", said(&mut *reader));
}

#[test]
fn lines_of_1970_and_2099_are_read_once() {
    let log = Log::new();
    let times = ["2026-11-18 12:06:40", "1970-01-01 00:00:01", "2099-01-01 00:00:00", "2026-11-18 12:06:42"];
    for time in times {
        log.append("log", &format!("{time} of {time}\n"));
    }
    let mut reader = log.resume(Begin::Head);
    let (mut found, before) = (Vec::new(), Timestamp::now());
    while let Some((text, time)) = next(&mut *reader) {
        let position = reader.position();
        let rest = read(&mut *log.resume(Begin::Behind(&position)));
        found.push((text, time));
        assert_eq!(rest.len(), times.len() - found.len());
    }
    assert_eq!(
        found.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>(),
        times.map(|time| format!("of {time}"))
    );
    assert!(found[1].1 < Timestamp::from_seconds(86_400 * 2), "{:?}", found[1]);
    // A time in the future is the time of reading.
    assert!(found[2].1 <= Timestamp::now() && found[2].1 >= before, "{:?}", found[2]);
    assert_eq!(said(&mut *reader), [("future".to_owned(), 1)]);
}

#[test]
fn a_link_that_leads_nowhere_is_named_with_its_reason_until_it_leads_somewhere() {
    for pattern in ["*.log", "a.log"] {
        for (target, why) in [("a.log", "symbolic links"), ("/none/x", "No such file")] {
            let mut log = Log::new();
            symlink(target, log.path("a.log")).unwrap();
            log.args = json!({"paths": [log.path(pattern)]});
            let mut reader = log.resume(Begin::Head);
            assert_eq!(read(&mut *reader), [""; 0]);
            let left_out = reader.left_out();
            let is_waited_for = pattern == "a.log" && target == "/none/x";
            assert_eq!(left_out.is_empty(), is_waited_for, "{pattern} {target}: {left_out:?}");
            assert!(left_out.iter().all(|file| file.why.contains(why)), "{left_out:?}");
            fs::remove_file(log.path("a.log")).unwrap();
            log.append("b", "one\n");
            symlink("b", log.path("a.log")).unwrap();
            read_until(&mut *reader, &["one"]);
            assert!(reader.left_out().is_empty());
        }
    }
}

#[test]
fn what_was_refused_and_is_gone_is_no_longer_named() {
    let mut log = Log::new();
    log.append("a.log", "one\n");
    symlink("b.log", log.path("b.log")).unwrap();
    log.args = json!({"paths": [log.path("*.log")]});
    let mut reader = log.resume(Begin::Head);
    assert_eq!(read(&mut *reader), ["one"]);
    assert_eq!(reader.left_out().len(), 1);
    fs::remove_file(log.path("b.log")).unwrap();
    log.append("c.log", "two\n");
    read_until(&mut *reader, &["two"]);
    assert!(reader.left_out().is_empty(), "{:?}", reader.left_out());
}

#[test]
fn a_log_file_that_becomes_a_pipe_or_a_directory_stops_nobody() {
    let log = Log::new();
    log.append("log", "one\n");
    let mut reader = log.resume(Begin::Head);
    assert_eq!(read(&mut *reader), ["one"]);
    let others: [fn(&PathBuf); 2] =
        [|path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap(), |path| fs::create_dir(path).unwrap()];
    for (n, make) in others.into_iter().enumerate() {
        let name = format!("log.{}", n + 1);
        log.append("log", &format!("last of {name}\n"));
        fs::rename(log.path("log"), log.path(&name)).unwrap();
        make(&log.path("log"));
        read_until(&mut *reader, &[&format!("last of {name}")]);
        let until = Instant::now() + Duration::from_secs(60);
        while reader.left_out().is_empty() {
            assert_eq!(read(&mut *reader), [""; 0]);
            assert!(Instant::now() < until, "it is not said");
        }
        assert!(reader.left_out()[0].why.starts_with("it is "), "{:?}", reader.left_out());
        fs::rename(log.path("log"), log.path(&format!("no file {n}"))).unwrap();
        log.append("log", &format!("first after {name}\n"));
        read_until(&mut *reader, &[&format!("first after {name}")]);
    }
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_no_part_of_a_line() {
    let log = Log::new();
    log.append("log", "\u{feff}2026-11-18 12:06:40 one\r\n2026-11-18 12:06:41 two\r\n\r\nthree\rfour\n");
    let mut reader = log.resume(Begin::Head);
    assert_eq!(read(&mut *reader), ["one", "two", "", "three\rfour"]);
    log.append("log", "\u{feff}elsewhere\n");
    read_until(&mut *reader, &["\u{feff}elsewhere"]);
}

#[test]
fn a_clock_that_is_set_back_changes_no_order_within_a_file() {
    let log = Log::new();
    for second in [50, 51, 20, 21, 52] {
        log.append("log", &format!("2026-11-18 12:06:{second} line of {second}\n"));
    }
    let mut reader = log.resume(Begin::Head);
    assert_eq!(read(&mut *reader), [50, 51, 20, 21, 52].map(|second| format!("line of {second}")));
}

#[test]
fn a_file_that_is_longer_each_time_it_is_looked_at_is_read_once() {
    let log = Log::new();
    let path = log.path("log");
    let writer = std::thread::spawn(move || {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        for n in 1..=20_000 {
            // In pieces: a beginning that is remembered may end anywhere.
            write!(file, "line").unwrap();
            writeln!(file, " {n}").unwrap();
        }
    });
    let (mut found, mut position) = (Vec::new(), None);
    let until = Instant::now() + Duration::from_secs(60);
    while found.len() < 20_000 {
        assert!(Instant::now() < until, "{} lines were read", found.len());
        let mut reader = log.resume(position.as_ref().map_or(Begin::Head, Begin::Behind));
        for _ in 0..997 {
            found.extend(next(&mut *reader).map(|(text, _)| text));
        }
        position = Some(reader.position());
    }
    writer.join().unwrap();
    assert_eq!(found, lines(1..=20_000));
}
