//! What a call costs on the CPU and on a GPU, by its arithmetic, so that `device="auto"` takes CUDA only where it pays.
//!
//! Rows × features × models decide, as floating-point operations of the networks. The rates are rough on purpose: they err
//! towards the CPU, and a GPU must be estimated to take half of the CPU's time. Those of the CPU were measured; those of a GPU
//! are estimates below what any GPU of a data centre does, and have not been measured (docs/performance.md).

use std::collections::BTreeMap;

use crate::engine::{Shape, Weights};
use crate::options::{Noise, Options};
use crate::pool;
use crate::scoring::STEPS;

use super::cuda;

/// Operations a second of one thread.
const CPU_RATE: f64 = 5e10;
/// Operations a second of a GPU on networks this small, whose layers are bound by its memory.
const GPU_RATE: f64 = 5e12;
/// Bytes a second to the GPU from memory that is not pinned.
const GPU_COPY_RATE: f64 = 5e9;
/// Words of noise a second: ChaCha8 in tensor operations moves some 500 bytes of the GPU's memory for each.
const GPU_NOISE_RATE: f64 = 2e9;
/// Bytes that a row of an epoch takes to the GPU: its number, what it is, and what it counts.
const EPOCH_ROW: f64 = 16.0;
/// Seconds a training step takes at least: some hundred kernels, launched one after the other.
const GPU_ROUND: f64 = 5e-4;
/// Seconds until CUDA and its libraries have started, and until the weights and the first rows of a call are there.
const GPU_START: f64 = 5.0;
const GPU_CALL: f64 = 0.01;
/// How many times faster a GPU must be.
const MARGIN: f64 = 2.0;

/// The work of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations
    pub operations: f64,
    /// Steps that must wait for one another
    pub rounds: f64,
    /// Bytes to the device
    pub bytes: f64,
    /// Words of noise that the device draws
    pub words: f64,
}

impl Cost {
    /// Of both heads, or the latents, of `rows` rows.
    pub fn of_heads(weights: &Weights, features: usize, rows: usize) -> Self {
        Self {
            operations: forward(weights.shape(), weights.members(), rows),
            bytes: bytes(features, rows),
            ..Self::default()
        }
    }

    /// Of the explanations of `rows` rows.
    pub fn of_explanations(weights: &Weights, features: usize, rows: usize) -> Self {
        let heads = Self::of_heads(weights, features, rows);
        // A gradient with respect to the inputs is a forward pass and the same again.
        Self { operations: 2.0 * STEPS as f64 * heads.operations, ..heads }
    }

    /// Of a fit with `rows` rows, scores of the training rows included.
    pub fn of_fit(options: &Options, features: usize, rows: usize) -> Self {
        let members = options.members;
        let inputs = options.features_of_member(features);
        let shape = Shape::of(options, inputs);
        if options.classifies() {
            // These train on the CPU, and the device only scores the training rows.
            let operations = forward(&shape, members, rows);
            return Self { operations, bytes: bytes(features, rows), ..Self::default() };
        }
        let (real, noise) = match options.noise {
            Noise::Uniform => options.batch_shares(),
            Noise::Smote => (options.batch_size, 0),
        };
        let batches = options.rows_of_member(rows).div_ceil(real);
        let rounds = (options.epochs_of(batches) * batches) as f64;
        let trained = rounds * (real + noise) as f64;
        Self {
            // Forward, and twice as much back.
            operations: 3.0 * trained * forward(&shape, members, 1) + forward(&shape, members, rows),
            rounds,
            bytes: trained * EPOCH_ROW * members as f64 + bytes(features, rows),
            words: rounds * (noise * inputs * members) as f64,
        }
    }

    /// Of fits with these numbers of rows. Those that take the same steps take them together.
    pub fn of_fits(options: &Options, features: usize, rows: &[usize]) -> Self {
        let all: Self = rows.iter().map(|rows| Self { rounds: 0.0, ..Self::of_fit(options, features, *rows) }).sum();
        let alike: BTreeMap<usize, usize> = rows.iter().map(|rows| (options.rows_of_member(*rows), *rows)).collect();
        let rounds = alike.values().map(|rows| Self::of_fit(options, features, *rows).rounds).sum();
        Self { rounds, ..all }
    }

    /// Whether a GPU is worth it.
    pub fn pays_on_gpu(&self) -> bool {
        self.gpu_seconds(cuda::is_started()) * MARGIN < self.cpu_seconds(pool::count())
    }

    fn cpu_seconds(&self, threads: usize) -> f64 {
        self.operations / CPU_RATE / threads as f64
    }

    fn gpu_seconds(&self, started: bool) -> f64 {
        let start = if started { 0.0 } else { GPU_START };
        let work = self.bytes / GPU_COPY_RATE + self.words / GPU_NOISE_RATE + self.operations / GPU_RATE;
        start + GPU_CALL + self.rounds * GPU_ROUND + work
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), |a, b| Self {
            operations: a.operations + b.operations,
            rounds: a.rounds + b.rounds,
            bytes: a.bytes + b.bytes,
            words: a.words + b.words,
        })
    }
}

fn forward(shape: &Shape, members: usize, rows: usize) -> f64 {
    2.0 * shape.parameters() as f64 * members as f64 * rows as f64
}

fn bytes(features: usize, rows: usize) -> f64 {
    (features * size_of::<f32>()) as f64 * rows as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;

    #[test]
    fn a_few_rows_stay_on_the_cpu_though_cuda_runs() {
        let few = scores(20, 1_000);
        assert!(few.gpu_seconds(true) > few.cpu_seconds(1));
    }

    fn pays(cost: Cost, threads: usize) -> bool {
        cost.gpu_seconds(false) * MARGIN < cost.cpu_seconds(threads)
    }

    fn scores(members: usize, rows: usize) -> Cost {
        let shape = Shape { inputs: 30, hidden: vec![32, 16], latent: 16 };
        Cost { operations: forward(&shape, members, rows), bytes: bytes(30, rows), ..Cost::default() }
    }

    #[test]
    fn small_work_stays_on_the_cpu_and_large_work_does_not() {
        assert!(!pays(Cost::default(), 1));
        assert!(!pays(scores(20, 100_000), 2));
        assert!(pays(scores(20, 100_000_000), 2));
        // More threads move the crossover, or do away with it.
        assert!(!pays(scores(1, 100_000_000), 64));
    }

    #[test]
    fn a_lone_network_trains_on_the_cpu_whatever_its_rows() {
        assert!(!pays(Cost::of_fit(&Options::preset(Preset::Default), 30, 1_000_000), 2));
        for rows in [1_000, 10_000_000] {
            assert!(!pays(Cost::of_fit(&Options::preset(Preset::Paper), 30, rows), 2));
        }
        let ensemble = Options { members: 1_000, ..Options::preset(Preset::Paper) };
        assert!(pays(Cost::of_fit(&ensemble, 30, 100_000), 2));
    }

    #[test]
    fn the_steps_of_a_fit_are_those_of_its_options() {
        let paper = Cost::of_fit(&Options::preset(Preset::Paper), 30, 12_800);
        assert_eq!(paper.rounds, 200.0 * 100.0);
        let default = Cost::of_fit(&Options::preset(Preset::Default), 30, 12_800);
        assert_eq!(default.rounds, 300.0);
    }

    #[test]
    fn fits_that_take_the_same_steps_take_them_together() {
        let options = Options { max_samples: 256, ..Options::preset(Preset::Default) };
        let one = Cost::of_fit(&options, 30, 600);
        let many = Cost::of_fits(&options, 30, &[600; 1_000]);
        assert_eq!((many.rounds, many.operations), (one.rounds, 1_000.0 * one.operations));
        // A member draws 256 rows of 600 and of 5,000, and 50 of 100.
        let mixed = Cost::of_fits(&options, 30, &[100, 600, 5_000]);
        assert_eq!(mixed.rounds, one.rounds + Cost::of_fit(&options, 30, 100).rounds);
        assert!(pays(Cost::of_fits(&options, 30, &[1_000; 10_000]), 2));
    }

    #[test]
    fn costs_add_up() {
        let two: Cost = [scores(1, 10), scores(1, 10)].into_iter().sum();
        assert_eq!(two, scores(1, 20));
    }
}
