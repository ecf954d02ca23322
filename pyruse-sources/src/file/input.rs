//! Opens log files: only regular ones, and without waiting. Compressed ones are decompressed while they are read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use pyruse_core::access;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The largest window of zstd; no level up to 19 has a larger one.
const ZSTD_WINDOW: u64 = 8 << 20;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
    /// In a way that cannot be read.
    Unknown,
}

/// The endings of compressed files.
const ENDINGS: [(&str, Packing); 6] = [
    ("gz", Packing::Gzip),
    ("zst", Packing::Zstd),
    ("xz", Packing::Unknown),
    ("bz2", Packing::Unknown),
    ("lz4", Packing::Unknown),
    ("Z", Packing::Unknown),
];

impl Packing {
    /// What the name of a file says.
    pub(super) fn of(name: &Path) -> Option<Packing> {
        let ending = name.extension()?;
        ENDINGS.iter().find(|(known, _)| ending == *known).map(|(_, packing)| *packing)
    }
}

/// Where the bytes of a log file come from.
pub(super) enum Input {
    /// A file, which may grow.
    Plain(File),
    /// Something that can only be read once, from its beginning to its end.
    Stream(Box<dyn Read>),
}

impl Input {
    /// Reads bytes at this offset; those of a stream follow those that were read last. Returns 0 at the end.
    pub(super) fn read(&mut self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            let read = match self {
                Input::Plain(file) => file.read_at(bytes, offset),
                Input::Stream(stream) => stream.read(bytes),
            };
            match read {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

/// Reads as many bytes as there are, up to the length of `bytes`.
pub(super) fn read_full(input: &mut Input, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < bytes.len() {
        match input.read(&mut bytes[length..], offset + length as u64)? {
            0 => break,
            n => length += n,
        }
    }
    Ok(length)
}

/// Opens a regular file.
///
/// A symbolic link is followed if it belongs to root, to us, or to the owner of the file: otherwise, a user who
/// can write to a directory of log files could have us read any other file.
pub(super) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let link = path.symlink_metadata()?;
    let target = if link.is_symlink() { path.metadata()? } else { link.clone() };
    // Opening a pipe or a device has effects.
    check(&target)?;
    if link.is_symlink() && ![0, geteuid().as_raw(), target.uid()].contains(&link.uid()) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is a symbolic link, which belongs neither to root nor to the owner of the file",
        ));
    }
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    check(&metadata)?;
    Ok((file, metadata))
}

fn check(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = if metadata.is_dir() { "it is a directory" } else { "it is not a regular file" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// Why a file cannot be opened, in words.
pub(super) fn failure(path: &Path, error: &io::Error) -> String {
    // What this module says itself has no number.
    if error.raw_os_error().is_none() {
        return format!("{}: {error}", path.display());
    }
    access::failure(path, error)
}

/// Decompresses a file.
pub(super) fn unpack(file: File, packing: Packing) -> io::Result<Input> {
    let file = BufReader::new(file);
    Ok(Input::Stream(match packing {
        Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
        Packing::Zstd => Box::new(ZstdReader::new(file)),
        Packing::Unknown => {
            let text = "it is compressed in a way that is not supported: gzip and zstd are";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
    }))
}

/// Opens standard input.
pub(super) fn standard_input() -> io::Result<Input> {
    let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    Ok(Input::Stream(Box::new(file)))
}

/// Decompresses frames of zstd, one after the other.
struct ZstdReader<R> {
    file: R,
    decoder: Box<FrameDecoder>,
    is_in_frame: bool,
}

impl<R: BufRead> ZstdReader<R> {
    fn new(file: R) -> ZstdReader<R> {
        let mut decoder = Box::new(FrameDecoder::new());
        decoder.set_max_window_size(ZSTD_WINDOW);
        ZstdReader { file, decoder, is_in_frame: false }
    }

    /// Goes to the next frame; `false` at the end.
    fn begin_frame(&mut self) -> io::Result<bool> {
        while !self.file.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.file) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut (&mut self.file).take(u64::from(length)), &mut io::sink())?;
                }
                Err(e) => return Err(io::Error::new(io::ErrorKind::InvalidData, e.to_string())),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_in_frame && !self.begin_frame()? {
                return Ok(0);
            }
            self.is_in_frame = true;
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.file, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
            }
            let read = self.decoder.read(bytes)?;
            if read > 0 || bytes.is_empty() {
                return Ok(read);
            }
            self.is_in_frame = false;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use nix::sys::stat::Mode;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    pub(in crate::file) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub(in crate::file) fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    fn unpacked(packed: &[u8], packing: Packing) -> io::Result<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(packed).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let Input::Stream(mut stream) = unpack(file, packing)? else { panic!("this is a stream") };
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn several_members_and_frames_are_one_file() {
        let (one, two) = (vec![b'a'; 100_000], b"two\n".to_vec());
        let both = [one.clone(), two.clone()].concat();
        assert_eq!(unpacked(&[gzip(&one), gzip(&two)].concat(), Packing::Gzip).unwrap(), both);
        assert_eq!(unpacked(&[zstd(&one), zstd(&two)].concat(), Packing::Zstd).unwrap(), both);
        for (packed, packing) in [(gzip(&one), Packing::Gzip), (zstd(&one), Packing::Zstd)] {
            assert!(unpacked(&packed[..packed.len() / 2], packing).is_err(), "{packing:?}");
            assert!(unpacked(b"not packed at all", packing).is_err(), "{packing:?}");
        }
        assert!(unpacked(&one, Packing::Unknown).is_err());
    }

    #[test]
    fn only_regular_files_are_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        nix::unistd::mkfifo(&path("pipe"), Mode::S_IRWXU).unwrap();
        std::fs::write(path("file"), "x").unwrap();
        symlink(path("file"), path("link")).unwrap();
        symlink("/dev/null", path("device")).unwrap();
        symlink(path("pipe"), path("link to a pipe")).unwrap();
        symlink(path("loop"), path("loop")).unwrap();
        assert!(open(&path("file")).is_ok() && open(&path("link")).is_ok());
        for other in ["pipe", "device", "link to a pipe", "loop", ".", "nothing"] {
            assert!(open(&path(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn a_link_of_somebody_else_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        std::fs::write(&file, "x").unwrap();
        symlink(&file, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(54_321), None).unwrap();
        let error = open(&link).unwrap_err();
        assert!(failure(&link, &error).contains("belongs neither to root nor to the owner"), "{error}");
        std::os::unix::fs::chown(&file, Some(54_321), None).unwrap();
        assert!(open(&link).is_ok());
    }
}
