//! Networks on the CPU, fused: a tile of rows goes through all layers in one go, forward for the two heads, and back for
//! the gradient.
//!
//! Rows are lanes: an activation is a vector of one number a row, and a weight is broadcast to all of them. So a tile is the
//! columns' own layout, nothing leaves the first-level cache between layers, a layer may have any width, and a row's result
//! is the same to the bit wherever it stands, since its lane never meets another. Only the gradient of a weight sums over
//! rows: there outputs are lanes, and the rows are summed in their order, so that it is the same to the bit whatever the
//! width of the vectors.
//!
//! libtorch computes the same (tested to agree) where a GPU is asked for or the CPU lacks AVX2 and FMA. This is there because
//! libtorch's calls cost more than the arithmetic of networks this small.

#[cfg(target_arch = "x86_64")]
mod heads;
#[cfg(target_arch = "x86_64")]
mod kernels;
#[cfg(target_arch = "x86_64")]
mod step;
mod trainer;
#[cfg(target_arch = "x86_64")]
mod vector;

pub use trainer::{Batch, LossSums, Trainer};

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
            return Some(vector::TILE_512);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Some(vector::TILE_256);
        }
    }
    None
}

/// The vectors that this machine's CPU has for it, if any.
pub fn instruction_set() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    if tile_rows() == Some(vector::TILE_512) {
        return Some("AVX-512");
    }
    tile_rows().map(|_| "AVX2")
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
        Some(vector::TILE_512) => unsafe { heads::heads_512(network, tiles, features, logits, errors) },
        Some(_) => unsafe { heads::heads_256(network, tiles, features, logits, errors) },
        None => {}
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (network, tiles, features, logits, errors);
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
        if tile_rows() != Some(vector::TILE_512) {
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
            heads::heads_512(&fused, &wide, 6, a, b);
            heads::heads_256(&fused, &narrow, 6, c, d);
        }
        assert_eq!((heads[0], heads[1]), (heads[2], heads[3]));
    }
}
