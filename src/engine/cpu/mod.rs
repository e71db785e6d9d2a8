//! Networks on the CPU: a tile of rows goes through all layers in one go, forward for the two heads, and back for the gradient.
//!
//! Rows are lanes: an activation is a vector with one number for each row, and a weight is broadcast to all of them. So a tile
//! is the columns' own layout, nothing leaves the first-level cache between layers, a layer may have any width, and a row's
//! result is the same to the bit wherever it stands, since its lane never meets another. Only the gradient of a weight sums
//! over rows: there outputs are lanes, and the rows are summed in their order, so that it is the same to the bit whatever the
//! width of the vectors.

mod gradients;
mod heads;
mod kernels;
mod latents;
mod layers;
mod members;
mod plan;
mod step;
mod trainer;

pub use members::train;
#[cfg(test)]
pub use step::Batch;
#[cfg(test)]
pub use trainer::Trainer;

use std::sync::OnceLock;

use gradients::{Differentiable, InputGradient};
use heads::Heads;
use latents::Latents;
use layers::Layers;

use super::weights::Weights;
use crate::simd::Simd;

/// An ensemble for the CPU.
pub struct Network<'a> {
    simd: Simd,
    layers: Layers<'a>,
    differentiable: OnceLock<Differentiable<'a>>,
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
        self.simd.run(Heads { layers: &self.layers, tiles, features, logits, errors });
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
    ) {
        let rows = self.tile_rows();
        let network = self.differentiable.get_or_init(|| Differentiable::of(self.simd, self.layers.weights));
        let mut buffers = network.buffers();
        let weights = logit_weights.chunks_exact(rows).zip(error_weights.chunks_exact(rows));
        let tiles = tiles.chunks_exact(features * rows).zip(out.chunks_exact_mut(features * rows));
        for ((x, out), (logit_weights, error_weights)) in tiles.zip(weights) {
            let buffers = &mut buffers;
            self.simd.run(InputGradient { network, x, logit_weights, error_weights, buffers, out });
        }
    }
}
