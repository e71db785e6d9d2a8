//! Both heads of tiles of rows: scoring's forward pass.

use std::arch::x86_64::{__m256, __m512};

use super::kernels::{affine, Stack};
use super::vector::{Vector, VECTORS};
use super::{FusedNetwork, Layer};

#[target_feature(enable = "avx512f")]
pub unsafe fn heads_512(n: &FusedNetwork, tiles: &[f32], features: usize, logits: &mut [f32], errors: &mut [f32]) {
    heads::<__m512>(n, tiles, features, logits, errors);
}

#[target_feature(enable = "avx2,fma")]
pub unsafe fn heads_256(n: &FusedNetwork, tiles: &[f32], features: usize, logits: &mut [f32], errors: &mut [f32]) {
    heads::<__m256>(n, tiles, features, logits, errors);
}

/// Activations of a tile, `[width, tile rows]` each.
struct Buffers {
    /// The features that a member sees
    x: Vec<f32>,
    /// (z0, z1)
    z: Vec<f32>,
    /// Hidden layers, in turn
    hidden: [Vec<f32>; 2],
    out: Vec<f32>,
}

#[inline(always)]
unsafe fn heads<V: Vector>(n: &FusedNetwork, tiles: &[f32], features: usize, logits: &mut [f32], errors: &mut [f32]) {
    let rows = V::TILE;
    let buffer = || vec![0f32; n.width() * rows];
    let mut buffers = Buffers { x: buffer(), z: buffer(), hidden: [buffer(), buffer()], out: buffer() };
    let outputs = logits.chunks_mut(rows).zip(errors.chunks_mut(rows));
    for (tile, (logits, errors)) in tiles.chunks_exact(features * rows).zip(outputs) {
        let mut sums = [[V::splat(0.0); VECTORS]; 2];
        for member in 0..n.members {
            add_member::<V>(n, member, tile, &mut buffers, &mut sums);
        }
        let share = V::splat(1.0 / n.members as f32);
        for (head, out) in [(sums[0], logits), (sums[1], errors)] {
            for (at, sum) in head.into_iter().enumerate() {
                sum.mul_add(share, V::splat(0.0)).store(buffers.out[at * V::LANES..].as_mut_ptr());
            }
            // The last tile's padding has no row to go to.
            out.copy_from_slice(&buffers.out[..out.len()]);
        }
    }
}

/// Adds a member's heads to the sums: ND's logit, and the AE's ‖x − x̂‖₂.
#[inline(always)]
unsafe fn add_member<V: Vector>(
    n: &FusedNetwork,
    member: usize,
    tile: &[f32],
    buffers: &mut Buffers,
    sums: &mut [[V; VECTORS]; 2],
) {
    let rows = V::TILE;
    let inputs = n.shape.inputs as usize;
    let Buffers { x, z, hidden, out } = buffers;
    for (x, feature) in x.chunks_exact_mut(rows).zip(&n.selection[member * inputs..(member + 1) * inputs]) {
        x.copy_from_slice(&tile[feature * rows..(feature + 1) * rows]);
    }
    let [nd, encoder, decoder] = &n.blocks;
    let (to_z0, to_logit) = nd.split_at(nd.len() - 1);
    run::<V>(n, member, to_z0, x, hidden, z, true);
    run::<V>(n, member, to_logit, z, hidden, out, false);
    for (at, sum) in sums[0].iter_mut().enumerate() {
        *sum = sum.add(V::load(out[at * V::LANES..].as_ptr()));
    }
    let z1 = encoder[encoder.len() - 1].outputs;
    let z0 = decoder[0].inputs - z1;
    run::<V>(n, member, encoder, x, hidden, &mut z[z0 * rows..], false);
    run::<V>(n, member, decoder, z, hidden, out, false);
    for (sum, norm) in sums[1].iter_mut().zip(norms::<V>(&x[..inputs * rows], out)) {
        *sum = sum.add(norm);
    }
}

/// ‖x − x̂‖₂ of the rows of a tile.
#[inline(always)]
pub unsafe fn norms<V: Vector>(x: &[f32], reconstruction: &[f32]) -> [V; VECTORS] {
    let mut squares = [V::splat(0.0); VECTORS];
    for (x, reconstruction) in x.chunks_exact(V::TILE).zip(reconstruction.chunks_exact(V::TILE)) {
        for (at, square) in squares.iter_mut().enumerate() {
            let lanes = at * V::LANES..;
            let residual = V::load(x[lanes.clone()].as_ptr()).sub(V::load(reconstruction[lanes].as_ptr()));
            *square = residual.mul_add(residual, *square);
        }
    }
    let mut norms = squares;
    for norm in &mut norms {
        *norm = norm.sqrt();
    }
    norms
}

/// Consecutive layers, all but the last with ReLU, and the last one too if `relu`.
#[inline(always)]
unsafe fn run<V: Vector>(
    n: &FusedNetwork,
    member: usize,
    layers: &[Layer],
    input: &[f32],
    hidden: &mut [Vec<f32>; 2],
    out: &mut [f32],
    relu: bool,
) {
    let [even, odd] = hidden;
    for (at, layer) in layers.iter().enumerate() {
        let last = at == layers.len() - 1;
        let (from, to): (&[f32], &mut [f32]) = match (at, at % 2, last) {
            (0, _, true) => (input, &mut *out),
            (0, _, false) => (input, &mut *even),
            (_, 1, true) => (&*even, &mut *out),
            (_, 1, false) => (&*even, &mut *odd),
            (_, _, true) => (&*odd, &mut *out),
            (_, _, false) => (&*odd, &mut *even),
        };
        let Layer { inputs, outputs, .. } = *layer;
        let weights = &n.flat[layer.weight + member * inputs * outputs..][..inputs * outputs];
        let bias = &n.flat[layer.bias + member * outputs..][..outputs];
        affine::<V>(weights, bias, from, to, relu || !last, Stack::ONE, &mut []);
    }
}
