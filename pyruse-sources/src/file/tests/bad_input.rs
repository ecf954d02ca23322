//! What may be in a directory of log files, and in their lines.

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
