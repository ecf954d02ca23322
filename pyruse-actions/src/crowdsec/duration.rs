//! Durations as Go writes them: `3h59m57.1s`, `-1h`, `12ms`.

/// The units, in nanoseconds.
const UNITS: [(&str, f64); 8] = [
    ("h", 3_600e9),
    // Before `m`, of which it would be the beginning.
    ("ms", 1e6),
    ("m", 60e9),
    ("s", 1e9),
    ("us", 1e3),
    // Two characters that look the same: the micro sign and the Greek letter.
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ns", 1.0),
];

/// Returns a duration in seconds; `None` if the text is not one.
pub(super) fn parse(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0.0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        // Digits and points: no exponent, no `inf`.
        let number: f64 = rest[..end].parse().ok()?;
        let (unit, size) = UNITS.iter().find(|(unit, _)| rest[end..].starts_with(unit))?;
        nanoseconds += number * size;
        rest = &rest[end + unit.len()..];
    }
    Some(sign * nanoseconds / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, seconds) in [
            ("3h59m57.1s", 14_397.1),
            ("-1h", -3600.0),
            ("0s", 0.0),
            ("0", 0.0),
            ("1h0m0s", 3600.0),
            ("876000h", 3_153_600_000.0),
            ("1.5ms", 0.0015),
            ("-26.214173ms", -0.026_214_173),
            ("12\u{b5}s", 0.000_012),
            ("7ns", 0.000_000_007),
            (".5s", 0.5),
        ] {
            let found = parse(text).unwrap();
            assert!((found - seconds).abs() < 1e-9, "{text}: {found}");
        }
        for text in ["", "-", "1", "h", "1d", "1h2", "1e9s", "infs", "--1h", "1.2.3s", "1 h", "NaNs", "."] {
            assert_eq!(parse(text), None, "{text}");
        }
        let digits = "9".repeat(1000) + "h";
        assert!(parse(&digits).is_some_and(|seconds| seconds > 1e300));
    }
}
