//! Values and shares as people read them.

use chrono::{DateTime, Datelike, Timelike};

use super::column::Column;
use super::nature::Meaning;
use super::parents::number::Expected;
use super::values::{CellColumn, Description, NULL};

/// The longest text that is shown whole.
const LONGEST: usize = 60;
/// Numbers are mostly within so many spreads.
const MOSTLY: f64 = 2.1;

/// A share in percent, with one or two digits that tell something.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share.clamp(0.0, 1.0);
    let digits = match percent {
        _ if percent >= 99.95 => return "100 %".to_string(),
        _ if percent >= 99.0 => 1,
        _ if percent >= 10.0 => 0,
        _ if percent >= 1.0 => 1,
        _ if percent >= 0.1 => 1,
        _ if percent >= 0.01 => 2,
        _ => return "less than 0.01 %".to_string(),
    };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// A text, shortened where it is long.
pub fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// A number, a date or a time of a column. `is_exact`: as it is, not rounded to the column's step.
pub fn number(column: &Column, number: f64, is_exact: bool) -> String {
    match (column.nature.meaning, column.time) {
        (Meaning::Date, _) => {
            let is_whole = !is_exact && column.numbers.as_ref().is_some_and(|numbers| numbers.raw.grain >= 1.0);
            date(if is_whole { number.round() } else { number }).unwrap_or_else(|| plain(number, None))
        }
        (Meaning::Clock, _) => {
            let minutes = (number * 60.0).round().clamp(0.0, 1e6) as u64;
            format!("{:02}:{:02}", minutes / 60, minutes % 60)
        }
        (_, Some(crate::data::Kind::Duration)) => format!("{} h", plain(number, Some(0.01))),
        _ => {
            let step = column.numbers.as_ref().map(|numbers| numbers.raw.grain);
            plain(number, step.filter(|_| !is_exact))
        }
    }
}

/// A number in digits, rounded to a step or to four digits.
fn plain(number: f64, step: Option<f64>) -> String {
    let Some(step) = step else { return format!("{number}") };
    let size = number.abs().max(1e-300);
    let digits = |unit: f64| (-libm::floor(libm::log10(unit) + 1e-9)).clamp(0.0, 9.0) as usize;
    let by_step = if step > 0.0 { digits(step) } else { 9 };
    let by_size = (3.0 - libm::floor(libm::log10(size))).clamp(0.0, 9.0) as usize;
    let digits = by_step.min(by_size);
    let text = format!("{number:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// A date, with the time of the day where it has one.
fn date(days: f64) -> Option<String> {
    let days = Some(days).filter(|days| days.abs() < 3e6)?;
    let seconds = (days * 86_400.0).round() as i64;
    let moment = DateTime::from_timestamp(seconds, 0)?;
    let day = format!("{:04}-{:02}-{:02}", moment.year(), moment.month(), moment.day());
    Some(match (moment.hour(), moment.minute()) {
        (0, 0) => day,
        (hour, minute) => format!("{day} {hour:02}:{minute:02}"),
    })
}

/// The text of a row, where the column holds texts.
pub fn text<'a>(given: &CellColumn<'a>, described: &Description<'a>, row: usize) -> Option<&'a str> {
    let CellColumn::Text { codes, others } = given else { return None };
    let code = *codes.get(row)?;
    let known = described.vocabulary.map_or(&[][..], |vocabulary| vocabulary.values);
    match code {
        NULL => None,
        code if (code as usize) < known.len() => known.get(code as usize).map(String::as_str),
        code => others.get(code as usize - known.len()).map(String::as_str),
    }
}

/// The value of a known level of a column.
pub fn level(column: &Column, described: &Description, level: usize) -> String {
    match described.vocabulary {
        Some(vocabulary) => vocabulary.values.get(level).map_or_else(|| "missing".to_string(), |text| short(text)),
        None => column.known.get(level).map_or_else(|| "missing".to_string(), |value| number(column, *value, true)),
    }
}

/// The numbers that are usual where one is expected: "12 to 18", or one number.
pub fn range(column: &Column, expected: Expected, is_log: bool) -> String {
    let bound = |side: f64| {
        let place = expected.place + side * MOSTLY * expected.spread;
        number(column, if is_log { libm::exp(place) } else { place }, false)
    };
    let step = column.numbers.as_ref().map_or(0.0, |numbers| numbers.raw.grain);
    let [low, middle, high] = [-1.0, 0.0, 1.0].map(bound);
    if !is_log && 2.0 * MOSTLY * expected.spread < 2.5 * step || low == high {
        return middle;
    }
    format!("{low} to {high}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_digits_that_tell_something() {
        let shown = [1.0, 0.99951, 0.994, 0.42, 0.031, 0.002, 0.00042, 1e-6].map(percent);
        let expected = ["100 %", "100 %", "99.4 %", "42 %", "3.1 %", "0.2 %", "0.04 %", "less than 0.01 %"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn numbers_are_rounded_to_the_step_of_their_column() {
        assert_eq!(plain(12.345_678, Some(0.01)), "12.35");
        assert_eq!(plain(123_456.7, Some(0.01)), "123457");
        assert_eq!(plain(18.0, Some(1.0)), "18");
        assert_eq!(plain(0.001_234_56, Some(0.0)), "0.001235");
        assert_eq!(plain(12.345_678, None), "12.345678");
        assert_eq!(date(18_691.25).unwrap(), "2021-03-05 06:00");
        assert_eq!(date(2_932_896.0).unwrap(), "9999-12-31");
        assert_eq!((date(f64::NAN), date(4e6)), (None, None));
    }
}
