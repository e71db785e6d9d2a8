//! What a column is, and what its values say by themselves.
//!
//! Every value has a *level*. Those that the model knows are numbered: the texts of the vocabulary,
//! or the numbers of a column with few of them; the next one is that of all missing values. Further
//! levels are values of the rows at hand. What depends on a value alone is worked out once a level.

use crate::data::Kind;

use super::events::{of_event, Own, Parts, Sums};
use super::known_numbers::{numbers_of, Counting};
use super::nature::{Meaning, Nature};
use super::notation::Notation;
use super::numbers::{Numbers, Oddity, FAR};
use super::parse;
use super::shares::Shares;
use super::tails::Rarity;
use super::texts::{self, Texts};
use super::values::{AllRows, CellColumn, Vocabulary, NULL};
use super::zeros::zero_is_usual;

/// The hour of a value that has none.
pub const NO_HOUR: u8 = 24;

/// What an earlier model knows of one column.
#[derive(Clone, Copy)]
pub struct EarlierColumn<'a> {
    pub column: &'a Column,
    pub shares: Shares,
}

/// What one level is.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// The number, the day or the hour; NaN where it is missing or none.
    pub number: f64,
    pub hour: u8,
    pub is_missing: bool,
    /// What speaks against the value by itself.
    pub own: Sums,
}

/// A column of a model.
#[derive(Clone, Debug)]
pub struct Column {
    /// The kind of a column of times; None of numbers and texts.
    pub time: Option<Kind>,
    pub nature: Nature,
    /// How the numbers of a text column are written.
    pub notation: Notation,
    pub all: AllRows,
    pub numbers: Option<Numbers>,
    /// The numbers of a discrete column that holds no texts, rising, and how many rows have each.
    pub known: Vec<f64>,
    pub counts: Vec<u64>,
    /// How rare the known numbers are.
    rarity: Option<Rarity>,
    /// Whether 0 is a number like those next to it.
    zero_is_usual: bool,
    pub texts: Option<Texts>,
    /// The known levels, and that of missing values.
    pub levels: Vec<Level>,
}

impl Column {
    /// From the training rows, which may be a sample of all rows; remembers up to `most` numbers.
    /// `earlier` is what an earlier model knows of the column, whose rows are part of all rows.
    pub fn fit(
        column: &CellColumn,
        vocabulary: Option<&Vocabulary>,
        all: Option<AllRows>,
        most: usize,
        earlier: Option<EarlierColumn>,
    ) -> Self {
        let all = all.unwrap_or_else(|| AllRows::count(column));
        let mut fitted = match (column, vocabulary) {
            (CellColumn::Text { codes, others }, Some(vocabulary)) => {
                let (nature, notation) = texts::nature(vocabulary, all);
                let mut fitted = Self { notation, ..Self::new(None, nature, all) };
                if fitted.nature.meaning != Meaning::Category {
                    fitted.describe_texts(codes, others, vocabulary, earlier);
                }
                fitted
            }
            _ => Self::fit_numbers(column, all, most, earlier),
        };
        fitted.prepare(vocabulary);
        let seen = fitted.hours(column);
        let had_hours = earlier.is_some_and(|earlier| earlier.column.nature.has_hours);
        let has_hours = seen[..usize::from(NO_HOUR)].iter().filter(|seen| **seen).count() > 2;
        fitted.nature.has_hours = has_hours || had_hours && fitted.nature.meaning != Meaning::Category;
        fitted
    }

    /// Which hours some rows have; the last one is that of values without one.
    fn hours(&self, column: &CellColumn) -> [bool; NO_HOUR as usize + 1] {
        let mut seen = [false; NO_HOUR as usize + 1];
        let mut see = |hour: u8| seen[usize::from(hour)] = true;
        if let CellColumn::Text { codes, others } = column {
            codes.iter().filter_map(|code| self.levels.get(*code as usize)).for_each(|level| see(level.hour));
            others.iter().for_each(|text| see(self.level_of_text(text, 0, NULL, false).hour));
        } else {
            numbers_of(column).1.iter().filter(|value| !value.is_nan()).for_each(|value| see(self.hour_of(*value)));
        }
        seen
    }

    /// A column whose numbers and values are not known yet.
    pub fn new(time: Option<Kind>, nature: Nature, all: AllRows) -> Self {
        let (known, counts, levels) = (vec![], vec![], vec![]);
        Self {
            time,
            nature,
            notation: Notation::default(),
            all,
            numbers: None,
            known,
            counts,
            rarity: None,
            zero_is_usual: false,
            texts: None,
            levels,
        }
    }

    fn fit_numbers(column: &CellColumn, all: AllRows, most: usize, earlier: Option<EarlierColumn>) -> Self {
        let (time, values) = numbers_of(column);
        let meaning = match time {
            Some(Kind::Date | Kind::Datetime) => Meaning::Date,
            Some(Kind::Time) => Meaning::Clock,
            _ => Meaning::Number,
        };
        let may_be_log = meaning == Meaning::Number;
        let numbers =
            Numbers::fit_after(&values, values.len(), 0, meaning == Meaning::Date, may_be_log, known_before(earlier));
        let of_earlier = earlier.map_or((&[][..], &[][..]), |of| (of.column.known.as_slice(), &of.column.counts));
        let before = earlier.map_or(AllRows { rows: 0, missing: 0 }, |of| of.column.all);
        let of_new = all.rows.saturating_sub(before.rows).saturating_sub(all.missing.saturating_sub(before.missing));
        let at_hand = values.iter().filter(|value| !value.is_nan()).count();
        let factor = (of_new as f64 / at_hand.max(1) as f64).max(1.0);
        let counting = Counting { values: &values, all, factor, earlier: of_earlier };
        let (known, counts) = counting.frequent(numbers.is_none(), most);
        let meaning = if numbers.is_some() { meaning } else { Meaning::Category };
        let is_discrete = !known.is_empty() || numbers.is_none();
        let nature = Nature { meaning, is_discrete, is_free_text: false, is_day_first: false, has_hours: false };
        Self { numbers, known, counts, ..Self::new(time, nature, all) }
    }

    /// What the numbers of a text column are like; a category where they are too few.
    fn describe_texts(
        &mut self,
        codes: &[u32],
        others: &[String],
        vocabulary: &Vocabulary,
        earlier: Option<EarlierColumn>,
    ) {
        let texts = vocabulary.values.iter().chain(others);
        let read: Vec<(f64, bool)> = texts.map(|text| (self.number_of(text), parse::is_marker(text))).collect();
        let of_rows = codes.iter().filter_map(|code| read.get(*code as usize));
        let values: Vec<f64> = of_rows.clone().map(|(number, _)| *number).collect();
        let unread = of_rows.filter(|(number, is_missing)| number.is_nan() && !is_missing).count();
        let (are_days, may_be_log) = (self.nature.meaning == Meaning::Date, self.nature.meaning == Meaning::Number);
        let is_same = |of: &EarlierColumn| {
            let [a, b] = [of.column, &*self].map(|of| (of.nature.meaning, of.nature.is_day_first, &of.notation));
            a == b
        };
        let earlier = known_before(earlier.filter(is_same));
        self.numbers = Numbers::fit_after(&values, codes.len(), unread, are_days, may_be_log, earlier);
        if self.numbers.is_none() {
            self.nature = Nature { meaning: Meaning::Category, is_discrete: true, ..self.nature };
            self.notation = Notation::default();
        }
    }

    /// Works out what known values say, of a model that was just fitted or read.
    pub fn prepare(&mut self, vocabulary: Option<&Vocabulary>) {
        self.texts = vocabulary.map(|vocabulary| Texts::fit(&self.nature, vocabulary, self.all));
        self.zero_is_usual = match vocabulary {
            _ if self.nature.meaning != Meaning::Number => false,
            None => zero_is_usual(self.known.iter().copied().zip(self.counts.iter().copied())),
            Some(texts) => {
                let numbers = texts.values.iter().map(|text| self.number_of(text));
                zero_is_usual(numbers.zip(texts.counts.iter().copied()))
            }
        };
        let counts = self.counts.iter().copied().chain([self.all.missing]);
        let known = counts.clone().fold(0, u64::saturating_add);
        self.rarity = self.nature.is_discrete.then(|| Rarity::fit(counts, self.all.rows.saturating_sub(known)));
        self.levels = self.known_levels(vocabulary, false);
    }

    /// The known levels, and that of missing values.
    pub fn known_levels(&self, vocabulary: Option<&Vocabulary>, is_left_out: bool) -> Vec<Level> {
        let missing = self.level_of_missing(is_left_out);
        let Some(vocabulary) = vocabulary else {
            let known = self.known.iter().zip(&self.counts);
            let known = known.map(|(value, count)| self.level_of_number(*value, *count, is_left_out));
            return known.chain([missing]).collect();
        };
        let known = vocabulary.values.iter().zip(vocabulary.counts).enumerate();
        let level =
            |(at, (text, count)): (usize, (&String, &u64))| self.level_of_text(text, *count, at as u32, is_left_out);
        known.map(level).chain([missing]).collect()
    }

    /// The number of known levels, without that of missing values.
    pub fn known_count(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }

    pub fn level_of_missing(&self, is_left_out: bool) -> Level {
        let own = self.parts_of_missing(is_left_out).sums();
        Level { number: f64::NAN, hour: NO_HOUR, is_missing: true, own }
    }

    /// The number of rows with a missing value, or a text that stands for one.
    pub fn missing_rows(&self) -> u64 {
        self.all.missing.saturating_add(self.texts.as_ref().map_or(0, |texts| texts.marked))
    }

    pub fn parts_of_missing(&self, is_left_out: bool) -> Parts {
        let mut parts = Parts::default();
        parts.add(Own::Missing, of_event(self.missing_rows(), self.all.rows, is_left_out));
        parts
    }

    pub fn level_of_number(&self, value: f64, count: u64, is_left_out: bool) -> Level {
        let own = self.parts_of_number(value, count, is_left_out).sums();
        Level { number: value, hour: self.hour_of(value), is_missing: false, own }
    }

    /// The hour of a number of a column that holds no texts.
    pub fn hour_of(&self, value: f64) -> u8 {
        match self.nature.meaning {
            Meaning::Date if self.time == Some(Kind::Datetime) => hour((value - value.floor()) * 24.0),
            Meaning::Clock => hour(value),
            _ => NO_HOUR,
        }
    }

    /// What speaks against a number in a column that holds no texts; `count` rows have it.
    pub fn parts_of_number(&self, value: f64, count: u64, is_left_out: bool) -> Parts {
        let mut parts = Parts::default();
        if let Some(rarity) = self.rarity.as_ref().filter(|_| !self.is_later(value)) {
            parts.add(Own::Value, rarity.evidence(count));
            parts.add(Own::Apart, rarity.apart(count, is_left_out));
        }
        self.add_numbers(&mut parts, value, is_left_out);
        parts
    }

    /// Whether a number is a day that is later than the usual ones.
    fn is_later(&self, value: f64) -> bool {
        let is_date = self.nature.meaning == Meaning::Date;
        self.numbers.as_ref().is_some_and(|numbers| is_date && numbers.is_later(value))
    }

    /// Adds what speaks against the size of a number.
    pub fn add_numbers(&self, parts: &mut Parts, value: f64, is_left_out: bool) {
        let Some(numbers) = self.numbers.as_ref().filter(|_| !value.is_nan() && !self.is_later(value)) else { return };
        if let Some(count) = numbers.sentinel(value) {
            parts.add(Own::Sentinel, of_event(count, numbers.rows, is_left_out));
            return;
        }
        parts.add(Own::Number, numbers.ends.evidence(numbers.away(value), is_left_out).into());
        let beyond = numbers.beyond(value);
        let far = FAR.iter().zip(numbers.far).filter(|(far, _)| beyond >= **far);
        let event = far.map(|(_, count)| of_event(count, numbers.rows, is_left_out)).fold(0.0, f64::max);
        parts.add(Own::Far, event);
        if let Some((_, count)) = self.rare_oddity(value) {
            parts.add(Own::Kind, of_event(count, numbers.rows, is_left_out));
        }
    }

    /// Whether its numbers are neither times nor durations.
    pub fn is_plain_number(&self) -> bool {
        self.nature.meaning == Meaning::Number && self.time.is_none()
    }

    /// What few of a column's numbers are as this one is: below zero, zero, or no whole number; and
    /// how many rows have such a number. Where 0 is a number like those next to it, it is none.
    pub fn rare_oddity(&self, number: f64) -> Option<(Oddity, u64)> {
        let may_be_odd = self.nature.meaning == Meaning::Number && !(number == 0.0 && self.zero_is_usual);
        self.numbers.as_ref().filter(|_| may_be_odd)?.rare_oddity(number)
    }

    /// What speaks against a text that means `number`.
    pub fn parts_of_text(
        &self,
        texts: &Texts,
        text: &str,
        number: f64,
        count: u64,
        at: u32,
        is_left_out: bool,
    ) -> Parts {
        let mut parts = texts.parts(self.all.rows, text, count, at, is_left_out);
        if let Some(numbers) = self.numbers.as_ref().filter(|_| number.is_nan()) {
            parts.add(Own::Unread, of_event(numbers.unread, numbers.rows, is_left_out));
        }
        self.add_numbers(&mut parts, number, is_left_out);
        parts
    }

    pub fn level_of_text(&self, text: &str, count: u64, at: u32, is_left_out: bool) -> Level {
        let Some(texts) = self.texts.as_ref().filter(|_| !parse::is_marker(text)) else {
            return self.level_of_missing(is_left_out);
        };
        let number = self.number_of(text);
        let hour = match self.nature.meaning {
            Meaning::Date | Meaning::Clock => parse::written(text.trim()).and_then(|written| written.hour),
            _ => None,
        };
        let own = self.parts_of_text(texts, text, number, count, at, is_left_out).sums();
        Level { number, hour: hour.unwrap_or(NO_HOUR), is_missing: false, own }
    }

    /// The number that a text means in this column; NaN if it means none.
    pub fn number_of(&self, text: &str) -> f64 {
        let text = text.trim();
        match self.nature.meaning {
            Meaning::Category => return f64::NAN,
            Meaning::Number => return self.notation.number(text).unwrap_or(f64::NAN),
            Meaning::Date | Meaning::Clock => {}
        }
        let Some(written) = parse::written(text) else { return f64::NAN };
        let moment = if self.nature.is_day_first { written.day_first } else { written.month_first };
        match (self.nature.meaning == Meaning::Clock, written.is_clock()) {
            (true, true) | (false, false) => moment,
            (true, false) if written.has_clock => moment.rem_euclid(1.0) * 24.0,
            _ => f64::NAN,
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        let tails = self.numbers.iter().map(|numbers| numbers.ends.below.bytes() + numbers.ends.above.bytes());
        self.levels.capacity() * size_of::<Level>() + self.known.capacity() * 16 + tails.sum::<usize>()
    }
}

/// The numbers that an earlier model knows, and what its rows count for.
fn known_before(earlier: Option<EarlierColumn<'_>>) -> Option<(&Numbers, Shares)> {
    let earlier = earlier?;
    Some((earlier.column.numbers.as_ref()?, earlier.shares))
}

/// The whole hour; a microsecond before it counts to it, as numbers are rounded.
fn hour(hours: f64) -> u8 {
    ((hours + 1e-6) as u8).min(NO_HOUR - 1)
}

#[cfg(test)]
mod tests {
    use super::super::known_numbers::MOST_NUMBERS;
    use super::super::read::{Own as OwnOfStrip, Read};
    use super::*;

    #[test]
    fn a_column_of_few_numbers_is_discrete_and_knows_them() {
        let values: Vec<f64> = (0..200).map(|at| if at == 7 { f64::NAN } else { f64::from(at % 4) }).collect();
        let column = Column::fit(&CellColumn::Number(&values), None, None, MOST_NUMBERS, None);
        assert!(column.nature.is_discrete && column.known == [0.0, 1.0, 2.0, 3.0]);
        let read = column.read(&CellColumn::Number(&[2.0, 9.0, f64::NAN]));
        let Read::Levels(levels) = &read else { panic!("its values recur") };
        assert_eq!((levels.levels.as_slice(), levels.more.len()), (&[2u32, 5, 4][..], 1));
        assert!(column.level(&read, 1).own.value > 10.0 * column.level(&read, 0).own.value);
        assert_eq!(column.level(&read, 2).own.fixed, (201.0 / 1.5) as f32);
    }

    #[test]
    fn times_have_days_and_hours() {
        let values: Vec<f64> =
            (0..100).map(|at| (18_000.0 + f64::from(at) + f64::from(at % 5) / 24.0) * 86_400e6).collect();
        let times = CellColumn::Time { kind: Kind::Datetime, values: &values };
        let column = Column::fit(&times, None, None, MOST_NUMBERS, None);
        assert!(column.nature.has_hours && column.nature.meaning == Meaning::Date && !column.nature.is_discrete);
        let read = column.read(&times);
        let level = column.level(&read, 13);
        assert_eq!((level.hour, level.number), (3, 18_013.125));
    }

    #[test]
    fn training_rows_are_judged_without_themselves() {
        let values: Vec<f64> = (0..200).map(|at| if at == 7 { f64::NAN } else { f64::from(at) }).collect();
        let rows = CellColumn::Number(&values);
        let column = Column::fit(&rows, None, None, MOST_NUMBERS, None);
        let read = column.read_training(&rows, None);
        assert_eq!(column.level(&read, 7).own.fixed, 201.0 / 0.5);
    }

    #[test]
    fn numbers_that_are_not_known_are_judged_as_single_ones() {
        let bell = |at: i32| f64::from(at * 7_919 % 1_009 + at * 104_729 % 997) / 100.0;
        let whole: Vec<f64> = (0..3_000).map(|at| (bell(at) * 1e4).round()).collect();
        let positive: Vec<f64> = (0..3_000).map(|at| libm::exp(bell(at) / 3.0)).collect();
        let both: Vec<f64> = (0..3_000).map(|at| if at % 75 == 0 { -999.0 } else { bell(at) - 8.0 }).collect();
        let times: Vec<f64> = (0..3_000).map(|at| (18_000.0 + bell(at) * 20.0) * 86_400e6).collect();
        let odd = [0.0, -1.0, 0.5, 7.25, -999.0, 1e9, -1e9, f64::MAX, f64::MIN, 5e-324];
        for values in [whole, positive, both, times.clone()] {
            let given = match values == times {
                true => CellColumn::Time { kind: Kind::Datetime, values: &values },
                false => CellColumn::Number(&values),
            };
            let column = Column::fit(&given, None, None, MOST_NUMBERS, None);
            assert!(column.known.is_empty() && column.numbers.is_some());
            let more = [&values, &odd[..], &[22_000.0 * 86_400e6, 17_000.3 * 86_400e6, f64::NAN]].concat();
            let more = match given {
                CellColumn::Time { kind, .. } => CellColumn::Time { kind, values: &more },
                _ => CellColumn::Number(&more),
            };
            for is_left_out in [false, true] {
                let read = if is_left_out { column.read_training(&more, None) } else { column.read(&more) };
                let Read::Measured(measured) = &read else { panic!("its values hardly recur") };
                let mut own = OwnOfStrip::none();
                own.read(&column, &read, 2_900..3_013);
                for (row, number) in measured.numbers.iter().enumerate() {
                    let level = column.level(&read, row);
                    let expected = match number.is_nan() {
                        true => column.level_of_missing(is_left_out),
                        false => column.level_of_number(*number, u64::from(is_left_out), is_left_out),
                    };
                    assert!(level.number == *number || number.is_nan() && level.is_missing);
                    assert_eq!((level.hour, level.own), (expected.hour, expected.own), "{number}");
                    if let Some(at) = row.checked_sub(2_900) {
                        let Sums { fixed, value, number } = expected.own;
                        assert_eq!([own.fixed[at], own.value[at], own.number[at]], [fixed, value, number]);
                    }
                }
            }
        }
    }
}
