//! The numbers of a column that holds no texts, and those of them that are known one by one.

use std::borrow::Cow;

use crate::data::Kind;

use super::shares::scaled;
use super::texts::{DISCRETE, DISCRETE_ROWS};
use super::values::{AllRows, CellColumn, NULL};

/// The most numbers that are known one by one.
pub const MOST_NUMBERS: usize = 1 << 13;

impl AllRows {
    /// Those of the rows at hand.
    pub fn count(column: &CellColumn) -> Self {
        let missing = match column {
            CellColumn::Number(values) | CellColumn::Time { values, .. } => {
                values.iter().filter(|x| x.is_nan()).count()
            }
            CellColumn::Text { codes, .. } => codes.iter().filter(|code| **code == NULL).count(),
        };
        Self { rows: column.rows() as u64, missing: missing as u64 }
    }
}

/// The kind of a column of times, and its numbers: days, hours of the day, or hours of a duration.
pub fn numbers_of<'a>(column: &CellColumn<'a>) -> (Option<Kind>, Cow<'a, [f64]>) {
    match column {
        CellColumn::Number(values) => (None, Cow::Borrowed(values)),
        CellColumn::Text { codes, .. } => (None, vec![f64::NAN; codes.len()].into()),
        CellColumn::Time { kind, values } => {
            let unit = match kind {
                Kind::Datetime => 86_400e6,
                Kind::Duration => 3_600e6,
                Kind::Time => 3_600e9,
                _ => 1.0,
            };
            (Some(*kind), values.iter().map(|value| value / unit).collect())
        }
    }
}

/// The numbers of some rows of a column.
pub struct Counting<'a> {
    pub values: &'a [f64],
    pub all: AllRows,
    /// How many rows each of these rows stands for.
    pub factor: f64,
    /// Numbers that an earlier model knows, rising, and the rows that have each.
    pub earlier: (&'a [f64], &'a [u64]),
}

impl Counting<'_> {
    /// The numbers of a discrete column and how many of all rows have each; none of another column,
    /// unless `are_values`.
    pub fn frequent(&self, are_values: bool, most: usize) -> (Vec<f64>, Vec<u64>) {
        let mut counted = self.counted();
        let repeated = counted.iter().filter(|of| of.at_hand >= DISCRETE_ROWS).map(|of| of.rows);
        let missing = Some(self.all.missing).filter(|missing| *missing >= DISCRETE_ROWS);
        let repeated = repeated.chain(missing).fold(0, u64::saturating_add);
        if !are_values && (repeated as f64) < DISCRETE * self.all.rows as f64 {
            return (vec![], vec![]);
        }
        counted.sort_by(|a, b| b.rows.cmp(&a.rows).then(a.value.total_cmp(&b.value)));
        counted.truncate(most.min(MOST_NUMBERS));
        counted.sort_by(|a, b| a.value.total_cmp(&b.value));
        counted.into_iter().map(|of| (of.value, of.rows.min(self.all.rows.max(1)))).unzip()
    }

    /// The different numbers, rising.
    fn counted(&self) -> Vec<Counted> {
        let mut rising: Vec<f64> = self.values.iter().copied().filter(|value| !value.is_nan()).collect();
        rising.sort_unstable_by(f64::total_cmp);
        let mut counted: Vec<Counted> = vec![];
        for value in rising {
            match counted.last_mut() {
                Some(last) if last.value == value => last.at_hand += 1,
                _ => counted.push(Counted { value, at_hand: 1, rows: 0 }),
            }
        }
        // A number of a single row stands for others like it, of a single row each.
        let all = |of: &mut Counted| of.rows = if of.at_hand == 1 { 1 } else { scaled(of.at_hand, self.factor) };
        counted.iter_mut().for_each(all);
        let (known, counts) = self.earlier;
        counted.extend(known.iter().zip(counts).map(|(value, rows)| Counted {
            value: *value,
            at_hand: *rows,
            rows: *rows,
        }));
        counted.sort_by(|a, b| a.value.total_cmp(&b.value));
        counted.dedup_by(|next, kept| {
            let is_same = next.value == kept.value;
            if is_same {
                kept.at_hand = kept.at_hand.saturating_add(next.at_hand);
                kept.rows = kept.rows.saturating_add(next.rows);
            }
            is_same
        });
        counted
    }
}

/// A number, the rows that were seen with it, and those that there are with it.
struct Counted {
    value: f64,
    at_hand: u64,
    rows: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting<'a>(values: &'a [f64], factor: f64, earlier: (&'a [f64], &'a [u64])) -> Counting<'a> {
        let rows = (values.len() as f64 * factor) as u64 + earlier.1.iter().sum::<u64>();
        Counting { values, all: AllRows { rows, missing: 0 }, factor, earlier }
    }

    #[test]
    fn the_numbers_of_a_discrete_column_are_known() {
        let values: Vec<f64> = (0..100).map(|at| f64::from(at % 9)).chain([77.5]).collect();
        let (known, counts) = counting(&values, 1.0, (&[], &[])).frequent(false, 99);
        assert_eq!((known.len(), counts[0], known[9]), (10, 12, 77.5));
        assert_eq!(counting(&values, 1.0, (&[], &[])).frequent(false, 3).0, [0.0, 1.0, 2.0]);
        let continuous: Vec<f64> = (0..100).map(f64::from).collect();
        let counting = counting(&continuous, 1.0, (&[], &[]));
        assert!(counting.frequent(false, 99).0.is_empty());
        assert_eq!(counting.frequent(true, 99).0.len(), 99);
    }

    #[test]
    fn a_number_of_a_sample_stands_for_more_rows_and_earlier_rows_are_added() {
        let values: Vec<f64> = (0..100).map(|at| f64::from(at % 9)).chain([77.5]).collect();
        let (known, counts) = counting(&values, 10.0, (&[0.0, 55.0], &[7, 1])).frequent(false, 99);
        assert_eq!((known.len(), known[9], known[10]), (11, 55.0, 77.5));
        assert_eq!((counts[0], counts[1], counts[9], counts[10]), (127, 110, 1, 1));
    }

    #[test]
    fn times_are_days_and_hours() {
        let time = |kind, value: f64| numbers_of(&CellColumn::Time { kind, values: &[value] }).1[0];
        assert_eq!(time(Kind::Date, 5.0), 5.0);
        assert_eq!(time(Kind::Datetime, 86_400e6 * 1.5), 1.5);
        assert_eq!((time(Kind::Time, 3_600e9 * 2.0), time(Kind::Duration, 1_800e6)), (2.0, 0.5));
    }
}
