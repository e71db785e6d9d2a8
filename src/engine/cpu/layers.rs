//! An ensemble's layers in its flat buffer, and the forward pass through some of them.

use crate::engine::weights::Weights;
use crate::simd::Vector;

use super::kernels::{affine, Stack};

/// An ensemble's numbers, and where each layer's are.
pub struct Layers<'a> {
    pub weights: &'a Weights,
    pub members: usize,
    /// ND, encoder and decoder, each from its input on; the last two may be empty
    blocks: [Vec<Layer>; 3],
}

/// Where a layer's numbers are in the flat buffer, for member 0.
pub struct Layer {
    pub inputs: usize,
    pub outputs: usize,
    weight: usize,
    bias: usize,
}

/// Activations of a tile, `[width, tile rows]` each.
pub struct Activations {
    /// The features that a member sees
    pub x: Vec<f32>,
    /// (z0, z1)
    pub z: Vec<f32>,
    /// Hidden layers, in turn
    pub hidden: [Vec<f32>; 2],
    pub out: Vec<f32>,
}

impl<'a> Layers<'a> {
    pub fn of(weights: &'a Weights) -> Self {
        let (members, shape) = (weights.members(), weights.shape());
        let mut at = 0;
        let mut next = |count: usize| {
            let from = at;
            at += count * members;
            from
        };
        let mut layers = shape.layers().into_iter().map(|layer| {
            let (inputs, outputs) = (layer.inputs, layer.outputs);
            Layer { inputs, outputs, weight: next(inputs * outputs), bias: next(outputs) }
        });
        let depth = shape.depth();
        let blocks = [(); 3].map(|()| layers.by_ref().take(depth).collect());
        Self { weights, members, blocks }
    }

    /// Room for a tile of `rows` rows: a few MB at most where layers are as wide as options allow.
    pub fn activations(&self, rows: usize) -> Activations {
        let widths = self.blocks.iter().flatten().map(|layer| layer.inputs.max(layer.outputs));
        let width = widths.max().unwrap_or(0);
        let buffer = || vec![0f32; width * rows];
        Activations { x: buffer(), z: buffer(), hidden: [buffer(), buffer()], out: buffer() }
    }

    /// A member's features of a tile, and its (z0, z1) of eq. 1.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    pub unsafe fn encode<V: Vector>(&self, member: usize, tile: &[f32], activations: &mut Activations) {
        let rows = V::TILE;
        let Activations { x, z, hidden, .. } = activations;
        for (x, feature) in x.chunks_exact_mut(rows).zip(self.weights.inputs_of(member)) {
            x.copy_from_slice(&tile[feature * rows..(feature + 1) * rows]);
        }
        let [nd, encoder, _] = &self.blocks;
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe {
            run::<V>(self, member, &nd[..nd.len() - 1], x, hidden, z, true);
            if !encoder.is_empty() {
                let z0 = nd[nd.len() - 1].inputs;
                run::<V>(self, member, encoder, x, hidden, &mut z[z0 * rows..], false);
            }
        }
    }

    /// A member's logit, from z0, into `out`.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    pub unsafe fn classify<V: Vector>(&self, member: usize, activations: &mut Activations) {
        let Activations { z, hidden, out, .. } = activations;
        let nd = &self.blocks[0];
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe { run::<V>(self, member, &nd[nd.len() - 1..], z, hidden, out, false) };
    }

    /// A member's reconstruction, from (z0, z1), into `out`.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    pub unsafe fn decode<V: Vector>(&self, member: usize, activations: &mut Activations) {
        let Activations { z, hidden, out, .. } = activations;
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe { run::<V>(self, member, &self.blocks[2], z, hidden, out, false) };
    }
}

/// Consecutive layers, all but the last with ReLU, and the last one too if `relu`.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn run<V: Vector>(
    network: &Layers,
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
        let weights = &network.weights.flat()[layer.weight + member * inputs * outputs..][..inputs * outputs];
        let bias = &network.weights.flat()[layer.bias + member * outputs..][..outputs];
        // SAFETY: the caller knows that the CPU has the vector's instructions; `affine` checks the
        // lengths.
        unsafe { affine::<V>(weights, bias, from, to, relu || !last, Stack::ONE, &mut []) };
    }
}
