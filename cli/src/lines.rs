//! Lines that say how a run went: the same for a run on AWS and for a rehearsal.

use crate::history::Phase;

/// Each phase with its duration, beside the duration that the plan expected.
pub fn phases(seconds: f64, transitions: u64, phases: &[Phase]) -> Vec<String> {
    let head = format!("Run: {seconds:.0} s, {transitions} state transitions");
    [head].into_iter().chain(phases.iter().map(phase)).collect()
}

fn phase(phase: &Phase) -> String {
    let expected = phase.expected_seconds.map_or(String::new(), |seconds| format!("   expected {seconds:>6.1} s"));
    format!("  {:<34}{:>8.1} s{expected}", phase.name, phase.seconds)
}

/// `1,234,567`.
pub fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let grouped: Vec<String> =
        digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    grouped.join(",")
}

/// A duration as people say it: `40 s`, `25 min`, `3 h 10 min`.
pub fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match minutes {
        _ if seconds < 100.0 => format!("{seconds:.0} s"),
        0..120 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// Time since the start of the execution, `h:mm:ss`.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_exact_as_people_need_them() {
        let cases = [(4.2, "4 s"), (95.0, "95 s"), (130.0, "2 min"), (7_100.0, "118 min"), (11_400.0, "3 h 10 min")];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(clock(3_725.9), "1:02:05");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }

    #[test]
    fn a_phase_stands_beside_what_was_expected_of_it() {
        let load =
            |expected_seconds| Phase { name: "load".to_owned(), started_at: 0.0, seconds: 12.34, expected_seconds };

        let lines = phases(20.0, 7, &[load(Some(10.0)), load(None)]);

        assert_eq!(lines[0], "Run: 20 s, 7 state transitions");
        assert_eq!(lines[1], format!("  load{}    12.3 s   expected   10.0 s", " ".repeat(30)));
        assert_eq!(lines[2], format!("  load{}    12.3 s", " ".repeat(30)));
    }
}
