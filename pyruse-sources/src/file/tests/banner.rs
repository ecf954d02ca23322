//! Logs without dates, each file of which begins with the same lines.

use super::*;

/// What the program writes into each new file.
fn banner(size: usize) -> Vec<String> {
    (0..size).map(|n| format!("banner {n} {}", "=".repeat(60))).collect()
}

struct Program {
    log: Log,
    banner: Vec<String>,
    expected: Vec<String>,
}

impl Program {
    fn line(&mut self, line: String) {
        self.log.append("log", &format!("{line}\n"));
        self.expected.push(line);
    }

    fn begin_file(&mut self) {
        for line in self.banner.clone() {
            self.line(line);
        }
    }

    fn lines(&mut self, count: usize) {
        for _ in 0..count {
            self.log.written += 1;
            self.line(format!("event {}", self.log.written));
        }
    }
}

/// Reading stops behind each entry, and goes on after rotations.
fn is_read_once(size: usize, rotation: Rotation, compress: bool, lines_before: usize, rotations: usize) {
    let total = size + lines_before;
    for stop in [1, size / 2, size, total] {
        let mut program = Program { log: Log::new(), banner: banner(size), expected: Vec::new() };
        program.begin_file();
        program.lines(lines_before);
        let mut reader = program.log.resume(Begin::Head);
        let mut found: Vec<_> =
            (0..stop).filter_map(|_| next(&mut *reader)).map(|(message, _)| message).collect();
        let position = reader.position();
        drop(reader);
        program.lines(1);
        for _ in 0..rotations {
            program.log.rotate(rotation, compress);
            program.begin_file();
            program.lines(2);
        }
        let mut reader = program.log.resume(Begin::Behind(&position));
        found.extend(read(&mut *reader));
        let what = format!("{size}, {rotation:?}, {compress}, {lines_before}, {rotations}, stop {stop}");
        assert_eq!(found, program.expected, "{what}");
        assert_eq!(said(&mut *reader), [], "{what}");
        // Live, too; then another start finds nothing new.
        program.log.rotate(rotation, compress);
        program.begin_file();
        program.lines(3);
        let before = found.len();
        found.extend(read(&mut *reader));
        assert_eq!(found[before..], program.expected[before..], "live: {what}");
        let position = reader.position();
        assert_eq!(read(&mut *program.log.resume(Begin::Behind(&position))), [""; 0], "{what}");
    }
}

#[test]
fn files_that_begin_with_the_same_lines_are_not_taken_for_copies() {
    // Up to 14 KiB.
    for size in [2, 30, 200] {
        for rotation in [Rotation::Rename, Rotation::Copy] {
            for compress in [false, true] {
                for lines_before in [0, 3] {
                    for rotations in [0, 1, 2, 3] {
                        is_read_once(size, rotation, compress, lines_before, rotations);
                    }
                }
            }
        }
    }
}
