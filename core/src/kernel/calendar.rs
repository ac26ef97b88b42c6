//! When a day or a month ends, in UTC or by a zone's table (semantics.md, "When a window ends").
//!
//! The calendar is the Gregorian one; days are counted from 1970-01-01, and may be negative by a
//! zone west of Greenwich.

use super::limit_rows::{window, Zone};

const SECOND_NS: i128 = 1_000_000_000;
const DAY_NS: i128 = 86_400 * SECOND_NS;
/// Offsets stand in a table plus this many seconds.
pub const OFFSET_BIAS_S: u32 = 86_400;

/// Days from 0000-03-01 to 1970-01-01, and in 400, 100 and 4 years and in one. Years that begin in
/// March have their leap day last.
const EPOCH_DAYS: i64 = 719_468;
const ERA_DAYS: i64 = 146_097;
const CENTURY_DAYS: i64 = 36_524;
const LEAP_CYCLE_DAYS: i64 = 1_461;
const YEAR_DAYS: i64 = 365;
/// Months after March.
const FEBRUARY: i64 = 11;

/// The first instant after `t` whose local date is in a later day or month, at most 2^64 - 1; None
/// if the table does not reach so far.
pub fn window_end_ns(window: u16, t: u64, zone: Option<&Zone>) -> Option<u64> {
    let Some(zone) = zone else {
        let end = i128::from(next_date(window, day_of(i128::from(t)))) * DAY_NS;
        return Some(u64::try_from(end).unwrap_or(u64::MAX));
    };
    let mut date = None;
    let mut start = zone.from_ns;
    let mut offset = zone.first_offset;
    let mut rest = zone.transitions.iter();
    loop {
        let next = rest.next();
        let end = next.map_or(zone.horizon_ns, |&(at, _)| at);
        let offset_ns = (i128::from(offset) - i128::from(OFFSET_BIAS_S)) * SECOND_NS;
        if date.is_none() && (start..end).contains(&t) {
            date = Some(next_date(window, day_of(i128::from(t) + offset_ns)));
        }
        if let Some(date) = date {
            // Clocks that are put forward at midnight enter the new day at the transition.
            let begins = (i128::from(date) * DAY_NS - offset_ns).max(i128::from(start));
            if begins < i128::from(end) {
                return u64::try_from(begins).ok();
            }
        }
        let &(at, next_offset) = next?;
        (start, offset) = (at, next_offset);
    }
}

/// The day that holds an instant.
fn day_of(instant_ns: i128) -> i64 {
    // An instant has 64 bits, so its day has fewer.
    instant_ns.div_euclid(DAY_NS) as i64
}

/// The day after this day, or after its month.
fn next_date(which: u16, day: i64) -> i64 {
    if which == window::DAY {
        day + 1
    } else {
        first_of_next_month(day)
    }
}

fn first_of_next_month(day: i64) -> i64 {
    let of_era = (day + EPOCH_DAYS).rem_euclid(ERA_DAYS);
    let leap_days =
        of_era / (LEAP_CYCLE_DAYS - 1) - of_era / CENTURY_DAYS + of_era / (ERA_DAYS - 1);
    let year = (of_era - leap_days) / YEAR_DAYS;
    let of_year = of_era - (YEAR_DAYS * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    if month < FEBRUARY {
        return day - of_year + (153 * (month + 1) + 2) / 5;
    }
    // February, whose length is that of the year that ends with it.
    let next = year + 1;
    day - of_era + YEAR_DAYS * next + next / 4 - next / 100 + next / 400
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days_of_month(year: i64, month: i64) -> i64 {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + i64::from(is_leap),
            _ => 31,
        }
    }

    #[test]
    fn months_follow_each_other_for_six_centuries() {
        let mut first = 0;
        for year in 1970..2570 {
            for month in 1..=12 {
                let next = first + days_of_month(year, month);
                for day in [first, first + 14, next - 1] {
                    assert_eq!(first_of_next_month(day), next, "{year}-{month}");
                }
                first = next;
            }
        }
    }

    fn zone(transitions: Vec<(u64, u32)>, first_offset: u32) -> Zone {
        Zone {
            name: [b'Z'; 32],
            version: 1,
            from_ns: 0,
            horizon_ns: 100 * DAY_NS as u64,
            first_offset,
            transitions,
        }
    }

    #[test]
    fn days_have_23_and_25_hours() {
        const HOUR: u64 = 3_600_000_000_000;
        let plus = |hours: u32| OFFSET_BIAS_S + hours * 3_600;
        // One hour east; clocks go forward at 01:00 UTC of day 10, back at 01:00 UTC of day 20.
        let table = zone(vec![(241 * HOUR, plus(2)), (481 * HOUR, plus(1))], plus(1));
        let end = |t| window_end_ns(window::DAY, t, Some(&table));
        assert_eq!(end(239 * HOUR), Some(262 * HOUR));
        assert_eq!(end(262 * HOUR - 1), Some(262 * HOUR));
        assert_eq!(end(478 * HOUR), Some(503 * HOUR));
        assert_eq!(end(99 * 24 * HOUR + 23 * HOUR), None);
        assert_eq!(
            window_end_ns(window::MONTH, HOUR, Some(&table)),
            Some(31 * 24 * HOUR - 2 * HOUR + HOUR)
        );
    }
}
