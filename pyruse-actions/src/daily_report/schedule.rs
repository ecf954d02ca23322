//! When reports are due: once a day at a local time of day, also when the clock changes.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use pyruse_core::time::Timestamp;

/// Returns the first due time after `last`. If the clock skips it, it is the first moment after the gap.
pub(super) fn next_after(last: Timestamp, at: Time, zone: &TimeZone) -> Timestamp {
    let day = last.to_jiff().to_zoned_datetime(zone.clone()).date();
    // Yesterday's due time may also lie ahead: local days and moments differ where the clock changes at midnight.
    let days = [day.yesterday(), Ok(day), day.tomorrow(), day.tomorrow().and_then(Date::tomorrow)];
    let moments = days.into_iter().flatten().filter_map(|day| {
        let due = day.to_datetime(at).to_zoned_datetime(zone.clone()).ok()?;
        Some(Timestamp(due.timestamp().as_microsecond()))
    });
    // At the end of the calendar, there is no next day.
    moments.filter(|due| *due > last).min().unwrap_or(Timestamp::NEVER)
}

/// Whether a report is due at exactly this moment.
pub(super) fn is_due(moment: Timestamp, at: Time, zone: &TimeZone) -> bool {
    next_after(Timestamp(moment.0.saturating_sub(1)), at, zone) == moment
}

/// Returns the last due time that is not after `now`, if it is after `last`.
pub(super) fn latest_due(last: Timestamp, now: Timestamp, at: Time, zone: &TimeZone) -> Option<Timestamp> {
    let first = next_after(last, at, zone);
    if first > now {
        return None;
    }
    // If many days were missed, start two days ago instead of at the first.
    let two_days_ago = Timestamp(now.0 - 2 * 86_400_000_000).max(last);
    let mut due = first;
    let mut next = next_after(two_days_ago, at, zone);
    while next <= now {
        due = due.max(next);
        next = next_after(next, at, zone);
    }
    Some(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn moment(text: &str, zone: &TimeZone) -> Timestamp {
        let local: jiff::civil::DateTime = text.parse().unwrap();
        Timestamp(local.to_zoned_datetime(zone.clone()).unwrap().timestamp().as_microsecond())
    }

    fn shown(time: Timestamp, zone: &TimeZone) -> String {
        time.to_jiff().to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    #[test]
    fn the_next_midnight_is_strictly_later() {
        let paris = zone("Europe/Paris");
        let next = |text| shown(next_after(moment(text, &paris), Time::midnight(), &paris), &paris);
        assert_eq!(next("2026-11-21T12:00"), "2026-11-22 00:00:00 +01:00");
        assert_eq!(next("2026-11-21T00:00"), "2026-11-22 00:00:00 +01:00");
        assert_eq!(next("2026-11-20T23:59:59.999999"), "2026-11-21 00:00:00 +01:00");
    }

    #[test]
    fn only_the_very_moment_is_due() {
        let paris = zone("Europe/Paris");
        let due = |text| is_due(moment(text, &paris), Time::midnight(), &paris);
        assert!(due("2026-11-21T00:00") && due("2026-03-29T00:00"));
        assert!(
            !due("2026-11-21T00:00:00.000001")
                && !due("2026-11-20T23:59:59.999999")
                && !due("2026-11-21T12:00")
        );
    }

    #[test]
    fn a_midnight_that_does_not_exist_is_the_first_moment_of_its_day() {
        // In Beirut, and for a long time in Brazil, summer time begins at midnight.
        let beirut = zone("Asia/Beirut");
        let last = moment("2026-03-28T12:00", &beirut);
        let next = next_after(last, Time::midnight(), &beirut);
        assert_eq!(shown(next, &beirut), "2026-03-29 01:00:00 +03:00");
        assert_eq!(shown(next_after(next, Time::midnight(), &beirut), &beirut), "2026-03-30 00:00:00 +03:00");
    }

    #[test]
    fn a_time_that_occurs_twice_counts_once() {
        let paris = zone("Europe/Paris");
        let at = jiff::civil::time(2, 30, 0, 0);
        let first = next_after(moment("2026-10-24T12:00", &paris), at, &paris);
        assert_eq!(shown(first, &paris), "2026-10-25 02:30:00 +02:00");
        assert_eq!(shown(next_after(first, at, &paris), &paris), "2026-10-26 02:30:00 +01:00");
        let skipped = next_after(moment("2026-03-28T12:00", &paris), at, &paris);
        assert_eq!(shown(skipped, &paris), "2026-03-29 03:30:00 +02:00");
    }

    #[test]
    fn after_three_days_off_only_the_latest_counts() {
        let utc = TimeZone::UTC;
        let last = moment("2026-11-17T00:00", &utc);
        let due =
            |now| latest_due(last, moment(now, &utc), Time::midnight(), &utc).map(|due| shown(due, &utc));
        assert_eq!(due("2026-11-17T23:59"), None);
        assert_eq!(due("2026-11-18T00:00").as_deref(), Some("2026-11-18 00:00:00 +00:00"));
        assert_eq!(due("2026-11-20T09:00").as_deref(), Some("2026-11-20 00:00:00 +00:00"));
        assert_eq!(due("2030-01-01T09:00").as_deref(), Some("2030-01-01 00:00:00 +00:00"));
    }
}
