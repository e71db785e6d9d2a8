//! Frequencies ↔ numbers: a String, Categorical or Enum feature counts as the log-frequency of its value in the training rows.
//!
//! A value is remembered as text, never as a column's physical code, so that a model scores other frames. One that was not
//! seen counts as if it had been seen half a time: rarer than any that was.

use polars::prelude::*;
use serde::{Deserialize, Serialize};

/// The values of one feature in the training rows, the most frequent first, equally frequent ones in order of their text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequencies {
    pub values: Vec<String>,
    /// How many training rows have each of them.
    pub counts: Vec<u64>,
}

impl Frequencies {
    /// Of the rows of `column` for which `usable` holds, nulls left out.
    pub fn of(column: &Series, usable: &[bool]) -> PolarsResult<Self> {
        let text = column.cast(&DataType::String)?;
        let mut counts: PlHashMap<&str, u64> = PlHashMap::new();
        for (value, _) in text.str()?.iter().zip(usable).filter(|(_, usable)| **usable) {
            if let Some(value) = value {
                *counts.entry(value).or_default() += 1;
            }
        }
        let mut counted: Vec<(&str, u64)> = counts.into_iter().collect();
        counted.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let (values, counts) = counted.into_iter().map(|(value, count)| (value.to_string(), count)).unzip();
        Ok(Self { values, counts })
    }

    /// Whether there are about as many values as rows, as in a column of ids: their frequencies then say nothing.
    pub fn look_like_ids(&self) -> bool {
        const FEW: usize = 20;
        self.values.len() > FEW && self.values.len() as u64 > self.rows() / 2
    }

    fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each value's number, and that of all others.
    pub fn encoder(&self) -> Encoder {
        let rows = self.rows().max(1) as f64;
        let number = |count: f64| libm::log(count / rows);
        let known = self.values.iter().zip(&self.counts);
        Encoder {
            numbers: known.map(|(value, count)| (value.clone(), number(*count as f64))).collect(),
            unseen: number(0.5),
        }
    }
}

/// What makes numbers of each feature that is a category.
pub fn encoders(frequencies: &[Option<Frequencies>]) -> Vec<Option<Encoder>> {
    frequencies.iter().map(|counted| counted.as_ref().map(Frequencies::encoder)).collect()
}

/// ln(count / rows) by value.
#[derive(Clone, Debug)]
pub struct Encoder {
    numbers: PlHashMap<String, f64>,
    unseen: f64,
}

impl Encoder {
    /// The column's numbers; null where it is null.
    pub fn encode(&self, column: &Series) -> PolarsResult<Series> {
        let text = column.cast(&DataType::String)?;
        let number = |value: &str| self.numbers.get(value).copied().unwrap_or(self.unseen);
        let numbers: Float64Chunked = text.str()?.iter().map(|value| value.map(number)).collect();
        Ok(numbers.with_name(column.name().clone()).into_series())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column() -> Series {
        Series::new("c".into(), [Some("b"), Some("a"), None, Some("b"), Some("c"), Some("z")])
    }

    fn frequencies() -> Frequencies {
        Frequencies::of(&column(), &[true, true, true, true, true, false]).unwrap()
    }

    #[test]
    fn values_are_counted_among_the_usable_rows() {
        let Frequencies { values, counts } = frequencies();
        assert_eq!(values, ["b", "a", "c"]);
        assert_eq!(counts, [2, 1, 1]);
    }

    #[test]
    fn a_value_counts_as_its_log_frequency_and_an_unseen_one_as_less_than_any() {
        let numbers = frequencies().encoder().encode(&column()).unwrap();
        let numbers: Vec<Option<f64>> = numbers.f64().unwrap().iter().collect();
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
    fn a_value_a_row_looks_like_ids() {
        let ids: Vec<String> = (0..100).map(|at| at.to_string()).collect();
        let ids = Series::new("id".into(), ids);
        assert!(Frequencies::of(&ids, &[true; 100]).unwrap().look_like_ids());
        assert!(!frequencies().look_like_ids());
    }
}
