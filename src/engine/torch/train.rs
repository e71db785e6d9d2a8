//! Training by libtorch: the whole fleet in one go, as a GPU wants it.

use std::ops::Range;

use polars::prelude::PolarsResult;
use rand::Rng;
use tch::{Device, Kind, TchError, Tensor};

use crate::adam::{Corrections, BETA1, BETA2, EPSILON};
use crate::libtorch::{in_blocks, in_prepared_blocks, torch_error};
use crate::network::{Network, Parameters, Targets};
use crate::options::Options;
use crate::synthetic::Epoch;

use super::{learning_rate, weights, Course, Losses, Members};

type TorchResult<T> = Result<T, TchError>;

/// Bytes of an epoch that are on the device at a time, unless a batch is larger.
const SPAN_BYTES: usize = 1 << 28;

pub fn train<R: Rng>(
    network: &mut Network,
    mut members: Members<R>,
    options: &Options,
) -> PolarsResult<(Course, Losses, Losses)> {
    // The losses are those of one epoch, that is not trained on, so that before and after can be compared.
    let shown = next_epoch(&mut members, options);
    let course = Course::of(&shown[0], options);
    let before = losses(network, &shown, options).map_err(torch_error)?;
    let mut adam = Adam::new(network).map_err(torch_error)?;
    let mut step = 0;
    for _ in 0..course.epochs {
        let epoch = next_epoch(&mut members, options);
        for_each_span(&epoch, options, network.device(), |span| {
            for batch in &span.batches {
                adam.step(network, span, batch, learning_rate(options, step, course.steps))?;
                step += 1;
            }
            Ok(())
        })
        .map_err(torch_error)?;
    }
    let after = losses(network, &shown, options).map_err(torch_error)?;
    Ok((course, before, after))
}

/// Each member's next epoch. All have as many rows and batches as each other.
fn next_epoch<R: Rng>(members: &mut Members<R>, options: &Options) -> Vec<Epoch> {
    members.sets.iter().zip(&mut members.rngs).map(|(set, rng)| set.epoch(options, rng)).collect()
}

/// Some batches of the whole fleet's epoch, as tensors.
struct Span {
    /// `[m, rows, inputs]`
    x: Tensor,
    /// `[m, rows, 1]` each
    targets: Targets,
    /// The rows of each batch
    batches: Vec<Range<i64>>,
}

/// `work` on one span of an epoch after the other. A span is shorter where a GPU's memory asks for it.
fn for_each_span(
    epochs: &[Epoch],
    options: &Options,
    device: Device,
    mut work: impl FnMut(&Span) -> TorchResult<()>,
) -> TorchResult<()> {
    let batches = epochs[0].batches.len();
    let bytes = size_of::<f32>() * epochs.iter().map(|epoch| epoch.x.len()).sum::<usize>();
    let span = batches * SPAN_BYTES / bytes.max(1);
    in_prepared_blocks(batches, span, 1, |range| Span::upload(epochs, range, options, device), |span| work(&span))
}

impl Span {
    fn upload(epochs: &[Epoch], batches: Range<usize>, options: &Options, device: Device) -> TorchResult<Self> {
        let sizes = &epochs[0].batches;
        let first: usize = sizes[..batches.start].iter().sum();
        let rows: usize = sizes[batches.clone()].iter().sum();
        let inputs = epochs[0].x.len() / epochs[0].synthetic.len();
        let (mut x, mut synthetic, mut ce_weight, mut ae_weight) = (vec![], vec![], vec![], vec![]);
        for epoch in epochs {
            x.extend_from_slice(&epoch.x[first * inputs..(first + rows) * inputs]);
            let mut from = first;
            for count in &sizes[batches.clone()] {
                let batch = &epoch.synthetic[from..from + count];
                let (ce, ae) = weights(batch, options);
                synthetic.extend(batch.iter().map(|synthetic| if *synthetic { 1f32 } else { 0.0 }));
                ce_weight.extend(std::iter::repeat_n(ce, *count));
                ae_weight.extend(batch.iter().map(|synthetic| if *synthetic { 0.0 } else { ae }));
                from += count;
            }
        }
        let tensor = |numbers: &[f32]| {
            Tensor::f_from_slice(numbers)?.f_to_device(device)?.f_view([epochs.len() as i64, rows as i64, -1])
        };
        let ranges = sizes[batches].iter().scan(0, |at, count| {
            let from = *at;
            *at += *count as i64;
            Some(from..*at)
        });
        Ok(Self {
            x: tensor(&x)?,
            targets: Targets {
                synthetic: tensor(&synthetic)?,
                ce_weight: tensor(&ce_weight)?,
                ae_weight: tensor(&ae_weight)?,
            },
            batches: ranges.collect(),
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

    /// One step on a batch, some rows of a span.
    fn step(&mut self, network: &mut Network, span: &Span, batch: &Range<i64>, rate: f64) -> TorchResult<()> {
        let rows = |tensor: &Tensor| tensor.f_narrow(1, batch.start, batch.end - batch.start);
        let x = rows(&span.x)?;
        let targets = Targets {
            synthetic: rows(&span.targets.synthetic)?,
            ce_weight: rows(&span.targets.ce_weight)?,
            ae_weight: rows(&span.targets.ae_weight)?,
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
fn losses(network: &Network, epochs: &[Epoch], options: &Options) -> TorchResult<Losses> {
    const CPU_BLOCK: usize = 4_096;
    let block = network.rows_at_a_time(CPU_BLOCK);
    let (mut cross_entropy, mut reconstruction, mut normal, mut all) = (0.0, 0.0, 0.0, 0.0);
    for_each_span(epochs, options, network.device(), |span| {
        in_blocks(span.x.size()[1] as usize, block, |rows| {
            let of_block = |tensor: &Tensor| tensor.f_narrow(1, rows.start as i64, rows.len() as i64);
            let (logit, error) = network.member_heads(&of_block(&span.x)?)?;
            let y = of_block(&span.targets.synthetic)?.f_squeeze_dim(2)?;
            let is_normal = y.f_neg()?.f_add_scalar(1.0)?;
            // −y·log σ(l) − (1 − y)·log(1 − σ(l)) = softplus(l) − y·l
            let sums = [
                sum(&logit.f_softplus()?.f_sub(&logit.f_mul(&y)?)?)?,
                sum(&error.f_mul(&is_normal)?)?,
                sum(&is_normal)?,
            ];
            cross_entropy += sums[0];
            reconstruction += sums[1];
            normal += sums[2];
            all += y.numel() as f64;
            Ok(())
        })
    })?;
    Ok(Losses {
        cross_entropy: (cross_entropy / all) as f32,
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
    fn spans_are_an_epochs_batches_in_their_order() {
        let epoch = |first: usize| Epoch {
            x: (first..first + 14).map(|number| number as f32).collect(),
            synthetic: vec![false, true, false, true, false, false, true],
            batches: vec![2, 3, 2],
        };
        let epochs = [epoch(0), epoch(100)];
        let options = Options::preset(crate::options::Preset::Default);
        let span = Span::upload(&epochs, 1..3, &options, Device::Cpu).unwrap();
        assert_eq!(span.batches, [0..3, 3..5]);
        assert_eq!(span.x.size(), [2, 5, 2]);
        let first: Vec<f32> = Vec::try_from(span.x.narrow(1, 0, 1).reshape([-1])).unwrap();
        assert_eq!(first, [4.0, 5.0, 104.0, 105.0]);
        let normal: Vec<f32> = Vec::try_from(span.targets.synthetic.get(0).squeeze_dim(1)).unwrap();
        assert_eq!(normal, [0.0, 1.0, 0.0, 0.0, 1.0]);
        let mut seen = vec![];
        for_each_span(&epochs, &options, Device::Cpu, |span| {
            seen.push(span.batches.clone());
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [vec![0..2, 2..5, 5..7]]);
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
