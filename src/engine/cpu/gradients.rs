//! The gradient of both heads with respect to the rows: forward and back through every member, down to its features.

use polars::prelude::PolarsResult;

use crate::engine::weights::Weights;
use crate::simd::{Simd, Task, Vector};

use super::kernels::{d_input, finite_norms, Back, Stack};
use super::plan::{Buffers, Layer, Plan, Source};
use super::step::{ends, residual_deltas, run_layers};

/// An ensemble laid out for it.
pub struct Differentiable<'a> {
    weights: &'a Weights,
    plan: Plan,
    /// Each member's numbers, in the order of an ensemble of one
    members: Vec<Vec<f32>>,
}

impl<'a> Differentiable<'a> {
    pub fn of(simd: Simd, weights: &'a Weights) -> PolarsResult<Self> {
        let plan = Plan::new(weights.shape(), simd.tile_rows());
        let members = (0..weights.members()).map(|at| weights.member(at)).collect::<PolarsResult<_>>()?;
        Ok(Self { weights, plan, members })
    }

    /// Room for what a tile needs.
    pub fn buffers(&self) -> PolarsResult<Buffers> {
        Buffers::new(&self.plan)
    }
}

/// Adds the gradient of `logit_weights` · logit + `error_weights` · ‖x − x̂‖₂, both heads being the members' means, to `out`.
pub struct InputGradient<'a> {
    pub network: &'a Differentiable<'a>,
    /// A tile, `[features, tile rows]`
    pub x: &'a [f32],
    /// A number for each row of the tile
    pub logit_weights: &'a [f32],
    pub error_weights: &'a [f32],
    pub buffers: &'a mut Buffers,
    /// As `x`
    pub out: &'a mut [f32],
}

impl Task for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller knows that the CPU has the vector's instructions. `error_weights` has
        // a number for each row of the tile, as `Network::add_input_gradients` cuts it. The vectors
        // of the last loop lie within chunks and slices of `rows` numbers, which is a multiple of
        // `LANES`.
        unsafe {
            let Self { network: Differentiable { weights, plan, members }, x, logit_weights, error_weights, .. } = self;
            let (buffers, out, rows) = (self.buffers, self.out, V::TILE);
            let share = V::splat(1.0 / members.len() as f32);
            for (member, parameters) in members.iter().enumerate() {
                let inputs = weights.inputs_of(member);
                for (to, feature) in buffers.activations.chunks_exact_mut(rows).zip(inputs) {
                    to.copy_from_slice(&x[feature * rows..(feature + 1) * rows]);
                }
                run_layers::<V>(plan, parameters, 1, buffers);
                let [seen, logit, reconstruction] = ends::<V>(plan, 0);
                let Buffers { activations, deltas, spare, .. } = &mut *buffers;
                deltas[logit].copy_from_slice(logit_weights);
                let (seen, reconstructed) = (&activations[seen], &activations[reconstruction.clone()]);
                let errors = finite_norms::<V>(seen, reconstructed);
                residual_deltas::<V>(seen, reconstructed, errors, error_weights, &mut deltas[reconstruction.clone()]);
                for layer in &plan.backward {
                    back::<V>(plan, &plan.layers[*layer], parameters, activations, deltas, spare);
                }
                // x is also what the reconstruction is compared with.
                if plan.reconstruction.is_some() {
                    let d_x = spare.chunks_exact_mut(rows).zip(deltas[reconstruction].chunks_exact(rows));
                    for (d_x, d_reconstruction) in d_x {
                        for at in (0..rows).step_by(V::LANES) {
                            let d = V::load(d_x[at..].as_ptr()).sub(V::load(d_reconstruction[at..].as_ptr()));
                            d.store(d_x[at..].as_mut_ptr());
                        }
                    }
                }
                for (d_x, feature) in spare.chunks_exact(rows).zip(inputs) {
                    let out = &mut out[feature * rows..(feature + 1) * rows];
                    for at in (0..rows).step_by(V::LANES) {
                        let d = V::load(d_x[at..].as_ptr());
                        d.mul_add(share, V::load(out[at..].as_ptr())).store(out[at..].as_mut_ptr());
                    }
                }
            }
        }
    }
}

/// Back through a layer: finds its input's deltas. Those of the features are a sum over ND and encoder, in `d_x`.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn back<V: Vector>(
    plan: &Plan,
    layer: &Layer,
    parameters: &[f32],
    activations: &[f32],
    deltas: &mut [f32],
    d_x: &mut [f32],
) {
    let first = layer.from.first(plan.tiles, V::TILE);
    let (before, d) = deltas.split_at_mut(layer.to.first(plan.tiles, V::TILE));
    let from = &activations[first..];
    let weights = &parameters[layer.weight..][..layer.inputs * layer.outputs];
    // ND comes before the encoder in the backward pass.
    let is_encoder = layer.weight > plan.layers[0].weight;
    let (to, how) = match layer.source {
        Source::Features => (d_x, Back { relu: None, sum: is_encoder }),
        Source::Hidden => (&mut before[first..], Back { relu: Some(from), sum: false }),
        Source::Latent => (&mut before[first..], Back { relu: None, sum: false }),
        Source::Z0 => (&mut before[first..], Back { relu: Some(from), sum: true }),
    };
    // SAFETY: the caller knows that the CPU has the vector's instructions; `d_input` checks the
    // lengths.
    unsafe { d_input::<V>(weights, layer.outputs, d, to, how, Stack::ONE) };
}
