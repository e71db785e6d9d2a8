//! Bins of a number, chosen by labels: the leaves of a decision tree that tells anomalies from other rows by that number alone.
//!
//! Each bin becomes an input, from 0 where the number is below it to 1 where it is above (a piecewise linear encoding:
//! Gorishniy, Rubachev and Babenko, 2022). A network then finds a narrow range of anomalies as easily as a wide one.

use polars::prelude::PolarsResult;

use super::categories::Encoder;
use super::inputs::Input;
use crate::data::columns::Columns;

/// The most bins of a number. All bins of a table together are at most [`MOST_INPUTS`], unless a number then had
/// fewer bins than [`LEAST_BINS`].
const MOST_BINS: usize = 16;
const MOST_INPUTS: usize = 400;
const LEAST_BINS: usize = 3;
/// The least number of training rows in a bin.
const LEAST_ROWS: usize = 4;

impl Columns {
    /// The edges of each feature's bins, in ascending order; none where no split tells anomalies from other rows.
    pub(crate) fn bin_edges(&self, anomalies: &[bool], encoders: &[Option<Encoder>]) -> PolarsResult<Vec<Vec<f64>>> {
        let most_bins = (MOST_INPUTS / self.features().len().max(1)).clamp(LEAST_BINS, MOST_BINS);
        let mut values = vec![];
        let of_feature = |j: usize| {
            self.read_as(j, false, &mut values)?;
            let number = |value: &f64| Input::Value.number(self.features()[j].kind, *value, encoders[j].as_ref());
            let numbers = values.iter().map(number).zip(anomalies.iter().copied());
            Ok(edges(most_bins, numbers.filter(|(number, _)| number.is_finite()).collect()))
        };
        (0..self.features().len()).map(of_feature).collect()
    }
}

/// A range of the sorted rows, and its best split.
struct Leaf {
    from: usize,
    to: usize,
    /// The first row above the split, and how much purer the split makes the range
    split: Option<(usize, f64)>,
}

/// Grows a tree, best split first, on finite numbers, each with whether its row is an anomaly. Both classes weigh the same.
fn edges(most_bins: usize, mut numbers: Vec<(f64, bool)>) -> Vec<f64> {
    numbers.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // The number of anomalies among the first rows.
    let mut before = Vec::with_capacity(numbers.len() + 1);
    before.push(0usize);
    for (_, anomaly) in &numbers {
        before.push(before[before.len() - 1] + usize::from(*anomaly));
    }
    let anomalies = before[numbers.len()];
    let others = numbers.len() - anomalies;
    if anomalies == 0 || others == 0 {
        return vec![];
    }
    let impurity = |from: usize, to: usize| {
        let known = before[to] - before[from];
        let (a, b) = (known as f64 / anomalies as f64, (to - from - known) as f64 / others as f64);
        // Gini's, times the weight of the range.
        2.0 * a * b / (a + b)
    };
    let leaf = |from: usize, to: usize| {
        let whole = impurity(from, to);
        let mut split = None;
        for at in from + LEAST_ROWS..(to + 1).saturating_sub(LEAST_ROWS) {
            if numbers[at - 1].0 < numbers[at].0 {
                let gain = whole - impurity(from, at) - impurity(at, to);
                if gain > split.map_or(1e-12, |(_, best)| best) {
                    split = Some((at, gain));
                }
            }
        }
        Leaf { from, to, split }
    };
    let mut leaves = vec![leaf(0, numbers.len())];
    let mut edges = vec![numbers[0].0, numbers[numbers.len() - 1].0];
    while leaves.len() < most_bins {
        let splits =
            leaves.iter().enumerate().filter_map(|(place, leaf)| leaf.split.map(|(at, gain)| (place, at, gain)));
        let Some((place, at, _)) = splits.reduce(|best, next| if next.2 > best.2 { next } else { best }) else { break };
        let Leaf { from, to, .. } = leaves.swap_remove(place);
        leaves.extend([leaf(from, at), leaf(at, to)]);
        // Halved before the sum, which could overflow.
        edges.push(numbers[at - 1].0 * 0.5 + numbers[at].0 * 0.5);
    }
    if leaves.len() == 1 {
        return vec![];
    }
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_where_labels_change() {
        let anomaly = |number: usize| (40..50).contains(&number) || number >= 190;
        let found = edges(16, (0..200).rev().map(|number| (number as f64, anomaly(number))).collect());
        assert_eq!(found, [0.0, 39.5, 49.5, 189.5, 199.0]);
    }

    #[test]
    fn there_are_at_most_sixteen_bins_and_none_without_a_split() {
        let many = edges(16, (0..4_000).map(|number| (number as f64, number / 50 % 2 == 0)).collect());
        assert_eq!(many.len(), MOST_BINS + 1);
        assert!(many.is_sorted());
        assert_eq!(edges(16, vec![(1.0, true); 9]), [] as [f64; 0]);
        assert_eq!(edges(16, (0..100).map(|at| (3.0, at % 2 == 0)).collect()), [] as [f64; 0]);
        assert_eq!(
            edges(16, (0..7).map(|at| (at as f64, at < 3)).collect()),
            [] as [f64; 0],
            "too few rows for two bins"
        );
        assert_eq!(edges(16, vec![]), [] as [f64; 0]);
    }

    #[test]
    fn rare_anomalies_weigh_as_much_as_all_other_rows() {
        // Ten anomalies of 10,000 rows, mixed with a hundred others.
        let found = edges(
            16,
            (0..10_000).map(|number| (number as f64, (5_000..5_100).contains(&number) && number % 10 == 0)).collect(),
        );
        assert!(found.iter().any(|edge| (4_990.0..5_010.0).contains(edge)), "{found:?}");
        assert!(found.iter().any(|edge| (5_080.0..5_110.0).contains(edge)), "{found:?}");
    }

    #[test]
    fn the_largest_floats_have_edges_between_them() {
        let numbers = [f64::MIN, -1.0, 0.0, 1.0, f64::MAX];
        let found = edges(16, (0..40).map(|at| (numbers[at % 5], at % 5 == 4)).collect());
        assert!(found.iter().all(|edge| edge.is_finite()) && found.len() == 3, "{found:?}");
    }
}
