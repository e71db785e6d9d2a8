//! Reads numbers, dates and times of the day out of texts, and tells which texts stand for nothing.

use serde::{Deserialize, Serialize};

/// Texts that stand for a missing value, in lower case.
const MARKERS: [&str; 18] = [
    "", "n/a", "na", "nan", "null", "none", "empty", "-", "--", "?", "missing", "nil", "#n/a", "n.a.", "nat", "<na>",
    "(null)", "\\n",
];

/// Whether a text stands for a missing value.
pub fn is_marker(text: &str) -> bool {
    let text = text.trim();
    text.len() <= 7 && MARKERS.iter().any(|marker| text.eq_ignore_ascii_case(marker))
}

/// Whether a text was read in another encoding than it was written in: it has replacement or
/// control characters, or UTF-8 that was read as Latin-1 or as Windows-1252 (`Ã¼` for `ü`).
pub fn is_garbled(text: &str) -> bool {
    if text.is_ascii() {
        return text.bytes().any(|byte| byte < 32 && !byte.is_ascii_whitespace());
    }
    let mut before = ' ';
    for letter in text.chars() {
        let follows =
            matches!(letter, '\u{80}'..='\u{bf}' | '€' | '‚' | '„' | '‡' | 'ˆ' | '‰' | '‹' | 'Œ' | '™' | 'š' | 'œ');
        let is_control = letter.is_control() && !letter.is_whitespace();
        if letter == '\u{fffd}' || is_control || matches!(before, 'Ã' | 'Â' | 'â') && follows {
            return true;
        }
        before = letter;
    }
    false
}

/// The number that a text is: digits with a sign, commas between thousands, a point, an exponent.
pub fn number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            if digits.is_empty() || !are_digits(digits) {
                return None;
            }
            mantissa
        }
        None => unsigned,
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !(is_grouped(whole) || whole.is_empty() && !fraction.is_empty()) || !are_digits(fraction) {
        return None;
    }
    let parsed = match text.contains(',') {
        true => text.replace(',', "").parse::<f64>(),
        false => text.parse(),
    };
    parsed.ok().filter(|number| number.is_finite()).map(|number| number + 0.0)
}

/// Whether a text is digits, with commas between thousands or not: 1234, 1,234 or 12,34,567.
fn is_grouped(whole: &str) -> bool {
    let are_digits = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let Some(last) = groups.next_back() else { return are_digits(first) };
    let mut between = groups.map(|group| are_digits(group) && matches!(group.len(), 2 | 3));
    are_digits(first) && first.len() <= 3 && between.all(|is_group| is_group) && are_digits(last) && last.len() == 3
}

/// Whether a text is a whole number with zeros before it, as codes have them.
pub fn is_padded(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// How a date or a time of the day is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Format {
    YearDashes,
    YearSlashes,
    Slashes,
    Dots,
    Dashes,
    DayName,
    NameDay,
    Clock12,
    Clock24,
}

/// All formats, in the order of their numbers.
pub const FORMATS: [Format; 9] = [
    Format::YearDashes,
    Format::YearSlashes,
    Format::Slashes,
    Format::Dots,
    Format::Dashes,
    Format::DayName,
    Format::NameDay,
    Format::Clock12,
    Format::Clock24,
];

/// A date or a time of the day that a text is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Written {
    pub format: Format,
    /// Whether a time of the day follows the date.
    pub has_clock: bool,
    /// Days since 1970-01-01 with the month first where that is open, or hours since midnight; NaN
    /// where there is no such day.
    pub month_first: f64,
    /// The same with the day first.
    pub day_first: f64,
    /// The hour of the day, where one is written.
    pub hour: Option<u8>,
}

impl Written {
    /// The number of its format, with and without a time of the day.
    pub fn format_number(&self) -> usize {
        self.format as usize * 2 + usize::from(self.has_clock)
    }

    pub fn is_clock(&self) -> bool {
        matches!(self.format, Format::Clock12 | Format::Clock24)
    }
}

/// The text that is left to read.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    /// The next digits, from `least` to `most` of them.
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits.parse().ok()
    }

    /// Skips the symbol if it is the next one.
    fn skip(&mut self, symbol: char) -> bool {
        let rest = self.0.strip_prefix(symbol);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Skips the symbol, or gives up.
    fn expect(&mut self, symbol: char) -> Option<()> {
        self.skip(symbol).then_some(())
    }

    /// The month that the next letters name.
    fn month(&mut self) -> Option<u32> {
        const MONTHS: [&str; 12] = [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ];
        let count = self.0.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (name, rest) = self.0.split_at(count);
        let is_named = |month: &str| match name.len() {
            3 => month[..3].eq_ignore_ascii_case(name),
            _ => month.eq_ignore_ascii_case(name),
        };
        let at = MONTHS.iter().position(|month| is_named(month))?;
        self.0 = rest;
        Some(at as u32 + 1)
    }

    /// A year of two or four digits.
    fn year(&mut self) -> Option<i64> {
        let before = self.0.len();
        let year = i64::from(self.digits(2, 4)?);
        match before - self.0.len() {
            2 => Some(year + if year < 30 { 2000 } else { 1900 }),
            4 => Some(year),
            _ => None,
        }
    }

    /// Hours since midnight, and whether they were said to be of the morning or the afternoon.
    fn clock(&mut self) -> Option<(f64, bool)> {
        let mut hour = self.digits(1, 2)?;
        self.expect(':')?;
        let minute = self.digits(2, 2)?;
        let mut second = 0.0;
        if self.skip(':') {
            second = f64::from(self.digits(2, 2)?);
            if self.skip('.') {
                self.digits(1, 9)?;
            }
        }
        let half = self.half();
        if let Some(is_afternoon) = half {
            if hour > 12 {
                return None;
            }
            hour = hour % 12 + if is_afternoon { 12 } else { 0 };
        }
        let is_valid = hour < 24 && minute < 60 && second < 60.0;
        is_valid.then_some((f64::from(hour) + f64::from(minute) / 60.0 + second / 3600.0, half.is_some()))
    }

    /// "am" or "pm", with or without points: whether it is the afternoon.
    fn half(&mut self) -> Option<bool> {
        let rest = self.0.strip_prefix(' ').unwrap_or(self.0);
        let mut letters = rest.chars();
        let is_afternoon = match letters.next()? {
            'a' | 'A' => false,
            'p' | 'P' => true,
            _ => return None,
        };
        let rest = letters.as_str();
        let rest = rest.strip_prefix('.').unwrap_or(rest).strip_prefix(['m', 'M'])?;
        self.0 = rest.strip_prefix('.').unwrap_or(rest);
        Some(is_afternoon)
    }

    /// The distance of a time zone from UTC, which is skipped.
    fn zone(&mut self) -> Option<()> {
        if self.skip('Z') || self.0.is_empty() {
            return Some(());
        }
        self.0 = self.0.strip_prefix(['+', '-'])?;
        self.digits(2, 2)?;
        self.skip(':');
        self.digits(2, 2).map(|_| ())
    }
}

/// The date or the time of the day that a text is.
pub fn written(text: &str) -> Option<Written> {
    if !(4..=40).contains(&text.len()) {
        return None;
    }
    clock(text).or_else(|| date(text))
}

fn clock(text: &str) -> Option<Written> {
    let mut reader = Reader(text);
    let (hours, has_half) = reader.clock()?;
    let format = if has_half { Format::Clock12 } else { Format::Clock24 };
    let (month_first, day_first) = (hours, hours);
    let is_all = reader.0.is_empty();
    is_all.then_some(Written { format, has_clock: false, month_first, day_first, hour: Some(hours as u8) })
}

fn date(text: &str) -> Option<Written> {
    let mut reader = Reader(text);
    let (format, [month_first, day_first]) = day(&mut reader)?;
    let mut hours = None;
    if !reader.0.is_empty() {
        reader.skip(',');
        reader.0 = reader.0.strip_prefix([' ', 'T'])?;
        hours = Some(reader.clock()?.0);
        reader.zone()?;
        if !reader.0.is_empty() {
            return None;
        }
    }
    let moment = |days: Option<i64>| days.map_or(f64::NAN, |days| days as f64 + hours.unwrap_or(0.0) / 24.0);
    Some(Written {
        format,
        has_clock: hours.is_some(),
        month_first: moment(month_first),
        day_first: moment(day_first),
        hour: hours.map(|hours| hours as u8),
    })
}

/// A format, and its days by month first and by day first.
fn day(reader: &mut Reader) -> Option<(Format, [Option<i64>; 2])> {
    let whole = reader.0;
    if whole.as_bytes()[0].is_ascii_alphabetic() {
        let month = reader.month()?;
        reader.skip('.');
        reader.expect(' ')?;
        let day = reader.digits(1, 2)?;
        reader.skip(',');
        reader.expect(' ')?;
        return Some((Format::NameDay, [days_since_1970(reader.year()?, month, day); 2]));
    }
    if let Some(year) = reader.digits(4, 4) {
        let symbol = if reader.skip('-') { '-' } else { '/' };
        if symbol == '/' {
            reader.expect('/')?;
        }
        let month = reader.digits(1, 2)?;
        reader.expect(symbol)?;
        let day = reader.digits(1, 2)?;
        let format = if symbol == '-' { Format::YearDashes } else { Format::YearSlashes };
        return Some((format, [days_since_1970(i64::from(year), month, day); 2]));
    }
    let first = reader.digits(1, 2)?;
    let symbol = reader.0.chars().next()?;
    reader.0 = &reader.0[symbol.len_utf8()..];
    if matches!(symbol, '-' | ' ') && reader.0.bytes().next()?.is_ascii_alphabetic() {
        let month = reader.month()?;
        reader.expect(symbol)?;
        return Some((Format::DayName, [days_since_1970(reader.year()?, month, first); 2]));
    }
    let format = match symbol {
        '/' => Format::Slashes,
        '.' => Format::Dots,
        '-' => Format::Dashes,
        _ => return None,
    };
    let second = reader.digits(1, 2)?;
    reader.expect(symbol)?;
    let year = reader.year()?;
    let (by_month, by_day) = (days_since_1970(year, first, second), days_since_1970(year, second, first));
    Some((format, if format == Format::Slashes { [by_month, by_day] } else { [by_day, by_day] }))
}

/// Days since 1970-01-01; None if there is no such day.
pub fn days_since_1970(year: i64, month: u32, day: u32) -> Option<i64> {
    let date = chrono::NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some(date.signed_duration_since(chrono::NaiveDate::default()).num_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let read = ["1", "-2.50", "1,234.5", ".5", "+7.", "1e3", "007"].map(number);
        assert_eq!(read, [1.0, -2.5, 1234.5, 0.5, 7.0, 1000.0, 7.0].map(Some));
        for text in ["", "-", "12 kg", "1.2.3", "e5", "1e", "0x1", "inf", "nan", "1e999", ",5", "12.0 oz", "٣"] {
            assert_eq!(number(text), None, "{text}");
        }
        assert!(is_padded("01907") && !is_padded("0") && !is_padded("1907") && !is_padded("0.5"));
    }

    #[test]
    fn dates_of_one_day_are_the_same_number() {
        for text in ["2021-03-05", "2021/3/5", "3/5/2021", "05-Mar-2021", "Mar 5, 2021", "5 March 2021", "3/5/21"] {
            assert_eq!(written(text).map(|read| read.month_first), Some(18_691.0), "{text}");
        }
        for text in ["5.3.2021", "05-03-2021", "5/3/2021"] {
            assert_eq!(written(text).map(|read| read.day_first), Some(18_691.0), "{text}");
        }
    }

    #[test]
    fn times_of_the_day_are_hours() {
        let hours = |text: &str| written(text).map(|read| (read.month_first, read.hour));
        assert_eq!(hours("7:30 p.m."), Some((19.5, Some(19))));
        assert_eq!(hours("12:15am"), Some((0.25, Some(0))));
        assert_eq!(hours("23:45:00"), Some((23.75, Some(23))));
        assert_eq!(hours("25:00"), None);
        let moment = written("2021-03-05T18:00:00.5+01:00").unwrap();
        assert_eq!((moment.month_first, moment.hour, moment.has_clock), (18_691.75, Some(18), true));
        assert_eq!(written("12/02/2011 6:55 a.m.").unwrap().hour, Some(6));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "12", "2021", "2021-13", "31/12", "a-b-c", "SKU-1007", "2021-03-05 x", "ABCD", "é/é/éé"] {
            assert_eq!(written(text), None, "{text}");
        }
        assert!(written("2021-02-30").unwrap().month_first.is_nan());
    }

    #[test]
    fn garbled_texts() {
        assert!(["M\u{fffd}nchen", "MÃ¼nchen", "itâ€™s", "a\u{1}b", "Â£5"].into_iter().all(is_garbled));
        assert!(!["München", "it’s", "a\tb", "£5", "Âge", "pâté"].into_iter().any(is_garbled));
    }

    #[test]
    fn markers_of_missing_values() {
        assert!([" ", "N/A", "-", "NaN", "Empty"].into_iter().all(is_marker));
        assert!(!["0", "unknown", "A", "no"].into_iter().any(is_marker));
    }
}
