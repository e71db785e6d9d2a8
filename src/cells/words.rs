//! Values and shares as people read them.

use chrono::{DateTime, Datelike, Timelike};

use super::column::Column;
use super::nature::Meaning;
use super::numbers::{Numbers, Scale};
use super::parents::number::Expected;
use super::values::{CellColumn, Description, NULL};

/// The longest text that is shown whole.
const LONGEST: usize = 60;
/// Numbers are mostly within so many spreads.
const MOSTLY: f64 = 2.1;
/// A number of at most so many characters is shown whole.
const SHORT: usize = 12;
/// Numbers from here on are shown as powers of ten, and so are those below it.
const HUGE: f64 = 1e15;
const TINY: f64 = 1e-6;
/// The bounds of a range are close if they differ by less than this share of them.
const CLOSE: f64 = 1e-3;
/// The last minute of a day, in hours.
const LAST_MINUTE: f64 = 24.0 - 1.0 / 60.0;

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
            column.notation.written(&plain(number, step.filter(|_| !is_exact)))
        }
    }
}

/// A number of a column as it is: of Booleans, the words.
pub fn exact(column: &Column, described: &Description, value: f64) -> String {
    match described.is_boolean {
        true => (value != 0.0).to_string(),
        false => number(column, value, true),
    }
}

/// A number in digits, rounded to a step or to four digits; without a step, to six where it has
/// many.
pub fn plain(number: f64, step: Option<f64>) -> String {
    if number.abs() >= HUGE || (number != 0.0 && number.abs() < TINY && step.is_none_or(|step| step < TINY)) {
        let text = format!("{number:.3e}");
        return match text.split_once('e') {
            Some((digits, power)) => format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.')),
            None => text,
        };
    }
    let digits = |unit: f64| (-libm::floor(libm::log10(unit) + 1e-9)).clamp(0.0, 9.0) as usize;
    let size = libm::floor(libm::log10(number.abs().max(1e-300)));
    let by_size = |digits: f64| (digits - 1.0 - size).max(0.0) as usize;
    let digits = match step {
        Some(step) if step > 0.0 => digits(step).min(by_size(4.0)),
        Some(_) => by_size(4.0).min(9),
        None if format!("{number}").len() <= SHORT => return format!("{number}"),
        None => by_size(6.0).min(17),
    };
    let text = format!("{number:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    if text == "-0" { "0" } else { text }.to_string()
}

/// A number of a column as one end of a range of this width: to a hundredth of it, or to the column's
/// step.
fn within(number: f64, width: f64, column: &Column) -> String {
    let grain = column.numbers.as_ref().map_or(0.0, |numbers| numbers.raw.grain);
    let digits = (-libm::floor(libm::log10((width / 10.0).max(grain).max(1e-300)) + 1e-9)).clamp(0.0, 17.0) as usize;
    if number.abs() >= HUGE || number.abs() < TINY {
        return column.notation.written(&plain(number, None));
    }
    column.notation.written(&format!("{number:.digits$}"))
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
        None => {
            let known = column.known.get(level);
            known.map_or_else(|| "missing".to_string(), |value| exact(column, described, *value))
        }
    }
}

/// The numbers that are usual somewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// The lowest, the middle one and the highest.
    numbers: [f64; 3],
    /// Whether all of them are one number, but for rounding.
    is_one: bool,
}

impl Usual {
    /// Those of a column: the ones that the spread lets expect, as far as the middle 98 % go, but
    /// all bins except the outermost in any case.
    pub fn of_column(numbers: &Numbers) -> Self {
        let Scale { centre, spread, grain } = *numbers.scale();
        let [low, high] = numbers.middle;
        let inner = match (&numbers.edges[..], numbers.edges_are_values) {
            ([first, .., last], false) => [first, last].map(|edge| numbers.on_scale(*edge)),
            // Of few numbers, a quantile may lie halfway to an extreme one.
            (values, true) => {
                let places = values.iter().map(|value| numbers.on_scale(*value)).filter(|at| (low..=high).contains(at));
                let ends = places.fold([high, low], |[first, last], at| [first.min(at), last.max(at)]);
                if ends[0] <= ends[1] {
                    ends
                } else {
                    [low, high]
                }
            }
            _ => [low, high],
        };
        let bound = |side: f64| (centre + side * MOSTLY * spread).max(low).min(high);
        let places = [bound(-1.0).min(inner[0]), centre, bound(1.0).max(inner[1])];
        let is_one = !numbers.is_log && places[2] - places[0] < 2.5 * grain;
        Self { numbers: if numbers.is_log { places.map(libm::exp) } else { places }, is_one }
    }

    /// Those that other values lead to.
    pub fn expected(column: &Column, expected: Expected, is_log: bool) -> Self {
        let numbers = column.numbers.as_ref();
        let has_negative = numbers.is_none_or(|numbers| numbers.odd[0] > 0);
        let bound = |side: f64| {
            let place = expected.place + side * MOSTLY * expected.spread;
            match column.nature.meaning {
                _ if is_log => libm::exp(place),
                Meaning::Clock => place.clamp(0.0, LAST_MINUTE),
                Meaning::Number if !has_negative => place.max(0.0),
                _ => place,
            }
        };
        let step = numbers.map_or(0.0, |numbers| numbers.raw.grain);
        let is_one = !is_log && 2.0 * MOSTLY * expected.spread < 2.5 * step;
        Self { numbers: [-1.0, 0.0, 1.0].map(bound), is_one }
    }

    /// Whether a number is one of them.
    pub fn has(&self, number: f64) -> bool {
        (self.numbers[0]..=self.numbers[2]).contains(&number)
    }

    /// "12 to 18", or one number. Bounds that four digits can't tell apart have more.
    pub fn text(&self, column: &Column) -> String {
        let [low, middle, high] = self.numbers.map(|bound| number(column, bound, false));
        let [first, _, last] = self.numbers;
        let is_narrow = column.is_plain_number() && last - first < CLOSE * first.abs().max(last.abs());
        match self.is_one || low == high && !is_narrow {
            true => middle,
            false if is_narrow => {
                let [low, high] = [first, last].map(|bound| within(bound, last - first, column));
                format!("{low} to {high}")
            }
            false => format!("{low} to {high}"),
        }
    }
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
        assert_eq!((plain(-0.3, Some(1.0)), plain(-0.0, Some(0.01))), ("0".to_string(), "0".to_string()));
        assert_eq!(plain(-3.238_124_588_901_752, None), "-3.23812");
        assert_eq!(plain(0.000_012_345_678_9, None), "0.0000123457");
        assert_eq!(plain(1_234_567_890_123.0, None), "1234567890123");
        assert_eq!((plain(1e308, None), plain(-4.603_043_054e18, Some(1.0))), ("1e308".into(), "-4.603e18".into()));
        assert_eq!(date(18_691.25).unwrap(), "2021-03-05 06:00");
        assert_eq!(date(2_932_896.0).unwrap(), "9999-12-31");
        assert_eq!((date(f64::NAN), date(4e6)), (None, None));
    }
}
