//! The forward pass of a trained fleet on the CPU, fused: both heads of a tile of rows in one go.
//!
//! Rows are lanes: an activation is a vector of one number a row, and a weight is broadcast to all of them. So a tile is the
//! columns' own layout, nothing leaves the first-level cache between layers, a layer may have any width, and a row's result
//! is the same to the bit wherever it stands, since its lane never meets another.
//!
//! libtorch computes the same (tested to agree) where a GPU is asked for or the CPU lacks AVX2 and FMA. This is there because
//! libtorch's calls cost more than the arithmetic of networks this small.

use ndarray::ArrayView2;

use crate::shape::Shape;

/// The numbers of a fleet, laid out for this module.
pub struct FusedNetwork {
    shape: Shape,
    members: usize,
    /// The features that each member sees, `[m × inputs]`
    selection: Vec<usize>,
    /// As in [`crate::network::Parameters`]
    flat: Vec<f32>,
    /// ND, encoder and decoder, each from its input on
    blocks: [Vec<Layer>; 3],
}

/// Where a layer's numbers are in the flat buffer, for member 0.
struct Layer {
    inputs: usize,
    outputs: usize,
    weight: usize,
    bias: usize,
}

impl FusedNetwork {
    /// From the features that each member sees and the flat buffer, both as a [`crate::network::Network`] has them.
    pub fn new(shape: Shape, selection: &[i64], flat: Vec<f32>) -> Self {
        let members = selection.len() / shape.inputs as usize;
        let mut at = 0;
        let mut next = |count: usize| {
            let from = at;
            at += count * members;
            from
        };
        let mut layers = shape.layers().into_iter().map(|layer| {
            let (inputs, outputs) = (layer.inputs as usize, layer.outputs as usize);
            Layer { inputs, outputs, weight: next(inputs * outputs), bias: next(outputs) }
        });
        let depth = shape.depth();
        let blocks = [(); 3].map(|()| layers.by_ref().take(depth).collect());
        let selection = selection.iter().map(|feature| *feature as usize).collect();
        Self { shape, members, selection, flat, blocks }
    }

    /// The widest layer, input and output included.
    fn width(&self) -> usize {
        let widths = self.blocks.iter().flatten().map(|layer| layer.inputs.max(layer.outputs));
        widths.max().unwrap_or(0)
    }
}

/// The rows of a tile, on this machine; None where its CPU lacks what the module needs.
pub fn tile_rows() -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return Some(x86::TILE_512);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Some(x86::TILE_256);
        }
    }
    None
}

/// The rows of a matrix in tiles, `[tiles, features, tile]`, the last one padded with zeros.
pub fn tiled(rows: ArrayView2<f32>, tile: usize) -> Vec<f32> {
    let (count, features) = rows.dim();
    let mut tiles = vec![0f32; count.div_ceil(tile) * tile * features];
    for (row, numbers) in rows.rows().into_iter().enumerate() {
        for (feature, number) in numbers.iter().enumerate() {
            tiles[(row / tile * features + feature) * tile + row % tile] = *number;
        }
    }
    tiles
}

/// Both heads, means over the members, of tiles of scaled rows.
///
/// `tiles` is `[tiles, features, tile_rows]`; `logits` and `errors` have a number for each row, those of the last tile's
/// padding left out. Without the CPU's support, nothing is written; [`tile_rows`] says so.
pub fn heads_into(network: &FusedNetwork, tiles: &[f32], features: usize, logits: &mut [f32], errors: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    match tile_rows() {
        // SAFETY: tile_rows has found the CPU's support.
        Some(x86::TILE_512) => unsafe { x86::heads_512(network, tiles, features, logits, errors) },
        Some(_) => unsafe { x86::heads_256(network, tiles, features, logits, errors) },
        None => {}
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (network, tiles, features, logits, errors);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{FusedNetwork, Layer};

    /// Vectors that a tile is wide, so that a weight that was broadcast serves as often. With the outputs computed together,
    /// their sums fill the registers, and hide each other's latency.
    const VECTORS: usize = 2;
    pub const TILE_512: usize = VECTORS * 16;
    pub const TILE_256: usize = VECTORS * 8;

    /// A vector of f32 and what is done with it. Every method needs the CPU's support for the vector.
    trait Vector: Copy {
        const LANES: usize;
        /// Outputs of a layer computed together: as many as there are registers for.
        const OUTPUTS: usize;
        unsafe fn splat(number: f32) -> Self;
        unsafe fn load(from: *const f32) -> Self;
        unsafe fn store(self, to: *mut f32);
        unsafe fn mul_add(self, by: Self, plus: Self) -> Self;
        unsafe fn sub(self, other: Self) -> Self;
        unsafe fn add(self, other: Self) -> Self;
        unsafe fn max(self, other: Self) -> Self;
        unsafe fn sqrt(self) -> Self;
    }

    macro_rules! vector {
        ($type:ty, $lanes:literal, $outputs:literal, $set1:ident, $load:ident, $store:ident, $fma:ident, $sub:ident,
         $add:ident, $max:ident, $sqrt:ident) => {
            impl Vector for $type {
                const LANES: usize = $lanes;
                const OUTPUTS: usize = $outputs;
                #[inline(always)]
                unsafe fn splat(number: f32) -> Self {
                    $set1(number)
                }
                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    $load(from)
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    $store(to, self)
                }
                #[inline(always)]
                unsafe fn mul_add(self, by: Self, plus: Self) -> Self {
                    $fma(self, by, plus)
                }
                #[inline(always)]
                unsafe fn sub(self, other: Self) -> Self {
                    $sub(self, other)
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    $add(self, other)
                }
                #[inline(always)]
                unsafe fn max(self, other: Self) -> Self {
                    $max(self, other)
                }
                #[inline(always)]
                unsafe fn sqrt(self) -> Self {
                    $sqrt(self)
                }
            }
        };
    }

    vector!(
        __m512,
        16,
        8,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_sub_ps,
        _mm512_add_ps,
        _mm512_max_ps,
        _mm512_sqrt_ps
    );
    vector!(
        __m256,
        8,
        4,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_sub_ps,
        _mm256_add_ps,
        _mm256_max_ps,
        _mm256_sqrt_ps
    );

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
    unsafe fn heads<V: Vector>(
        n: &FusedNetwork,
        tiles: &[f32],
        features: usize,
        logits: &mut [f32],
        errors: &mut [f32],
    ) {
        let rows = VECTORS * V::LANES;
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
        let rows = VECTORS * V::LANES;
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
        let mut squares = [V::splat(0.0); VECTORS];
        for (x, reconstruction) in x.chunks_exact(rows).zip(out.chunks_exact(rows)).take(inputs) {
            for (at, square) in squares.iter_mut().enumerate() {
                let lanes = at * V::LANES..;
                let residual = V::load(x[lanes.clone()].as_ptr()).sub(V::load(reconstruction[lanes].as_ptr()));
                *square = residual.mul_add(residual, *square);
            }
        }
        for (sum, square) in sums[1].iter_mut().zip(squares) {
            *sum = sum.add(square.sqrt());
        }
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
            affine::<V>(n, member, layer, from, to, relu || !last);
        }
    }

    /// `to = from·W + b`, with ReLU if asked.
    #[inline(always)]
    unsafe fn affine<V: Vector>(
        n: &FusedNetwork,
        member: usize,
        layer: &Layer,
        from: &[f32],
        to: &mut [f32],
        relu: bool,
    ) {
        let Layer { inputs, outputs, .. } = *layer;
        let weights = &n.flat[layer.weight + member * inputs * outputs..][..inputs * outputs];
        let bias = &n.flat[layer.bias + member * outputs..][..outputs];
        // What the pointers of `columns` reach.
        assert!(from.len() >= inputs * VECTORS * V::LANES && to.len() >= outputs * VECTORS * V::LANES);
        let floor = V::splat(if relu { 0.0 } else { f32::NEG_INFINITY });
        let mut at = 0;
        while V::OUTPUTS == 8 && outputs - at >= 8 {
            columns::<V, 8>(weights, bias, inputs, at, from, to, floor);
            at += 8;
        }
        while outputs - at >= 4 {
            columns::<V, 4>(weights, bias, inputs, at, from, to, floor);
            at += 4;
        }
        while at < outputs {
            columns::<V, 1>(weights, bias, inputs, at, from, to, floor);
            at += 1;
        }
    }

    /// Outputs `at .. at + J` of a layer. Their sums stay in registers from the first input to the last.
    #[inline(always)]
    unsafe fn columns<V: Vector, const J: usize>(
        weights: &[f32],
        bias: &[f32],
        inputs: usize,
        at: usize,
        from: &[f32],
        to: &mut [f32],
        floor: V,
    ) {
        let outputs = bias.len();
        let rows = VECTORS * V::LANES;
        let mut sums = [[V::splat(0.0); VECTORS]; J];
        for (sum, bias) in sums.iter_mut().zip(&bias[at..at + J]) {
            *sum = [V::splat(*bias); VECTORS];
        }
        // Pointers, since a bound checked for each input would cost as much as its arithmetic; `affine` has checked them.
        let mut input = from.as_ptr();
        let mut weight = weights.as_ptr().add(at);
        for _ in 0..inputs {
            let mut x = [V::splat(0.0); VECTORS];
            for (at, x) in x.iter_mut().enumerate() {
                *x = V::load(input.add(at * V::LANES));
            }
            for (at, sum) in sums.iter_mut().enumerate() {
                let weight = V::splat(*weight.add(at));
                for (sum, x) in sum.iter_mut().zip(x) {
                    *sum = x.mul_add(weight, *sum);
                }
            }
            input = input.add(rows);
            weight = weight.wrapping_add(outputs);
        }
        let output = to.as_mut_ptr().add(at * rows);
        for (at, sum) in sums.iter().enumerate() {
            for (lanes, sum) in sum.iter().enumerate() {
                sum.max(floor).store(output.add(at * rows + lanes * V::LANES));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use tch::{Device, Tensor};

    /// Both heads of `rows` rows by libtorch and by this module.
    fn both(shape: Shape, members: usize, features: usize, rows: usize) -> [(Vec<f32>, Vec<f32>); 2] {
        let mut rngs: Vec<ChaCha8Rng> = (0..members as u64).map(ChaCha8Rng::seed_from_u64).collect();
        let selection: Vec<i64> = (0..members * shape.inputs as usize).map(|at| (at * 7 % features) as i64).collect();
        let network = Network::draw(shape.clone(), &selection, &mut rngs, Device::Cpu).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(99);
        let x: Vec<f32> = (0..rows * features).map(|_| 3.0 * rng.random::<f32>() - 1.0).collect();

        let tensor = Tensor::from_slice(&x).view([rows as i64, features as i64]);
        let (logit, error) = network.heads(&tensor).unwrap();
        let slow = (Vec::try_from(logit).unwrap(), Vec::try_from(error).unwrap());

        let tiles = tiled(ArrayView2::from_shape((rows, features), &x).unwrap(), tile_rows().unwrap());
        let fused = FusedNetwork::new(shape, &selection, network.to_flat().unwrap());
        let mut fast = (vec![0f32; rows], vec![0f32; rows]);
        heads_into(&fused, &tiles, features, &mut fast.0, &mut fast.1);
        [slow, fast]
    }

    #[test]
    fn it_agrees_with_libtorch() {
        if tile_rows().is_none() {
            return;
        }
        for (inputs, hidden, latent) in
            [(30, vec![32, 16], 16), (1, vec![1], 1), (7, vec![13, 5, 3], 2), (3, vec![9], 21)]
        {
            for (members, rows) in [(1, 1), (3, 100), (2, 64)] {
                let shape = Shape { inputs, hidden: hidden.clone(), latent };
                let [slow, fast] = both(shape, members, 31, rows);
                for (slow, fast) in [(slow.0, fast.0), (slow.1, fast.1)] {
                    for (slow, fast) in slow.iter().zip(&fast) {
                        assert!((slow - fast).abs() < 1e-5 * slow.abs().max(1.0), "{slow} {fast}");
                    }
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn both_widths_of_vector_give_the_same_bits() {
        if tile_rows() != Some(x86::TILE_512) {
            return;
        }
        let shape = Shape { inputs: 6, hidden: vec![32, 16], latent: 16 };
        let selection: Vec<i64> = (0..6).collect();
        let network =
            Network::draw(shape.clone(), &selection, &mut [ChaCha8Rng::seed_from_u64(0)], Device::Cpu).unwrap();
        let fused = FusedNetwork::new(shape, &selection, network.to_flat().unwrap());
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let wide: Vec<f32> = (0..6 * 32).map(|_| rng.random()).collect();
        // The same 32 rows as one tile, and as two of half the width.
        let narrow: Vec<f32> = (0..2)
            .flat_map(|half| (0..6).flat_map(move |f| (0..16).map(move |r| f * 32 + half * 16 + r)))
            .map(|at| wide[at])
            .collect();
        let mut heads = [[0f32; 32]; 4];
        let [a, b, c, d] = &mut heads;
        // SAFETY: tile_rows has found AVX-512, which comes with AVX2 and FMA.
        unsafe {
            x86::heads_512(&fused, &wide, 6, a, b);
            x86::heads_256(&fused, &narrow, 6, c, d);
        }
        assert_eq!((heads[0], heads[1]), (heads[2], heads[3]));
    }
}
