//! Training by libtorch: the whole fleet in one go, as a GPU wants it.

use polars::prelude::PolarsResult;
use rand::Rng;
use tch::{Device, Kind, TchError, Tensor};

use crate::adam::{Corrections, BETA1, BETA2, EPSILON};
use crate::libtorch::torch_error;
use crate::network::{Network, Parameters, Targets};
use crate::options::Options;
use crate::synthetic::Epoch;

use super::{learning_rate, weights, Course, Losses, Members};

type TorchResult<T> = Result<T, TchError>;

pub fn train<R: Rng>(
    network: &mut Network,
    mut members: Members<R>,
    options: &Options,
) -> PolarsResult<(Course, Losses, Losses)> {
    let first = next_epoch(&mut members, options);
    let course = Course::of(&first[0], options);
    // The losses are those of one epoch, that is not trained on, so that before and after can be compared.
    let shown = Batches::new(&first, options, network.device()).map_err(torch_error)?;
    let before = losses(network, &shown).map_err(torch_error)?;
    let mut adam = Adam::new(network).map_err(torch_error)?;
    let mut step = 0;
    for _ in 0..course.epochs {
        let epoch = next_epoch(&mut members, options);
        let batches = Batches::new(&epoch, options, network.device()).map_err(torch_error)?;
        for batch in &batches.ranges {
            let rate = learning_rate(options, step, course.steps);
            adam.step(network, &batches, *batch, rate).map_err(torch_error)?;
            step += 1;
        }
    }
    let after = losses(network, &shown).map_err(torch_error)?;
    Ok((course, before, after))
}

/// Each member's next epoch. All have as many rows and batches as each other.
fn next_epoch<R: Rng>(members: &mut Members<R>, options: &Options) -> Vec<Epoch> {
    members.sets.iter().zip(&mut members.rngs).map(|(set, rng)| set.epoch(options, rng)).collect()
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
                let (ce, ae) = weights(batch, options);
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

/// Adam over the flat parameter buffer.
struct Adam {
    steps: i32,
    gradients: Parameters,
    mean: Tensor,
    square: Tensor,
}

impl Adam {
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
        let _ = self.mean.f_lerp_(gradient, 1.0 - BETA1)?;
        let _ = self.square.f_lerp_(&gradient.f_square()?, 1.0 - BETA2)?;
        let corrections = Corrections::of(self.steps, rate);
        let mut denominator = self.square.f_sqrt()?.f_mul_scalar_(corrections.scale)?.f_add_scalar_(EPSILON)?;
        let update = denominator.f_reciprocal_()?.f_mul_(&self.mean)?.f_mul_scalar_(corrections.rate)?;
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
    use crate::shape::Shape;

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
