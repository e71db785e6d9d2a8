//! The joint training of ND and AE blocks: eq. 4, Adam, the loop over epochs and batches.

use polars::prelude::{polars_ensure, PolarsResult};
use rand::Rng;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError, Tensor};

use crate::libtorch::torch_error;
use crate::network::{Network, Parameters, Targets};
use crate::options::{Options, Schedule};
use crate::synthetic::{Epoch, TrainingSet};

type TorchResult<T> = Result<T, TchError>;

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

impl<R: Rng> Members<R> {
    /// Each member's next epoch. All have as many rows and batches as each other.
    fn epoch(&mut self, options: &Options) -> Vec<Epoch> {
        self.sets.iter().zip(&mut self.rngs).map(|(set, rng)| set.epoch(options, rng)).collect()
    }
}

/// Train the fleet. `rows` is how many training rows there were in all, for the report.
pub fn train<R: Rng>(
    network: &mut Network,
    mut members: Members<R>,
    options: &Options,
    rows: usize,
) -> PolarsResult<Report> {
    let first = members.epoch(options);
    let batches = &first[0].batches;
    let epochs = options.epochs.max(options.min_steps.div_ceil(batches.len()));
    let steps = epochs * batches.len();
    let synthetic = first[0].synthetic.iter().filter(|synthetic| **synthetic).count();

    // The losses are those of one epoch, that is not trained on, so that before and after can be compared.
    let shown = Batches::new(&first, options, network.device()).map_err(torch_error)?;
    let before = losses(network, &shown).map_err(torch_error)?;
    let mut adam = Adam::new(network).map_err(torch_error)?;
    for epoch in 0..epochs {
        let epoch_batches = Batches::new(&members.epoch(options), options, network.device()).map_err(torch_error)?;
        for (at, batch) in epoch_batches.ranges.iter().enumerate() {
            let rate = learning_rate(options, epoch * batches.len() + at, steps);
            adam.step(network, &epoch_batches, *batch, rate).map_err(torch_error)?;
        }
    }
    let after = losses(network, &shown).map_err(torch_error)?;
    polars_ensure!(after.cross_entropy.is_finite() && after.reconstruction.is_finite(), ComputeError:
        "anorand: the training diverged: the loss is no longer a number; lower learning_rate (now {})",
        options.learning_rate);
    let normal_rows = first[0].synthetic.len() - synthetic;
    Ok(Report { rows, normal_rows, synthetic_rows: synthetic, epochs, steps, before, after })
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

/// An epoch of the whole fleet as tensors, and where its batches are.
struct Batches {
    /// `[m, rows, inputs]`
    x: Tensor,
    /// `[m, rows, 1]` each
    targets: Targets,
    /// First row and number of rows of each batch
    ranges: Vec<(i64, i64)>,
}

impl Batches {
    fn new(epochs: &[Epoch], options: &Options, device: Device) -> TorchResult<Self> {
        let members = epochs.len() as i64;
        let rows = epochs[0].synthetic.len() as i64;
        let (mut x, mut synthetic, mut ce_weight, mut ae_weight) = (vec![], vec![], vec![], vec![]);
        for epoch in epochs {
            x.extend_from_slice(&epoch.x);
            let mut from = 0;
            for count in &epoch.batches {
                let batch = &epoch.synthetic[from..from + count];
                let normal = batch.iter().filter(|synthetic| !**synthetic).count();
                let ce = (options.loss_weight / *count as f64) as f32;
                let ae = ((1.0 - options.loss_weight) / normal.max(1) as f64) as f32;
                synthetic.extend(batch.iter().map(|synthetic| if *synthetic { 1f32 } else { 0.0 }));
                ce_weight.extend(std::iter::repeat_n(ce, *count));
                ae_weight.extend(batch.iter().map(|synthetic| if *synthetic { 0.0 } else { ae }));
                from += count;
            }
        }
        let tensor = |numbers: &[f32]| {
            Tensor::f_from_slice(numbers)?.f_to_device(device)?.f_view([
                members,
                rows,
                numbers.len() as i64 / members / rows,
            ])
        };
        let starts = epochs[0].batches.iter().scan(0, |at, count| {
            let from = *at;
            *at += *count as i64;
            Some((from, *count as i64))
        });
        Ok(Self {
            x: tensor(&x)?,
            targets: Targets {
                synthetic: tensor(&synthetic)?,
                ce_weight: tensor(&ce_weight)?,
                ae_weight: tensor(&ae_weight)?,
            },
            ranges: starts.collect(),
        })
    }
}

/// Adam (Kingma and Ba, 2015) over the flat parameter buffer.
struct Adam {
    steps: i32,
    gradients: Parameters,
    mean: Tensor,
    square: Tensor,
}

impl Adam {
    const BETA1: f64 = 0.9;
    const BETA2: f64 = 0.999;
    const EPSILON: f64 = 1e-8;

    fn new(network: &Network) -> TorchResult<Self> {
        let gradients = network.gradient_buffer()?;
        let mean = gradients.flat.f_zeros_like()?;
        let square = gradients.flat.f_zeros_like()?;
        Ok(Self { steps: 0, gradients, mean, square })
    }

    /// One step on a batch, a range of the epoch's rows.
    fn step(&mut self, network: &mut Network, epoch: &Batches, batch: (i64, i64), rate: f64) -> TorchResult<()> {
        let rows = |tensor: &Tensor| tensor.f_narrow(1, batch.0, batch.1);
        let x = rows(&epoch.x)?;
        let targets = Targets {
            synthetic: rows(&epoch.targets.synthetic)?,
            ce_weight: rows(&epoch.targets.ce_weight)?,
            ae_weight: rows(&epoch.targets.ae_weight)?,
        };
        let forward = network.forward(&x)?;
        network.backward(&x, &forward, &targets, &self.gradients)?;
        self.update(network.flat_mut(), rate)
    }

    fn update(&mut self, parameters: &mut Tensor, rate: f64) -> TorchResult<()> {
        self.steps += 1;
        let gradient = &self.gradients.flat;
        let _ = self.mean.f_lerp_(gradient, 1.0 - Self::BETA1)?;
        let _ = self.square.f_lerp_(&gradient.f_square()?, 1.0 - Self::BETA2)?;
        let mean_correction = 1.0 - Self::BETA1.powi(self.steps);
        let square_correction = (1.0 - Self::BETA2.powi(self.steps)).sqrt();
        let mut denominator = self.square.f_sqrt()?.f_div_scalar_(square_correction)?.f_add_scalar_(Self::EPSILON)?;
        let update = denominator.f_reciprocal_()?.f_mul_(&self.mean)?.f_mul_scalar_(rate / mean_correction)?;
        let _ = parameters.f_sub_(&update)?;
        Ok(())
    }
}

/// Eq. 2 and 3 over an epoch, as means.
fn losses(network: &Network, epoch: &Batches) -> TorchResult<Losses> {
    const BLOCK: i64 = 4_096;
    let (members, rows, _) = epoch.x.size3()?;
    let (mut cross_entropy, mut reconstruction, mut normal) = (0.0, 0.0, 0.0);
    for from in (0..rows).step_by(BLOCK as usize) {
        let block = |tensor: &Tensor| tensor.f_narrow(1, from, BLOCK.min(rows - from));
        let (logit, error) = network.member_heads(&block(&epoch.x)?)?;
        let y = block(&epoch.targets.synthetic)?.f_squeeze_dim(2)?;
        let is_normal = y.f_neg()?.f_add_scalar(1.0)?;
        // −y·log σ(l) − (1 − y)·log(1 − σ(l)) = softplus(l) − y·l
        cross_entropy += sum(&logit.f_softplus()?.f_sub(&logit.f_mul(&y)?)?)?;
        reconstruction += sum(&error.f_mul(&is_normal)?)?;
        normal += sum(&is_normal)?;
    }
    Ok(Losses {
        cross_entropy: (cross_entropy / (rows * members) as f64) as f32,
        reconstruction: (reconstruction / f64::max(normal, 1.0)) as f32,
    })
}

fn sum(tensor: &Tensor) -> TorchResult<f64> {
    tensor.f_sum(Kind::Double)?.f_to_device(Device::Cpu)?.f_double_value(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;
    use crate::shape::Shape;
    use ndarray::Array2;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

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
        let x = Tensor::try_from(curve(20)).unwrap();
        let (together, _) = together.member_heads(&x.expand([3, 20, 3], false)).unwrap();
        let (alone, _) = alone.heads(&x).unwrap();
        assert!(together.get(0).allclose(&alone, 1e-3, 1e-3, false));
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

    #[test]
    fn adam_agrees_with_libtorchs() {
        use tch::nn::{self, OptimizerConfig};
        let store = nn::VarStore::new(Device::Cpu);
        let theirs = store.root().zeros("p", &[3]);
        let mut optimiser = nn::Adam::default().build(&store, 0.01).unwrap();

        let shape = Shape { inputs: 1, hidden: vec![1], latent: 1 };
        let count = shape.parameters();
        let mut network = Network::from_flat(shape, &[0], &vec![0.0; count as usize], Device::Cpu).unwrap();
        let mut adam = Adam::new(&network).unwrap();
        for step in 1..20 {
            let gradient = Tensor::from_slice(&[1.0f32, -0.3 * step as f32, (step as f32).sin()]);
            optimiser.zero_grad();
            (&theirs * &gradient).sum(Kind::Float).backward();
            optimiser.step();
            adam.gradients.flat.narrow(0, 0, 3).copy_(&gradient);
            adam.update(network.flat_mut(), 0.01).unwrap();
        }
        let ours = network.flat_mut().narrow(0, 0, 3);
        let difference = (ours - theirs.detach()).abs().max().double_value(&[]);
        assert!(difference < 1e-6, "{difference}");
    }
}
