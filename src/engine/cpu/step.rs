//! A training step: forward and back through a network tile by tile, so that a tile's activations stay in the first-level
//! cache, and Adam.

use std::ops::Range;

use crate::engine::adam::{Corrections, BETA1, BETA2, EPSILON};
use crate::engine::train::LossSums;
use crate::simd::{Task, Vector, VECTORS};

use super::dropout::{drop_out, Dropout};
use super::kernels::{add_gradient, affine, d_input, norms, panels, transpose, Back, Stack};
use super::plan::{Buffers, Layer, Place, Plan, Source};

/// Rows of a batch, and what is wanted of them.
pub struct Batch<'a> {
    /// `[rows, inputs]`, row by row
    pub x: &'a [f32],
    pub aim: Aim<'a>,
}

/// What the heads of a batch's rows should be.
#[derive(Clone, Copy)]
pub enum Aim<'a> {
    /// Eq. 4
    Detect {
        /// y of each row
        synthetic: &'a [bool],
        /// Of every row: w / rows of the batch (eq. 3 and 4)
        ce_weight: f32,
        /// Of a normal row: (1 − w) / normal rows of the batch (eq. 2 and 4)
        ae_weight: f32,
    },
    /// The heads of another model, by the sum of the rows' ½·weight·(head − target)²
    Match(&'a [Target]),
}

/// Both heads that a row should have, and the weights of their squared differences from these.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Target {
    pub logit: f32,
    pub error: f32,
    pub logit_weight: f32,
    pub error_weight: f32,
}

impl Aim<'_> {
    /// The number of rows.
    fn rows(&self) -> usize {
        match self {
            Self::Detect { synthetic, .. } => synthetic.len(),
            Self::Match(targets) => targets.len(),
        }
    }

    /// That of some of the rows.
    fn part(self, rows: Range<usize>) -> Self {
        match self {
            Self::Detect { synthetic, ce_weight, ae_weight } => {
                Self::Detect { synthetic: &synthetic[rows], ce_weight, ae_weight }
            }
            Self::Match(targets) => Self::Match(&targets[rows]),
        }
    }
}

/// A network in training: its numbers, layer by layer, weight then bias, as in an ensemble of one; then zeros, so that the last
/// vector is full. The gradient and Adam's running means of it and of its square are laid out alike.
pub struct State {
    pub plan: Plan,
    pub parameters: Vec<f32>,
    pub gradient: Vec<f32>,
    pub mean: Vec<f32>,
    pub square: Vec<f32>,
    pub buffers: Buffers,
    pub dropout: Option<Dropout>,
}

/// The gradient of a batch's loss.
pub struct Differentiate<'a> {
    pub state: &'a mut State,
    pub batch: &'a Batch<'a>,
}

impl Task for Differentiate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe { differentiate::<V>(self.state, self.batch) };
    }
}

/// Adam on every parameter.
pub struct Update<'a> {
    pub state: &'a mut State,
    pub corrections: Corrections,
}

impl Task for Update<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe { update::<V>(self.state, &self.corrections) };
    }
}

/// Adds eq. 2 and 3 of rows to the sums.
pub struct Losses<'a> {
    pub state: &'a mut State,
    pub x: &'a [f32],
    pub synthetic: &'a [bool],
    pub sums: &'a mut LossSums,
}

impl Task for Losses<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe { add_losses::<V>(self.state, self.x, self.synthetic, self.sums) };
    }
}

/// The gradient of the loss, summed over the batch's rows in their order.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn differentiate<V: Vector>(state: &mut State, batch: &Batch) {
    // SAFETY: the caller knows that the CPU has the vector's instructions.
    unsafe {
        let State { plan, parameters, gradient, buffers, dropout, .. } = state;
        gradient.fill(0.0);
        let rows = plan.tiles * V::TILE;
        for (at, x) in batch.x.chunks(rows * plan.inputs).enumerate() {
            if let Some(dropout) = dropout {
                dropout.draw(plan, x.len() / plan.inputs, V::TILE, &mut buffers.masks);
            }
            forward::<V>(plan, parameters, x, buffers);
            let first = at * rows;
            let here = rows.min(batch.aim.rows() - first);
            let tiles = here.div_ceil(V::TILE);
            for tile in 0..tiles {
                let aim = batch.aim.part(first + tile * V::TILE..first + here.min((tile + 1) * V::TILE));
                output_deltas::<V>(plan, aim, tile, buffers);
            }
            for layer in &plan.backward {
                back::<V>(plan, &plan.layers[*layer], parameters, gradient, tiles, buffers);
            }
        }
    }
}

/// All activations of some rows, in tiles.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn forward<V: Vector>(plan: &Plan, parameters: &[f32], x: &[f32], buffers: &mut Buffers) {
    // SAFETY: the caller knows that the CPU has the vector's instructions. `x` has whole rows of
    // `inputs` numbers, at most `V::TILE`, and `tile` has `inputs` rows of `V::TILE` numbers, which
    // is where `transpose` reads and writes.
    unsafe {
        let tile_len = V::TILE * plan.inputs;
        for (x, tile) in x.chunks(tile_len).zip(buffers.activations.chunks_exact_mut(tile_len)) {
            if x.len() < tile_len {
                tile.fill(0.0);
            }
            transpose(x.as_ptr(), plan.inputs, [x.len() / plan.inputs, plan.inputs], tile.as_mut_ptr(), V::TILE);
        }
        run_layers::<V>(plan, parameters, x.len().div_ceil(tile_len), buffers);
    }
}

/// All activations of tiles whose features are in their place.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
pub unsafe fn run_layers<V: Vector>(plan: &Plan, parameters: &[f32], tiles: usize, buffers: &mut Buffers) {
    for layer in &plan.layers {
        let (before, to) = buffers.activations.split_at_mut(layer.to.first(plan.tiles, V::TILE));
        let from = &before[layer.from.first(plan.tiles, V::TILE)..];
        let weights = &parameters[layer.weight..][..layer.inputs * layer.outputs];
        let bias = &parameters[layer.bias..][..layer.outputs];
        // SAFETY: the caller knows that the CPU has the vector's instructions; `affine` checks the
        // lengths.
        unsafe { affine::<V>(weights, bias, from, to, layer.relu, stack::<V>(layer, tiles), &mut buffers.spare) };
        if layer.relu {
            drop_out(plan, layer, tiles, &buffers.masks, &mut buffers.activations);
        }
    }
}

#[inline(always)]
pub fn stack<V: Vector>(layer: &Layer, tiles: usize) -> Stack {
    Stack { tiles, from: layer.from.stride(V::TILE), to: layer.to.stride(V::TILE) }
}

/// A tile's x, logit and reconstruction, as ranges of the buffers; the last one is empty where there is none.
#[inline(always)]
pub fn ends<V: Vector>(plan: &Plan, tile: usize) -> [Range<usize>; 3] {
    let range = |place: Place, height: usize| {
        let first = place.first(plan.tiles, V::TILE) + tile * place.stride(V::TILE);
        first..first + height * V::TILE
    };
    let x = tile * plan.inputs * V::TILE..(tile + 1) * plan.inputs * V::TILE;
    [x, range(plan.logit, 1), plan.reconstruction.map_or(0..0, |place| range(place, plan.inputs))]
}

/// The loss differentiated with respect to logit and reconstruction. Rows that only fill the tile count nothing.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn output_deltas<V: Vector>(plan: &Plan, aim: Aim, tile: usize, buffers: &mut Buffers) {
    // SAFETY: the caller knows that the CPU has the vector's instructions. `d_errors` has a number
    // for each row of a tile, which is `VECTORS` vectors.
    unsafe {
        let Buffers { activations, deltas, spare, .. } = buffers;
        let [x, logit, reconstruction] = ends::<V>(plan, tile);
        let (logits, d_logit, d_errors) = (&activations[logit.clone()], &mut deltas[logit], &mut spare[..V::TILE]);
        let x = &activations[x];
        // Infinite if a square overflows: the row then has no gradient, as in libtorch, and the loss at the end says so.
        let errors = norms::<V>(x, &activations[reconstruction.clone()]);
        d_logit.fill(0.0);
        match aim {
            Aim::Detect { synthetic, ce_weight, ae_weight } => {
                d_errors.fill(0.0);
                for (at, synthetic) in synthetic.iter().enumerate() {
                    // ∂CE/∂logit = σ(logit) − y
                    let y = if *synthetic { 1.0 } else { 0.0 };
                    d_logit[at] = (1.0 / (1.0 + libm::expf(-logits[at])) - y) * ce_weight;
                    d_errors[at] = if *synthetic { 0.0 } else { ae_weight };
                }
            }
            Aim::Match(targets) => {
                for (at, error) in errors.iter().enumerate() {
                    error.store(d_errors[at * V::LANES..].as_mut_ptr());
                }
                d_errors[targets.len()..].fill(0.0);
                for (at, target) in targets.iter().enumerate() {
                    d_logit[at] = (logits[at] - target.logit) * target.logit_weight;
                    d_errors[at] = (d_errors[at] - target.error) * target.error_weight;
                }
            }
        }
        let d = &mut deltas[reconstruction.clone()];
        residual_deltas::<V>(x, &activations[reconstruction], errors, d_errors, d);
    }
}

/// `weights` · ∂‖r‖/∂x̂ = `weights` · r / ‖r‖ with r = x̂ − x and the norms `errors`, into `d`; 0 where r = 0.
///
/// # Safety
/// The CPU has the vector's instructions. `weights` has a number for each row of a tile.
#[inline(always)]
pub unsafe fn residual_deltas<V: Vector>(
    x: &[f32],
    reconstruction: &[f32],
    errors: [V; VECTORS],
    weights: &[f32],
    d: &mut [f32],
) {
    // SAFETY: the caller knows that the CPU has the vector's instructions, and that `weights` has
    // the numbers of a tile, as the three chunks have: `VECTORS` vectors each.
    unsafe {
        let mut factors = errors;
        for (at, factor) in factors.iter_mut().enumerate() {
            let weight = V::load(weights[at * V::LANES..].as_ptr());
            *factor = weight.div(*factor).where_positive(*factor);
        }
        let rows = x.chunks_exact(V::TILE).zip(reconstruction.chunks_exact(V::TILE));
        for ((x, reconstruction), d) in rows.zip(d.chunks_exact_mut(V::TILE)) {
            for (at, factor) in factors.iter().enumerate() {
                let lanes = at * V::LANES..;
                let residual = V::load(reconstruction[lanes.clone()].as_ptr()).sub(V::load(x[lanes.clone()].as_ptr()));
                residual.mul(*factor).store(d[lanes].as_mut_ptr());
            }
        }
    }
}

/// Back through a layer: adds to its part of the gradient, and finds its input's deltas, unless those are features.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn back<V: Vector>(
    plan: &Plan,
    layer: &Layer,
    parameters: &[f32],
    gradient: &mut [f32],
    tiles: usize,
    buffers: &mut Buffers,
) {
    let Buffers { activations, deltas, panels: scratch, spare, ones, masks } = buffers;
    let Layer { inputs, outputs, .. } = *layer;
    let stack = stack::<V>(layer, tiles);
    let first = layer.from.first(plan.tiles, V::TILE);
    let (before, d) = deltas.split_at_mut(layer.to.first(plan.tiles, V::TILE));
    let (from, d_from) = (&activations[first..], &mut before[first..]);
    let weights = layer.weight..layer.weight + inputs * outputs;
    // SAFETY: the caller knows that the CPU has the vector's instructions; both functions check the
    // lengths.
    unsafe {
        panels::<V>(d, outputs, scratch, stack);
        add_gradient::<V>(from, scratch, &mut gradient[weights.clone()], outputs, spare, stack);
        let bias = &mut gradient[layer.bias..][..outputs];
        add_gradient::<V>(ones, scratch, bias, outputs, spare, Stack { from: 0, ..stack });
    }
    let how = match layer.source {
        Source::Features => return,
        Source::Hidden => Back { relu: Some(from), sum: false },
        Source::Latent => Back { relu: None, sum: false },
        Source::Z0 => Back { relu: Some(from), sum: true },
    };
    // SAFETY: the caller knows that the CPU has the vector's instructions; `d_input` checks the
    // lengths.
    unsafe { d_input::<V>(&parameters[weights], outputs, d, d_from, how, stack) };
    if let Some(before) = plan.layers.iter().find(|before| layer.source == Source::Hidden && before.to == layer.from) {
        drop_out(plan, before, tiles, masks, deltas);
    }
}

/// Adam on every parameter, in one pass.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn update<V: Vector>(state: &mut State, corrections: &Corrections) {
    // SAFETY: the caller knows that the CPU has the vector's instructions. Every chunk has `LANES`
    // numbers.
    unsafe {
        let (new_mean, new_square) = (V::splat((1.0 - BETA1) as f32), V::splat((1.0 - BETA2) as f32));
        let (rate, scale) = (V::splat(corrections.rate as f32), V::splat(corrections.scale as f32));
        let epsilon = V::splat(EPSILON as f32);
        let State { parameters, gradient, mean, square, .. } = state;
        let gradients = gradient.chunks_exact(V::LANES);
        let moments = mean.chunks_exact_mut(V::LANES).zip(square.chunks_exact_mut(V::LANES));
        for ((parameter, gradient), (mean, square)) in parameters.chunks_exact_mut(V::LANES).zip(gradients).zip(moments)
        {
            let g = V::load(gradient.as_ptr());
            let (m, v) = (V::load(mean.as_ptr()), V::load(square.as_ptr()));
            let m = g.sub(m).mul_add(new_mean, m);
            let v = g.mul(g).sub(v).mul_add(new_square, v);
            m.store(mean.as_mut_ptr());
            v.store(square.as_mut_ptr());
            let step = m.mul(rate).div(v.sqrt().mul_add(scale, epsilon));
            V::load(parameter.as_ptr()).sub(step).store(parameter.as_mut_ptr());
        }
    }
}

/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn add_losses<V: Vector>(state: &mut State, x: &[f32], synthetic: &[bool], sums: &mut LossSums) {
    // SAFETY: the caller knows that the CPU has the vector's instructions. `spare` has room for the
    // widest layer of a tile, which is at least `VECTORS` vectors.
    unsafe {
        let State { plan, parameters, buffers, .. } = state;
        let rows = plan.tiles * V::TILE;
        for (x, synthetic) in x.chunks(rows * plan.inputs).zip(synthetic.chunks(rows)) {
            forward::<V>(plan, parameters, x, buffers);
            let Buffers { activations, spare, .. } = &mut *buffers;
            for (tile, synthetic) in synthetic.chunks(V::TILE).enumerate() {
                let [x, logits, reconstruction] = ends::<V>(plan, tile).map(|range| &activations[range]);
                // Infinite if a square overflows: such a training has diverged, and the loss must say so.
                for (at, norm) in norms::<V>(x, reconstruction).into_iter().enumerate() {
                    norm.store(spare[at * V::LANES..].as_mut_ptr());
                }
                for ((synthetic, logit), error) in synthetic.iter().zip(logits).zip(spare.iter()) {
                    // −y·log σ(l) − (1 − y)·log(1 − σ(l)) = softplus(l) − y·l
                    let logit = f64::from(*logit);
                    let softplus = logit.max(0.0) + libm::log1p(libm::exp(-logit.abs()));
                    sums.cross_entropy += if *synthetic { softplus - logit } else { softplus };
                    sums.reconstruction += if *synthetic { 0.0 } else { f64::from(*error) };
                }
            }
        }
    }
}
