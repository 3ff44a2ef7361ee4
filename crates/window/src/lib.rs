//! The window in which users may be interrupted, on the clock of its time zone. Pure.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use pgleap_contract::{Day, Limits, SwitchRecord, Window};

/// How long the way back takes after the deadline of a cutover: the unfence, and the record on every name server.
const WAY_BACK_SECONDS: i64 = 90;
/// How long a restart of the source takes with a loaded server's recovery.
const REBOOT_SECONDS: i64 = 300;
/// So many days ahead the next opening is looked for: the same day of the next week is within them.
const DAYS_AHEAD: i64 = 8;

/// What would interrupt users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// The reboot of the source.
    Reboot,
    /// The cutover, with its deadline and the way back.
    Cutover {
        /// From the change of the record or the first REVOKE to the deadline.
        seconds: u32,
    },
}

impl Interruption {
    /// The cutover of a run. If the record may change before the fence, new connections are refused from then on.
    pub fn cutover(limits: &Limits, switch: SwitchRecord) -> Self {
        let switch_seconds = if switch == SwitchRecord::WithDrain { 0 } else { limits.switch_seconds };
        Self::Cutover { seconds: limits.cutover_seconds + switch_seconds }
    }

    /// Seconds that must be left of a window when it begins.
    fn seconds(self) -> i64 {
        match self {
            Interruption::Reboot => REBOOT_SECONDS,
            Interruption::Cutover { seconds } => i64::from(seconds) + WAY_BACK_SECONDS,
        }
    }
}

/// A time between which an interruption may begin, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// The window opens.
    pub opens: i64,
    /// The last moment for a beginning.
    pub last_start: i64,
}

impl Opening {
    /// Whether it may begin at this moment.
    pub fn holds(&self, now: i64) -> bool {
        (self.opens..=self.last_start).contains(&now)
    }
}

/// Why a window cannot be used: names the field.
pub fn check(window: &Window, interruption: Interruption) -> Result<(), String> {
    next(window, interruption, 0).map(drop)
}

/// The opening that is on, or the next one.
pub fn next(window: &Window, interruption: Interruption, now: i64) -> Result<Opening, String> {
    let (start, end) = (time("window.start", &window.start)?, time("window.end", &window.end)?);
    let zone = TimeZone::get(&window.time_zone)
        .map_err(|_| format!("window.timeZone: {:?} is not a time zone", window.time_zone))?;
    let at = Timestamp::from_second(now).map_err(|error| error.to_string())?;
    let today = at.to_zoned(zone.clone()).date();
    for ahead in -1..=DAYS_AHEAD {
        let date = shifted(today, ahead)?;
        if !opens_on(&window.days, date) {
            continue;
        }
        let closing_date = if end <= start { shifted(date, 1)? } else { date };
        let (opens, closes) = (moment(date, start, &zone)?, moment(closing_date, end, &zone)?);
        let last_start = closes - interruption.seconds();
        if last_start < opens {
            return Err(format!(
                "window.end: {} is too early: the window must be at least {} s long",
                window.end,
                interruption.seconds()
            ));
        }
        if now <= last_start {
            return Ok(Opening { opens, last_start });
        }
    }
    Err("window.days: the window never opens".to_owned())
}

/// A moment as texts and Wait states have it: `2027-02-07T02:00:00Z`.
pub fn text(epoch_seconds: i64) -> String {
    Timestamp::from_second(epoch_seconds).map_or_else(|_| epoch_seconds.to_string(), |moment| moment.to_string())
}

/// The moment that a text in RFC 3339 names, in seconds since the epoch.
pub fn read(text: &str) -> Result<i64, String> {
    text.parse::<Timestamp>().map(|moment| moment.as_second()).map_err(|error| error.to_string())
}

fn time(field: &str, text: &str) -> Result<Time, String> {
    let parts: Vec<_> = text.split(':').collect();
    let number = |part: &str, digits: usize| (part.len() == digits).then(|| part.parse::<i8>().ok()).flatten();
    let read = match parts[..] {
        [hour, minute] => number(hour, 2).zip(number(minute, 2)),
        _ => None,
    };
    let time = read.and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok());
    time.ok_or_else(|| format!("{field}: {text:?} is not a time of day such as 02:00"))
}

fn shifted(date: Date, days: i64) -> Result<Date, String> {
    let span: Span = days.days();
    date.checked_add(span).map_err(|error| error.to_string())
}

/// A time that a change of the clocks leaves out is the first one after it, one that comes twice the first of the two.
fn moment(date: Date, time: Time, zone: &TimeZone) -> Result<i64, String> {
    let zoned = date.to_datetime(time).to_zoned(zone.clone()).map_err(|error| error.to_string())?;
    Ok(zoned.timestamp().as_second())
}

fn opens_on(days: &[Day], date: Date) -> bool {
    days.is_empty() || days.iter().any(|day| weekday(*day) == date.weekday())
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: &str, end: &str, time_zone: &str, days: &[Day]) -> Window {
        Window { start: start.into(), end: end.into(), time_zone: time_zone.into(), days: days.to_vec() }
    }

    fn epoch(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn a_run_waits_for_the_next_opening_and_begins_early_enough_to_be_back_at_its_end() {
        let minute = Interruption::Cutover { seconds: 60 };
        let nightly = window("02:00", "05:00", "Europe/Berlin", &[]);
        let late = window("22:00", "02:00", "UTC", &[]);
        let sundays = window("02:00", "05:00", "Europe/Berlin", &[Day::Sunday]);
        let cases = [
            // Before, in, too late in, and after the window; Berlin is an hour ahead in winter.
            (&nightly, "2027-02-06T12:00:00Z", "2027-02-07T01:00:00Z", "2027-02-07T03:57:30Z"),
            (&nightly, "2027-02-07T02:00:00Z", "2027-02-07T01:00:00Z", "2027-02-07T03:57:30Z"),
            (&nightly, "2027-02-07T03:58:00Z", "2027-02-08T01:00:00Z", "2027-02-08T03:57:30Z"),
            (&nightly, "2027-02-07T05:00:00Z", "2027-02-08T01:00:00Z", "2027-02-08T03:57:30Z"),
            // Over midnight: the opening of the day before is still on.
            (&late, "2027-02-07T01:00:00Z", "2027-02-06T22:00:00Z", "2027-02-07T01:57:30Z"),
            // A day of the week.
            (&sundays, "2027-02-07T05:00:00Z", "2027-02-14T01:00:00Z", "2027-02-14T03:57:30Z"),
            // The night in which clocks go from 2:00 to 3:00: an hour of the window is not there.
            (&nightly, "2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z", "2027-03-28T02:57:30Z"),
        ];
        for (window, now, opens, last_start) in cases {
            let opening = next(window, minute, epoch(now)).unwrap();

            assert_eq!(
                (text(opening.opens), text(opening.last_start)),
                (opens.to_owned(), last_start.to_owned()),
                "{now}"
            );
        }
    }

    #[test]
    fn a_window_that_cannot_be_used_is_refused_by_the_name_of_its_field() {
        let cases = [
            (window("2:00", "05:00", "UTC", &[]), "window.start:"),
            (window("02:00", "25:00", "UTC", &[]), "window.end:"),
            (window("02:00", "02:01", "UTC", &[]), "window.end:"),
            (window("02:00", "05:00", "Europe/Nowhere", &[]), "window.timeZone:"),
        ];
        for (window, names) in cases {
            let reason = check(&window, Interruption::Cutover { seconds: 60 }).unwrap_err();
            assert!(reason.starts_with(names), "{reason}");
        }
    }

    #[test]
    fn an_opening_holds_from_its_beginning_to_its_last_moment() {
        let opening = Opening { opens: 10, last_start: 20 };

        assert_eq!([9, 10, 20, 21].map(|now| opening.holds(now)), [false, true, true, false]);
    }
}
