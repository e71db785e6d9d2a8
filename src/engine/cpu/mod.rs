//! Networks on the CPU: a tile of rows goes through all layers in one go, forward for the two heads, and back for the gradient.
//!
//! Rows are lanes: an activation is a vector with one number for each row, and a weight is broadcast to all of them. So a tile
//! is the columns' own layout, nothing leaves the first-level cache between layers, a layer may have any width, and a row's
//! result is the same to the bit wherever it stands, since its lane never meets another. Only the gradient of a weight sums
//! over rows: there outputs are lanes, and the rows are summed in their order, so that it is the same to the bit whatever the
//! width of the vectors.

mod classifier;
mod dropout;
mod gradients;
mod heads;
mod kernels;
mod latents;
mod layers;
mod matching;
mod members;
mod plan;
mod step;
mod trainer;

pub use classifier::{train_classifier, Classifier, LabelledRows, Mixture};
pub use matching::{train_to_match, Matching};
pub use members::train;
pub use step::Target;
#[cfg(test)]
pub use step::{Aim, Batch};
#[cfg(test)]
pub use trainer::Trainer;

use std::sync::OnceLock;

use polars::prelude::{PolarsError, PolarsResult};

use crate::simd::Simd;

use super::weights::Weights;

use gradients::{Differentiable, InputGradient};
use heads::Heads;
use latents::Latents;
use layers::Layers;

/// An ensemble for the CPU.
pub struct Network<'a> {
    simd: Simd,
    layers: Layers<'a>,
    differentiable: OnceLock<PolarsResult<Differentiable<'a>>>,
}

impl<'a> Network<'a> {
    pub fn of(weights: &'a Weights, simd: Simd) -> Self {
        Self { simd, layers: Layers::of(weights), differentiable: OnceLock::new() }
    }

    /// The number of rows of a tile.
    pub fn tile_rows(&self) -> usize {
        self.simd.tile_rows()
    }

    /// Both heads, means over the members, of tiles of scaled rows, `[tiles, features, tile rows]`.
    ///
    /// `logits` and `errors` have a number for each row, those of the last tile's padding left out.
    pub fn heads_into(&self, tiles: &[f32], features: usize, logits: &mut [f32], errors: &mut [f32]) {
        self.simd.run(Heads { layers: &self.layers, tiles, features, logits, errors, members: &mut [] });
    }

    /// The same, and each member's own heads, `[tiles, m, 2, tile rows]`: a logit of each row, then an error of each row.
    pub fn member_heads_into(
        &self,
        tiles: &[f32],
        features: usize,
        logits: &mut [f32],
        errors: &mut [f32],
        members: &mut [f32],
    ) {
        self.simd.run(Heads { layers: &self.layers, tiles, features, logits, errors, members });
    }

    /// The latents (z0, z1) of tiles, each member's in turn: `out` is `[rows, m × latent width]`.
    pub fn latents_into(&self, tiles: &[f32], features: usize, out: &mut [f32]) {
        self.simd.run(Latents { layers: &self.layers, tiles, features, out });
    }

    /// The gradient of `logit_weights` · logit + `error_weights` · ‖x − x̂‖₂ with respect to the rows of tiles, added to `out`,
    /// which is as `tiles`; there is a weight for each row, padding included.
    pub fn add_input_gradients(
        &self,
        tiles: &[f32],
        features: usize,
        logit_weights: &[f32],
        error_weights: &[f32],
        out: &mut [f32],
    ) -> PolarsResult<()> {
        let rows = self.tile_rows();
        let network = self.differentiable.get_or_init(|| Differentiable::of(self.simd, self.layers.weights));
        let network = network.as_ref().map_err(PolarsError::clone)?;
        let mut buffers = network.buffers()?;
        let weights = logit_weights.chunks_exact(rows).zip(error_weights.chunks_exact(rows));
        let tiles = tiles.chunks_exact(features * rows).zip(out.chunks_exact_mut(features * rows));
        for ((x, out), (logit_weights, error_weights)) in tiles.zip(weights) {
            // Nobody asks about a tile without weights.
            if logit_weights.iter().chain(error_weights).all(|weight| *weight == 0.0) {
                continue;
            }
            let buffers = &mut buffers;
            self.simd.run(InputGradient { network, x, logit_weights, error_weights, buffers, out });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reference;
    use crate::engine::test_data::{ensemble, numbers, rows, shapes};
    use crate::engine::tiled;
    use ndarray::Array2;

    const FEATURES: usize = 37;

    fn f64s(rows: &Array2<f32>, row: usize) -> Vec<f64> {
        rows.row(row).iter().map(|x| f64::from(*x)).collect()
    }

    #[test]
    fn heads_and_latents_agree_with_the_equations_in_f64() {
        for shape in shapes() {
            for (members, count) in [(1, 1), (3, 40), (2, 64)] {
                let (weights, rows) = (ensemble(&shape, members, FEATURES), rows(count, FEATURES, 5));
                let width = members * shape.latent_width();
                for simd in Simd::available() {
                    let network = Network::of(&weights, simd);
                    let tiles = tiled(rows.view(), network.tile_rows()).unwrap();
                    let (mut logits, mut errors) = (vec![0f32; count], vec![0f32; count]);
                    network.heads_into(&tiles, FEATURES, &mut logits, &mut errors);
                    let tile = network.tile_rows();
                    let mut own = vec![0f32; count.div_ceil(tile) * tile * members * 2];
                    let (mut same, mut too) = (vec![0f32; count], vec![0f32; count]);
                    network.member_heads_into(&tiles, FEATURES, &mut same, &mut too, &mut own);
                    assert!(same == logits && too == errors);
                    for (row, member) in (0..count).flat_map(|row| (0..members).map(move |member| (row, member))) {
                        let pass = reference::pass(&weights, member, &f64s(&rows, row));
                        let at = ((row / tile * members + member) * 2) * tile + row % tile;
                        for (ours, expected) in [(own[at], pass.logit), (own[at + tile], pass.error())] {
                            assert!((f64::from(ours) - expected).abs() < 1e-5 * expected.abs().max(1.0), "{shape:?}");
                        }
                    }
                    let mut latents = vec![0f32; count * width];
                    network.latents_into(&tiles, FEATURES, &mut latents);
                    for row in 0..count {
                        let x = f64s(&rows, row);
                        let (logit, error) = reference::heads(&weights, &x);
                        assert!((f64::from(logits[row]) - logit).abs() < 1e-5 * logit.abs().max(1.0), "{shape:?}");
                        assert!((f64::from(errors[row]) - error).abs() < 1e-5 * error.abs().max(1.0), "{shape:?}");
                        let expected = (0..members).flat_map(|member| reference::pass(&weights, member, &x).latent);
                        for (ours, expected) in latents[row * width..(row + 1) * width].iter().zip(expected) {
                            assert!((f64::from(*ours) - expected).abs() < 1e-5 * expected.abs().max(1.0), "{shape:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn input_gradients_are_the_slopes_of_the_heads() {
        for shape in shapes() {
            let (weights, rows) = (ensemble(&shape, 3, FEATURES), rows(40, FEATURES, 6));
            for simd in Simd::available() {
                let network = Network::of(&weights, simd);
                let tile = network.tile_rows();
                let tiles = tiled(rows.view(), tile).unwrap();
                let mut slopes = [numbers(tiles.len() / FEATURES, 8), numbers(tiles.len() / FEATURES, 9)];
                slopes.iter_mut().for_each(|slopes| slopes[40..].fill(0.0));
                let mut gradient = vec![0f32; tiles.len()];
                network.add_input_gradients(&tiles, FEATURES, &slopes[0], &slopes[1], &mut gradient).unwrap();
                for row in 0..40 {
                    let ours: Vec<f64> = (0..FEATURES)
                        .map(|j| f64::from(gradient[(row / tile * FEATURES + j) * tile + row % tile]))
                        .collect();
                    let (x, direction) = (f64s(&rows, row), numbers(FEATURES, row as u64));
                    let value = |step: f64| {
                        let moved: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + step * f64::from(*d)).collect();
                        let (logit, error) = reference::heads(&weights, &moved);
                        f64::from(slopes[0][row]) * logit + f64::from(slopes[1][row]) * error
                    };
                    let slope = (value(1e-6) - value(-1e-6)) / 2e-6;
                    let along: f64 = ours.iter().zip(&direction).map(|(g, d)| g * f64::from(*d)).sum();
                    let size = ours.iter().map(|g| g * g).sum::<f64>().sqrt();
                    assert!((along - slope).abs() < 1e-3 * (size + slope.abs()) + 1e-6, "{shape:?}: {along} {slope}");
                }
            }
        }
    }

    #[test]
    fn an_error_whose_squares_overflow_is_still_a_number() {
        // A decoder that gives zeros: the error is the size of the row.
        let shape = crate::engine::Shape { inputs: 2, hidden: vec![2], latent: 1 };
        let weights = Weights::new(shape.clone(), vec![0, 1], vec![0.0; shape.parameters()]).unwrap();
        let rows = Array2::from_shape_vec((3, 2), vec![3e19, 4e19, 3.0, 4.0, 3e38, 3e38]).unwrap();
        for simd in Simd::available() {
            let network = Network::of(&weights, simd);
            let (mut logits, mut errors) = ([0f32; 3], [0f32; 3]);
            network.heads_into(&tiled(rows.view(), network.tile_rows()).unwrap(), 2, &mut logits, &mut errors);
            assert_eq!((logits, errors[..2].to_vec()), ([0.0; 3], vec![5e19, 5.0]));
            assert_eq!(errors[2], f32::INFINITY);
            let (tile, ones) = (network.tile_rows(), vec![1f32; network.tile_rows()]);
            let mut slopes = vec![0f32; 2 * tile];
            let tiles = tiled(rows.view(), tile).unwrap();
            network.add_input_gradients(&tiles, 2, &vec![0.0; tile], &ones, &mut slopes).unwrap();
            for (ours, expected) in
                [slopes[0], slopes[tile], slopes[1], slopes[tile + 1]].iter().zip([0.6, 0.8, 0.6, 0.8])
            {
                assert!((ours - expected).abs() < 1e-6, "{ours} {expected}");
            }
        }
    }

    #[test]
    fn a_hidden_layer_that_overflows_shows_in_both_heads() {
        let shape = crate::engine::Shape { inputs: 2, hidden: vec![2, 2], latent: 1 };
        let mut numbers = vec![0.0; shape.parameters()];
        // ND's first layer gives twice infinity, its second one the difference of the two.
        numbers[..4].copy_from_slice(&[3e38, 0.0, 0.0, 3e38]);
        numbers[6..10].copy_from_slice(&[1.0, 1.0, -1.0, -1.0]);
        let weights = Weights::new(shape, vec![0, 1], numbers).unwrap();
        let rows = Array2::from_shape_vec((2, 2), vec![10.0, 10.0, 0.5, 0.5]).unwrap();
        for simd in Simd::available() {
            let network = Network::of(&weights, simd);
            let (mut logits, mut errors) = ([0f32; 2], [0f32; 2]);
            network.heads_into(&tiled(rows.view(), network.tile_rows()).unwrap(), 2, &mut logits, &mut errors);
            assert!(logits[0].is_nan() && errors[0].is_nan(), "{logits:?} {errors:?}");
            assert!(logits[1].is_finite() && errors[1].is_finite(), "{logits:?} {errors:?}");
        }
    }

    #[test]
    fn instruction_sets_that_fuse_give_the_same_bits() {
        let shape = crate::engine::Shape { inputs: 6, hidden: vec![32, 16], latent: 16 };
        let (weights, rows) = (ensemble(&shape, 3, 9), rows(100, 9, 1));
        let all = Simd::available().into_iter().map(|simd| {
            let network = Network::of(&weights, simd);
            let tiles = tiled(rows.view(), network.tile_rows()).unwrap();
            let (mut logits, mut errors) = (vec![0f32; 100], vec![0f32; 100]);
            network.heads_into(&tiles, 9, &mut logits, &mut errors);
            (simd, logits, errors)
        });
        let all: Vec<_> = all.collect();
        for (simd, logits, errors) in &all {
            if simd.fuses() == all[0].0.fuses() {
                assert_eq!((logits, errors), (&all[0].1, &all[0].2), "{}", simd.name());
            }
            for (ours, best) in logits.iter().chain(errors).zip(all[0].1.iter().chain(&all[0].2)) {
                assert!((ours - best).abs() < 1e-6 * best.abs().max(1.0), "{}: {ours} {best}", simd.name());
            }
        }
    }
}
