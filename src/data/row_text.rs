//! A row for people to read, in an error that can name it no better.

use polars::prelude::{AnyValue, DataType, Series, TimeUnit, TimeZone};

use super::encode::calendar::{local, zone};

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

/// A value of a column, for people to read. Polars' own text of nested values and of times with a
/// zone would panic: for dates beyond the calendar, and without a feature that brings its crate of
/// time functions.
pub fn value_text(column: &Series, row: usize) -> String {
    let Ok(value) = column.get(row) else { return "?".to_string() };
    match &value {
        AnyValue::Null => return "null".to_string(),
        AnyValue::List(items) | AnyValue::Array(items, _) => return items_text(items),
        _ => {}
    }
    match column.dtype() {
        DataType::Struct(_) => column.struct_().map_or("?".to_string(), |fields| {
            let values: Vec<String> = fields.fields_as_series().iter().map(|field| value_text(field, row)).collect();
            format!("{{{}}}", values.join(","))
        }),
        _ if !is_in_calendar(&value) => {
            column.to_physical_repr().get(row).map_or("?".to_string(), |number| number.to_string())
        }
        DataType::Datetime(unit, Some(zone)) => zoned_text(column, row, *unit, zone),
        _ => value.to_string(),
    }
}

/// `[1, 2, 3, …]`: the first values of a list.
fn items_text(items: &Series) -> String {
    let mut values: Vec<String> = (0..items.len().min(SHOWN)).map(|at| value_text(items, at)).collect();
    if items.len() > SHOWN {
        values.push("…".to_string());
    }
    format!("[{}]", values.join(", "))
}

/// A time as the clocks of its zone show it, and the zone.
fn zoned_text(column: &Series, row: usize, unit: TimeUnit, name: &TimeZone) -> String {
    let physical = column.to_physical_repr();
    let instant = physical.i64().ok().and_then(|numbers| numbers.get(row)).unwrap_or_default();
    let (microseconds, name) = match (unit, zone(column.dtype())) {
        (TimeUnit::Nanoseconds, Ok(Some(zone))) => (local(instant as f64 / 1e3, zone), name.as_str()),
        (TimeUnit::Microseconds, Ok(Some(zone))) => (local(instant as f64, zone), name.as_str()),
        (TimeUnit::Milliseconds, Ok(Some(zone))) => (local(instant as f64 * 1e3, zone), name.as_str()),
        _ => return instant.to_string(),
    };
    format!("{} {name}", AnyValue::Datetime(microseconds as i64, TimeUnit::Microseconds, None))
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
    use polars::prelude::{df, Int64Chunked, IntoSeries, ListChunked, NamedFrom, NewChunkedArray};

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
    fn a_time_with_a_zone_is_shown_by_its_clocks() {
        let instants = Int64Chunked::from_vec("t".into(), vec![0, i64::MAX]);
        let berlin = TimeZone::opt_try_new(Some("Europe/Berlin")).unwrap();
        for unit in [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds] {
            let times = instants.clone().into_datetime(unit, berlin.clone()).into_series();
            assert_eq!(value_text(&times, 0), "1970-01-01 01:00:00 Europe/Berlin");
            assert!(!value_text(&times, 1).is_empty());
        }
    }

    #[test]
    fn nested_values_are_shown_whatever_is_in_them() {
        let days = Series::new("d".into(), [1i32, i32::MAX]).cast(&DataType::Date).unwrap();
        let instants = Int64Chunked::from_vec("t".into(), vec![0, 1]);
        let times = instants.into_datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)).into_series();
        let mut frame = df!("n" => [Some(3), None], "s" => ["x", "y"]).unwrap();
        frame.with_column(days.clone().into()).unwrap();
        frame.with_column(times.into()).unwrap();
        let nested = frame.into_struct("all".into()).into_series();
        assert_eq!(value_text(&nested, 0), r#"{3,"x",1970-01-02,1970-01-01 00:00:00 UTC}"#);
        assert_eq!(value_text(&nested, 1), format!(r#"{{null,"y",{},1970-01-01 00:00:00.001 UTC}}"#, i32::MAX));
        let lists: ListChunked = [Some(days.clone()), None, Some(days.new_from_index(0, 9))].into_iter().collect();
        let texts: Vec<String> = (0..3).map(|row| value_text(&lists.clone().into_series(), row)).collect();
        assert_eq!(texts[..2], [format!("[1970-01-02, {}]", i32::MAX), "null".to_string()]);
        assert!(texts[2].ends_with(", …]"), "{}", texts[2]);
    }

    #[test]
    fn the_other_columns_are_counted() {
        let columns: Vec<Series> = (0..7).map(|at| Series::new(format!("{at}").into(), [at])).collect();
        assert_eq!(row_text(&columns, 0), "{0=0, 1=1, 2=2, 3=3 and 3 more}");
    }
}
