//! What the texts of a column say by themselves: how they are written, how rare they are, and
//! whether they are nearly others. All of it follows from the vocabulary and its counts.

use super::events::{of_event, Own, Parts};
use super::nature::{Meaning, Nature};
use super::near_duplicates::NearDuplicates;
use super::notation::{Notation, Notations};
use super::parse::{self, Written, FORMATS};
use super::shapes::{Shape, Shapes};
use super::tails::Rarity;
use super::values::{AllRows, Vocabulary};

/// The shares of the rows for which a column of texts is one of numbers, or of dates.
const NUMBERS: f64 = 0.7;
const DATES: f64 = 0.5;
/// Numbers of which this share has zeros before it are codes.
const PADDED: f64 = 0.02;
/// A column is discrete if this share of the rows has values that at least so many rows have.
pub const DISCRETE: f64 = 0.8;
pub const DISCRETE_ROWS: u64 = 5;
/// The bounds of the evidence of a garbled text: it is a fault even where there are many.
const GARBLED: f64 = 20.0;
const MOST_GARBLED: f64 = 1_000.0;
/// A column is free text if more than this share of the rows has a value of its own.
const FREE_TEXT: f64 = 0.5;

/// The texts of a column.
#[derive(Clone, Debug)]
pub struct Texts {
    /// The number of rows with a text that stands for a missing value.
    pub marked: u64,
    /// The number of rows with a garbled text.
    garbled: u64,
    rarity: Option<Rarity>,
    shapes: Option<Shapes>,
    near: Option<NearDuplicates>,
    format: Option<CommonFormat>,
}

/// The format that most dates of a column have.
#[derive(Clone, Copy, Debug)]
struct CommonFormat {
    number: usize,
    /// The number of rows with another one.
    other_rows: u64,
}

/// How many rows have which kind of text.
#[derive(Default)]
struct Counts {
    texts: u64,
    notations: Notations,
    dates: u64,
    clocks: u64,
    /// Dates that only exist with the month first, or with the day first.
    month_first: u64,
    day_first: u64,
    alone: u64,
    repeated: u64,
}

impl Counts {
    fn add(&mut self, text: &str, count: u64) {
        let text = text.trim();
        self.texts += count;
        self.alone += if count == 1 { 1 } else { 0 };
        self.repeated += if count >= DISCRETE_ROWS { count } else { 0 };
        let written = if parse::number(text).is_none() { parse::written(text) } else { None };
        let Some(written) = written else { return self.notations.add(text, count) };
        let of = if written.is_clock() { &mut self.clocks } else { &mut self.dates };
        *of += count;
        self.month_first += if written.day_first.is_nan() { count } else { 0 };
        self.day_first += if written.month_first.is_nan() { count } else { 0 };
    }

    /// What most texts mean, and how numbers are written.
    fn meaning(&mut self) -> (Meaning, Notation) {
        let is_share = |count: u64, share: f64| self.texts > 0 && count as f64 >= share * self.texts as f64;
        let (notation, numbers, padded) = std::mem::take(&mut self.notations).usual();
        if is_share(numbers, NUMBERS) && padded as f64 <= PADDED * numbers as f64 {
            return (Meaning::Number, notation);
        }
        let meaning = match is_share(self.dates + self.clocks, DATES) {
            true if self.clocks > self.dates => Meaning::Clock,
            true => Meaning::Date,
            false => Meaning::Category,
        };
        (meaning, Notation::default())
    }
}

/// What a column with these texts is, and how its numbers are written.
pub fn nature(vocabulary: &Vocabulary, all: AllRows) -> (Nature, Notation) {
    let mut counts = Counts::default();
    let mut missing = all.missing;
    for (text, count) in vocabulary.values.iter().zip(vocabulary.counts) {
        match parse::is_marker(text) {
            true => missing = missing.saturating_add(*count),
            false => counts.add(text, *count),
        }
    }
    let (meaning, notation) = counts.meaning();
    let rows = all.rows.max(1) as f64;
    // Missing values are a value that many rows have.
    let repeated = counts.repeated + if missing >= DISCRETE_ROWS { missing } else { 0 };
    let alone = counts.alone.saturating_add(vocabulary.other_rows);
    let is_category = meaning == Meaning::Category;
    let nature = Nature {
        meaning,
        is_discrete: is_category || repeated as f64 >= DISCRETE * rows,
        is_free_text: is_category && alone as f64 > FREE_TEXT * rows,
        is_day_first: counts.day_first > counts.month_first,
        has_hours: false,
    };
    (nature, notation)
}

/// What most of some distinct texts mean, as a word.
pub fn meaning_of(texts: &[String]) -> &'static str {
    let mut counts = Counts::default();
    texts.iter().filter(|text| !parse::is_marker(text)).for_each(|text| counts.add(text, 1));
    match counts.meaning().0 {
        Meaning::Number => "number",
        Meaning::Date => "date",
        Meaning::Clock => "clock",
        Meaning::Category => "category",
    }
}

impl Texts {
    pub fn fit(nature: &Nature, vocabulary: &Vocabulary, all: AllRows) -> Self {
        let texts = || vocabulary.values.iter().zip(vocabulary.counts);
        let counts: Vec<u64> = texts().map(|(text, count)| if parse::is_marker(text) { 0 } else { *count }).collect();
        let marked = texts().zip(&counts).filter(|(_, kept)| **kept == 0).map(|((_, count), _)| *count);
        let marked = marked.fold(0, u64::saturating_add);
        let is_date = matches!(nature.meaning, Meaning::Date | Meaning::Clock);
        let missing = all.missing.saturating_add(marked);
        let rarity = || Rarity::fit(counts.iter().copied().chain([missing]), vocabulary.other_rows);
        let shapes: Vec<(Shape, u64)> = texts()
            .zip(&counts)
            .filter(|(_, count)| **count > 0)
            .map(|((text, _), n)| (Shape::new(text), *n))
            .collect();
        let is_compared = !nature.is_free_text && nature.meaning == Meaning::Category;
        let garbled = texts().filter(|(text, _)| parse::is_garbled(text)).map(|(_, count)| *count);
        Self {
            marked,
            garbled: garbled.fold(0, u64::saturating_add),
            rarity: nature.is_discrete.then(rarity),
            shapes: Shapes::fit(&shapes),
            near: is_compared.then(|| NearDuplicates::fit(vocabulary.values, &counts, all.rows)).flatten(),
            format: is_date.then(|| CommonFormat::fit(vocabulary)).flatten(),
        }
    }

    /// What speaks against a text as one of a column of `rows`; `count` rows have it, and `at` is its
    /// place in the vocabulary.
    pub fn parts(&self, rows: u64, text: &str, count: u64, at: u32, is_left_out: bool) -> Parts {
        let mut parts = Parts::default();
        if let Some(rarity) = &self.rarity {
            parts.add(Own::Value, rarity.evidence(count));
            parts.add(Own::Apart, rarity.apart(count, is_left_out));
        }
        if let Some(shapes) = &self.shapes {
            parts.add(Own::Shape, shapes.evidence(&Shape::new(text), count, is_left_out));
        }
        if parse::is_garbled(text) {
            parts.add(Own::Garbled, GARBLED.max(of_event(self.garbled, rows, is_left_out).min(MOST_GARBLED)));
        }
        if let Some(near) = self.near.as_ref().filter(|near| near.is_near(text, count, at)) {
            parts.add(Own::NearDuplicate, near.evidence(is_left_out));
        }
        if let Some(format) = &self.format {
            if parse::written(text.trim()).is_some_and(|written| written.format_number() != format.number) {
                parts.add(Own::Format, of_event(format.other_rows, rows, is_left_out));
            }
        }
        parts
    }

    /// How unusual the shape of a text is, in nats.
    pub fn oddity_of_shape(&self, text: &str) -> f64 {
        self.shapes.as_ref().map_or(0.0, |shapes| shapes.oddity(&Shape::new(text)))
    }

    /// The place of the commoner text that this one is nearly.
    pub fn near_duplicate(&self, text: &str, count: u64, at: u32) -> Option<u32> {
        self.near.as_ref().and_then(|near| near.find(text, count, at))
    }

    /// The common way to write a date, in words.
    pub fn format_in_words(&self) -> Option<&'static str> {
        self.format.map(|format| in_words(FORMATS[format.number / 2]))
    }
}

/// A format in words.
pub fn in_words(format: parse::Format) -> &'static str {
    match format {
        parse::Format::YearDashes => "year-month-day",
        parse::Format::YearSlashes => "year/month/day",
        parse::Format::Slashes => "with slashes",
        parse::Format::Dots => "day.month.year",
        parse::Format::Dashes => "day-month-year",
        parse::Format::DayName => "day, month's name, year",
        parse::Format::NameDay => "month's name, day, year",
        parse::Format::Clock12 => "a time with a.m. or p.m.",
        parse::Format::Clock24 => "a time of 24 hours",
    }
}

impl CommonFormat {
    fn fit(vocabulary: &Vocabulary) -> Option<Self> {
        let mut counts = [0u64; 2 * FORMATS.len()];
        for (text, count) in vocabulary.values.iter().zip(vocabulary.counts) {
            if let Some(number) = parse::written(text.trim()).as_ref().map(Written::format_number) {
                counts[number] = counts[number].saturating_add(*count);
            }
        }
        let number = (0..counts.len()).rev().max_by_key(|number| counts[*number])?;
        let other_rows = counts.iter().enumerate().filter(|(other, _)| *other != number).map(|(_, count)| *count);
        Some(Self { number, other_rows: other_rows.fold(0, u64::saturating_add) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::column::Column;
    use super::super::values::CellColumn;
    use super::*;

    fn fitted(texts: &[(&str, u64)]) -> (Column, Vec<String>) {
        let mut sorted = texts.to_vec();
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let (values, counts): (Vec<String>, Vec<u64>) =
            sorted.iter().map(|(text, count)| (text.to_string(), *count)).unzip();
        let codes: Vec<u32> = counts.iter().enumerate().flat_map(|(at, n)| vec![at as u32; *n as usize]).collect();
        let vocabulary = Vocabulary { values: &values, counts: &counts, other_rows: 0 };
        let column = CellColumn::Text { codes: &codes, others: &[] };
        (Column::fit(&column, Some(&vocabulary), None, 999, None), values)
    }

    /// The evidence of a new text.
    fn parts(column: &Column, text: &str) -> Parts {
        let number = column.number_of(text);
        column.parts_of_text(column.texts.as_ref().unwrap(), text, number, 0, u32::MAX, false)
    }

    /// A hundred numbers, each a text of its own.
    fn amounts() -> Vec<String> {
        (0..100).map(|at| format!("{}.{:02}", 10 + at % 37, at)).collect()
    }

    #[test]
    fn texts_that_are_numbers_are_numbers_and_others_among_them_are_events() {
        let amounts = amounts();
        let mut texts: Vec<(&str, u64)> = amounts.iter().map(|text| (text.as_str(), 1)).collect();
        texts.push(("12 kg", 1));
        let (column, _) = fitted(&texts);
        assert_eq!((column.nature.meaning, column.nature.is_discrete), (Meaning::Number, false));
        assert_eq!(parts(&column, "13 kg").get(Own::Unread), 102.0 / 1.5);
        assert_eq!(parts(&column, "13.55").get(Own::Unread), 0.0);
        assert!(parts(&column, "100000").get(Own::Far) > 50.0);
    }

    #[test]
    fn codes_with_zeros_before_them_are_no_numbers() {
        let codes: Vec<String> = (0..50).map(|at| format!("{:05}", 900 + at * 61)).collect();
        let texts: Vec<(&str, u64)> = codes.iter().map(|text| (text.as_str(), 9)).collect();
        assert_eq!(fitted(&texts).0.nature.meaning, Meaning::Category);
    }

    #[test]
    fn a_date_written_in_another_way_is_an_event() {
        let days: Vec<String> = (0..90).map(|at| format!("2021-{:02}-{:02}", at % 12 + 1, at % 28 + 1)).collect();
        let texts: Vec<(&str, u64)> = days.iter().map(|text| (text.as_str(), 2)).collect();
        let (column, _) = fitted(&texts);
        assert_eq!(column.nature.meaning, Meaning::Date);
        assert_eq!(parts(&column, "3/5/2021").get(Own::Format), 362.0);
        assert_eq!(column.number_of("3/5/2021"), 18_691.0);
        assert_eq!(parts(&column, "2021-03-05").get(Own::Format), 0.0);
        assert_eq!(column.texts.as_ref().unwrap().format_in_words(), Some("year-month-day"));
    }

    #[test]
    fn whether_the_day_comes_first_is_seen_in_the_column() {
        let texts: Vec<String> = (0..60).map(|at| format!("{}/{}/2021", at % 28 + 1, at % 12 + 1)).collect();
        let texts: Vec<(&str, u64)> = texts.iter().map(|text| (text.as_str(), 1)).collect();
        let (column, _) = fitted(&texts);
        assert!(column.nature.is_day_first && column.number_of("5/3/2021") == 18_691.0);
    }

    #[test]
    fn markers_are_missing_values() {
        let (column, _) = fitted(&[("a", 50), ("b", 48), ("N/A", 2)]);
        let missing = column.levels[column.known_count() - 1];
        assert!(missing.is_missing && missing.own.fixed == (101.0 / 2.5) as f32);
    }
}
