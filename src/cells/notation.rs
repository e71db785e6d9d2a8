//! How the numbers of a text column are written: with a currency or a unit, such as `$1,200.50`,
//! `12 kg` or `-3 %`, and with a comma or a point before the fraction.

use serde::{Deserialize, Serialize};

use super::parse;

/// The longest unit after a number, in characters.
const LONGEST: usize = 12;
/// Codes of currencies that may stand before a number. Other letters there are those of an id.
const CURRENCIES: [&str; 17] = [
    "USD", "EUR", "GBP", "JPY", "CHF", "CNY", "INR", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN", "BRL", "ZAR",
    "MXN",
];
/// What makes a number an ordinal, whose ending changes with it.
const ORDINALS: [&str; 4] = ["st", "nd", "rd", "th"];

/// How the numbers of a column are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notation {
    /// What stands before and after each number, spaces included.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// Whether a comma is before the fraction, and points are between thousands.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_decimal_comma: bool,
}

/// A text with a number in it.
struct Parts<'a> {
    is_negative: bool,
    before: &'a str,
    digits: &'a str,
    after: &'a str,
}

impl Notation {
    /// Whether numbers are digits and a point, without a unit.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The number that a text is, if it is written like the column's numbers; spaces aside.
    pub fn number(&self, text: &str) -> Option<f64> {
        if self.is_plain() {
            return parse::number(text);
        }
        let parts = Parts::split(text)?;
        if parts.unit() != [self.before.trim(), self.after.trim()] {
            return None;
        }
        let number = match self.has_decimal_comma {
            true => with_decimal_comma(parts.digits),
            false => parse::number(parts.digits),
        };
        number.map(|number| if parts.is_negative { 0.0 - number } else { number })
    }

    /// A number in digits as the column has it.
    pub fn written(&self, digits: &str) -> String {
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
        let digits = if self.has_decimal_comma { swapped(digits) } else { digits.to_string() };
        format!("{sign}{}{digits}{}", self.before, self.after)
    }

    /// Whether one that comes from a file is short enough.
    pub fn is_usable(&self) -> bool {
        [&self.before, &self.after].into_iter().all(|unit| unit.len() <= 8 * LONGEST)
    }
}

/// The number in digits with a comma before the fraction. Points stand between thousands alone: 8.51.823
/// is a version.
fn with_decimal_comma(digits: &str) -> Option<f64> {
    let whole = digits.split(',').next().unwrap_or_default();
    let are_thousands = whole.split('.').skip(1).all(|group| group.len() == 3);
    parse::number(&swapped(digits)).filter(|_| are_thousands)
}

/// Commas for points, and points for commas.
fn swapped(digits: &str) -> String {
    let swap = |letter| match letter {
        ',' => '.',
        '.' => ',',
        other => other,
    };
    digits.chars().map(swap).collect()
}

impl<'a> Parts<'a> {
    /// The parts of a text with one number, and no more than a currency or a unit beside it.
    fn split(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let first = text.find(|letter: char| letter.is_ascii_digit())?;
        let has_point = text[..first].ends_with(['.', ',']);
        let start = first - usize::from(has_point);
        let of_number = |letter: char| letter.is_ascii_digit() || letter == '.' || letter == ',';
        let length = text[start..].find(|letter| !of_number(letter)).unwrap_or(text.len() - start);
        let digits = text[start..start + length].trim_end_matches(['.', ',']);
        let (before, after) = (&text[..start], &text[start + digits.len()..]);
        let signs = ['-', '−', '+'];
        let unsigned = before.strip_prefix(signs).or_else(|| before.trim_end().strip_suffix(signs));
        let is_negative = unsigned.is_some() && !before.contains('+');
        let parts = Self { is_negative, before: unsigned.unwrap_or(before), digits, after };
        (is_currency(parts.before.trim()) && is_unit(parts.after.trim())).then_some(parts)
    }

    fn unit(&self) -> [&'a str; 2] {
        [self.before.trim(), self.after.trim()]
    }
}

/// Whether this may stand before a number: nothing, `$`, `US$`, `EUR`.
fn is_currency(text: &str) -> bool {
    let symbols = text.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
    let is_symbol = |letter: char| matches!(letter, '$' | '¢' | '£' | '¥' | '฿' | '\u{20a0}'..='\u{20cf}');
    let has_symbol = !symbols.is_empty() && symbols.chars().all(is_symbol) && text.len() - symbols.len() <= 3;
    text.is_empty() || has_symbol || CURRENCIES.contains(&text)
}

/// Whether this may stand after a number: nothing, `%`, `km/h`, `m2`, ` €`.
fn is_unit(text: &str) -> bool {
    let mut before = ' ';
    let is_part = |letter: char| {
        let follows = std::mem::replace(&mut before, letter);
        match letter {
            '0'..='9' => follows.is_alphabetic(),
            '-' | ',' | ':' | ';' | '#' | '_' | '(' | ')' => false,
            _ => true,
        }
    };
    let is_short = text.chars().count() <= LONGEST && text.split(' ').count() <= 2;
    is_short && !ORDINALS.contains(&text) && !text.starts_with(['/', '.']) && text.chars().all(is_part)
}

/// How often numbers are written in which way.
#[derive(Default)]
pub struct Notations {
    found: Vec<Found>,
    /// What was found for the last text, which is mostly that of the next.
    last: usize,
}

/// One unit.
struct Found {
    notation: Notation,
    /// The rows of numbers with a decimal point, with a decimal comma, and of those that may be both.
    rows: [u64; 3],
    /// The rows of whole numbers with zeros before them, as codes have them.
    padded: u64,
}

/// The most units that are counted; more of them are no units.
const MOST: usize = 64;

impl Notations {
    /// Counts a text that `count` rows have, if it is a number.
    pub fn add(&mut self, text: &str, count: u64) {
        let is_number = parse::number(text).is_some();
        // With an exponent, or a point at the end.
        let plain = || is_number.then_some(Parts { is_negative: false, before: "", digits: "0.0", after: "" });
        let parts = Parts::split(text).filter(|_| !(is_number && text.contains(['e', 'E']))).or_else(plain);
        let Some(parts) = parts else { return };
        let [point, comma] = [parse::number(parts.digits), with_decimal_comma(parts.digits)];
        let style = match (point.is_some(), comma.is_some()) {
            (true, true) => 2,
            (true, false) => 0,
            (false, true) => 1,
            (false, false) => return,
        };
        let is_same = |found: &Found| [found.notation.before.trim(), found.notation.after.trim()] == parts.unit();
        let at = match self.found.get(self.last).is_some_and(is_same) {
            true => Some(self.last),
            false => self.found.iter().position(is_same),
        };
        let at = match at {
            Some(at) => at,
            None if self.found.len() >= MOST => return,
            None => {
                let (before, after) = (parts.before.to_string(), parts.after.to_string());
                let notation = Notation { before, after, has_decimal_comma: false };
                self.found.push(Found { notation, rows: [0; 3], padded: 0 });
                self.found.len() - 1
            }
        };
        self.last = at;
        let found = &mut self.found[at];
        found.rows[style] = found.rows[style].saturating_add(count);
        found.padded = found.padded.saturating_add(if parse::is_padded(parts.digits) { count } else { 0 });
    }

    /// The most frequent notation, the rows with its numbers, and those of these with zeros before them.
    pub fn usual(self) -> (Notation, u64, u64) {
        let rows = |found: &Found| {
            let [point, comma, both] = found.rows;
            both.saturating_add(point.max(comma))
        };
        let usual = self.found.into_iter().reduce(|a, b| if rows(&b) > rows(&a) { b } else { a });
        usual.map_or_else(Default::default, |found| {
            let count = rows(&found);
            let has_decimal_comma = found.rows[1] > found.rows[0];
            (Notation { has_decimal_comma, ..found.notation }, count, found.padded)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notation(texts: &[&str]) -> Notation {
        let mut notations = Notations::default();
        texts.iter().for_each(|text| notations.add(text, 1));
        notations.usual().0
    }

    fn written(before: &str, after: &str, has_decimal_comma: bool) -> Notation {
        Notation { before: before.to_string(), after: after.to_string(), has_decimal_comma }
    }

    #[test]
    fn currencies_units_and_decimal_commas_are_read() {
        for (texts, expected, numbers) in [
            (["$1,200.50", "-$3.00", "$.5"], written("$", "", false), [1200.5, -3.0, 0.5]),
            (["US$ 5", "US$7.25", "-US$1"], written("US$ ", "", false), [5.0, 7.25, -1.0]),
            (["12 kg", "12.5kg", "-3 kg"], written("", " kg", false), [12.0, 12.5, -3.0]),
            (["5%", "1,200%", "0.1 %"], written("", "%", false), [5.0, 1200.0, 0.1]),
            (["1.234,50 €", "7,5 €", "−3 €"], written("", " €", true), [1234.5, 7.5, -3.0]),
            (["12,50", "7", "1.000"], written("", "", true), [12.5, 7.0, 1000.0]),
            (["20 km/h", "3 km/h", "1 km/h"], written("", " km/h", false), [20.0, 3.0, 1.0]),
            (["20 m2", "3 m2", "1.5 m2"], written("", " m2", false), [20.0, 3.0, 1.5]),
            (["1,234", "1.5e3", "-7"], written("", "", false), [1234.0, 1500.0, -7.0]),
        ] {
            let found = notation(&texts);
            assert_eq!(found, expected);
            assert_eq!(texts.map(|text| found.number(text)), numbers.map(Some), "{texts:?}");
        }
    }

    #[test]
    fn another_notation_is_no_number_of_the_column() {
        let dollars = written("$", "", false);
        for text in ["12.50", "€12.50", "$12,50", "$12 kg", "$", "12 $", "$1.2.3", "about $5", ""] {
            assert_eq!(dollars.number(text), None, "{text}");
        }
        assert_eq!(written("", " kg", false).number("12 g"), None);
        assert_eq!(written("", "", true).number("12.50"), None);
    }

    #[test]
    fn ids_ordinals_dates_and_addresses_have_no_unit() {
        for text in ["SKU-1007", "INV1001", "A1", "#5", "LH 123", "3rd", "12-34", "1:30", "12 Main Street North", "v2"]
        {
            assert!(Parts::split(text).is_none(), "{text}");
        }
        let mut versions = Notations::default();
        ["8.51.823", "1.2.3", "10.0.17", "192.168.1.77"].iter().for_each(|text| versions.add(text, 1));
        assert_eq!(versions.usual().1, 0);
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for (notation, digits, written) in [
            (written("$", "", false), "-1200.5", "-$1200.5"),
            (written("", " €", true), "7.5", "7,5 €"),
            (Notation::default(), "-7.5", "-7.5"),
        ] {
            assert_eq!(notation.written(digits), written);
            assert_eq!(notation.number(written), digits.parse().ok());
        }
    }
}
