//! Networks as arithmetic: one plain [`Weights`], and two engines that are built from it, which tests hold to agree.
//!
//! [`cpu`] is this crate's own code, and needs nothing. [`torch`] is libtorch on a GPU, in a library of its own that is opened
//! when a call needs it. [`Engine::open`] and [`train`] are the only places where one of them is chosen.

mod adam;
mod device;
mod shape;
mod train;
mod training_set;
mod weights;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod test_data;

pub mod cpu;
pub mod torch;

pub use cpu::{Classifier, LabelledRows, Matching, Mixture, Target};
pub use device::Device;
pub use shape::Shape;
pub use train::{Checkpoint, Course, Job, Losses, Member, Trained, Training};
pub use training_set::{BatchRows, NoiseBox, Order, TakeRows, TrainingSet};
pub use weights::Weights;

use ndarray::ArrayView2;
use polars::prelude::PolarsResult;
use rand_chacha::ChaCha8Rng;

use crate::memory::zeros;
use crate::options::Options;
use crate::simd::Simd;

impl Shape {
    /// The sizes of a network of a fit that sees `inputs` features. It is here, since the libtorch engine has no options.
    pub fn of(options: &Options, inputs: usize) -> Self {
        Self { inputs, hidden: options.hidden.clone(), latent: options.latent }
    }
}

/// An ensemble that is ready to compute.
pub enum Engine<'a> {
    Cpu(Box<cpu::Network<'a>>),
    Torch(torch::Network),
}

impl<'a> Engine<'a> {
    /// The engine for a device.
    pub fn open(weights: &'a Weights, device: Device) -> PolarsResult<Self> {
        match device {
            Device::Cpu => Ok(Self::Cpu(Box::new(cpu::Network::of(weights, Simd::chosen())))),
            Device::Cuda(_) => Ok(Self::Torch(torch::Network::open(weights, device)?)),
        }
    }

    /// The number of rows of a tile: rows come in tiles, `[tiles, features, tile]`. A GPU's tiles are single rows.
    pub fn tile(&self) -> usize {
        match self {
            Self::Cpu(network) => network.tile_rows(),
            Self::Torch(_) => 1,
        }
    }

    /// The number of rows that should go through it at a time: `on_cpu`, or enough to keep a GPU busy.
    pub fn rows_at_a_time(&self, on_cpu: usize) -> usize {
        match self {
            Self::Cpu(_) => on_cpu,
            Self::Torch(network) => network.rows_at_a_time(),
        }
    }

    /// Both heads, means over the members; `logits` and `errors` have a number for each row.
    pub fn heads_into(
        &self,
        tiles: &[f32],
        features: usize,
        logits: &mut [f32],
        errors: &mut [f32],
    ) -> PolarsResult<()> {
        match self {
            Self::Cpu(network) => {
                network.heads_into(tiles, features, logits, errors);
                Ok(())
            }
            Self::Torch(network) => network.heads_into(tiles, features, logits, errors),
        }
    }

    /// Both heads, and each member's own, `[tiles, m, 2, tile rows]`: a logit of each row, then an error of each row.
    pub fn member_heads_into(
        &self,
        tiles: &[f32],
        features: usize,
        (logits, errors): (&mut [f32], &mut [f32]),
        members: &mut [f32],
    ) -> PolarsResult<()> {
        match self {
            Self::Cpu(network) => {
                network.member_heads_into(tiles, features, logits, errors, members);
                Ok(())
            }
            Self::Torch(network) => network.member_heads_into(tiles, features, (logits, errors), members),
        }
    }

    /// The latents, each member's in turn: `out` is `[rows, m × latent width]`.
    pub fn latents_into(&self, tiles: &[f32], features: usize, out: &mut [f32]) -> PolarsResult<()> {
        match self {
            Self::Cpu(network) => {
                network.latents_into(tiles, features, out);
                Ok(())
            }
            Self::Torch(network) => network.latents_into(tiles, features, out),
        }
    }

    /// The gradient of `logit_weights` · logit + `error_weights` · error with respect to the rows, added to `out`, which is as
    /// `tiles`. There is a weight for each row, the last tile's padding included.
    pub fn add_input_gradients(
        &self,
        tiles: &[f32],
        features: usize,
        logit_weights: &[f32],
        error_weights: &[f32],
        out: &mut [f32],
    ) -> PolarsResult<()> {
        match self {
            Self::Cpu(network) => network.add_input_gradients(tiles, features, logit_weights, error_weights, out),
            Self::Torch(network) => network.add_input_gradients(tiles, features, logit_weights, error_weights, out),
        }
    }
}

/// Train an ensemble, each member on its own set.
pub fn train<'a>(
    weights: &mut Weights,
    members: Vec<Member<'a>>,
    training: &Training<'a>,
    device: Device,
) -> PolarsResult<Trained> {
    match device {
        Device::Cpu => cpu::train(Simd::chosen(), weights, members, training),
        Device::Cuda(_) => torch::train(weights, members, training, device),
    }
}

/// Train ensembles: in turn on the CPU, whose threads the members of one keep busy; on a GPU, those that train alike together.
pub fn train_together(jobs: Vec<Job>, device: Device) -> PolarsResult<Vec<(Weights, Trained)>> {
    let on_cpu = |Job { mut weights, members, training }: Job| {
        let trained = cpu::train(Simd::chosen(), &mut weights, members, &training)?;
        Ok((weights, trained))
    };
    match device {
        Device::Cpu => jobs.into_iter().map(on_cpu).collect(),
        Device::Cuda(_) => torch::train_together(jobs, device),
    }
}

/// Train one network on rows `[rows, inputs]` to have given heads: on the CPU, wherever these come from.
pub fn train_to_match(
    network: &mut Weights,
    rows: &[f32],
    targets: &[Target],
    matching: &Matching,
    rng: ChaCha8Rng,
) -> PolarsResult<()> {
    let trained = cpu::train_to_match(Simd::chosen(), network.shape(), network.flat(), rows, targets, matching, rng)?;
    network.set_member(0, &trained);
    Ok(())
}

/// Trains a network that is ND alone, with these numbers, on labelled rows: on the CPU.
pub fn train_classifier(
    shape: &Shape,
    numbers: &[f32],
    set: &LabelledRows,
    how: &Classifier,
    rng: ChaCha8Rng,
) -> PolarsResult<Vec<f32>> {
    cpu::train_classifier(Simd::chosen(), shape, numbers, set, how, rng)
}

/// The rows of a matrix in tiles, `[tiles, features, tile]`, the last one padded with zeros.
pub fn tiled(rows: ArrayView2<f32>, tile: usize) -> PolarsResult<Vec<f32>> {
    let (count, features) = rows.dim();
    let mut tiles: Vec<f32> = zeros(count.div_ceil(tile) * tile * features, "the rows")?;
    for (row, numbers) in rows.rows().into_iter().enumerate() {
        for (feature, number) in numbers.iter().enumerate() {
            tiles[(row / tile * features + feature) * tile + row % tile] = *number;
        }
    }
    Ok(tiles)
}
