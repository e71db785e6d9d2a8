//! Which training rows a model keeps, and what they add to the training rows' errors.

use ndarray::{Array2, ArrayView2, Axis};
use polars::prelude::PolarsResult;
use rand::seq::index;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::engine::tiled;
use crate::memory::{collected, reserved, zeros};
use crate::model::{spread_of, KeptRows};
use crate::options::Options;
use crate::pool;
use crate::simd::Simd;

const WHAT: &str = "the kept rows";

/// Rows of `rows`, `[n, inputs]`, none of them a known anomaly, if the options ask for any; and the distance of each scored row, of all of
/// them where `scored` is None.
///
/// A kept row is not compared with itself: its distance is that of a row which is not kept.
pub fn keep(
    rows: &Array2<f32>,
    anomalies: Option<&[bool]>,
    scored: Option<&[usize]>,
    options: &Options,
) -> PolarsResult<Option<(KeptRows, Vec<f32>)>> {
    if options.kept_rows == 0 {
        return Ok(None);
    }
    let mut normal = reserved(rows.nrows(), WHAT)?;
    normal.extend((0..rows.nrows()).filter(|row| !anomalies.is_some_and(|anomalies| anomalies[*row])));
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    // Members use the streams from 0 on, a choice among candidates the last two.
    rng.set_stream(u64::MAX - 2);
    let drawn = index::sample(&mut rng, normal.len(), options.kept_rows.min(normal.len()));
    let mut numbers = collected(drawn.iter().map(|at| normal[at]), WHAT)?;
    numbers.sort_unstable();
    let mut kept: Vec<f32> = reserved(numbers.len() * rows.ncols(), WHAT)?;
    numbers.iter().for_each(|number| kept.extend(rows.row(*number)));
    let kept = KeptRows::new(kept, rows.ncols(), 1.0);
    let mut distances = match scored {
        None => distances(&kept, rows.view())?,
        Some(scored) => distances(&kept, rows.select(Axis(0), scored).view())?,
    };
    let within = kept.distances_within()?;
    for (at, distance) in distances.iter_mut().enumerate() {
        let row = scored.map_or(at, |scored| scored[at]);
        if let Ok(number) = numbers.binary_search(&row) {
            *distance = within[number];
        }
    }
    Ok(Some((kept, distances)))
}

/// The kept rows with the unit in which distances have `weight` times the spread of the networks' errors, to which they are added.
pub fn weighed(kept: KeptRows, distances: &[f32], weight: f64, errors: &mut [f32]) -> KeptRows {
    let unit = (weight * spread_of(errors) / spread_of(distances)) as f32;
    errors.iter_mut().zip(distances).for_each(|(error, distance)| *error += unit * distance);
    kept.with_unit(unit)
}

/// The distance of each row from the nearest kept one.
fn distances(kept: &KeptRows, rows: ArrayView2<f32>) -> PolarsResult<Vec<f32>> {
    const CHUNK: usize = 1_024;
    let tile = Simd::chosen().tile_rows();
    let mut distances: Vec<f32> = zeros(rows.nrows(), "the distances from the kept rows")?;
    let chunks = rows.axis_chunks_iter(Axis(0), CHUNK).zip(distances.chunks_mut(CHUNK)).collect();
    pool::map(chunks, |(rows, distances)| {
        kept.add_errors(&tiled(rows, tile)?, tile, distances);
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

    fn kept(anomalies: Option<&[bool]>, kept_rows: usize, seed: u64) -> (Option<KeptRows>, Vec<f32>) {
        let mut errors: Vec<f32> = (0..300).map(|at| at as f32 / 300.0).collect();
        let options = Options { kept_rows, seed, ..Options::preset(Preset::Default) };
        let kept = keep(&rows(), anomalies, None, &options).unwrap();
        let weight = options.weight_of_kept_rows();
        (kept.map(|(kept, distances)| weighed(kept, &distances, weight, &mut errors)), errors)
    }

    #[test]
    fn none_are_kept_unless_the_options_ask_for_some() {
        let (none, errors) = kept(None, 0, 1);
        assert_eq!((none, errors[299]), (None, 299.0 / 300.0));
    }

    #[test]
    fn kept_rows_are_training_rows_of_which_none_is_a_known_anomaly() {
        let anomalies: Vec<bool> = (0..300).map(|row| row % 3 > 0).collect();
        let found = kept(Some(&anomalies), 2_048, 1).0.unwrap();
        let normal: Vec<f32> = rows().rows().into_iter().step_by(3).flat_map(|row| row.to_vec()).collect();
        assert_eq!(found.numbers(), normal);
        assert_eq!(kept(None, 50, 1).0.unwrap().numbers().len(), 100);
        assert_ne!(kept(None, 50, 1).0, kept(None, 50, 2).0);
    }

    #[test]
    fn distances_are_those_of_the_scored_rows() {
        let options = Options { kept_rows: 50, ..Options::preset(Preset::Default) };
        let of = |scored: Option<&[usize]>| keep(&rows(), None, scored, &options).unwrap().unwrap().1;
        let (all, some) = (of(None), of(Some(&[3, 100, 299])));
        assert_eq!(some, [all[3], all[100], all[299]]);
    }

    #[test]
    fn distances_outweigh_the_errors_of_the_networks_and_no_row_is_compared_with_itself() {
        let (found, errors) = kept(None, 2_048, 1);
        let before: Vec<f32> = (0..300).map(|at| at as f32 / 300.0).collect();
        let added: Vec<f32> = errors.iter().zip(&before).map(|(after, before)| after - before).collect();
        assert!(added.iter().all(|added| *added > 0.0));
        let ratio = spread_of(&added) / spread_of(&before);
        assert!((ratio - 8.0).abs() < 0.01, "{ratio}");
        assert_eq!(found.unwrap().fault(), None);
    }
}
