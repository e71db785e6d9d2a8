//! What recurs in a time: the hour of the day, the day of the week and of the month, the month of
//! the year.

use chrono::{DateTime, Datelike, NaiveDate};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::feature::Kind;

const DAY: f64 = 86_400e6;

/// Something that recurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cycle {
    /// The time of the day; its classes are the 24 hours
    Hour,
    /// The day of the week, from Monday on
    Weekday,
    /// The day of the month
    Day,
    /// The month of the year
    Month,
}

/// All cycles, in the order of their numbers.
pub const CYCLES: [Cycle; 4] = [Cycle::Hour, Cycle::Weekday, Cycle::Day, Cycle::Month];

impl Cycle {
    /// The number of its classes.
    pub fn classes(self) -> usize {
        match self {
            Self::Hour => 24,
            Self::Weekday => 7,
            Self::Day => 31,
            Self::Month => 12,
        }
    }

    /// The days that training rows must span, for it to recur in them: two of the cycle.
    fn least_days(self) -> f64 {
        match self {
            Self::Hour => 2.0,
            Self::Weekday => 14.0,
            Self::Day => 62.0,
            Self::Month => 731.0,
        }
    }

    /// Where a moment is in it, from 0 to 1.
    pub fn share(self, moment: &Moment) -> f64 {
        match self {
            Self::Hour => moment.of_day / DAY,
            _ => self.class(moment) as f64 / self.classes() as f64,
        }
    }

    /// The class of a moment.
    pub fn class(self, moment: &Moment) -> usize {
        match self {
            Self::Hour => ((moment.of_day / DAY * 24.0) as usize).min(23),
            Self::Weekday => moment.date.weekday().num_days_from_monday() as usize,
            Self::Day => moment.date.day0() as usize,
            Self::Month => moment.date.month0() as usize,
        }
    }
}

/// A time, taken apart.
pub struct Moment {
    date: NaiveDate,
    /// Microseconds since midnight
    of_day: f64,
}

impl Moment {
    /// Takes a feature's number in its own unit apart; None beyond the years that a calendar has.
    pub fn from_number(kind: Kind, number: f64) -> Option<Self> {
        let (days, of_day) = match kind {
            Kind::Date => (number, 0.0),
            Kind::Time => (0.0, number / 1e3),
            _ => ((number / DAY).floor(), number.rem_euclid(DAY)),
        };
        // A cast saturates, and no calendar goes that far.
        let date = DateTime::from_timestamp((days as i64).checked_mul(86_400)?, 0)?.date_naive();
        Some(Self { date, of_day })
    }
}

/// The cycles that recur in training rows of a kind that span a number of its units.
pub fn recurring(kind: Kind, span: f64) -> Vec<Cycle> {
    match kind {
        Kind::Time => vec![Cycle::Hour],
        Kind::Date => CYCLES[1..].iter().copied().filter(|cycle| span >= cycle.least_days()).collect(),
        _ => CYCLES.into_iter().filter(|cycle| span / DAY >= cycle.least_days()).collect(),
    }
}

/// The time zone of a dtype, if it has one.
pub fn zone(dtype: &DataType) -> PolarsResult<Option<chrono_tz::Tz>> {
    let DataType::Datetime(_, Some(zone)) = dtype else { return Ok(None) };
    let unknown = |error| polars_err!(ComputeError: "anorand: the time zone {zone:?} is not known: {error}");
    zone.as_str().parse().map(Some).map_err(unknown)
}

/// A time of a zone, in microseconds of UTC, as its clocks show it; NaN stays.
pub fn local(microseconds: f64, zone: chrono_tz::Tz) -> f64 {
    use chrono::{Offset, TimeZone};
    let Some(utc) = DateTime::from_timestamp_micros(microseconds as i64).filter(|_| !microseconds.is_nan()) else {
        return microseconds;
    };
    let offset = zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc();
    microseconds + f64::from(offset) * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2013-02-28 (a Thursday) 03:30.
    const TIME: f64 = (15_764.0 * 24.0 + 3.5) * 3_600e6;

    #[test]
    fn a_time_is_taken_apart() {
        let moment = Moment::from_number(Kind::Datetime, TIME).unwrap();
        assert_eq!(CYCLES.map(|cycle| cycle.class(&moment)), [3, 3, 27, 1]);
        assert!((Cycle::Hour.share(&moment) - 3.5 / 24.0).abs() < 1e-12);
        let date = Moment::from_number(Kind::Date, 15_764.0).unwrap();
        assert_eq!(CYCLES.map(|cycle| cycle.class(&date)), [0, 3, 27, 1]);
        let time = Moment::from_number(Kind::Time, 23.99 * 3_600e9).unwrap();
        assert_eq!(Cycle::Hour.class(&time), 23);
        let before = Moment::from_number(Kind::Datetime, -1.0).unwrap();
        assert_eq!(CYCLES.map(|cycle| cycle.class(&before)), [23, 2, 30, 11]);
    }

    #[test]
    fn years_beyond_the_calendar_are_none() {
        assert!(
            Moment::from_number(Kind::Date, 1e12).is_none() && Moment::from_number(Kind::Datetime, -1e300).is_none()
        );
    }

    #[test]
    fn a_cycle_recurs_in_two_of_it() {
        assert_eq!(recurring(Kind::Datetime, 31.0 * DAY), [Cycle::Hour, Cycle::Weekday]);
        assert_eq!(recurring(Kind::Date, 800.0), [Cycle::Weekday, Cycle::Day, Cycle::Month]);
        assert!(recurring(Kind::Datetime, 0.5 * DAY).is_empty());
    }

    #[test]
    fn a_zone_has_its_own_clock_and_its_summer() {
        let berlin: chrono_tz::Tz = "Europe/Berlin".parse().unwrap();
        assert_eq!(local(TIME, berlin), TIME + 3_600e6);
        let summer = TIME + 150.0 * DAY;
        assert_eq!(local(summer, berlin), summer + 7_200e6);
        assert!(local(f64::NAN, berlin).is_nan());
    }
}
