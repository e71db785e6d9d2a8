//! Values ↔ codes and frequencies: a value of a String, Categorical or Enum feature is known by its
//! place in the model's vocabulary, and by its log-frequency in the training rows.
//!
//! A value is remembered as text, never as a column's physical code, so that a model scores other
//! frames. One that was not seen has the code after the last one, and a frequency as if it had been
//! seen half a time: rarer than any that was, except among ids. Of very many values, as a column of
//! ids has, only the most frequent are remembered; the others are rare, and count as if they had not
//! been seen.

use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::ids::words_are_ids;

/// The share of training rows that are alone in having their value from which on new values are to
/// be expected.
const ALONE: f64 = 0.005;
/// Values that are remembered of one feature.
const MOST_VALUES: usize = 1 << 16;
/// Bytes of their text.
const MOST_TEXT: usize = 16 << 20;

/// The values of one feature in the training rows, the most frequent first, equally frequent ones
/// in order of their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frequencies {
    pub values: Vec<String>,
    /// How many training rows have each of them.
    pub counts: Vec<u64>,
    pub rare: Rare,
}

/// The values beyond those that are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rare {
    pub values: u64,
    /// How many training rows have one of them.
    pub rows: u64,
}

impl Rare {
    /// Adds others; returns an error if there are more than can be counted, as numbers that come
    /// from elsewhere may be.
    pub fn plus(self, other: Self) -> PolarsResult<Self> {
        let sums = self.values.checked_add(other.values).zip(self.rows.checked_add(other.rows));
        let (values, rows) =
            sums.ok_or_else(|| polars_err!(ComputeError: "anorand: more rare values than can be counted"))?;
        Ok(Self { values, rows })
    }

    /// Whether rows can have such numbers: each value has a row of its own.
    pub fn is_possible(&self) -> bool {
        self.values <= self.rows && (self.values == 0) == (self.rows == 0)
    }
}

impl Frequencies {
    /// Counts the rows of `column`, nulls left out.
    pub fn from_column(column: &Series) -> PolarsResult<Self> {
        let text = column.cast(&DataType::String)?;
        let mut counts: PlHashMap<&str, u64> = PlHashMap::new();
        for value in text.str()?.iter().flatten() {
            *counts.entry(value).or_default() += 1;
        }
        Ok(Self::from_counts(counts))
    }

    /// Takes each value and the number of rows that have it; sums saturate, as the counts may be a
    /// file's.
    pub fn from_counts<T: AsRef<str> + Into<String>>(counts: impl IntoIterator<Item = (T, u64)>) -> Self {
        let mut counted: Vec<(T, u64)> = counts.into_iter().collect();
        in_order(&mut counted);
        let rare = counted.split_off(remembered(&counted));
        let rows = rare.iter().fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
        let rare = Rare { values: rare.len() as u64, rows };
        let (values, counts) = counted.into_iter().map(|(value, count)| (value.into(), count)).unzip();
        Self { values, counts, rare }
    }

    /// The number of remembered values that a single row has: the last ones.
    pub fn alone(&self) -> usize {
        self.counts.len() - self.counts.partition_point(|count| *count > 1)
    }

    /// Adds the rows of another table; sums saturate.
    pub fn plus(&self, other: &Self) -> Self {
        let both = || [self, other].into_iter().flat_map(|of| of.values.iter().zip(&of.counts));
        let mut counts: PlHashMap<&str, u64> = PlHashMap::new();
        for (value, count) in both() {
            let known = counts.entry(value).or_default();
            *known = known.saturating_add(*count);
        }
        let mut all = Self::from_counts(counts);
        for rare in [self.rare, other.rare] {
            all.rare.values = all.rare.values.saturating_add(rare.values);
            all.rare.rows = all.rare.rows.saturating_add(rare.rows);
        }
        all
    }

    /// How many different values the training rows have; saturating, as the number may be a file's.
    pub fn distinct(&self) -> u64 {
        (self.values.len() as u64).saturating_add(self.rare.values)
    }

    /// Whether there are too many values for the number of rows, as for ids: their frequencies then
    /// say nothing.
    pub fn look_like_ids(&self) -> bool {
        words_are_ids(self.distinct(), self.rows())
    }

    /// How many training rows have a value; saturating, as the counts may be a file's.
    pub fn rows(&self) -> u64 {
        self.counts.iter().fold(self.rare.rows, |sum, count| sum.saturating_add(*count))
    }

    /// Each value's code and number, and those of all others. Among ids, a value of a single row
    /// says no more than one that was not seen.
    pub fn encoder(&self) -> Encoder {
        let rows = self.rows().max(1) as f64;
        let number = |count: f64| libm::log(count / rows);
        let codes = self.values.iter().enumerate().map(|(code, value)| (value.clone(), code as u32));
        let once = if self.look_like_ids() { 0.5 } else { 1.0 };
        let seen = self.counts.iter().map(|count| number(if *count == 1 { once } else { *count as f64 }));
        Encoder { codes: codes.collect(), numbers: seen.chain([number(0.5)]).collect() }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        let text: usize = self.values.iter().map(String::capacity).sum();
        text + self.values.capacity() * size_of::<String>() + self.counts.capacity() * size_of::<u64>()
    }
}

/// How many of the values, the most frequent first, are remembered; at least one.
fn remembered<T: AsRef<str>>(counted: &[(T, u64)]) -> usize {
    let mut text = 0;
    let fits = |(value, _): &&(T, u64)| {
        text += value.as_ref().len();
        text <= MOST_TEXT
    };
    counted.iter().take(MOST_VALUES).take_while(fits).count().max(1).min(counted.len())
}

/// Takes those out that will not be remembered, wherever the other values are counted. The most
/// frequent one of them stays: in [`remembered`], its text keeps all less frequent ones out.
pub fn forget_rare(counts: &mut PlHashMap<String, u64>) -> PolarsResult<Rare> {
    let mut counted: Vec<(String, u64)> = counts.drain().collect();
    in_order(&mut counted);
    let kept = (remembered(&counted) + 1).min(counted.len());
    let rare = counted.split_off(kept).into_iter().map(|(_, rows)| Rare { values: 1, rows });
    counts.extend(counted);
    rare.into_iter().try_fold(Rare::default(), Rare::plus)
}

/// The most frequent first, equally frequent ones in order of their text.
fn in_order<T: AsRef<str>>(counted: &mut [(T, u64)]) {
    counted.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.as_ref().cmp(b.0.as_ref())));
}

/// Makes the encoder of each feature that is a category.
pub fn encoders(frequencies: &[Option<Frequencies>]) -> Vec<Option<Encoder>> {
    frequencies.iter().map(|counted| counted.as_ref().map(Frequencies::encoder)).collect()
}

/// Codes with every other value of a single row as a value that was not seen. None unless more than
/// the share [`ALONE`] of the rows are alone in their value: new values are then to be expected,
/// and are as ordinary as those.
pub fn with_unseen(codes: &Series, frequencies: &Frequencies, rows: usize) -> PolarsResult<Option<Series>> {
    let (unseen, alone) = (frequencies.counts.len() as u32, frequencies.alone() as u32);
    if f64::from(alone) <= ALONE * rows as f64 {
        return Ok(None);
    }
    let first = unseen - alone;
    let is_hidden = |code: u32| code >= first && (code - first).is_multiple_of(2);
    let hidden = |code: Option<u32>| code.map(|code| if is_hidden(code) { unseen } else { code });
    let codes: UInt32Chunked = codes.u32()?.iter().map(hidden).collect();
    Ok(Some(codes.into_series()))
}

/// A code and ln(count / rows) for each value.
#[derive(Clone, Debug)]
pub struct Encoder {
    codes: PlHashMap<String, u32>,
    /// The number of each code; the last one is that of all other values
    numbers: Vec<f64>,
}

impl Encoder {
    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        let text: usize = self.codes.keys().map(String::capacity).sum();
        // One byte of control for each bucket.
        let codes = self.codes.capacity() * (size_of::<(String, u32)>() + 1);
        text + codes + self.numbers.capacity() * size_of::<f64>()
    }

    /// The code of all values that are not remembered: the number of those that are.
    pub fn unseen(&self) -> usize {
        self.numbers.len() - 1
    }

    /// The code of a value, if it is remembered.
    pub fn code(&self, value: &str) -> Option<usize> {
        self.codes.get(value).map(|code| *code as usize)
    }

    /// ln(count / rows) of a code.
    pub fn log_frequency(&self, code: usize) -> f64 {
        self.numbers[code.min(self.unseen())]
    }

    /// The first of the codes with a log-frequency, or the nearest one to it.
    pub fn code_of(&self, log_frequency: f64) -> usize {
        let away = |code: &usize| (self.numbers[*code] - log_frequency).abs();
        (0..self.unseen()).min_by(|a, b| away(a).total_cmp(&away(b))).unwrap_or(0)
    }

    /// The number of values that at least a share of the rows has, nulls left out.
    pub fn above(&self, share: f64) -> usize {
        let least = libm::log(share);
        self.numbers[..self.unseen()].iter().take_while(|number| **number >= least).count()
    }

    /// The column's codes; null where it is null.
    pub fn encode(&self, column: &Series) -> PolarsResult<Series> {
        let text = column.cast(&DataType::String)?;
        let unseen = self.unseen() as u32;
        let code = |value: &str| self.codes.get(value).copied().unwrap_or(unseen);
        let codes: UInt32Chunked = text.str()?.iter().map(|value| value.map(code)).collect();
        Ok(codes.with_name(column.name().clone()).into_series())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column() -> Series {
        Series::new("c".into(), [Some("b"), Some("a"), None, Some("b"), Some("c"), Some("z")])
    }

    fn frequencies() -> Frequencies {
        Frequencies::from_column(&column().head(Some(5))).unwrap()
    }

    #[test]
    fn where_many_rows_are_alone_in_their_value_every_other_of_these_is_unseen() {
        let column = Series::new("c".into(), [Some("b"), Some("a"), None, Some("b"), Some("c"), Some("d")]);
        let frequencies = Frequencies::from_column(&column).unwrap();
        let codes = frequencies.encoder().encode(&column).unwrap();
        let hidden = with_unseen(&codes, &frequencies, 6).unwrap().unwrap();
        let hidden: Vec<Option<u32>> = hidden.u32().unwrap().iter().collect();
        assert_eq!(hidden, [Some(0), Some(4), None, Some(0), Some(2), Some(4)]);
        assert!(with_unseen(&codes, &frequencies, 10_000).unwrap().is_none());
    }

    #[test]
    fn values_are_counted_and_nulls_are_not() {
        let Frequencies { values, counts, rare } = frequencies();
        assert_eq!(values, ["b", "a", "c"]);
        assert_eq!(rare, Rare::default());
        assert_eq!(counts, [2, 1, 1]);
    }

    #[test]
    fn a_value_counts_as_its_log_frequency_and_an_unseen_one_as_less_than_any() {
        let encoder = frequencies().encoder();
        let codes = encoder.encode(&column()).unwrap();
        let codes: Vec<Option<u32>> = codes.u32().unwrap().iter().collect();
        assert_eq!(codes, [Some(0), Some(1), None, Some(0), Some(2), Some(3)]);
        let numbers: Vec<Option<f64>> =
            codes.iter().map(|code| code.map(|code| encoder.log_frequency(code as usize))).collect();
        let ln = |share: f64| Some(share.ln());
        assert_eq!(numbers, [ln(0.5), ln(0.25), None, ln(0.5), ln(0.25), ln(0.125)]);
    }

    #[test]
    fn physical_codes_do_not_matter() {
        let categorical = column().cast(&DataType::from_categories(Categories::global())).unwrap();
        let encoder = frequencies().encoder();
        assert!(encoder.encode(&categorical).unwrap().equals_missing(&encoder.encode(&column()).unwrap()));
    }

    #[test]
    fn a_value_for_each_row_looks_like_ids() {
        let ids: Vec<String> = (0..100).map(|at| at.to_string()).collect();
        let ids = Series::new("id".into(), ids);
        assert!(Frequencies::from_column(&ids).unwrap().look_like_ids());
        assert!(!frequencies().look_like_ids());
    }

    #[test]
    fn of_very_many_values_the_most_frequent_are_remembered_and_the_others_count_as_not_seen() {
        let ids = (0..MOST_VALUES + 10).map(|at| format!("id{at:06}"));
        // The last one is frequent: the one before it is the first that is not remembered.
        let ids: Vec<String> = ids.chain([format!("id{:06}", MOST_VALUES + 9)]).collect();
        let (column, rows) = (Series::new("id".into(), &ids), ids.len());
        let frequencies = Frequencies::from_column(&column).unwrap();
        assert_eq!(frequencies.values.len(), MOST_VALUES);
        assert_eq!(frequencies.values[0], format!("id{:06}", MOST_VALUES + 9));
        assert_eq!(frequencies.rare, Rare { values: 10, rows: 10 });
        assert_eq!((frequencies.rows(), frequencies.distinct()), (rows as u64, rows as u64 - 1));
        assert!(frequencies.look_like_ids());
        let encoder = frequencies.encoder();
        let codes = encoder.encode(&column).unwrap();
        let number = |row: usize| encoder.log_frequency(codes.u32().unwrap().get(row).unwrap() as usize);
        let ln = |count: f64| (count / rows as f64).ln();
        assert_eq!([number(rows - 1), number(0), number(rows - 3)], [ln(2.0), ln(0.5), ln(0.5)]);
    }

    #[test]
    fn sums_of_numbers_that_a_file_may_have_do_not_wrap() {
        let large = |count: u64| Frequencies {
            values: vec!["a".to_string()],
            counts: vec![count],
            rare: Rare { values: count, rows: count },
        };
        let sum = large(u64::MAX - 1).plus(&large(7));
        assert_eq!((sum.counts, sum.rare), (vec![u64::MAX], Rare { values: u64::MAX, rows: u64::MAX }));
        let half = u64::MAX / 2 + 1;
        let counts = (0..MOST_VALUES + 2).map(|value| (format!("{value:06}"), half));
        assert_eq!(Frequencies::from_counts(counts).rare, Rare { values: 2, rows: u64::MAX });
    }

    #[test]
    fn of_very_long_values_those_that_fit_are_remembered() {
        let long = |letter: &str| letter.repeat(MOST_TEXT * 2 / 3);
        let column = Series::new("c".into(), [long("a"), long("b"), "a".repeat(2 * MOST_TEXT)]);
        let frequencies = Frequencies::from_column(&column.head(Some(2))).unwrap();
        assert_eq!((frequencies.values.len(), frequencies.rare), (1, Rare { values: 1, rows: 1 }));
        let longest = Frequencies::from_column(&column.tail(Some(1))).unwrap();
        assert_eq!((longest.values.len(), longest.rare), (1, Rare::default()));
    }
}
