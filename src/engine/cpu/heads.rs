//! Both heads of tiles of rows: scoring's forward pass.

use crate::simd::{Task, Vector, VECTORS};

use super::kernels::finite_norms;
use super::layers::{Activations, Layers};

/// Both heads of tiles, means over the members.
pub struct Heads<'a> {
    pub layers: &'a Layers<'a>,
    /// `[tiles, features, tile rows]`
    pub tiles: &'a [f32],
    pub features: usize,
    /// A number for each row, those of the last tile's padding left out
    pub logits: &'a mut [f32],
    pub errors: &'a mut [f32],
    /// Each member's own heads, `[tiles, m, 2, tile rows]`; empty if they are not asked for
    pub members: &'a mut [f32],
}

impl Task for Heads<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller knows that the CPU has the vector's instructions. Each vector is
        // stored into at least `LANES` numbers: a member's part of `own` has `2 * VECTORS` vectors,
        // and `activations.out` at least `VECTORS`.
        unsafe {
            let Self { layers, tiles, features, logits, errors, members } = self;
            let rows = V::TILE;
            let mut activations = layers.activations(rows);
            let outputs = logits.chunks_mut(rows).zip(errors.chunks_mut(rows));
            let mut own = members.chunks_exact_mut(2 * rows);
            for (tile, (logits, errors)) in tiles.chunks_exact(features * rows).zip(outputs) {
                let mut sums = [[V::splat(0.0); VECTORS]; 2];
                for member in 0..layers.members {
                    let heads = of_member::<V>(layers, member, tile, &mut activations);
                    for (sum, head) in sums.iter_mut().flatten().zip(heads.iter().flatten()) {
                        *sum = sum.add(*head);
                    }
                    if let Some(own) = own.next() {
                        for (at, head) in heads.iter().flatten().enumerate() {
                            head.store(own[at * V::LANES..].as_mut_ptr());
                        }
                    }
                }
                let share = V::splat(1.0 / layers.members as f32);
                for (head, out) in [(sums[0], logits), (sums[1], errors)] {
                    for (at, sum) in head.into_iter().enumerate() {
                        sum.mul_add(share, V::splat(0.0)).store(activations.out[at * V::LANES..].as_mut_ptr());
                    }
                    // The last tile's padding has no row to go to.
                    out.copy_from_slice(&activations.out[..out.len()]);
                }
            }
        }
    }
}

/// A member's heads: ND's logit, and the AE's ‖x − x̂‖₂, which is 0 without an AE.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn of_member<V: Vector>(
    layers: &Layers,
    member: usize,
    tile: &[f32],
    activations: &mut Activations,
) -> [[V; VECTORS]; 2] {
    // SAFETY: the caller knows that the CPU has the vector's instructions. `activations.out` has
    // room for a tile of at least one output, so that `VECTORS` vectors can be read from its start.
    unsafe {
        layers.encode::<V>(member, tile, activations);
        layers.classify::<V>(member, activations);
        let mut logit = [V::splat(0.0); VECTORS];
        for (at, logit) in logit.iter_mut().enumerate() {
            *logit = V::load(activations.out[at * V::LANES..].as_ptr());
        }
        if !layers.weights.shape().has_autoencoder() {
            return [logit, [V::splat(0.0); VECTORS]];
        }
        layers.decode::<V>(member, activations);
        let seen = layers.weights.shape().inputs * V::TILE;
        [logit, finite_norms::<V>(&activations.x[..seen], &activations.out)]
    }
}
