//! Several parents of one child are a mixture: Σ wᵢ p(b|aᵢ), with the weights of the highest
//! likelihood of the training rows, each left out.

use std::ops::Range;

use crate::cells::strips::{strips, STRIP};
use crate::simd::{Simd, Task, Vector};

/// The most parents that a column has for each aim.
pub const MOST_PARENTS: usize = 3;
/// The lowest weight on the way, and how often the weights are improved.
const FLOOR: f64 = 0.001;
const STEPS: usize = 60;
/// The most that one parent says for or against a value.
pub const MOST: f32 = 1e5;

/// p(b|aᵢ) / p(b), kept within bounds.
#[inline(always)]
pub fn bounded(ratio: f32) -> f32 {
    ratio.clamp(1.0 / MOST, MOST)
}

/// The weights of up to [`MOST_PARENTS`] parents, from the bounded ratios of the same rows by each.
pub fn weights(ratios: &[Vec<f32>]) -> Vec<f64> {
    let parents = ratios.len();
    let mut weights = vec![1.0 / parents.max(1) as f64; parents];
    let rows = ratios.first().map_or(0, Vec::len);
    if parents < 2 || rows == 0 {
        return weights;
    }
    for _ in 0..STEPS {
        let mut shares = [0.0; MOST_PARENTS];
        for rows in strips(rows) {
            let mut parts = [[0.0; STRIP]; MOST_PARENTS];
            Simd::chosen().run(Split { weights: &weights, ratios, rows: rows.clone(), parts: &mut parts });
            // Row by row, so that the sums of the parents need not wait for one another.
            for at in 0..rows.len() {
                shares.iter_mut().zip(&parts).for_each(|(share, part)| *share += part[at]);
            }
        }
        weights = shares[..parents].iter().map(|share| (share / rows as f64).max(FLOOR)).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    weights
}

/// What part of the mixture of each row is each parent's.
struct Split<'a> {
    weights: &'a [f64],
    ratios: &'a [Vec<f32>],
    rows: Range<usize>,
    parts: &'a mut [[f64; STRIP]; MOST_PARENTS],
}

impl Task for Split<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let mut sums = [0.0; STRIP];
        for ((part, weight), ratios) in self.parts.iter_mut().zip(self.weights).zip(self.ratios) {
            for ((part, sum), ratio) in part.iter_mut().zip(&mut sums).zip(&ratios[self.rows.clone()]) {
                *part = weight * f64::from(*ratio);
                *sum += *part;
            }
        }
        for part in self.parts.iter_mut().take(self.weights.len()) {
            part.iter_mut().zip(&sums).take(self.rows.len()).for_each(|(part, sum)| *part /= sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_that_tells_more_weighs_more() {
        let useful: Vec<f32> = (0..100).map(|row| if row % 10 == 0 { 0.1 } else { 3.0 }).collect();
        let weights = weights(&[useful, vec![1.0; 100]]);
        assert!(weights[0] > 0.8 && (weights[0] + weights[1] - 1.0).abs() < 1e-12, "{weights:?}");
        assert_eq!(super::weights(&[vec![2.0]]), [1.0]);
        assert!(super::weights(&[]).is_empty());
        assert_eq!((bounded(0.0), bounded(f32::INFINITY)), (1e-5, 1e5));
    }

    /// The weights row by row.
    fn plain(ratios: &[Vec<f32>]) -> Vec<f64> {
        let mut weights = vec![1.0 / ratios.len() as f64; ratios.len()];
        for _ in 0..STEPS {
            let mut shares = vec![0.0; ratios.len()];
            for row in 0..ratios[0].len() {
                let each = weights.iter().zip(ratios).map(|(weight, ratios)| weight * f64::from(ratios[row]));
                let sum: f64 = each.clone().sum();
                shares.iter_mut().zip(each).for_each(|(share, each)| *share += each / sum);
            }
            weights = shares.iter().map(|share| (share / ratios[0].len() as f64).max(FLOOR)).collect();
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        weights
    }

    #[test]
    fn the_weights_are_those_of_single_rows_to_the_bit() {
        let ratio = |row: usize, parent: usize| bounded(1e-6 * (row * (37 + parent) % 1_013) as f32 * row as f32);
        for (parents, rows) in [(2, 1), (2, 255), (3, 256), (3, 1_000)] {
            let ratios: Vec<Vec<f32>> =
                (0..parents).map(|parent| (0..rows).map(|row| ratio(row, parent)).collect()).collect();
            assert_eq!(weights(&ratios), plain(&ratios));
        }
    }
}
