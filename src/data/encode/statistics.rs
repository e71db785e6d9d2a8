//! The statistics of one feature's training values.

use crate::robust::{nth, select};

/// The number of quantiles that are kept of a feature: at 0, 0.05, …, 1.
pub const QUANTILES: usize = 21;

/// The interquartile range of a normal distribution, in standard deviations.
pub const NORMAL_IQR: f64 = 1.349;

/// The statistics of one feature's training values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureStatistics {
    pub low: f64,
    pub median: f64,
    pub high: f64,
    /// The first and the third quartile, each a training value
    pub quartiles: [f64; 2],
    /// The same; where both are one value, those of the other values, with that one between them
    pub spread_quartiles: [f64; 2],
    /// At 0, 0.05, …, 1, each a training value
    pub quantiles: [f64; QUANTILES],
    /// The number of values that are at most each of them
    pub at_most: [u64; QUANTILES],
    /// Standard deviation
    pub deviation: f64,
    /// The numbers of values that are known, and that are missing
    pub known: usize,
    pub missing: usize,
}

impl FeatureStatistics {
    /// Describes at least one value; none of them is NaN. Reorders the values.
    ///
    /// The median of an even number of values is the mean of the two in the middle; their lower if
    /// it must be a value.
    pub fn from_values(values: &mut [f64], median_is_a_value: bool) -> Self {
        let count = values.len();
        let middle = if count.is_multiple_of(2) && median_is_a_value { count / 2 - 1 } else { count / 2 };
        let deviation = deviation(values);
        let (below, upper, above) = values.select_nth_unstable_by(middle, f64::total_cmp);
        let upper = *upper;
        let mean_of_two = count.is_multiple_of(2) && !median_is_a_value;
        let lower = if mean_of_two { below.iter().copied().fold(f64::NEG_INFINITY, f64::max) } else { upper };
        let low = below.iter().copied().fold(upper, f64::min);
        let high = above.iter().copied().fold(upper, f64::max);
        let nth_or_median = |values: &mut [f64], at: usize| match values.is_empty() {
            true => upper,
            false => nth(values, at.min(values.len() - 1)),
        };
        let first = nth_or_median(below, count / 4);
        let third = nth_or_median(above, (3 * count / 4).saturating_sub(middle + 1));
        // Halved before the sum, which could overflow.
        let median = lower * 0.5 + upper * 0.5;
        let spread_quartiles = if first == third { quartiles_of_others(values, first) } else { [first, third] };
        let quartiles = [first, third];
        let quantiles = quantiles(values);
        let at_most = at_most(values, &quantiles);
        Self { low, median, high, quartiles, spread_quartiles, quantiles, at_most, deviation, known: count, missing: 0 }
    }

    /// Describes a feature without any value.
    pub fn without_values() -> Self {
        let zeros = [0.0; 2];
        Self {
            low: 0.0,
            median: 0.0,
            high: 0.0,
            quartiles: zeros,
            spread_quartiles: zeros,
            quantiles: [0.0; QUANTILES],
            at_most: [0; QUANTILES],
            deviation: 0.0,
            known: 0,
            missing: 0,
        }
    }
}

/// Finds the quantiles of at least one value; reorders the values.
fn quantiles(values: &mut [f64]) -> [f64; QUANTILES] {
    let last = values.len() - 1;
    let ranks: [usize; QUANTILES] = std::array::from_fn(|at| (last * at + (QUANTILES - 1) / 2) / (QUANTILES - 1));
    let mut found = [0.0; QUANTILES];
    select(values, 0, &ranks, &mut found);
    found
}

fn at_most(values: &[f64], quantiles: &[f64; QUANTILES]) -> [u64; QUANTILES] {
    let mut counts = [0; QUANTILES];
    // The last quantile is the highest value.
    values.iter().for_each(|value| counts[quantiles.partition_point(|quantile| quantile < value)] += 1);
    let mut sum = 0;
    counts.map(|count| {
        sum += count;
        sum
    })
}

/// Finds the quartiles of the values other than `one`, each moved to `one` where that is beyond it.
fn quartiles_of_others(values: &[f64], one: f64) -> [f64; 2] {
    let mut others: Vec<f64> = values.iter().copied().filter(|value| *value != one).collect();
    if others.is_empty() {
        return [one; 2];
    }
    let count = others.len();
    [nth(&mut others, count / 4).min(one), nth(&mut others, 3 * count / 4).max(one)]
}

/// The standard deviation, computed in units of the largest value, so that no square overflows.
fn deviation(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let count = values.len() as f64;
    let mean = values.iter().map(|value| value / largest).sum::<f64>() / count;
    let variance = values.iter().map(|value| (value / largest - mean).powi(2)).sum::<f64>() / count;
    variance.sqrt() * largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_matches_a_sorted_column() {
        let statistics = FeatureStatistics::from_values(&mut [4.0, 1.0, 3.0, 2.0], false);
        assert_eq!((statistics.low, statistics.median, statistics.high), (1.0, 2.5, 4.0));
        assert_eq!(FeatureStatistics::from_values(&mut [4.0, 1.0, 3.0, 2.0], true).median, 2.0);
        for median_is_a_value in [false, true] {
            let one = FeatureStatistics::from_values(&mut [9.0], median_is_a_value);
            assert_eq!(
                one,
                FeatureStatistics {
                    low: 9.0,
                    median: 9.0,
                    high: 9.0,
                    quartiles: [9.0; 2],
                    spread_quartiles: [9.0; 2],
                    quantiles: [9.0; QUANTILES],
                    at_most: [1; QUANTILES],
                    known: 1,
                    ..FeatureStatistics::without_values()
                }
            );
        }
    }

    #[test]
    fn quartiles_leave_a_quarter_of_the_values_on_each_side() {
        for count in 4..40 {
            let mut values: Vec<f64> = (0..count).rev().map(f64::from).collect();
            let [first, third] = FeatureStatistics::from_values(&mut values, false).quartiles;
            let below = values.iter().filter(|value| **value < first).count();
            let above = values.iter().filter(|value| **value > third).count();
            let quarter = count as usize / 4;
            assert!((quarter.saturating_sub(1)..=quarter + 1).contains(&below), "{count}: {below}");
            assert!((quarter.saturating_sub(1)..=quarter + 1).contains(&above), "{count}: {above}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        for count in [1, 2, 3, 5, 20, 21, 22, 40, 41, 1_000] {
            let mut sorted: Vec<f64> = (0..count).map(|at| f64::from((at * 7_919) % 101)).collect();
            let found = quantiles(&mut sorted.clone());
            sorted.sort_unstable_by(f64::total_cmp);
            for (at, found) in found.iter().enumerate() {
                let rank = (f64::from(count - 1) * at as f64 / 20.0 + 1e-9).round() as usize;
                assert_eq!(*found, sorted[rank], "{count}: {at}");
            }
            let counted = at_most(&sorted, &found);
            // Of equal quantiles, the first has all of their values.
            let expected = found.map(|quantile| sorted.partition_point(|value| *value <= quantile) as u64);
            assert_eq!(counted, expected);
        }
    }

    #[test]
    fn quartiles_that_coincide_leave_room_for_the_other_values() {
        let mut values = [vec![0.0; 90], vec![4.0, 8.0, 12.0, 16.0, 1e9]].concat();
        let statistics = FeatureStatistics::from_values(&mut values, false);
        assert_eq!((statistics.quartiles, statistics.spread_quartiles), ([0.0; 2], [0.0, 16.0]));
    }

    #[test]
    fn the_deviation_does_not_overflow() {
        let statistics = FeatureStatistics::from_values(&mut [-1e308, 1e308], false);
        assert!((statistics.deviation / 1e308 - 1.0).abs() < 1e-12);
        let statistics = FeatureStatistics::from_values(&mut [1.0, 3.0], false);
        assert_eq!(statistics.deviation, 1.0);
    }
}
