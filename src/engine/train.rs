//! The joint training of ND and AE blocks by eq. 4 and Adam, epoch by epoch and batch by batch.
//!
//! Two engines train the same thing: [`fused`] on a CPU that has what it needs, [`libtorch`] on GPUs and other CPUs.

mod fused;
mod libtorch;

use polars::prelude::{polars_ensure, PolarsResult};
use rand::Rng;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::fused::tile_rows;
use crate::network::Network;
use crate::options::{Options, Schedule};
use crate::synthetic::{Epoch, TrainingSet};

/// The two parts of the loss, as means over an epoch and the fleet: eq. 3 over all rows, eq. 2 over the normal ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    pub cross_entropy: f32,
    pub reconstruction: f32,
}

/// What training did, kept in the model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Training rows that the fit used.
    pub rows: usize,
    /// A member's rows left as they are (y = 0) and its synthetic anomalies (y = 1), in an epoch.
    pub normal_rows: usize,
    pub synthetic_rows: usize,
    pub epochs: usize,
    pub steps: usize,
    pub before: Losses,
    pub after: Losses,
}

/// What a fleet is trained on: a training set and a generator for each member.
pub struct Members<R> {
    pub sets: Vec<TrainingSet>,
    pub rngs: Vec<R>,
}

/// Train the fleet. `rows` is how many training rows there were in all, for the report.
pub fn train<R: Rng + Clone + Send>(
    network: &mut Network,
    members: Members<R>,
    options: &Options,
    rows: usize,
) -> PolarsResult<Report> {
    let (course, before, after) = match (network.device(), tile_rows()) {
        (Device::Cpu, Some(_)) => fused::train(network, members, options)?,
        _ => libtorch::train(network, members, options)?,
    };
    // Weights too: a unit whose weights are no longer numbers may be one that the losses do not show.
    let finite = after.cross_entropy.is_finite()
        && after.reconstruction.is_finite()
        && network.to_flat()?.iter().all(|number| number.is_finite());
    polars_ensure!(finite, ComputeError:
        "anorand: the training diverged: the loss is no longer a number; lower learning_rate (now {})",
        options.learning_rate);
    let Course { normal_rows, synthetic_rows, epochs, steps } = course;
    Ok(Report { rows, normal_rows, synthetic_rows, epochs, steps, before, after })
}

/// How long a training is: the same for all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Course {
    normal_rows: usize,
    synthetic_rows: usize,
    epochs: usize,
    steps: usize,
}

impl Course {
    /// From any of a member's epochs.
    fn of(epoch: &Epoch, options: &Options) -> Self {
        let synthetic_rows = epoch.synthetic.iter().filter(|synthetic| **synthetic).count();
        let epochs = options.epochs_of(epoch.batches.len());
        let normal_rows = epoch.synthetic.len() - synthetic_rows;
        Self { normal_rows, synthetic_rows, epochs, steps: epochs * epoch.batches.len() }
    }
}

/// What each row of a batch counts in the loss: w / rows (eq. 3 and 4), and (1 − w) / normal rows (eq. 2 and 4).
fn weights(synthetic: &[bool], options: &Options) -> (f32, f32) {
    let normal = synthetic.iter().filter(|synthetic| !**synthetic).count();
    let ce = options.loss_weight / synthetic.len() as f64;
    let ae = (1.0 - options.loss_weight) / normal.max(1) as f64;
    (ce as f32, ae as f32)
}

fn learning_rate(options: &Options, step: usize, steps: usize) -> f64 {
    match options.schedule {
        Schedule::Constant => options.learning_rate,
        Schedule::Cosine => {
            let done = step as f64 / steps as f64;
            options.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;
    use crate::shape::Shape;
    use ndarray::Array2;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use tch::Tensor;

    /// Rows on a curve, so that there is something to learn.
    fn curve(count: usize) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut rows = Array2::zeros((count, 3));
        for mut row in rows.rows_mut() {
            let t: f32 = rng.random();
            row.assign(&ndarray::aview1(&[t, t * t, 1.0 - t]));
        }
        rows
    }

    fn members(count: u64, rows: &Array2<f32>, options: &Options, seed: u64) -> Members<ChaCha8Rng> {
        let mut rngs: Vec<ChaCha8Rng> = (0..count).map(|at| ChaCha8Rng::seed_from_u64(seed * 1_000 + at)).collect();
        let sets = rngs.iter_mut().map(|rng| TrainingSet::draw(rows.view(), &[0, 1, 2], options, rng)).collect();
        Members { sets, rngs }
    }

    fn fleet(count: u64, seed: u64) -> Network {
        let shape = Shape { inputs: 3, hidden: vec![16, 8], latent: 4 };
        let mut rngs: Vec<ChaCha8Rng> = (0..count).map(|at| ChaCha8Rng::seed_from_u64(seed * 1_000 + at)).collect();
        let selection: Vec<i64> = (0..3).cycle().take(3 * count as usize).collect();
        Network::draw(shape, &selection, &mut rngs, Device::Cpu).unwrap()
    }

    fn fitted(count: u64, seed: u64, options: &Options) -> (Network, Report) {
        let mut network = fleet(count, seed);
        let report = train(&mut network, members(count, &curve(600), options, seed), options, 600).unwrap();
        (network, report)
    }

    fn paper() -> Options {
        Options { epochs: 40, learning_rate: 1e-3, ..Options::preset(Preset::Paper) }
    }

    #[test]
    fn training_lowers_both_losses() {
        for options in [paper(), Options::preset(Preset::Default)] {
            let (_, report) = fitted(1, 0, &options);
            assert!(report.after.cross_entropy < 0.95 * report.before.cross_entropy, "{report:?}");
            assert!(report.after.reconstruction < 0.5 * report.before.reconstruction, "{report:?}");
        }
    }

    #[test]
    fn a_member_of_a_fleet_trains_as_it_would_alone() {
        let (together, _) = fitted(3, 0, &paper());
        let (alone, _) = fitted(1, 0, &paper());
        if tile_rows().is_some() {
            // To the bit: the fleet's members side by side on the plugin's threads, the lone one on this thread.
            let flat = together.to_flat().unwrap();
            let ranges = together.shape().member_ranges(3, 0);
            let first: Vec<f32> = ranges.into_iter().flat_map(|range| flat[range].to_vec()).collect();
            assert_eq!(first, alone.to_flat().unwrap());
        }
        let x = Tensor::try_from(curve(20)).unwrap();
        let (together, _) = together.member_heads(&x.expand([3, 20, 3], false)).unwrap();
        let (alone, _) = alone.heads(&x).unwrap();
        assert!(together.get(0).allclose(&alone, 1e-3, 1e-3, false));
    }

    #[test]
    fn both_engines_train_to_the_same_network() {
        if tile_rows().is_none() {
            return;
        }
        // 100 steps, last batches that are not full, both kinds of noise.
        let paper = Options { epochs: 20, ..paper() };
        let default = Options { min_steps: 100, max_samples: 300, ..Options::preset(Preset::Default) };
        for options in [paper, default] {
            let [mut slow, mut fast] = [fleet(2, 0), fleet(2, 0)];
            let members = || members(2, &curve(600), &options, 0);
            let theirs = libtorch::train(&mut slow, members(), &options).unwrap();
            let ours = fused::train(&mut fast, members(), &options).unwrap();
            assert_eq!(ours.0, theirs.0);
            for (ours, theirs) in [(ours.1, theirs.1), (ours.2, theirs.2)] {
                assert!((ours.cross_entropy - theirs.cross_entropy).abs() < 1e-4, "{ours:?} {theirs:?}");
                assert!((ours.reconstruction - theirs.reconstruction).abs() < 1e-4, "{ours:?} {theirs:?}");
            }
            let flats = fast.to_flat().unwrap().into_iter().zip(slow.to_flat().unwrap());
            let difference = flats.map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max);
            assert!(difference < 1e-4, "{difference}");
        }
    }

    #[test]
    fn a_training_that_diverges_is_an_error() {
        // Rows of 1e30, whose squared errors are no f32.
        let rows = curve(100) * 1e30;
        let error = train(&mut fleet(2, 0), members(2, &rows, &paper(), 0), &paper(), 100).unwrap_err();
        assert!(error.to_string().contains("diverged"), "{error}");
    }

    #[test]
    fn the_seed_decides() {
        let numbers = |seed| fitted(2, seed, &paper()).0.to_flat().unwrap();
        assert_eq!(numbers(5), numbers(5));
        assert_ne!(numbers(5), numbers(6));
    }

    #[test]
    fn min_steps_adds_epochs() {
        let options = Options { epochs: 1, min_steps: 50, batch_size: 300, ..paper() };
        let (_, report) = fitted(1, 0, &options);
        assert!(report.steps >= 50 && report.epochs > 1, "{report:?}");
    }

    #[test]
    fn a_cosine_falls_from_the_rate_to_nothing() {
        let options = Options { learning_rate: 0.1, ..Options::preset(Preset::Default) };
        assert_eq!(learning_rate(&options, 0, 100), 0.1);
        assert!((learning_rate(&options, 50, 100) - 0.05).abs() < 1e-12);
        assert!(learning_rate(&options, 99, 100) < 1e-4);
    }
}
