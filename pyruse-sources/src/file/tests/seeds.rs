//! The seeds of the fuzz target `log_file`: lines in every format and with every form of date, plain and compressed.

use super::*;

/// Each with the number of its format in the target.
const LINES: [(u8, &str); 5] = [
    (
        0,
        "2026-11-18 12:06:40,123 a\n2026-11-18T11:06:40Z b\nNov 18 12:06:40 c\n18/Nov/2026:12:06:40 +0100 d\n\
         Wed Nov 18 12:06:40 2026 e\nWed, 18 Nov 2026 12:06:40 +0100 f\n1795000000.5 g\n@4000000037c219bf2ef02e94 h\n\
         [18-Nov-2026 12:06:40] i\n18.11.2026 12:06:40 j\n1970-01-01 00:00:01 k\n2099-01-01 00:00:00 l\n",
    ),
    (
        1,
        "Nov 18 12:06:40 server sshd[7]: Failed password for root from 192.0.2.1 port 50000 ssh2\n\
         <34>1 2026-11-18T11:06:40.123Z server app 7 ID47 [x@1 a=\"b\\\"\" c=\"d\"] hello\n<13>Nov 18 12:06:40 su: x\n\
         2026-11-18T11:06:40.123456+01:00 server app: y\n",
    ),
    (
        2,
        "{\"time\":\"2026-11-18T11:06:40Z\",\"msg\":\"hello\",\"request\":{\"ip\":\"192.0.2.1\"},\"status\":404}\n\
         {\"ts\":1795000000.5,\"level\":\"error\",\"a\":[1,\"\\u00e9\",null,true],\"message\":\"x\"}\n",
    ),
    (
        3,
        "{\"log\":\"hel\",\"stream\":\"stdout\",\"time\":\"2026-11-18T11:06:40.1Z\"}\n\
         {\"log\":\"lo\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-18T11:06:40.2Z\"}\n",
    ),
    (
        4,
        "192.0.2.1 - alice [18/Nov/2026:12:06:40 +0100] \"GET /x HTTP/1.1\" 404 5 \"-\" \"curl\"\n\
         www.example.org:443 2001:db8::1 - - [18/Nov/2026:12:06:40 +0100] \"POST /y\\\"z HTTP/2.0\" 200 -\n",
    ),
];

#[test]
#[ignore = "it writes into PYRUSE_CORPUS: make fuzz"]
fn seeds_of_the_fuzz_target_are_written() {
    let corpus = PathBuf::from(std::env::var_os("PYRUSE_CORPUS").unwrap()).join("log_file");
    fs::create_dir_all(&corpus).unwrap();
    for (format, text) in LINES {
        let text = text.as_bytes();
        let packed = [text.to_vec(), gzip(text), zstd(text)];
        for (n, bytes) in packed.into_iter().enumerate() {
            // The target takes two plain ones to one of each packing.
            let ending = [0, 2, 3][n];
            fs::write(corpus.join(format!("{format}-{n}")), [&[format + 5 * ending], &bytes[..]].concat())
                .unwrap();
        }
        for (n, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            fs::write(corpus.join(format!("{format}-line-{n}")), [&[format], line].concat()).unwrap();
        }
    }
}
