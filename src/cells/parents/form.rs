//! The forms in which a column predicts others: its value, a part of its text, a bin of its number,
//! or the hour, weekday or month of its time; each as a code.

use chrono::Datelike;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::cells::column::{Column, Level, NO_HOUR};
use crate::cells::nature::Meaning;
use crate::cells::parse;
use crate::cells::read::Read;
use crate::cells::shapes::ByHash;
use crate::cells::values::{CellColumn, Vocabulary};

/// How a column is taken as a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    Value,
    First,
    Last,
    Prefix1,
    Prefix2,
    Prefix3,
    Bin,
    Hour,
    Weekday,
    Month,
    /// Whether there is a value.
    Presence,
}

/// The forms that are parts of a text.
pub const PARTS: [Form; 5] = [Form::First, Form::Last, Form::Prefix1, Form::Prefix2, Form::Prefix3];

impl Form {
    /// The part of a text that this form is; None of other forms.
    pub fn part(self, text: &str) -> Option<&str> {
        let text = text.trim();
        let is_between = |letter: char| letter.is_whitespace() || "_,;/|:-".contains(letter);
        let prefix = |letters: usize| {
            let end = text.char_indices().nth(letters).map_or(text.len(), |(at, _)| at);
            Some(&text[..end])
        };
        match self {
            Self::First => text.split(is_between).next(),
            Self::Last => text.rsplit(is_between).next(),
            Self::Prefix1 => prefix(1),
            Self::Prefix2 => prefix(2),
            Self::Prefix3 => prefix(3),
            _ => None,
        }
    }

    /// The number of codes of a form that numbers the parts of a time.
    fn cycle(self) -> Option<u32> {
        match self {
            Self::Hour => Some(u32::from(NO_HOUR)),
            Self::Weekday => Some(7),
            Self::Month => Some(12),
            Self::Presence => Some(1),
            _ => None,
        }
    }

    /// The place of a level in the cycle.
    fn in_cycle(self, level: &Level) -> Option<u32> {
        if self == Self::Hour {
            return (level.hour < NO_HOUR).then_some(u32::from(level.hour));
        }
        if self == Self::Presence {
            return (!level.is_missing).then_some(0);
        }
        let days = Some(level.number.floor()).filter(|days| days.abs() < 1e8)?;
        let date = chrono::DateTime::from_timestamp(days as i64 * 86_400, 0)?;
        Some(match self {
            Self::Weekday => date.weekday().num_days_from_monday(),
            _ => date.month0(),
        })
    }
}

/// Codes the values of a column in one form: `count` known codes, the next one for missing values,
/// and the one after it for what the training rows lack.
#[derive(Clone, Debug)]
pub struct Coder {
    pub column: usize,
    pub form: Form,
    pub count: u32,
    by_level: Vec<u32>,
    /// The codes of the parts of texts.
    parts: ByHash<u32>,
}

impl Coder {
    pub fn new(at: usize, column: &Column, form: Form, vocabulary: Option<&Vocabulary>) -> Self {
        let mut coder = Self { column: at, form, count: 0, by_level: vec![], parts: ByHash::default() };
        coder.count = match form {
            Form::Value => column.known_count() as u32,
            Form::Bin => column.numbers.as_ref().map_or(0, |numbers| numbers.bins() as u32),
            form => form.cycle().unwrap_or_else(|| coder.number_parts(vocabulary)),
        };
        let texts = vocabulary.map_or(&[][..], |vocabulary| vocabulary.values);
        let code = |(at, level): (usize, &Level)| match (form, level.is_missing) {
            (_, true) => coder.count,
            (Form::Value, _) => at as u32,
            _ => coder.code(column, level, texts.get(at).map(String::as_str)),
        };
        coder.by_level = column.levels.iter().enumerate().map(code).collect();
        coder
    }

    /// Numbers the parts of a vocabulary's texts in their order; returns how many there are.
    fn number_parts(&mut self, vocabulary: Option<&Vocabulary>) -> u32 {
        for text in vocabulary.map_or(&[][..], |vocabulary| vocabulary.values) {
            if let Some(part) = self.form.part(text).filter(|_| !parse::is_marker(text)) {
                let next = self.parts.len() as u32;
                self.parts.entry(xxh3_64(part.as_bytes())).or_insert(next);
            }
        }
        self.parts.len() as u32
    }

    /// The codes that the parts of texts have in another coder of the same form; `u32::MAX` where it
    /// lacks one.
    pub fn parts_as_of(&self, other: &Self) -> Vec<u32> {
        let mut codes = vec![u32::MAX; self.parts.len()];
        for (part, code) in &self.parts {
            if let Some(to) = codes.get_mut(*code as usize) {
                *to = other.parts.get(part).copied().unwrap_or(u32::MAX);
            }
        }
        codes
    }

    /// The code of what the training rows lack.
    pub fn unseen(&self) -> u32 {
        self.count + 1
    }

    /// The code of a level that is not known as such.
    fn code(&self, column: &Column, level: &Level, text: Option<&str>) -> u32 {
        if level.is_missing {
            return self.count;
        }
        match self.form {
            Form::Value => self.unseen(),
            Form::Bin => {
                let numbers = column.numbers.as_ref().filter(|numbers| numbers.is_sized(level.number));
                let bin = numbers.map(|numbers| numbers.bin(level.number));
                bin.map_or(self.count, |bin| bin.map_or(self.unseen(), |bin| bin as u32))
            }
            form if form.cycle().is_some() => form.in_cycle(level).unwrap_or(self.count),
            form => {
                let part = text.and_then(|text| form.part(text));
                let known = part.and_then(|part| self.parts.get(&xxh3_64(part.as_bytes())));
                known.copied().unwrap_or(self.unseen())
            }
        }
    }

    /// The codes of some rows, with the numbers of those that can be judged by their size.
    pub fn codes(&self, column: &Column, read: &Read, given: &CellColumn, sized: &[f64]) -> Vec<u32> {
        let others = match given {
            CellColumn::Text { others, .. } => *others,
            _ => &[],
        };
        let read = match (read, &column.numbers) {
            (Read::Levels(read), _) => read,
            (Read::Measured(_), Some(numbers)) if self.form == Form::Bin => {
                return numbers.bins_of(sized, [self.count, self.unseen()]);
            }
            (Read::Measured(_), _) => {
                let levels = (0..read.rows()).map(|row| column.level(read, row));
                return levels.map(|level| self.code(column, &level, None)).collect();
            }
        };
        let code = |(at, level): (usize, &Level)| self.code(column, level, others.get(at).map(String::as_str));
        let more: Vec<u32> = read.more.iter().enumerate().map(code).collect();
        let known = self.by_level.len();
        let code = |level: &u32| match self.by_level.get(*level as usize) {
            Some(code) => *code,
            None => more[*level as usize - known],
        };
        read.levels.iter().map(code).collect()
    }

    pub fn bytes(&self) -> usize {
        self.by_level.capacity() * 4 + self.parts.capacity() * 17
    }
}

/// The forms that a column of training rows has as a parent; `rows` is their number.
pub fn forms(column: &Column, vocabulary: Option<&Vocabulary>, rows: usize) -> Vec<Form> {
    let nature = &column.nature;
    let others = vocabulary.map_or(0, |vocabulary| vocabulary.other_rows) as usize;
    let values = column.known_count() + usize::from(column.missing_rows() > 0) + others;
    let mut forms = vec![];
    if nature.is_discrete && (2..=rows * 6 / 10).contains(&values) {
        forms.push(Form::Value);
    }
    if nature.meaning == Meaning::Category && values > 2 {
        let is_useful = |form: &Form| {
            let mut coder = Coder::new(0, column, Form::Hour, None);
            coder.form = *form;
            let parts = coder.number_parts(vocabulary) as usize;
            parts > 1 && parts * 5 < values * 4 && parts <= rows * 3 / 10
        };
        forms.extend(PARTS.into_iter().filter(is_useful));
    }
    if column.numbers.as_ref().is_some_and(|numbers| !numbers.edges_are_values || forms.is_empty()) {
        forms.push(Form::Bin);
    }
    if nature.has_hours {
        forms.push(Form::Hour);
    }
    if nature.meaning == Meaning::Date && column.numbers.is_some() {
        forms.extend([Form::Weekday, Form::Month]);
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(values: &[&str], counts: &[u64]) -> (Column, Vec<String>, Vec<u64>) {
        let values: Vec<String> = values.iter().map(|text| text.to_string()).collect();
        let codes: Vec<u32> = counts.iter().enumerate().flat_map(|(at, n)| vec![at as u32; *n as usize]).collect();
        let vocabulary = Vocabulary { values: &values, counts, other_rows: 0 };
        let column = Column::fit(&CellColumn::Text { codes: &codes, others: &[] }, Some(&vocabulary), None, 999, None);
        (column, values, counts.to_vec())
    }

    fn codes(form: Form, given: &[u32], others: &[&str]) -> (u32, Vec<u32>) {
        let (column, values, counts) = text(&["AA-12", "AA-7", "UA-12", "N/A"], &[20, 10, 5, 2]);
        let vocabulary = Vocabulary { values: &values, counts: &counts, other_rows: 0 };
        let coder = Coder::new(0, &column, form, Some(&vocabulary));
        let others: Vec<String> = others.iter().map(|text| text.to_string()).collect();
        let rows = CellColumn::Text { codes: given, others: &others };
        (coder.count, coder.codes(&column, &column.read(&rows), &rows, &[]))
    }

    #[test]
    fn parts_of_texts_are_numbered_and_new_texts_are_read() {
        let null = crate::cells::values::NULL;
        assert_eq!(codes(Form::Value, &[0, 2, 3, null, 4], &["AA-7x"]), (4, vec![0, 2, 4, 4, 5]));
        assert_eq!(codes(Form::First, &[0, 1, 2, 3, 4, 5], &["UA-99", "ZZ-1"]), (2, vec![0, 0, 1, 2, 1, 3]));
        assert_eq!(codes(Form::Last, &[0, 1, 2], &[]), (2, vec![0, 1, 0]));
        assert_eq!(codes(Form::Prefix1, &[0, 1, 2, 4], &["Ä"]), (2, vec![0, 0, 1, 3]));
    }

    #[test]
    fn numbers_have_bins_and_times_have_hours_weekdays_and_months() {
        let days: Vec<f64> = (0..400).map(|at| 18_628.0 + f64::from(at)).collect();
        let rows = CellColumn::Time { kind: crate::data::Kind::Date, values: &days };
        let column = Column::fit(&rows, None, None, 999, None);
        let of = |form: Form, day: f64| {
            let coder = Coder::new(0, &column, form, None);
            let day = [day];
            let given = CellColumn::Time { kind: crate::data::Kind::Date, values: &day };
            coder.codes(&column, &column.read(&given), &given, &day)[0]
        };
        // 2021-03-05, a Friday
        assert_eq!((of(Form::Weekday, 18_691.0), of(Form::Month, 18_691.0), of(Form::Bin, 18_691.0)), (4, 2, 2));
        assert_eq!((of(Form::Bin, f64::NAN), of(Form::Hour, 18_691.0)), (16, 24));
        assert_eq!(forms(&column, None, 400), [Form::Bin, Form::Weekday, Form::Month]);
    }
}
