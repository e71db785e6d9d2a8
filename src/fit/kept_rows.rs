//! Which training rows a model keeps, and what they add to the training rows' errors.

use ndarray::{Array2, ArrayView2, Axis};
use polars::prelude::PolarsResult;
use rand::seq::index;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::engine::tiled;
use crate::memory::{reserved, zeros};
use crate::model::{spread_of, Asinh, KeptRows};
use crate::options::Options;
use crate::pool;
use crate::simd::Simd;

const WHAT: &str = "the kept rows";

/// The shares of both views in the weight of the distances, of one draw and of several. On the sets of docs/quality.md, any mix is better
/// than one view alone. In raw tables that hold anomalies, distances in ranges of the features let rows of rare categories hide faults in
/// other rows, so that they weigh less there.
const SHARES_OF_ONE: [f64; 2] = [0.5, 0.5];
const SHARES_OF_SEVERAL: [f64; 2] = [0.25, 0.75];

/// Rows of `rows`, `[n, inputs]`, none of them a known anomaly, if the options ask for any; and the distances of each scored row, of all of
/// them where `scored` is None, in both views.
pub fn keep(
    rows: &Array2<f32>,
    anomalies: Option<&[bool]>,
    scored: Option<&[usize]>,
    options: &Options,
) -> PolarsResult<Option<(KeptRows, [Vec<f32>; 2])>> {
    let mut normal = reserved(rows.nrows(), WHAT)?;
    normal.extend((0..rows.nrows()).filter(|row| !anomalies.is_some_and(|anomalies| anomalies[*row])));
    let (draws, of_draw) = (options.kept_draws, options.rows_of_draw(normal.len()));
    if of_draw == 0 {
        return Ok(None);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    // Members use the streams from 0 on, a choice among candidates the last two, the rows to be scored the one before them.
    rng.set_stream(u64::MAX - 3);
    let mut numbers: Vec<usize> = reserved(draws * of_draw, WHAT)?;
    for _ in 0..draws {
        let drawn = index::sample(&mut rng, normal.len(), of_draw);
        let first = numbers.len();
        numbers.extend(drawn.iter().map(|at| normal[at]));
        numbers[first..].sort_unstable();
    }
    let mut kept: Vec<f32> = reserved(numbers.len().saturating_mul(rows.ncols()), WHAT)?;
    numbers.iter().for_each(|number| kept.extend(rows.row(*number)));
    let kept = KeptRows::new(kept, draws, rows.ncols(), Some(Asinh::of(rows)?), &[1.0; 2])?;
    let distances = match scored {
        None => distances(&kept, rows.view())?,
        Some(scored) => distances(&kept, rows.select(Axis(0), scored).view())?,
    };
    Ok(Some((kept, distances)))
}

/// The kept rows with the units in which the distances in both views together have `weight` times the spread of the networks' errors, to
/// which they are added.
pub fn weighed(kept: KeptRows, distances: &[Vec<f32>; 2], weight: f64, errors: &mut [f32]) -> KeptRows {
    let spread = spread_of(errors);
    let shares = if kept.draws() > 1 { SHARES_OF_SEVERAL } else { SHARES_OF_ONE };
    let unit = |view: usize| (shares[view] * weight * spread / spread_of(&distances[view])) as f32;
    let units = [0, 1].map(unit);
    let kept = kept.with_units(units);
    kept.weigh(distances, errors);
    kept
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

    fn rows() -> Array2<f32> {
        Array2::from_shape_fn((300, 2), |(row, input)| libm::sin((row * (input + 1)) as f64) as f32)
    }

    fn novelty(kept_rows: usize, seed: u64) -> Options {
        Options { kept_rows, seed, ..Options::preset(Preset::Novelty) }
    }

    fn kept(anomalies: Option<&[bool]>, options: &Options) -> (Option<KeptRows>, Vec<f32>) {
        let mut errors: Vec<f32> = (0..300).map(|at| at as f32 / 300.0).collect();
        let kept = keep(&rows(), anomalies, None, options).unwrap();
        let weight = options.weight_of_kept_rows();
        (kept.map(|(kept, distances)| weighed(kept, &distances, weight, &mut errors)), errors)
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
            let of = |scored: Option<&[usize]>| keep(&rows(), None, scored, &options).unwrap().unwrap().1;
            let (all, some) = (of(None), of(Some(&[3, 100, 299])));
            for (all, some) in all.iter().zip(some) {
                assert_eq!(some, [all[3], all[100], all[299]]);
            }
        }
    }

    #[test]
    fn distances_have_the_weight_that_the_options_ask_for_and_no_row_is_compared_with_itself() {
        for (options, shares) in
            [(novelty(2_048, 1), SHARES_OF_ONE), (Options::preset(Preset::Default), SHARES_OF_SEVERAL)]
        {
            let (found, errors) = kept(None, &options);
            assert_eq!(found.as_ref().unwrap().fault(), None);
            let before: Vec<f32> = (0..300).map(|at| at as f32 / 300.0).collect();
            let added: Vec<f32> = errors.iter().zip(&before).map(|(after, before)| after - before).collect();
            assert!(added.iter().all(|added| *added > 0.0));
            let (_, distances) = keep(&rows(), None, None, &options).unwrap().unwrap();
            let of_views = found.unwrap().units().into_iter().zip(distances);
            let ratios = of_views.map(|(unit, distances)| f64::from(unit) * spread_of(&distances) / spread_of(&before));
            for (ratio, share) in ratios.zip(shares) {
                assert!((ratio / options.kept_weight - share).abs() < 0.01, "{ratio}");
            }
        }
    }
}
