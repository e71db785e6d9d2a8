//! The joint training of ND and AE blocks: eq. 4, Adam, the loop over epochs and batches.

use polars::prelude::{polars_ensure, PolarsResult};
use rand::seq::SliceRandom;
use rand::Rng;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError, Tensor};

use crate::libtorch::torch_error;
use crate::network::{Network, Parameters, Targets};
use crate::options::Options;
use crate::synthetic::TrainingSet;

type TorchResult<T> = Result<T, TchError>;

/// The two parts of the loss, as means over the training set: eq. 3 over all rows, eq. 2 over the normal ones.
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
    /// Rows left as they are (y = 0) and synthetic anomalies (y = 1).
    pub normal_rows: usize,
    pub synthetic_rows: usize,
    pub epochs: usize,
    pub steps: usize,
    pub before: Losses,
    pub after: Losses,
}

/// Train the fleet on one training set, each member in an order of its own.
pub fn train(network: &mut Network, set: &TrainingSet, options: &Options, rng: &mut impl Rng) -> PolarsResult<Report> {
    let rows = set.rows.nrows();
    let steps_an_epoch = rows.div_ceil(options.batch_size);
    let epochs = options.epochs.max(options.min_steps.div_ceil(steps_an_epoch));
    let data = Tensor::try_from(&set.rows).and_then(|rows| rows.f_to_device(network.device())).map_err(torch_error)?;

    let before = losses(network, &data, set.normal).map_err(torch_error)?;
    let mut adam = Adam::new(network, options.learning_rate).map_err(torch_error)?;
    for _ in 0..epochs {
        let epoch = Epoch::draw(&data, set.normal, network.members(), options, rng).map_err(torch_error)?;
        for step in 0..steps_an_epoch {
            let from = step * options.batch_size;
            let count = options.batch_size.min(rows - from);
            adam.step(network, &epoch, from as i64, count as i64).map_err(torch_error)?;
        }
    }
    let after = losses(network, &data, set.normal).map_err(torch_error)?;
    polars_ensure!(after.cross_entropy.is_finite() && after.reconstruction.is_finite(), ComputeError:
        "anorand: the training diverged: the loss is no longer a number; lower learning_rate (now {})",
        options.learning_rate);
    Ok(Report {
        rows: set.drawn_from,
        normal_rows: set.normal,
        synthetic_rows: rows - set.normal,
        epochs,
        steps: epochs * steps_an_epoch,
        before,
        after,
    })
}

/// One epoch's rows in their drawn order, and what each counts in its batch: `[m, rows, …]`.
struct Epoch {
    x: Tensor,
    targets: Targets,
}

impl Epoch {
    fn draw(data: &Tensor, normal: usize, members: i64, options: &Options, rng: &mut impl Rng) -> TorchResult<Self> {
        let (rows, features) = data.size2()?;
        let count = rows as usize * members as usize;
        let mut order = Vec::with_capacity(count);
        let mut synthetic = Vec::with_capacity(count);
        let mut ce_weight = Vec::with_capacity(count);
        let mut ae_weight = Vec::with_capacity(count);
        for _ in 0..members {
            let mut member: Vec<i64> = (0..rows).collect();
            member.shuffle(rng);
            for batch in member.chunks(options.batch_size) {
                let normal_rows = batch.iter().filter(|row| (**row as usize) < normal).count();
                let ce = options.loss_weight / batch.len() as f64;
                let ae = (1.0 - options.loss_weight) / normal_rows.max(1) as f64;
                for row in batch {
                    let is_normal = (*row as usize) < normal;
                    synthetic.push(if is_normal { 0f32 } else { 1.0 });
                    ce_weight.push(ce as f32);
                    ae_weight.push(if is_normal { ae as f32 } else { 0.0 });
                }
            }
            order.extend(member);
        }
        let device = data.device();
        let order = Tensor::f_from_slice(&order)?.f_to_device(device)?;
        let column = |numbers: &[f32]| Tensor::f_from_slice(numbers)?.f_to_device(device)?.f_view([members, rows, 1]);
        Ok(Self {
            x: data.f_index_select(0, &order)?.f_view([members, rows, features])?,
            targets: Targets {
                synthetic: column(&synthetic)?,
                ce_weight: column(&ce_weight)?,
                ae_weight: column(&ae_weight)?,
            },
        })
    }
}

/// Adam (Kingma and Ba, 2015) over the flat parameter buffer.
struct Adam {
    learning_rate: f64,
    steps: i32,
    gradients: Parameters,
    mean: Tensor,
    square: Tensor,
}

impl Adam {
    const BETA1: f64 = 0.9;
    const BETA2: f64 = 0.999;
    const EPSILON: f64 = 1e-8;

    fn new(network: &mut Network, learning_rate: f64) -> TorchResult<Self> {
        let gradients = network.gradient_buffer()?;
        let mean = gradients.flat.f_zeros_like()?;
        let square = gradients.flat.f_zeros_like()?;
        Ok(Self { learning_rate, steps: 0, gradients, mean, square })
    }

    /// One step on rows `from .. from + count` of the epoch.
    fn step(&mut self, network: &mut Network, epoch: &Epoch, from: i64, count: i64) -> TorchResult<()> {
        let batch = |tensor: &Tensor| tensor.f_narrow(1, from, count);
        let x = batch(&epoch.x)?;
        let targets = Targets {
            synthetic: batch(&epoch.targets.synthetic)?,
            ce_weight: batch(&epoch.targets.ce_weight)?,
            ae_weight: batch(&epoch.targets.ae_weight)?,
        };
        let forward = network.forward(&x)?;
        network.backward(&x, &forward, &targets, &self.gradients)?;
        self.update(network.flat_mut())
    }

    fn update(&mut self, parameters: &mut Tensor) -> TorchResult<()> {
        self.steps += 1;
        let gradient = &self.gradients.flat;
        let _ = self.mean.f_lerp_(gradient, 1.0 - Self::BETA1)?;
        let _ = self.square.f_lerp_(&gradient.f_square()?, 1.0 - Self::BETA2)?;
        let mean_correction = 1.0 - Self::BETA1.powi(self.steps);
        let square_correction = (1.0 - Self::BETA2.powi(self.steps)).sqrt();
        let mut denominator = self.square.f_sqrt()?.f_div_scalar_(square_correction)?.f_add_scalar_(Self::EPSILON)?;
        let update =
            denominator.f_reciprocal_()?.f_mul_(&self.mean)?.f_mul_scalar_(self.learning_rate / mean_correction)?;
        let _ = parameters.f_sub_(&update)?;
        Ok(())
    }
}

/// Eq. 2 and 3 over the whole training set, as means over members as well.
fn losses(network: &Network, data: &Tensor, normal: usize) -> TorchResult<Losses> {
    const BLOCK: i64 = 4_096;
    let (rows, features) = data.size2()?;
    let members = network.members();
    let (mut cross_entropy, mut reconstruction) = (0.0, 0.0);
    for from in (0..rows).step_by(BLOCK as usize) {
        let count = BLOCK.min(rows - from);
        let x = data.f_narrow(0, from, count)?.f_unsqueeze(0)?.f_expand([members, count, features], false)?;
        let (logit, error) = network.heads(&x)?;
        let normal_here = (normal as i64 - from).clamp(0, count);
        // −log σ(logit) = softplus(−logit) where y = 1; −log(1 − σ(logit)) = softplus(logit) where y = 0
        let of_normal = logit.f_narrow(1, 0, normal_here)?.f_softplus()?;
        let of_synthetic = logit.f_narrow(1, normal_here, count - normal_here)?.f_neg()?.f_softplus()?;
        cross_entropy += sum(&of_normal)? + sum(&of_synthetic)?;
        reconstruction += sum(&error.f_narrow(1, 0, normal_here)?)?;
    }
    Ok(Losses {
        cross_entropy: (cross_entropy / (rows * members) as f64) as f32,
        reconstruction: (reconstruction / (normal as i64 * members) as f64) as f32,
    })
}

fn sum(tensor: &Tensor) -> TorchResult<f64> {
    tensor.f_sum(Kind::Double)?.f_to_device(Device::Cpu)?.f_double_value(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Shape;
    use crate::options::Preset;
    use ndarray::Array2;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn rows(count: usize) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        // Rows on a curve, so that there is something to learn.
        Array2::from_shape_fn((count, 3), |_| rng.random::<f32>())
            .map_axis(ndarray::Axis(1), |row| row[0])
            .to_vec()
            .into_iter()
            .flat_map(|t| [t, t * t, 1.0 - t])
            .collect::<ndarray::Array1<f32>>()
            .into_shape_with_order((count, 3))
            .unwrap()
    }

    fn fitted(members: i64, seed: u64) -> (Network, Report) {
        let options = Options { epochs: 40, learning_rate: 1e-3, ..Options::preset(Preset::Paper) };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let set = TrainingSet::draw(&rows(600), &options, &mut rng);
        let shape = Shape { features: 3, hidden: vec![16, 8], latent: 4 };
        let mut network = Network::draw(shape, members, &mut rng, Device::Cpu).unwrap();
        let report = train(&mut network, &set, &options, &mut rng).unwrap();
        (network, report)
    }

    #[test]
    fn training_lowers_both_losses() {
        let (_, report) = fitted(1, 0);
        assert!(report.after.cross_entropy < 0.5 * report.before.cross_entropy, "{report:?}");
        assert!(report.after.reconstruction < 0.5 * report.before.reconstruction, "{report:?}");
    }

    #[test]
    fn a_fleet_trains_every_member() {
        let (_, report) = fitted(3, 0);
        assert!(report.after.reconstruction < 0.5 * report.before.reconstruction, "{report:?}");
    }

    #[test]
    fn the_seed_decides() {
        let numbers = |seed| fitted(1, seed).0.to_flat().unwrap();
        assert_eq!(numbers(5), numbers(5));
        assert_ne!(numbers(5), numbers(6));
    }

    #[test]
    fn min_steps_adds_epochs() {
        let options = Options { epochs: 1, min_steps: 50, batch_size: 10, ..Options::preset(Preset::Paper) };
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let set = TrainingSet::draw(&rows(20), &options, &mut rng);
        let shape = Shape { features: 3, hidden: vec![4], latent: 2 };
        let mut network = Network::draw(shape, 1, &mut rng, Device::Cpu).unwrap();
        let report = train(&mut network, &set, &options, &mut rng).unwrap();
        assert!(report.steps >= 50 && report.epochs > 1, "{report:?}");
    }

    #[test]
    fn adam_agrees_with_libtorchs() {
        use tch::nn::{self, OptimizerConfig};
        let store = nn::VarStore::new(Device::Cpu);
        let mut theirs = store.root().zeros("p", &[3]);
        let mut optimiser = nn::Adam::default().build(&store, 0.01).unwrap();

        let shape = Shape { features: 1, hidden: vec![1], latent: 1 };
        let count = shape.parameters();
        let mut network = Network::from_flat(shape, 1, &vec![0.0; count as usize], Device::Cpu).unwrap();
        let mut adam = Adam::new(&mut network, 0.01).unwrap();
        for step in 1..20 {
            let gradient = Tensor::from_slice(&[1.0f32, -0.3 * step as f32, (step as f32).sin()]);
            optimiser.zero_grad();
            (&theirs * &gradient).sum(Kind::Float).backward();
            optimiser.step();
            adam.gradients.flat.narrow(0, 0, 3).copy_(&gradient);
            adam.update(network.flat_mut()).unwrap();
        }
        let ours = network.flat_mut().narrow(0, 0, 3);
        let difference = (ours - theirs.set_requires_grad(false)).abs().max().double_value(&[]);
        assert!(difference < 1e-6, "{difference}");
    }
}
