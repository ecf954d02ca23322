//! Points in time, as people write them.

use jiff::civil::{Date, DateTime};
use jiff::{Span, ZonedDateTime};
use pyruse_core::time::Timestamp;

/// Parses `2026-11-18 11:00`, `2026-11-18`, RFC 3339, `@SECONDS`, `now`, `today`, `yesterday`, `2h ago`, `-2h`.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let now = ZonedDateTime::now();
    parse_at(text, &now).ok_or_else(|| {
        "this is not a time; write `2026-11-18 11:00`, `today`, `2h ago`, `@1795000000` or RFC 3339"
            .to_owned()
    })
}

fn parse_at(text: &str, now: &ZonedDateTime) -> Option<Timestamp> {
    let stamp = |time: jiff::Timestamp| Timestamp(time.as_microsecond());
    let zoned = |time: ZonedDateTime| stamp(time.timestamp());
    let local = |time: DateTime| time.to_zoned_datetime(now.time_zone().clone()).ok().map(zoned);
    match text {
        "now" => return Some(zoned(now.clone())),
        "today" => return now.start_of_day().ok().map(zoned),
        "yesterday" => return now.yesterday().ok()?.start_of_day().ok().map(zoned),
        _ => {}
    }
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse().ok().map(Timestamp::from_seconds);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(stamp(time));
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return local(time);
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = DateTime::strptime(format, text) {
            return local(time);
        }
    }
    if let Ok(date) = text.parse::<Date>() {
        return local(date.at(0, 0, 0, 0));
    }
    let span: Span = text.parse().ok()?;
    // A journal has no future entries: only durations into the past are allowed.
    let past = span.is_negative().then(|| now.checked_add(span).ok())??;
    Some(zoned(past))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_taken_as_people_write_them() {
        let now: ZonedDateTime = "2026-11-18T12:00:00+01:00[Europe/Paris]".parse().unwrap();
        let noon = Timestamp::from_seconds(1_794_999_600);
        for (text, seconds) in [
            ("now", 0),
            ("2026-11-18T11:00:00Z", 0),
            ("2026-11-18 12:00", 0),
            ("2026-11-18 12:00:00", 0),
            ("2026-11-18T12:00", 0),
            ("@1794999600", 0),
            ("2h ago", -7200),
            ("-2h", -7200),
            ("2026-11-18", -12 * 3600),
            ("today", -12 * 3600),
            ("yesterday", -36 * 3600),
        ] {
            assert_eq!(parse_at(text, &now), Some(Timestamp(noon.0 + seconds * 1_000_000)), "{text}");
        }
        for text in ["", "soon", "2026-13-01", "@", "@x", "12", "2h"] {
            assert_eq!(parse_at(text, &now), None, "{text}");
        }
    }
}
