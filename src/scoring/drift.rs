//! The values of one feature beside its training values: shares of the rows in classes of values,
//! and whether they differ by more than chance.

use polars::prelude::PolarsResult;

use crate::data::{Columns, Frequencies, Input, Inputs, Kind, QUANTILES};
use crate::robust::select;

/// The number of a category's values that are classes of their own; the others are one class.
const LISTED: usize = 20;
/// A population stability index from which on a shift is called moderate; 0.25 is called large.
const NOTICEABLE: f64 = 0.1;
/// The share of unseen values, beyond those to be expected, from which on a category has drifted.
const UNSEEN: f64 = 0.01;
/// How likely each of the two tests calls rows drifted that come from where the training rows came
/// from.
const BY_CHANCE: f64 = 0.001;
/// The normal quantile at 1 − [`BY_CHANCE`].
const SURE: f64 = 3.09;

/// What a model knows of a feature's training values.
pub struct TrainingValues<'a> {
    pub kind: Kind,
    pub inputs: &'a [Input],
    /// The number of training rows, and of those without a value
    pub rows: u64,
    pub missing: u64,
    /// The number of training rows behind the quantiles, which may be a sample
    pub sampled: u64,
    /// At 0, 0.05, …, 1, and the number of values up to each
    pub quantiles: &'a [f64; QUANTILES],
    pub at_most: &'a [u64; QUANTILES],
    /// Of a category
    pub frequencies: Option<&'a Frequencies>,
}

/// A feature's rows beside its training rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureDrift {
    pub drifted: bool,
    /// The population stability index; None without rows, and for a time of which only what recurs
    /// counts
    pub stability: Option<f64>,
    /// Of a number: the quartiles of the training values, and of these
    pub quartiles: Option<([f64; 3], [f64; 3])>,
    /// The share of the rows without a value
    pub missing: Option<f64>,
    /// Of a category all training values of which are known: the share of the values that are not
    /// among them
    pub unseen: Option<f64>,
}

impl FeatureDrift {
    /// Of feature `j` of coded columns. Where `compared` is given, rows for which it does not hold
    /// count as missing only.
    pub fn of(
        coded: &Columns,
        j: usize,
        compared: Option<&[bool]>,
        training: &TrainingValues,
    ) -> PolarsResult<FeatureDrift> {
        let mut values = vec![];
        coded.read(j, &mut values)?;
        let all = values.len();
        let missing = values.iter().filter(|value| value.is_nan()).count();
        if let Some(compared) = compared {
            let mut row = 0;
            values.retain(|_| {
                row += 1;
                compared[row - 1]
            });
        }
        let rows = values.len();
        values.retain(|value| !value.is_nan());
        let mut drift = FeatureDrift { missing: share(missing, all), ..FeatureDrift::default() };
        let mut classes = match training.frequencies {
            Some(known) => of_category(&values, known),
            None => of_numbers(&values, training),
        };
        if let Some(known) = training.frequencies.filter(|known| known.rare.rows == 0) {
            let unseen = values.iter().filter(|code| **code as usize >= known.values.len()).count();
            drift.unseen = share(unseen, values.len());
            drift.drifted = has_new_values(unseen as u64, values.len() as u64, known);
        }
        if training.kind == Kind::Number && training.missing < training.rows && !values.is_empty() {
            let at = |place: usize| training.quantiles[place];
            drift.quartiles = Some(([at(5), at(10), at(15)], quartiles(&mut values)));
        }
        if rows > 0 && !classes.is_empty() {
            classes.push(Class { training: training.missing, rows: (rows - values.len()) as u64 });
            let stability = stability(&classes, training.rows as f64, rows as f64);
            // The counts of a category are those of all rows.
            let behind = if training.frequencies.is_some() { training.rows } else { training.sampled };
            let scale = behind as f64 * rows as f64 / (behind as f64 + rows as f64);
            drift.drifted |= stability > NOTICEABLE && stability * scale > chi_squared(classes.len() - 1);
            drift.stability = Some(stability);
        }
        Ok(drift)
    }
}

/// A class of values: the numbers of the training rows and of the rows that are in it.
#[derive(Clone, Copy, Debug)]
struct Class {
    training: u64,
    rows: u64,
}

/// The deciles of the training values, those that coincide as one class; of few values, each of
/// them.
fn of_numbers(values: &[f64], training: &TrainingValues) -> Vec<Class> {
    let recurs = matches!(training.kind, Kind::Date | Kind::Datetime) && Inputs::is_calendar(training.inputs);
    if recurs {
        return vec![];
    }
    let counted = || training.quantiles.iter().copied().zip(training.at_most.iter().copied());
    let distinct = |pairs: &mut dyn Iterator<Item = (f64, u64)>| {
        let mut edges: Vec<(f64, u64)> = pairs.collect();
        edges.dedup_by_key(|(edge, _)| *edge);
        edges
    };
    let each = distinct(&mut counted().take(QUANTILES - 1));
    let deciles = QUANTILES / 2 - 1;
    let edges = match each.len() <= deciles {
        // What is below all of them is none of them.
        true => [vec![(training.quantiles[0].next_down(), 0)], each].concat(),
        false => distinct(&mut counted().skip(2).step_by(2).take(deciles)),
    };
    let mut rows = vec![0; edges.len() + 1];
    values.iter().for_each(|value| rows[edges.partition_point(|(edge, _)| edge < value)] += 1);
    let mut before = 0;
    let at_most = edges.iter().map(|(_, count)| *count).chain([training.at_most[QUANTILES - 1]]);
    at_most
        .zip(rows)
        .map(|(at_most, rows)| {
            let training = at_most - before;
            before = at_most;
            Class { training, rows }
        })
        .collect()
}

/// The most frequent values, and all others, of codes.
fn of_category(codes: &[f64], known: &Frequencies) -> Vec<Class> {
    let listed = known.values.len().min(LISTED);
    let mut rows = vec![0; listed + 1];
    codes.iter().for_each(|code| rows[(*code as usize).min(listed)] += 1);
    let others = known.rows() - known.counts[..listed].iter().sum::<u64>();
    let training = known.counts[..listed].iter().copied().chain([others]);
    training.zip(rows).map(|(training, rows)| Class { training, rows }).collect()
}

/// Whether more values are unseen than where the training values came from.
///
/// There, the share of unseen values is about that of the training rows that were alone in their
/// value (Good and Turing). Under that, of the rows that are either, the unseen ones are a binomial
/// draw with the share of the rows that are not training rows.
fn has_new_values(unseen: u64, values: u64, known: &Frequencies) -> bool {
    let (alone, trained) = (known.alone() as u64, known.rows());
    if values == 0 || trained == 0 {
        return false;
    }
    let beyond = unseen as f64 / values as f64 - alone as f64 / trained as f64;
    beyond > UNSEEN && at_least(unseen, unseen + alone, values as f64 / (values + trained) as f64) < BY_CHANCE
}

/// Whether two shares differ by more than chance: each is the number of rows that are counted, and of all.
///
/// If both came from one source, of the counted rows those of the second are a binomial draw with the share
/// of the rows that are the second's.
pub fn is_other_share(first: [u64; 2], second: [u64; 2]) -> bool {
    let ([counted, rows], [other_counted, other_rows]) = (first, second);
    let (both, share) = (counted + other_counted, other_rows as f64 / (rows + other_rows).max(1) as f64);
    let more = at_least(other_counted, both, share);
    let fewer = at_least(counted, both, 1.0 - share);
    more.min(fewer) < BY_CHANCE / 2.0
}

/// The probability that a binomial variable, with `n` trials and the success probability `share`,
/// is at least `count`. Exact above the mean; 1 below it.
fn at_least(count: u64, n: u64, share: f64) -> f64 {
    let (k, n) = (count as f64, n as f64);
    if k <= n * share {
        return 1.0;
    }
    let ln_factorial = |x: f64| libm::lgamma(x + 1.0);
    let ln_ways = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let mut term = libm::exp(ln_ways + k * libm::log(share) + (n - k) * libm::log1p(-share));
    let mut sum = 0.0;
    for k in count..=n as u64 {
        sum += term;
        // Above the mean, each term is smaller than the one before.
        if term <= sum * 1e-9 {
            break;
        }
        term *= (n - k as f64) / (k as f64 + 1.0) * share / (1.0 - share);
    }
    sum
}

/// Of at least one value, each one of them; reorders the values.
fn quartiles(values: &mut [f64]) -> [f64; 3] {
    let last = values.len() - 1;
    let mut found = [0.0; 3];
    select(values, 0, &[1, 2, 3].map(|quarter| (last * quarter + 2) / 4), &mut found);
    found
}

/// The population stability index of some classes: Σ (q − p)·ln(q / p), with half a row added to
/// each class.
fn stability(classes: &[Class], trained: f64, rows: f64) -> f64 {
    let half = 0.5 * classes.len() as f64;
    let part = |class: &Class| {
        let p = (class.training as f64 + 0.5) / (trained + half);
        let q = (class.rows as f64 + 0.5) / (rows + half);
        (q - p) * libm::log(q / p)
    };
    classes.iter().map(part).sum()
}

/// The quantile of χ² at 1 − [`BY_CHANCE`], by Wilson and Hilferty's approximation.
fn chi_squared(freedom: usize) -> f64 {
    if freedom == 0 {
        return f64::INFINITY;
    }
    let freedom = freedom as f64;
    let spread = 2.0 / (9.0 * freedom);
    freedom * (1.0 - spread + SURE * spread.sqrt()).powi(3)
}

fn share(part: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_binomial_draw_is_the_sum_of_its_terms() {
        // 1 − 0.7^4, without the draw of none.
        assert!((at_least(2, 4, 0.3) - 0.3483).abs() < 1e-9);
        assert!((at_least(3, 3, 0.01) - 1e-6).abs() < 1e-15);
        assert_eq!(at_least(1, 10, 0.5), 1.0);
        assert!(at_least(600_000, 1_000_000, 0.5) < 1e-100);
    }

    #[test]
    fn shares_differ_by_more_than_chance_where_both_are_of_enough_rows() {
        assert!(!is_other_share([10, 1_000], [2, 20]));
        assert!(is_other_share([10, 1_000], [4, 20]));
        assert!(!is_other_share([1, 100], [5, 100]));
        assert!(is_other_share([100, 10_000], [500, 10_000]));
        assert!(!is_other_share([100, 10_000], [0, 100]));
        assert!(is_other_share([100, 10_000], [0, 10_000]));
        assert!(!is_other_share([0, 100], [0, 100]) && !is_other_share([5, 5], [5, 5]));
    }

    #[test]
    fn unseen_values_are_drift_beyond_those_that_training_lets_expect() {
        let of = |counts: Vec<u64>| Frequencies {
            values: (0..counts.len()).map(|at| at.to_string()).collect(),
            counts,
            ..Frequencies::default()
        };
        let few = of(vec![2_000, 1_000, 990, 10]);
        assert!(!has_new_values(1, 40, &few));
        assert!(has_new_values(2, 40, &few));
        assert!(!has_new_values(9, 1_000, &few));
        let mut counts = vec![100; 36];
        counts.extend([1; 400]);
        let many = of(counts);
        assert!(!has_new_values(4, 40, &many));
        assert!(!has_new_values(410, 4_000, &many));
        assert!(has_new_values(600, 4_000, &many));
        assert!(has_new_values(40, 40, &many));
    }

    #[test]
    fn quartiles_are_the_nearest_of_the_values() {
        assert_eq!(quartiles(&mut [3.0]), [3.0; 3]);
        assert_eq!(quartiles(&mut [4.0, 1.0, 3.0, 2.0, 0.0]), [1.0, 2.0, 3.0]);
        assert_eq!(quartiles(&mut [1.0, 0.0, 2.0]), [1.0, 1.0, 2.0]);
    }

    #[test]
    fn the_quantile_of_chi_squared_is_near_the_exact_one() {
        for (freedom, exact, error) in [(1, 10.83, 0.04), (9, 27.88, 0.01), (20, 45.31, 0.01)] {
            assert!((chi_squared(freedom) / exact - 1.0).abs() < error, "{freedom}");
        }
    }
}
