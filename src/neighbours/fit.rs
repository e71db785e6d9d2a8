//! Chooses the training rows that a model keeps, and says what they add to the training rows'
//! errors.

use ndarray::{Array2, ArrayView2, Axis};
use polars::prelude::{polars_err, PolarsResult};
use rand::seq::index;
use rand::Rng;

use super::{draws, Asinh, Comparison, KeptRows, LogOdds, Transform, ViewKind};
use crate::engine::tiled;
use crate::memory::{matrix, reserved, zeros};
use crate::options::Options;
use crate::pool;
use crate::robust::{sorted, spread_of, upper_median};
use crate::simd::Simd;

const KEPT_ROWS: &str = "the kept rows";

/// The shares of both views, see [`ViewKind::of`], in the weight of the distances, of one draw and
/// of several. On the sets of docs/quality.md, any mix is better than one view alone. In raw tables
/// that hold anomalies, distances in ranges of the features let rows of rare categories hide faults
/// in other rows, so that they weigh less there.
const SHARES_OF_ONE: [f64; 2] = [0.5, 0.5];
const SHARES_OF_SEVERAL: [f64; 2] = [0.25, 0.75];

/// The number of shuffled rows that are compared with the kept ones.
const SHUFFLED: usize = 1_000;

/// The rows that a model keeps, and distances from them in both views.
#[derive(Clone)]
pub struct Kept {
    rows: KeptRows,
    /// The distances of each scored row
    scored: [Vec<f32>; 2],
    /// The distances of [`SHUFFLED`] rows, each feature's value of which comes from another
    /// training row
    shuffled: [Vec<f32>; 2],
}

/// Keeps some rows of `rows`, `[n, inputs]`, none of them a known anomaly, and computes the
/// distances of the rows `scored` from them; None if the options ask for no rows.
///
/// `owners` says which feature each input belongs to.
pub fn keep(
    rows: &Array2<f32>,
    owners: &[usize],
    anomalies: Option<&[bool]>,
    scored: ArrayView2<f32>,
    options: &Options,
    rng: &mut impl Rng,
) -> PolarsResult<Option<Kept>> {
    let mut normal = reserved(rows.nrows(), KEPT_ROWS)?;
    normal.extend((0..rows.nrows()).filter(|row| !anomalies.is_some_and(|anomalies| anomalies[*row])));
    let (draws, draw_rows) = (options.kept_draws, options.rows_of_draw(normal.len()));
    if draw_rows == 0 {
        return Ok(None);
    }
    let numbers = if draws == 1 {
        let drawn = index::sample(rng, normal.len(), draw_rows);
        let mut numbers: Vec<usize> = drawn.iter().map(|at| normal[at]).collect();
        numbers.sort_unstable();
        numbers
    } else {
        draws::draw(rows.view(), &normal, (draws, draw_rows), rng)?.concat()
    };
    let mut kept: Vec<f32> = reserved(numbers.len().saturating_mul(rows.ncols()), KEPT_ROWS)?;
    numbers.iter().for_each(|number| kept.extend(rows.row(*number)));
    let view = |kind: &ViewKind| match kind {
        ViewKind::Scaled => Ok(Transform::Scaled),
        ViewKind::Asinh => Asinh::fit(rows).map(Transform::Asinh),
        ViewKind::LogOdds => LogOdds::fit(&kept, rows.ncols()).map(Transform::LogOdds),
    };
    let views = ViewKind::for_draws(draws).iter().map(view).collect::<PolarsResult<_>>()?;
    let comparison = Comparison { draws, inputs: rows.ncols(), neighbours: options.kept_neighbors };
    let mut kept = KeptRows::new(kept, comparison, views, &[1.0; 2])?;
    if draws == 1 {
        let rows = ArrayView2::from_shape((draw_rows, rows.ncols()), kept.numbers());
        let spacings = distances(&kept, rows.map_err(|error| polars_err!(ComputeError: "anorand: {error}"))?)?;
        kept = kept.with_factors(spacings.map(factors));
    }
    let scored = distances(&kept, scored)?;
    let shuffled = distances(&kept, shuffled(rows, owners, &normal, rng)?.view())?;
    Ok(Some(Kept { rows: kept, scored, shuffled }))
}

/// The factor of each kept row: 1 over the fourth root of its own distance from the others, in
/// medians of these. The root is a compromise. Undivided distances miss anomalies among rows that
/// lie close together, and distances divided by the whole spacing make anomalies of rows that lie
/// near such.
fn factors(spacings: Vec<f32>) -> Vec<f32> {
    /// The least spacing in medians, as of rows that are there twice
    const LEAST: f32 = 0.01;
    let mut known: Vec<f32> = spacings.iter().copied().filter(|spacing| *spacing > 0.0).collect();
    if known.is_empty() {
        return vec![1.0; spacings.len()];
    }
    let median = upper_median(&mut known);
    spacings.into_iter().map(|spacing| 1.0 / (spacing / median).clamp(LEAST, 1.0 / LEAST).sqrt().sqrt()).collect()
}

/// Rows whose values are those of rows of `among`, each feature's of another one.
fn shuffled(rows: &Array2<f32>, owners: &[usize], among: &[usize], rng: &mut impl Rng) -> PolarsResult<Array2<f32>> {
    let mut shuffled = matrix(SHUFFLED, rows.ncols(), "the rows of shuffled values")?;
    for mut row in shuffled.rows_mut() {
        let mut from = 0;
        for (input, number) in row.iter_mut().enumerate() {
            if input == 0 || owners[input] != owners[input - 1] {
                from = among[rng.random_range(0..among.len())];
            }
            *number = rows[[from, input]];
        }
    }
    Ok(shuffled)
}

impl Kept {
    /// The kept rows with the units in which the distances in both views together have `weight`
    /// times the odds times the spread of the networks' errors, to which they are added. And the
    /// odds, that a shuffled row is farther from the kept ones than a scored row, at least 1: where
    /// features depend on one another, distances tell more than single values do.
    pub fn weighed(self, weight: f64, errors: &mut [f32]) -> (KeptRows, f64) {
        let shares = if self.rows.draws() > 1 { SHARES_OF_SEVERAL } else { SHARES_OF_ONE };
        let spreads = [0, 1].map(|view| spread_of(&self.scored[view]));
        let in_spreads = [0, 1].map(|view| (shares[view] / spreads[view]) as f32);
        let kept = self.rows.with_units(in_spreads);
        let [scored, shuffled] = [&self.scored, &self.shuffled].map(|distances| {
            let mut sums = vec![0f32; distances[0].len()];
            kept.weigh(distances, &mut sums);
            sums
        });
        let odds = odds_of_farther(shuffled, scored).max(1.0);
        let weight = weight * odds;
        let spread = spread_of(errors);
        let kept = kept.with_units([0, 1].map(|view| (shares[view] * weight * spread / spreads[view]) as f32));
        kept.weigh(&self.scored, errors);
        (kept, odds)
    }
}

/// The odds that a number of `those` is above one of `others`, half of equal ones counted; finite,
/// since another pair counts as one half.
fn odds_of_farther(those: Vec<f32>, others: Vec<f32>) -> f64 {
    let others = sorted(&others);
    let below = |number: &f32| {
        let [below, up_to] =
            [others.partition_point(|other| other < number), others.partition_point(|other| other <= number)];
        (below + up_to) as f64 / 2.0
    };
    let pairs = (those.len() * others.len()) as f64;
    let above: f64 = those.iter().map(below).sum();
    let per_row = others.len() as f64 / 2.0;
    (above + per_row) / (pairs - above + per_row)
}

/// The distances of each row from the nearest kept ones, in both views.
fn distances(kept: &KeptRows, rows: ArrayView2<f32>) -> PolarsResult<[Vec<f32>; 2]> {
    const CHUNK: usize = 1_024;
    let tile = Simd::chosen().tile_rows();
    let room = || zeros::<f32>(rows.nrows(), "the distances from the kept rows");
    let mut distances = [room()?, room()?];
    let [scaled, standard] = &mut distances;
    let parts = scaled.chunks_mut(CHUNK).zip(standard.chunks_mut(CHUNK));
    let chunks = rows.axis_chunks_iter(Axis(0), CHUNK).zip(parts).collect();
    pool::map(chunks, |(rows, (scaled, standard))| {
        kept.add_distances(&tiled(rows, tile)?, tile, [scaled, standard]);
        Ok(())
    })?;
    Ok(distances)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn rows() -> Array2<f32> {
        Array2::from_shape_fn((300, 2), |(row, input)| libm::sin((row * (input + 1)) as f64) as f32)
    }

    fn novelty(kept_rows: usize, seed: u64) -> Options {
        Options { kept_rows, seed, ..Options::preset(Preset::Novelty) }
    }

    fn kept_from(
        rows: &Array2<f32>,
        anomalies: Option<&[bool]>,
        scored: Option<&[usize]>,
        options: &Options,
    ) -> Option<Kept> {
        let owners: Vec<usize> = (0..rows.ncols()).collect();
        let scored = scored.map_or_else(|| rows.clone(), |scored| rows.select(Axis(0), scored));
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        keep(rows, &owners, anomalies, scored.view(), options, &mut rng).unwrap()
    }

    fn kept(anomalies: Option<&[bool]>, options: &Options) -> (Option<KeptRows>, Vec<f32>) {
        let mut errors: Vec<f32> = (0..300).map(|at| at as f32 / 300.0).collect();
        let kept = kept_from(&rows(), anomalies, None, options);
        (kept.map(|kept| kept.weighed(options.kept_weight, &mut errors).0), errors)
    }

    #[test]
    fn none_are_kept_unless_the_options_ask_for_some() {
        let (none, errors) = kept(None, &novelty(0, 1));
        assert_eq!((none, errors[299]), (None, 299.0 / 300.0));
    }

    #[test]
    fn kept_rows_are_training_rows_of_which_none_is_a_known_anomaly() {
        let anomalies: Vec<bool> = (0..300).map(|row| row % 3 > 0).collect();
        let found = kept(Some(&anomalies), &novelty(2_048, 1)).0.unwrap();
        let normal: Vec<f32> = rows().rows().into_iter().step_by(3).flat_map(|row| row.to_vec()).collect();
        assert_eq!(found.numbers(), normal);
        assert_eq!(kept(None, &novelty(50, 1)).0.unwrap().numbers().len(), 100);
        assert_ne!(kept(None, &novelty(50, 1)).0, kept(None, &novelty(50, 2)).0);
    }

    #[test]
    fn several_draws_differ_and_each_has_a_sixteenth_of_a_small_table() {
        let options = Options { kept_rows: 1_000, kept_draws: 4, ..Options::preset(Preset::Default) };
        let found = kept(None, &options).0.unwrap();
        let draws: Vec<&[f32]> = found.numbers().chunks(2 * 19).collect();
        assert_eq!((draws.len(), draws[3].len()), (4, 2 * 19));
        assert!(draws[1..].iter().all(|draw| *draw != draws[0]));
    }

    #[test]
    fn distances_are_those_of_the_scored_rows() {
        for kept_draws in [1, 3] {
            let options = Options { kept_rows: 50, kept_draws, ..Options::preset(Preset::Default) };
            let distances = |scored: Option<&[usize]>| kept_from(&rows(), None, scored, &options).unwrap().scored;
            let (all, some) = (distances(None), distances(Some(&[3, 100, 299])));
            for (all, some) in all.iter().zip(some) {
                assert_eq!(some, [all[3], all[100], all[299]]);
            }
        }
    }

    #[test]
    fn distances_have_the_weight_that_options_and_odds_ask_for_and_no_row_is_compared_with_itself() {
        for (options, shares) in
            [(novelty(2_048, 1), SHARES_OF_ONE), (Options::preset(Preset::Default), SHARES_OF_SEVERAL)]
        {
            let before: Vec<f32> = (0..300).map(|at| at as f32 / 300.0).collect();
            let mut errors = before.clone();
            let kept = kept_from(&rows(), None, None, &options).unwrap();
            let distances = kept.scored.clone();
            let (found, odds) = kept.weighed(options.kept_weight, &mut errors);
            assert_eq!(found.fault(), None);
            let added: Vec<f32> = errors.iter().zip(&before).map(|(after, before)| after - before).collect();
            assert!(added.iter().all(|added| *added > 0.0));
            let in_views = found.units().into_iter().zip(distances);
            let ratios = in_views.map(|(unit, distances)| f64::from(unit) * spread_of(&distances) / spread_of(&before));
            for (ratio, share) in ratios.zip(shares) {
                assert!((ratio / (options.kept_weight * odds) - share).abs() < 0.01, "{ratio} {odds}");
            }
        }
    }

    #[test]
    fn distances_weigh_more_where_features_depend_on_one_another() {
        let odds = |rows: &Array2<f32>| {
            let kept = kept_from(rows, None, None, &novelty(2_048, 1)).unwrap();
            kept.weighed(1.0, &mut vec![1.0; rows.nrows()]).1
        };
        let independent = Array2::from_shape_fn((300, 2), |(row, input)| (row * (7 + 66 * input) % 300) as f32);
        let dependent = Array2::from_shape_fn((300, 2), |(row, input)| (row * 7 % 300 * (input + 1)) as f32);
        let (of_independent, of_dependent) = (odds(&independent), odds(&dependent));
        assert!(of_independent < 2.0 && of_dependent > 20.0, "{of_independent} {of_dependent}");
        assert_eq!(odds(&Array2::ones((300, 2))), 1.0, "of rows that are all the same");
    }

    #[test]
    fn the_inputs_of_a_feature_are_shuffled_together() {
        let rows = Array2::from_shape_fn((50, 3), |(row, _)| row as f32);
        let among: Vec<usize> = (10..20).collect();
        let shuffled = shuffled(&rows, &[0, 1, 1], &among, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        assert!(shuffled.iter().all(|number| (10.0..20.0).contains(number)));
        assert!(shuffled.rows().into_iter().all(|row| row[1] == row[2]));
        assert!(shuffled.rows().into_iter().any(|row| row[0] != row[1]));
    }

    #[test]
    fn odds_count_pairs_and_equal_ones_by_half() {
        assert_eq!(odds_of_farther(vec![1.0, 1.0], vec![1.0, 1.0, 1.0]), 1.0);
        assert_eq!(odds_of_farther(vec![2.0, 2.0], vec![1.0, 1.0]), (4.0 + 1.0) / 1.0);
        assert_eq!(odds_of_farther(vec![0.0, 2.0], vec![1.0]), (1.0 + 0.5) / (1.0 + 0.5));
    }
}
