//! The report's service: sees the entries and effects of the day, and sends the report when it is due.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use pyruse_core::effect::Effect;
use pyruse_core::entry::{Entry, Slot, StepError};
use pyruse_core::operation::{BanReason, ReportStatus};
use pyruse_core::plugin::{
    EntryWatcher, Importer, KeptReport, Remark, ReportForm, Reporter, Service, ServicePlugin,
};
use pyruse_core::state::{Handle, Queue, State, StateError};
use pyruse_core::time::Timestamp;
use pyruse_core::workflow::{EntryEffects, Site, describe};

use super::attach::attachment;
use super::compose::{Composed, compose};
use super::content::Content;
use super::day::BanNote;
use super::digest::{self, Day, Digest, Limits};
use super::notes::Sort;
use super::object::Contained;
use super::settings::ReportSettings;
use super::{
    Details, InUse, Line, LineOrigin, NAME, Recorded, ReportLevel, SERIES, import, kept, object, schedule,
};
use crate::email::{self, EmailSettings, Outgoing};

struct ReportService {
    settings: ReportSettings,
    at: Time,
    zone: TimeZone,
    /// A subject that is not a template.
    subject: Option<String>,
    recorded: Recorded,
    mails: Handle<Queue>,
    identifier: Slot,
    message: Slot,
    /// The errors of the steps that the current entry has passed.
    failed: Vec<String>,
    /// Whether a step of the configuration records lines.
    in_use: bool,
}

impl ReportService {
    /// Returns when the last report was due.
    fn last_due(&self, state: &State) -> Option<Timestamp> {
        state.get(self.recorded.day).last_due()
    }

    fn collect(&self, state: &mut State, now: Timestamp) -> Result<Option<Content>, StateError> {
        Content::collect(state, self.recorded, &self.settings, &self.zone, now)
    }

    fn day<'s>(&'s self, state: &'s State, now: Timestamp) -> Day<'s> {
        let blind_days = self.settings.blind_days as usize;
        Day { state, recorded: self.recorded, zone: &self.zone, now, blind_days }
    }

    /// Renders the report; `None` if nothing is recorded.
    fn render(&self, state: &mut State, now: Timestamp) -> Result<Option<Composed>, StateError> {
        let content = if self.has_former_content() { self.collect(state, now)? } else { None };
        Ok(compose(&self.day(state, now), content, &self.settings, self.subject.as_deref()))
    }

    /// Whether the report is in the first program's form, or the user's templates get the content that they are written
    /// for.
    fn has_former_content(&self) -> bool {
        let ReportSettings { group, text_template, html_template, .. } = &self.settings;
        !group || text_template.is_some() || html_template.is_some()
    }

    /// Makes the mail, and the report that is kept; `None` if nothing is recorded.
    fn make(&self, state: &mut State, now: Timestamp) -> Result<Option<(Outgoing, KeptReport)>, StateError> {
        let digest = |limits| move |state: &State| Digest::of(&self.day(state, now), limits);
        let Some(made) = self.render(state, now)? else { return Ok(None) };
        let attachment = attachment(state, made.whole.as_deref(), self.recorded.lines, &self.settings)?;
        let json = object::of(state, self.recorded, now, Contained::Digest, digest(Limits::NORMAL))?;
        let day = self.day(state, now);
        let kept = KeptReport {
            date: day.date(),
            since: state.get(self.recorded.day).totals.since,
            until: now,
            verdict: made.verdict,
            text: made.text.clone(),
            html: made.html.clone(),
            json,
        };
        let mut mail = Outgoing::text(&made.subject, made.text, now)
            .with_short(made.short)
            .with_attachment(attachment)
            .in_series(SERIES);
        if !made.html.is_empty() {
            mail = mail.with_html(made.html);
        }
        Ok(Some((mail, kept)))
    }

    /// Queues the mail, keeps the report, and forgets the lines, in one transaction; `ends_day`: the report was due.
    /// Returns whether there was anything to send. If the mail is given up, the kept report still has what it said, and
    /// the next report names it: lines need not wait until a server takes the mail.
    fn queue_report(&self, state: &mut State, now: Timestamp, ends_day: bool) -> Result<bool, StateError> {
        let made = self.make(state, now)?;
        if let Some((mail, report)) = &made {
            mail.queue(state, self.mails);
            kept::keep(state, self.recorded.kept, report);
        }
        self.remember(state, now, ends_day);
        let lines = state.get_mut(self.recorded.lines);
        lines.drain(lines.next_number());
        state.get_mut(self.recorded.kinds).clear();
        state.get_mut(self.recorded.notes).clear();
        state.get_mut(self.recorded.lost).clear();
        state.get_mut(self.recorded.day).clear();
        Ok(made.is_some())
    }

    /// Remembers what later reports are compared with.
    fn remember(&self, state: &mut State, now: Timestamp, ends_day: bool) {
        let mut memory = std::mem::take(state.get_mut(self.recorded.memory));
        memory.begin_day();
        let kinds = state.get(self.recorded.kinds);
        for kind in kinds.iter() {
            let (owner, identifier) = kinds.origin_of(kind);
            memory.remember(kind.key(), owner, identifier, now);
        }
        let days = i64::from(self.settings.memory_days);
        memory.forget_before(Timestamp(now.0.saturating_sub(days * 86_400_000_000)));
        *state.get_mut(self.recorded.memory) = memory;
        let numbers = digest::numbers(state, self.recorded);
        let mut history = std::mem::take(state.get_mut(self.recorded.history));
        history.add(state.get(self.recorded.day), numbers);
        if ends_day {
            history.end_day();
        }
        *state.get_mut(self.recorded.history) = history;
    }
}

impl Service for ReportService {
    fn boot(&mut self, state: &mut State, now: Timestamp) {
        self.recorded.complete(state);
        if self.last_due(state).is_none() {
            state.get_mut(self.recorded.day).set_last_due(now);
        }
    }

    fn deadline(&self, state: &State, _: Timestamp) -> Option<Timestamp> {
        let day = state.get(self.recorded.day);
        let wanted = self.in_use || !self.recorded.is_empty(state);
        let last = day.last_due().filter(|_| wanted)?;
        Some(schedule::next_after(last, self.at, &self.zone))
    }

    fn due(&mut self, state: &mut State, now: Timestamp) {
        let Some(last) = self.last_due(state) else { return };
        let Some(due) = schedule::latest_due(last, now, self.at, &self.zone) else { return };
        match self.queue_report(state, now, true) {
            Ok(_) => state.get_mut(self.recorded.day).set_last_due(due),
            Err(e) => tracing::error!("the report is due, but its lines cannot be read: {e}"),
        }
    }

    fn importer(&mut self) -> Option<&mut dyn Importer> {
        Some(self)
    }

    fn reporter(&mut self) -> Option<&mut dyn Reporter> {
        Some(self)
    }

    fn watcher(&mut self) -> Option<&mut dyn EntryWatcher> {
        if self.in_use { Some(self) } else { None }
    }
}

impl Importer for ReportService {
    fn former_file(&self) -> &'static str {
        "action_dailyReport.py.journal"
    }

    fn import(&mut self, content: &[u8], state: &mut State, _: Timestamp) -> Result<String, String> {
        let lines = import::read(content)?;
        let said = format!("{} lines of the daily report", lines.len());
        for line in lines {
            self.recorded.record(state, line, self.settings.max_lines.into());
        }
        Ok(said)
    }
}

impl EntryWatcher for ReportService {
    fn entry_finished(&mut self, entry: &mut Entry<'_>, done: EntryEffects<'_>, state: &mut State) {
        let time = entry.time();
        let identifier = entry.first_text(self.identifier);
        let day = state.get_mut(self.recorded.day);
        day.count_entry(identifier, time);
        for failed in self.failed.drain(..) {
            state.get_mut(self.recorded.notes).note(Sort::Error, &failed, time);
        }
        for (site, effect) in done.effects() {
            let identifier = entry.first_text(self.identifier).unwrap_or_default();
            state.get_mut(self.recorded.history).count_rule(&site.chain, identifier);
            match effect {
                Effect::Ban { set, ip, seconds, reason, .. } => {
                    let line = entry.first_text(self.message).map(BanNote::line);
                    state.get_mut(self.recorded.day).note_ban(|| BanNote {
                        at: time,
                        ip: ip.clone(),
                        set: set.clone(),
                        chain: site.chain.clone(),
                        until: (*seconds > 0).then(|| time.plus_seconds(*seconds)),
                        counter: match reason {
                            BanReason::Rule { counter: Some(counter), count: Some(count), .. } => {
                                Some((counter.to_string(), *count))
                            }
                            _ => None,
                        },
                        line,
                    });
                }
                Effect::Email { subject, .. } => {
                    state.get_mut(self.recorded.day).note_mail();
                    state.get_mut(self.recorded.notes).note(Sort::Mail, subject, time);
                }
                _ => {}
            }
        }
    }

    fn step_failed(&mut self, site: &Site, error: &StepError) {
        self.failed.push(describe(site, error));
    }
}

impl Reporter for ReportService {
    fn status(&self, state: &State, now: Timestamp) -> ReportStatus {
        // At the first start, the current time is stored as the last due time, although no report was due then.
        let was_due = |last: &Timestamp| schedule::is_due(*last, self.at, &self.zone);
        ReportStatus {
            last: self.last_due(state).filter(was_due),
            next: self.deadline(state, now),
            news: digest::news(&self.day(state, now)),
        }
    }

    fn report(&mut self, state: &mut State, now: Timestamp, form: ReportForm) -> Result<String, StateError> {
        if form == ReportForm::Json {
            let digest = |state: &State| Digest::of(&self.day(state, now), Limits::NONE);
            return object::of(state, self.recorded, now, Contained::Lines, digest);
        }
        let made = self.render(state, now)?;
        Ok(made.map_or_else(String::new, |made| if form == ReportForm::Html { made.html } else { made.text }))
    }

    fn send(&mut self, state: &mut State, now: Timestamp) -> Result<bool, StateError> {
        self.queue_report(state, now, false)
    }

    fn kept(&mut self, state: &mut State) -> Result<Vec<KeptReport>, StateError> {
        kept::all(state, self.recorded.kept)
    }

    fn remark(&mut self, remark: &Remark, state: &mut State, now: Timestamp) {
        // Without a step for the report, the operator does not want one.
        if !self.in_use {
            return;
        }
        state.get_mut(self.recorded.lost).note(remark, now);
        if self.has_former_content() {
            // That form has no section for it.
            let line = Line {
                level: ReportLevel::Warn,
                time: now,
                message: format!("Pyruse: {}", remark.text),
                details: Details::All,
                priority: None,
                origin: LineOrigin::own(),
            };
            self.recorded.record(state, line, self.settings.max_lines.into());
        }
    }
}

pyruse_core::inventory::submit!(ServicePlugin::new(NAME, |start| {
    let settings = ReportSettings::clone(&start.settings());
    Ok(Box::new(ReportService {
        // Only `check` uses refused settings, and nothing is due there.
        at: settings.time().unwrap_or_else(Time::midnight),
        zone: TimeZone::system(),
        subject: start.settings::<EmailSettings>().subject.clone(),
        recorded: Recorded::open(start.layout())?,
        mails: start.layout().open(email::QUEUE)?,
        identifier: start.reads("SYSLOG_IDENTIFIER"),
        message: start.reads("MESSAGE"),
        failed: Vec::new(),
        in_use: start.shared::<InUse>().0,
        settings,
    }))
}));

#[cfg(test)]
mod tests {
    use pyruse_core::state::Resource as _;
    use pyruse_core::time::{ClockStep, Now};

    use super::*;

    fn service(state: &mut State) -> ReportService {
        let mut layout = state.layout();
        let (recorded, mails) = (Recorded::open(&mut layout).unwrap(), layout.open(email::QUEUE).unwrap());
        state.adopt(&layout).unwrap();
        ReportService {
            settings: ReportSettings::default(),
            at: Time::midnight(),
            zone: TimeZone::UTC,
            subject: None,
            recorded,
            mails,
            identifier: pyruse_core::entry::Fields::default().slot("SYSLOG_IDENTIFIER"),
            message: pyruse_core::entry::Fields::default().slot("MESSAGE"),
            failed: Vec::new(),
            in_use: false,
        }
    }

    /// Returns a time in hours since the beginning of some day.
    fn hour(hours: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_046_400 + hours * 3600)
    }

    #[test]
    fn the_clock_may_be_set_back_over_midnight_and_the_report_is_sent_once() {
        let mut state = State::in_memory();
        let mut service = service(&mut state);
        let record = |state: &mut State, service: &ReportService, at| {
            let line = Line::of(ReportLevel::Warn, at, "m");
            service.recorded.record(state, line, 10);
        };
        service.boot(&mut state, hour(12));
        record(&mut state, &service, hour(13));
        let mut mails = Vec::new();
        // Past midnight; set back by three hours, with another line; midnight again; the next midnight.
        for now in [hour(23), hour(24), hour(21), hour(23), hour(24), hour(25), hour(48), hour(49)] {
            service.due(&mut state, now);
            mails.push(state.get(service.mails).pending());
            if now == hour(21) {
                record(&mut state, &service, now);
            }
        }
        assert_eq!(mails, [0, 1, 1, 1, 1, 1, 2, 2]);
    }

    #[test]
    fn a_clock_that_was_far_ahead_does_not_silence_the_report() {
        let mut state = State::in_memory();
        let mut service = service(&mut state);
        service.boot(&mut state, hour(9000));
        let now = hour(10);
        let line = Line::of(ReportLevel::Warn, now, "m");
        service.recorded.record(&mut state, line, 10);
        let day = state.get_mut(service.recorded.day);
        day.adjust(ClockStep { now: Now::at(now), by: now.0 - hour(9000).0 });
        // `deadline` must not return a time at which `due` does nothing: the loop would spin.
        assert_eq!(service.deadline(&state, now), Some(hour(24)));
        service.due(&mut state, now);
        assert_eq!(state.get(service.mails).pending(), 0);
        service.due(&mut state, hour(24));
        assert_eq!(state.get(service.mails).pending(), 1);
    }
}
