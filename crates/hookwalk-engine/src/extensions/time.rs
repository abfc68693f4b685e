use hookwalk_parser::extensions::{Match, MonthDays, TimeMatch};

use super::opaque_text;
use crate::question::Question;
use crate::state::{Answer, View};

const DAY: u64 = 86_400;

/// Times before this are no dates but seconds of some other clock.
const FIRST_DATE: u64 = 1_000_000_000;

/// kernel: `net/netfilter/xt_time.c`, `time_mt`. Without the packet's time, or where the rule counts in the
/// kernel's time zone, it is asked.
pub(super) fn test(m: &TimeMatch, options: &Match, view: &View<'_>) -> Answer {
    let at = view.packet.at.or(view.past.in_session.then_some(view.past.now));
    match at.filter(|at| *at >= FIRST_DATE && !m.kernel_zone) {
        Some(at) => holds(m, at).into(),
        None => view.ask(Question::Opaque { text: opaque_text(options), seen: 0 }),
    }
}

fn holds(m: &TimeMatch, at: u64) -> bool {
    if at < u64::from(m.date_start.0) || at > u64::from(m.date_stop.0) {
        return false;
    }
    let (start, stop, now) = (u64::from(m.start.0), u64::from(m.stop.0), at % DAY);
    let mut day = at / DAY;
    if start < stop {
        if now < start || now > stop {
            return false;
        }
    } else {
        if now < start && now > stop {
            return false;
        }
        // Behind midnight it is still the evening before.
        if m.contiguous && now <= stop {
            day = day.saturating_sub(1);
        }
    }
    // 1970-01-01 was a Thursday, day 4 of the week.
    let week_day = (day + 3) % 7 + 1;
    if m.week_days.0 & 1 << week_day == 0 {
        return false;
    }
    m.month_days == MonthDays::ALL || m.month_days.0 & 1 << day_of_month(day) != 0
}

/// The day of the month of a day since 1970, by years that begin in March.
fn day_of_month(day: u64) -> u64 {
    let shifted = day + 719_468;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    of_year - (153 * month + 2) / 5 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookwalk_parser::extensions::Target;

    fn at(rule: &str, at: u64) -> bool {
        let text = format!("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m time {rule} -j DROP\nCOMMIT\n");
        let dump = hookwalk_parser::parse(text.into_bytes());
        let rule = &dump.tables()[0].chains[0].rules[0];
        assert!(matches!(rule.target, Target::Drop));
        let Match::Time(m) = &rule.matches[0] else { panic!("{rule:?}") };
        holds(m, at)
    }

    #[test]
    fn days_and_hours() {
        // 2024-02-29T23:30:00Z, a Thursday.
        let late = 1_709_249_400;
        assert!(at("--weekdays Thu", late) && !at("--weekdays Fri", late));
        assert!(at("--monthdays 29", late) && !at("--monthdays 28,30", late));
        assert!(at("--timestart 23:00 --timestop 23:45", late));
        assert!(!at("--timestart 08:00 --timestop 18:00", late));
        // Half an hour later it is Friday, but the night that began on Thursday.
        let friday = late + 3_600;
        let night = "--timestart 22:00 --timestop 06:00";
        assert!(at(&format!("{night} --weekdays Fri"), friday));
        assert!(!at(&format!("{night} --weekdays Thu"), friday));
        assert!(at(&format!("{night} --weekdays Thu --contiguous"), friday));
        assert!(!at("--datestart 2024-03-01", late) && at("--datestart 2024-03-01", friday));
        assert!(!at("--datestop 2024-02-29T12:00:00", late));
    }
}
