//! Training rows that a model keeps: an autoencoder whose decoder is a look-up.
//!
//! Such a one reconstructs a row by the nearest row that it keeps. The distance between the two is a reconstruction error like
//! that of eq. 6, and is added to it, in the unit that gives both errors the same spread over the training rows. What is like
//! none of the training rows is then an anomaly, even if the networks have learned to reconstruct it.

use polars::prelude::PolarsResult;

use crate::memory::zeros;
use crate::pool;
use crate::simd::{Simd, Task, Vector, MOST_LANES, VECTORS};

/// Rows `[kept, inputs]`, scaled, at least one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRows {
    rows: Vec<f32>,
    inputs: usize,
    /// What a distance is multiplied with to be a reconstruction error
    unit: f32,
}

/// The most rows of a tile, whatever the vectors.
const MOST_TILE: usize = VECTORS * MOST_LANES;

/// Kept rows that are compared with a tile together, so that a number of the tile is loaded once for all of them.
const TOGETHER: usize = 4;

/// The nearest kept row of each row of a tile: minus the square of its distance, and its number.
struct Nearest {
    minus_squares: [f32; MOST_TILE],
    numbers: [f32; MOST_TILE],
}

impl KeptRows {
    /// From `rows`, `[kept, inputs]`.
    pub fn new(rows: Vec<f32>, inputs: usize, unit: f32) -> Self {
        Self { rows, inputs, unit }
    }

    /// The same rows, with distances in another unit.
    pub fn with_unit(self, unit: f32) -> Self {
        Self { unit, ..self }
    }

    pub fn numbers(&self) -> &[f32] {
        &self.rows
    }

    pub fn unit(&self) -> f32 {
        self.unit
    }

    pub fn bytes(&self) -> usize {
        self.rows.len() * size_of::<f32>()
    }

    /// What is wrong with its numbers, if anything is.
    pub fn fault(&self) -> Option<String> {
        if !self.rows.iter().all(|number| number.is_finite()) {
            return Some("a number of its kept rows is not finite".to_string());
        }
        let usable = self.unit.is_normal() && self.unit > 0.0;
        (!usable).then(|| format!("the unit of its kept rows is {}, expected a finite number above 0", self.unit))
    }

    /// Adds each row's distance as a reconstruction error to `errors`; rows come in tiles, `[tiles, inputs, tile]`.
    pub fn add_errors(&self, tiles: &[f32], tile: usize, errors: &mut [f32]) {
        self.each(tiles, tile, errors.len(), |row, square, _| errors[row] += self.unit * square.sqrt());
    }

    /// Adds the gradient of `weights` · error to `out`, which is as `tiles`. There is a weight for each row.
    pub fn add_gradients(&self, tiles: &[f32], tile: usize, weights: &[f32], out: &mut [f32]) {
        let inputs = self.inputs;
        self.each(tiles, tile, weights.len(), |row, square, nearest| {
            let distance = square.sqrt();
            // At a kept row, the error has a kink.
            if distance == 0.0 {
                return;
            }
            let kept = &self.rows[nearest * inputs..][..inputs];
            for (input, kept) in kept.iter().enumerate() {
                let at = (row / tile * inputs + input) * tile + row % tile;
                out[at] += weights[row] * self.unit * (tiles[at] - kept) / distance;
            }
        });
    }

    /// Calls `take` with each row, the square of its distance from the nearest kept row, and which one that is.
    fn each(&self, tiles: &[f32], tile: usize, rows: usize, mut take: impl FnMut(usize, f32, usize)) {
        let simd = Simd::chosen();
        let wide = simd.tile_rows();
        let inputs = self.inputs;
        let mut own = vec![0f32; inputs * wide];
        for first in (0..rows).step_by(wide) {
            let here = wide.min(rows - first);
            // A GPU's tiles are single rows.
            let numbers = if tile == wide {
                &tiles[first * inputs..][..inputs * wide]
            } else {
                for (input, numbers) in own.chunks_exact_mut(wide).enumerate() {
                    for (at, number) in numbers[..here].iter_mut().enumerate() {
                        let row = first + at;
                        *number = tiles[(row / tile * inputs + input) * tile + row % tile];
                    }
                }
                own.as_slice()
            };
            let found = simd.run(Search { kept: &self.rows, inputs, numbers });
            for at in 0..here {
                take(first + at, (-found.minus_squares[at]).max(0.0), found.numbers[at] as usize);
            }
        }
    }

    /// The distance of each kept row from the nearest other one; 0 if there is no other.
    pub fn distances_within(&self) -> PolarsResult<Vec<f32>> {
        const CHUNK: usize = 64;
        let inputs = self.inputs;
        let mut distances: Vec<f32> = zeros(self.rows.len() / inputs, "the distances of the kept rows")?;
        let chunks = distances.chunks_mut(CHUNK).enumerate().collect();
        pool::map(chunks, |(chunk, distances)| {
            for (at, distance) in distances.iter_mut().enumerate() {
                let number = chunk * CHUNK + at;
                let row = &self.rows[number * inputs..][..inputs];
                let square = |other: &[f32]| row.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
                let others = self.rows.chunks_exact(inputs).enumerate().filter(|(other, _)| *other != number);
                let nearest = others.map(|(_, other)| square(other)).fold(f32::INFINITY, f32::min);
                *distance = if nearest.is_finite() { nearest.sqrt() } else { 0.0 };
            }
            Ok(())
        })?;
        Ok(distances)
    }
}

/// The search for the nearest kept rows of a tile, `[inputs, tile]`.
struct Search<'a> {
    kept: &'a [f32],
    inputs: usize,
    numbers: &'a [f32],
}

impl Task for Search<'_> {
    type Output = Nearest;

    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> Nearest {
        let Self { kept, inputs, numbers } = self;
        debug_assert_eq!(numbers.len(), inputs * V::TILE);
        let mut found = Nearest { minus_squares: [0.0; MOST_TILE], numbers: [0.0; MOST_TILE] };
        // SAFETY: the caller has found the vector's support; a tile has `VECTORS` vectors of each input, and so have both arrays of
        // what was found, since no vector has more than `MOST_LANES` lanes.
        unsafe {
            let mut best = [V::splat(f32::MIN); VECTORS];
            let mut which = [V::splat(0.0); VECTORS];
            let mut first = 0;
            for rows in kept.chunks(TOGETHER * inputs) {
                let count = rows.len() / inputs;
                // In the place of rows that are not there: the first one again.
                let row: [&[f32]; TOGETHER] =
                    std::array::from_fn(|at| &rows[if at < count { at } else { 0 } * inputs..][..inputs]);
                let mut sums = [[V::splat(0.0); VECTORS]; TOGETHER];
                for input in 0..inputs {
                    let x: [V; VECTORS] =
                        std::array::from_fn(|at| V::load(numbers.as_ptr().add(input * V::TILE + at * V::LANES)));
                    for (row, sums) in row.iter().zip(&mut sums) {
                        let number = V::splat(row[input]);
                        for (sum, x) in sums.iter_mut().zip(x) {
                            let difference = x.sub(number);
                            *sum = difference.mul_add(difference, *sum);
                        }
                    }
                }
                for (at, sums) in sums[..count].iter().enumerate() {
                    let number = V::splat((first + at) as f32);
                    for (vector, sum) in sums.iter().enumerate() {
                        let minus = V::splat(0.0).sub(*sum);
                        // Numbers up to 2²⁴ are exact.
                        let nearer = minus.sub(best[vector]);
                        which[vector] = which[vector].add(number.sub(which[vector]).where_positive(nearer));
                        best[vector] = minus.max(best[vector]);
                    }
                }
                first += count;
            }
            for vector in 0..VECTORS {
                best[vector].store(found.minus_squares.as_mut_ptr().add(vector * V::LANES));
                which[vector].store(found.numbers.as_mut_ptr().add(vector * V::LANES));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tiled;
    use ndarray::Array2;

    const INPUTS: usize = 3;
    const UNIT: f32 = 2.0;

    fn matrix(rows: usize, shift: f64) -> Array2<f32> {
        Array2::from_shape_fn((rows, INPUTS), |(row, input)| libm::sin((row * 7 + input * 3) as f64 + shift) as f32)
    }

    fn kept(rows: usize) -> KeptRows {
        KeptRows::new(matrix(rows, 0.0).into_raw_vec_and_offset().0, INPUTS, UNIT)
    }

    fn error(kept: &KeptRows, row: &[f32]) -> f32 {
        let distance = |other: &[f32]| row.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
        UNIT * kept.numbers().chunks_exact(INPUTS).map(distance).fold(f32::INFINITY, f32::min)
    }

    #[test]
    fn errors_are_distances_from_the_nearest_kept_row() {
        for count in [1, 4, 5, 131] {
            let (kept, rows) = (kept(count), matrix(77, 0.5));
            // A CPU's tiles, and single rows.
            for tile in [Simd::chosen().tile_rows(), 1] {
                let mut errors = vec![1f32; 77];
                kept.add_errors(&tiled(rows.view(), tile).unwrap(), tile, &mut errors);
                for (found, row) in errors.iter().zip(rows.rows()) {
                    let expected = 1.0 + error(&kept, row.as_slice().unwrap());
                    assert!((found - expected).abs() < 1e-5, "{found} {expected}");
                }
            }
        }
    }

    #[test]
    fn gradients_are_slopes_of_the_errors() {
        let (kept, tile) = (kept(50), Simd::chosen().tile_rows());
        let (rows, step) = (matrix(40, 0.5), 1e-3);
        let tiles = tiled(rows.view(), tile).unwrap();
        let weights = vec![1.5f32; tiles.len() / INPUTS];
        let mut found = vec![0f32; tiles.len()];
        kept.add_gradients(&tiles, tile, &weights, &mut found);
        let mut compared = 0;
        for (number, row) in rows.rows().into_iter().enumerate() {
            let row = row.to_vec();
            let distance =
                |row: &[f32], kept: &[f32]| row.iter().zip(kept).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
            let all = kept.numbers().chunks_exact(INPUTS);
            let nearest = all.min_by(|a, b| distance(&row, a).total_cmp(&distance(&row, b))).unwrap();
            // Near a kept row, the error bends within a step.
            if distance(&row, nearest) < 0.05 {
                continue;
            }
            compared += 1;
            for input in 0..INPUTS {
                let moved = |by: f32| {
                    let mut row = row.clone();
                    row[input] += by;
                    UNIT * distance(&row, nearest)
                };
                let slope = 1.5 * (moved(step) - moved(-step)) / (2.0 * step);
                let at = (number / tile * INPUTS + input) * tile + number % tile;
                assert!((found[at] - slope).abs() < 0.02, "{} {slope}", found[at]);
            }
        }
        assert!(compared >= 8, "{compared}");
    }

    #[test]
    fn distances_within_leave_a_row_itself_out() {
        let twice = KeptRows::new([1.0, 2.0, 4.0, 4.0].to_vec(), 1, 1.0);
        assert_eq!(twice.distances_within().unwrap(), [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(KeptRows::new(vec![1.0], 1, 1.0).distances_within().unwrap(), [0.0]);
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(kept(3).fault(), None);
        assert!(KeptRows::new(vec![f32::NAN], 1, 1.0).fault().unwrap().contains("kept rows is not finite"));
        for unit in [0.0, -1.0, f32::INFINITY] {
            assert!(KeptRows::new(vec![0.0], 1, unit).fault().unwrap().contains("unit of its kept rows"));
        }
    }
}
