//! A training step: forward and back through a network tile by tile, so that a tile's activations stay in the first-level
//! cache, and Adam.

use std::arch::x86_64::{__m256, __m512};

use crate::adam::{Corrections, BETA1, BETA2, EPSILON};

use super::heads::norms;
use super::kernels::{add_gradient, affine, d_input, panels, transpose, Back};
use super::trainer::{Batch, Buffers, Layer, LossSums, Plan, Source, Trainer};
use super::vector::Vector;

#[target_feature(enable = "avx512f")]
pub unsafe fn differentiate_512(trainer: &mut Trainer, batch: &Batch) {
    differentiate::<__m512>(trainer, batch);
}

#[target_feature(enable = "avx2,fma")]
pub unsafe fn differentiate_256(trainer: &mut Trainer, batch: &Batch) {
    differentiate::<__m256>(trainer, batch);
}

#[target_feature(enable = "avx512f")]
pub unsafe fn update_512(trainer: &mut Trainer, corrections: &Corrections) {
    update::<__m512>(trainer, corrections);
}

#[target_feature(enable = "avx2,fma")]
pub unsafe fn update_256(trainer: &mut Trainer, corrections: &Corrections) {
    update::<__m256>(trainer, corrections);
}

#[target_feature(enable = "avx512f")]
pub unsafe fn losses_512(trainer: &mut Trainer, x: &[f32], synthetic: &[bool]) -> LossSums {
    losses::<__m512>(trainer, x, synthetic)
}

#[target_feature(enable = "avx2,fma")]
pub unsafe fn losses_256(trainer: &mut Trainer, x: &[f32], synthetic: &[bool]) -> LossSums {
    losses::<__m256>(trainer, x, synthetic)
}

/// The gradient of eq. 4, summed over the batch's rows in their order.
#[inline(always)]
unsafe fn differentiate<V: Vector>(trainer: &mut Trainer, batch: &Batch) {
    let Trainer { plan, parameters, gradient, buffers, .. } = trainer;
    gradient.fill(0.0);
    for (x, synthetic) in batch.x.chunks(V::TILE * plan.inputs).zip(batch.synthetic.chunks(V::TILE)) {
        forward::<V>(plan, parameters, x, buffers);
        output_deltas::<V>(plan, batch, synthetic, buffers);
        for layer in &plan.backward {
            back::<V>(&plan.layers[*layer], parameters, gradient, buffers);
        }
    }
}

/// All activations of a tile of rows.
#[inline(always)]
unsafe fn forward<V: Vector>(plan: &Plan, parameters: &[f32], x: &[f32], buffers: &mut Buffers) {
    let rows = x.len() / plan.inputs;
    assert!(rows <= V::TILE && buffers.activations.len() >= plan.inputs * V::TILE);
    let features = &mut buffers.activations[..plan.inputs * V::TILE];
    if rows < V::TILE {
        features.fill(0.0);
    }
    transpose(x.as_ptr(), plan.inputs, [rows, plan.inputs], features.as_mut_ptr(), V::TILE);
    for layer in &plan.layers {
        let (before, to) = buffers.activations.split_at_mut(layer.to * V::TILE);
        let weights = &parameters[layer.weight..][..layer.inputs * layer.outputs];
        let bias = &parameters[layer.bias..][..layer.outputs];
        affine::<V>(weights, bias, &before[layer.from * V::TILE..], to, layer.relu);
    }
}

/// Eq. 4 differentiated with respect to logit and reconstruction. Rows that only fill the tile count nothing.
#[inline(always)]
unsafe fn output_deltas<V: Vector>(plan: &Plan, batch: &Batch, synthetic: &[bool], buffers: &mut Buffers) {
    let Buffers { activations, deltas, spare, .. } = buffers;
    let (d_logit, ae_weights) = (&mut deltas[plan.logit * V::TILE..][..V::TILE], &mut spare[..V::TILE]);
    let logits = &activations[plan.logit * V::TILE..][..V::TILE];
    d_logit.fill(0.0);
    ae_weights.fill(0.0);
    for (at, synthetic) in synthetic.iter().enumerate() {
        // ∂CE/∂logit = σ(logit) − y
        let y = if *synthetic { 1.0 } else { 0.0 };
        d_logit[at] = (1.0 / (1.0 + (-logits[at]).exp()) - y) * batch.ce_weight;
        ae_weights[at] = if *synthetic { 0.0 } else { batch.ae_weight };
    }
    let matrix = plan.reconstruction * V::TILE..(plan.reconstruction + plan.inputs) * V::TILE;
    let (x, reconstruction) = (&activations[..plan.inputs * V::TILE], &activations[matrix.clone()]);
    // ∂‖r‖/∂x̂ = r / ‖r‖, r = x̂ − x; 0 where r = 0
    let mut factors = norms::<V>(x, reconstruction);
    for (at, factor) in factors.iter_mut().enumerate() {
        let weight = V::load(ae_weights[at * V::LANES..].as_ptr());
        *factor = weight.div(*factor).where_positive(*factor);
    }
    let rows = x.chunks_exact(V::TILE).zip(reconstruction.chunks_exact(V::TILE));
    for ((x, reconstruction), d) in rows.zip(deltas[matrix].chunks_exact_mut(V::TILE)) {
        for (at, factor) in factors.iter().enumerate() {
            let lanes = at * V::LANES..;
            let residual = V::load(reconstruction[lanes.clone()].as_ptr()).sub(V::load(x[lanes.clone()].as_ptr()));
            residual.mul(*factor).store(d[lanes].as_mut_ptr());
        }
    }
}

/// Back through a layer: adds to its part of the gradient, and finds its input's deltas, unless those are features.
#[inline(always)]
unsafe fn back<V: Vector>(layer: &Layer, parameters: &[f32], gradient: &mut [f32], buffers: &mut Buffers) {
    let Buffers { activations, deltas, panels: scratch, spare, ones } = buffers;
    let Layer { inputs, outputs, .. } = *layer;
    let (before, d) = deltas.split_at_mut(layer.to * V::TILE);
    let from = &activations[layer.from * V::TILE..][..inputs * V::TILE];
    panels::<V>(d, outputs, scratch);
    add_gradient::<V>(from, scratch, &mut gradient[layer.weight..][..inputs * outputs], outputs, spare);
    add_gradient::<V>(ones, scratch, &mut gradient[layer.bias..][..outputs], outputs, spare);
    let how = match layer.source {
        Source::Features => return,
        Source::Hidden => Back { relu: Some(from), sum: false },
        Source::Latent => Back { relu: None, sum: false },
        Source::Z0 => Back { relu: Some(from), sum: true },
    };
    let weights = &parameters[layer.weight..][..inputs * outputs];
    d_input::<V>(weights, outputs, d, &mut before[layer.from * V::TILE..], how);
}

/// Adam on every parameter, in one pass.
#[inline(always)]
unsafe fn update<V: Vector>(trainer: &mut Trainer, corrections: &Corrections) {
    let (new_mean, new_square) = (V::splat((1.0 - BETA1) as f32), V::splat((1.0 - BETA2) as f32));
    let (rate, scale) = (V::splat(corrections.rate as f32), V::splat(corrections.scale as f32));
    let epsilon = V::splat(EPSILON as f32);
    let Trainer { parameters, gradient, mean, square, .. } = trainer;
    let gradients = gradient.chunks_exact(V::LANES);
    let moments = mean.chunks_exact_mut(V::LANES).zip(square.chunks_exact_mut(V::LANES));
    for ((parameter, gradient), (mean, square)) in parameters.chunks_exact_mut(V::LANES).zip(gradients).zip(moments) {
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

#[inline(always)]
unsafe fn losses<V: Vector>(trainer: &mut Trainer, x: &[f32], synthetic: &[bool]) -> LossSums {
    let Trainer { plan, parameters, buffers, .. } = trainer;
    let mut sums = LossSums::default();
    for (x, synthetic) in x.chunks(V::TILE * plan.inputs).zip(synthetic.chunks(V::TILE)) {
        forward::<V>(plan, parameters, x, buffers);
        let Buffers { activations, spare, .. } = &mut *buffers;
        let reconstruction = &activations[plan.reconstruction * V::TILE..];
        for (at, norm) in norms::<V>(&activations[..plan.inputs * V::TILE], reconstruction).into_iter().enumerate() {
            norm.store(spare[at * V::LANES..].as_mut_ptr());
        }
        let logits = &activations[plan.logit * V::TILE..];
        for ((synthetic, logit), error) in synthetic.iter().zip(logits).zip(spare.iter()) {
            // −y·log σ(l) − (1 − y)·log(1 − σ(l)) = softplus(l) − y·l
            let logit = f64::from(*logit);
            let softplus = logit.max(0.0) + (-logit.abs()).exp().ln_1p();
            sums.cross_entropy += if *synthetic { softplus - logit } else { softplus };
            sums.reconstruction += if *synthetic { 0.0 } else { f64::from(*error) };
        }
    }
    sums
}
