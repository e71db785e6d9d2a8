//! The numbers of a column that holds no texts, and those of them that are known one by one.

use crate::data::Kind;

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
pub fn numbers_of(column: &CellColumn) -> (Option<Kind>, Vec<f64>) {
    match column {
        CellColumn::Number(values) => (None, values.to_vec()),
        CellColumn::Text { codes, .. } => (None, vec![f64::NAN; codes.len()]),
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

/// The numbers of a discrete column and how many rows have each; none of another column, unless
/// `are_values`.
pub fn frequent_numbers(values: &[f64], are_values: bool, most: usize) -> (Vec<f64>, Vec<u64>) {
    let mut rising: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    rising.sort_unstable_by(f64::total_cmp);
    let mut counted: Vec<(f64, u64)> = vec![];
    for value in &rising {
        match counted.last_mut() {
            Some((last, count)) if last == value => *count += 1,
            _ => counted.push((*value, 1)),
        }
    }
    let missing = (values.len() - rising.len()) as u64;
    let repeated = counted.iter().map(|(_, count)| *count).chain([missing]).filter(|count| *count >= DISCRETE_ROWS);
    if !are_values && (repeated.sum::<u64>() as f64) < DISCRETE * values.len() as f64 {
        return (vec![], vec![]);
    }
    counted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.total_cmp(&b.0)));
    counted.truncate(most.min(MOST_NUMBERS));
    counted.sort_by(|a, b| a.0.total_cmp(&b.0));
    counted.into_iter().unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_discrete_column_are_known() {
        let values: Vec<f64> = (0..100).map(|at| f64::from(at % 9)).chain([77.5]).collect();
        let (known, counts) = frequent_numbers(&values, false, 99);
        assert_eq!((known.len(), counts[0], known[9]), (10, 12, 77.5));
        assert_eq!(frequent_numbers(&values, false, 3).0, [0.0, 1.0, 2.0]);
        let continuous: Vec<f64> = (0..100).map(f64::from).collect();
        assert!(frequent_numbers(&continuous, false, 99).0.is_empty());
        assert_eq!(frequent_numbers(&continuous, true, 99).0.len(), 99);
    }

    #[test]
    fn times_are_days_and_hours() {
        let time = |kind, value: f64| numbers_of(&CellColumn::Time { kind, values: &[value] }).1[0];
        assert_eq!(time(Kind::Date, 5.0), 5.0);
        assert_eq!(time(Kind::Datetime, 86_400e6 * 1.5), 1.5);
        assert_eq!((time(Kind::Time, 3_600e9 * 2.0), time(Kind::Duration, 1_800e6)), (2.0, 0.5));
    }
}
