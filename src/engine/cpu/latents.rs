//! The latent (z0, z1) of eq. 1 of tiles of rows.

use crate::simd::{Task, Vector};

use super::layers::Layers;

/// The latents of tiles, each member's in turn.
pub struct Latents<'a> {
    pub layers: &'a Layers<'a>,
    /// `[tiles, features, tile rows]`
    pub tiles: &'a [f32],
    pub features: usize,
    /// `[rows, m × latent width]`, the rows of the last tile's padding left out
    pub out: &'a mut [f32],
}

impl Task for Latents<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { layers, tiles, features, out } = self;
        let width = layers.weights.shape().latent_width();
        let row_width = layers.members * width;
        let mut activations = layers.activations(V::TILE);
        for (tile, out) in tiles.chunks_exact(features * V::TILE).zip(out.chunks_mut(V::TILE * row_width)) {
            for member in 0..layers.members {
                // SAFETY: the caller knows that the CPU has the vector's instructions.
                unsafe { layers.encode::<V>(member, tile, &mut activations) };
                for (row, out) in out.chunks_exact_mut(row_width).enumerate() {
                    for (at, out) in out[member * width..(member + 1) * width].iter_mut().enumerate() {
                        *out = activations.z[at * V::TILE + row];
                    }
                }
            }
        }
    }
}
