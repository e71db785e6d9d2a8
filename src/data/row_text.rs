//! A row for people to read, in an error that can name it no better.

use polars::prelude::{AnyValue, Series, TimeUnit};

/// The columns of a row that are shown, and the characters of a name and of a value.
const SHOWN: usize = 4;
const LENGTH: usize = 24;

/// `{a=1.5, b="red" and 7 more}`: the first values of a row.
pub fn row_text(columns: &[Series], row: usize) -> String {
    let text = |column: &Series| format!("{}={}", shortened(column.name()), shortened(&value_text(column, row)));
    let values: Vec<String> = columns.iter().take(SHOWN).map(text).collect();
    let more = columns.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{{{}{more}}}", values.join(", "))
}

/// A value of a column. A date or time beyond the calendar is shown as its number: Polars' own text
/// would panic.
pub fn value_text(column: &Series, row: usize) -> String {
    match column.get(row) {
        Ok(value) if is_in_calendar(&value) => value.to_string(),
        Ok(_) => column.to_physical_repr().get(row).map_or("?".to_string(), |number| number.to_string()),
        Err(_) => "?".to_string(),
    }
}

/// Whether a value has a text: of dates and times, only those of the years that chrono knows do, in
/// any time zone.
fn is_in_calendar(value: &AnyValue) -> bool {
    const DAY: i64 = 86_400;
    /// A little less than chrono's 262,000 years.
    const MOST_DAYS: u64 = 95_000_000;
    let a_second = |unit: &TimeUnit| match unit {
        TimeUnit::Nanoseconds => 1_000_000_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Milliseconds => 1_000,
    };
    let days = match value {
        AnyValue::Date(days) => i64::from(*days),
        AnyValue::Datetime(at, unit, _) => at / a_second(unit) / DAY,
        AnyValue::DatetimeOwned(at, unit, _) => at / a_second(unit) / DAY,
        AnyValue::Time(at) => return (0..DAY * a_second(&TimeUnit::Nanoseconds)).contains(at),
        _ => return true,
    };
    days.unsigned_abs() < MOST_DAYS
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LENGTH {
        return text.to_string();
    }
    text.chars().take(LENGTH).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{DataType, NamedFrom, TimeZone};

    #[test]
    fn a_row_is_shown_by_its_first_values_and_long_ones_are_cut() {
        let columns = [
            Series::new("a".into(), [1.5, 2.5]),
            Series::new("b".into(), [Some("x"), None]),
            Series::new("c".into(), ["", &"ü".repeat(50)]),
        ];
        assert_eq!(row_text(&columns, 0), r#"{a=1.5, b="x", c=""}"#);
        assert_eq!(row_text(&columns, 1), format!("{{a=2.5, b=null, c=\"{}…}}", "ü".repeat(LENGTH - 1)));
    }

    #[test]
    fn a_time_beyond_the_calendar_is_shown_as_its_number() {
        let numbers = Series::new("t".into(), [i64::MAX, i64::MIN, 8_300_000_000_000_000, 0]);
        let units = [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds];
        for zone in [None, Some(TimeZone::UTC)] {
            for unit in units {
                let times = numbers.cast(&DataType::Datetime(unit, zone.clone())).unwrap();
                (0..4).for_each(|row| assert!(!value_text(&times, row).is_empty()));
                assert!(value_text(&times, 3).starts_with("1970-01-01 00:00:00"));
            }
        }
        let times = numbers.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap();
        assert_eq!(value_text(&times, 0), i64::MAX.to_string());
        let days = Series::new("d".into(), [i32::MAX, i32::MIN, 94_999_999, -94_999_999, 1]);
        let days = days.cast(&DataType::Date).unwrap();
        let texts: Vec<String> = (0..5).map(|row| value_text(&days, row)).collect();
        assert_eq!(texts[..2], [i32::MAX.to_string(), i32::MIN.to_string()]);
        assert_eq!(texts[4], "1970-01-02");
    }

    #[test]
    fn the_other_columns_are_counted() {
        let columns: Vec<Series> = (0..7).map(|at| Series::new(format!("{at}").into(), [at])).collect();
        assert_eq!(row_text(&columns, 0), "{0=0, 1=1, 2=2, 3=3 and 3 more}");
    }
}
