//! Training by libtorch: the whole ensemble in one go, as a GPU wants it.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::adam::{Corrections, BETA1, BETA2, EPSILON};
use crate::interface::LossSums;
use crate::libtorch::{in_blocks, in_prepared_blocks};
use crate::network::{Network, Parameters, Targets, TorchResult};

/// Bytes of an epoch that are on the device at a time, unless a batch is larger.
const SPAN_BYTES: usize = 1 << 28;
/// Rows whose losses are computed at a time.
const LOSS_BLOCK: usize = 4_096;

/// An epoch of all members, as the interface describes it.
pub struct Epoch<'a> {
    pub members: usize,
    pub x: &'a [f32],
    pub synthetic: &'a [f32],
    pub ce_weights: &'a [f32],
    pub ae_weights: &'a [f32],
    pub batches: &'a [usize],
    pub rates: &'a [f64],
}

/// Some batches of the whole ensemble's epoch, as tensors.
struct Span {
    /// `[m, rows, inputs]`
    x: Tensor,
    /// `[m, rows, 1]` each
    targets: Targets,
    /// The rows of each batch
    batches: Vec<Range<i64>>,
}

impl Epoch<'_> {
    /// `work` on one span of the epoch after the other. A span is shorter where a GPU's memory asks for it.
    fn for_each_span(
        &self,
        device: Device,
        mut work: impl FnMut(Range<usize>, &Span) -> TorchResult<()>,
    ) -> TorchResult<()> {
        let span = self.batches.len() * SPAN_BYTES / size_of_val(self.x).max(1);
        in_prepared_blocks(
            self.batches.len(),
            span,
            1,
            |range| Ok((range.clone(), self.upload(range, device)?)),
            |(range, span)| work(range, &span),
        )
    }

    fn upload(&self, batches: Range<usize>, device: Device) -> TorchResult<Span> {
        let all: usize = self.batches.iter().sum();
        let first: usize = self.batches[..batches.start].iter().sum();
        let rows: usize = self.batches[batches.clone()].iter().sum();
        let tensor = |numbers: &[f32]| {
            let width = numbers.len() / (self.members * all).max(1);
            let mut part = Vec::with_capacity(self.members * rows * width);
            for member in numbers.chunks_exact((all * width).max(1)) {
                part.extend_from_slice(&member[first * width..(first + rows) * width]);
            }
            Tensor::f_from_slice(&part)?.f_to_device(device)?.f_view([self.members as i64, rows as i64, width as i64])
        };
        let ranges = self.batches[batches].iter().scan(0, |at, count| {
            let from = *at;
            *at += *count as i64;
            Some(from..*at)
        });
        Ok(Span {
            x: tensor(self.x)?,
            targets: Targets {
                synthetic: tensor(self.synthetic)?,
                ce_weight: tensor(self.ce_weights)?,
                ae_weight: tensor(self.ae_weights)?,
            },
            batches: ranges.collect(),
        })
    }
}

impl Span {
    /// Some of its rows.
    fn rows(&self, rows: &Range<i64>) -> TorchResult<(Tensor, Targets)> {
        let of = |tensor: &Tensor| tensor.f_narrow(1, rows.start, rows.end - rows.start);
        let targets = Targets {
            synthetic: of(&self.targets.synthetic)?,
            ce_weight: of(&self.targets.ce_weight)?,
            ae_weight: of(&self.targets.ae_weight)?,
        };
        Ok((of(&self.x)?, targets))
    }
}

/// Adam over the flat parameter buffer.
pub struct Adam {
    steps: i32,
    gradients: Parameters,
    mean: Tensor,
    square: Tensor,
}

impl Adam {
    pub fn new(network: &Network) -> TorchResult<Self> {
        let gradients = network.gradient_buffer()?;
        let mean = gradients.flat.f_zeros_like()?;
        let square = gradients.flat.f_zeros_like()?;
        Ok(Self { steps: 0, gradients, mean, square })
    }

    /// A step for each batch of an epoch.
    pub fn train(&mut self, network: &mut Network, epoch: &Epoch) -> TorchResult<()> {
        epoch.for_each_span(network.device(), |range, span| {
            for (batch, rate) in span.batches.iter().zip(&epoch.rates[range]) {
                let (x, targets) = span.rows(batch)?;
                let forward = network.forward(&x)?;
                network.backward(&x, &forward, &targets, &self.gradients)?;
                self.update(network.flat_mut(), *rate)?;
            }
            Ok(())
        })
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

/// The gradient of eq. 4 on all rows of an epoch.
pub fn gradient(network: &Network, epoch: &Epoch) -> TorchResult<Tensor> {
    let gradients = network.gradient_buffer()?;
    epoch.for_each_span(network.device(), |_, span| {
        for batch in &span.batches {
            let (x, targets) = span.rows(batch)?;
            network.backward(&x, &network.forward(&x)?, &targets, &gradients)?;
        }
        Ok(())
    })?;
    Ok(gradients.flat)
}

/// Eq. 2 and 3 over an epoch, as sums.
pub fn losses(network: &Network, epoch: &Epoch) -> TorchResult<LossSums> {
    let mut sums = LossSums::default();
    epoch.for_each_span(network.device(), |_, span| {
        in_blocks(span.x.size()[1] as usize, LOSS_BLOCK, |rows| {
            let (x, targets) = span.rows(&(rows.start as i64..rows.end as i64))?;
            let (logit, error) = network.member_heads(&x)?;
            let y = targets.synthetic.f_squeeze_dim(2)?;
            let is_normal = y.f_neg()?.f_add_scalar(1.0)?;
            // −y·log σ(l) − (1 − y)·log(1 − σ(l)) = softplus(l) − y·l
            sums.cross_entropy += sum(&logit.f_softplus()?.f_sub(&logit.f_mul(&y)?)?)?;
            sums.reconstruction += sum(&error.f_mul(&is_normal)?)?;
            sums.normal_rows += sum(&is_normal)?;
            sums.rows += y.numel() as f64;
            Ok(())
        })
    })?;
    Ok(sums)
}

fn sum(tensor: &Tensor) -> TorchResult<f64> {
    tensor.f_sum(Kind::Double)?.f_to_device(Device::Cpu)?.f_double_value(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_an_epochs_batches_in_their_order() {
        let x: Vec<f32> = (0..14).chain(100..114).map(|number| number as f32).collect();
        let synthetic = [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0].repeat(2);
        let epoch = Epoch {
            members: 2,
            x: &x,
            synthetic: &synthetic,
            ce_weights: &synthetic,
            ae_weights: &synthetic,
            batches: &[2, 3, 2],
            rates: &[0.1; 3],
        };
        let span = epoch.upload(1..3, Device::Cpu).unwrap();
        assert_eq!(span.batches, [0..3, 3..5]);
        assert_eq!(span.x.size(), [2, 5, 2]);
        let first: Vec<f32> = Vec::try_from(span.x.narrow(1, 0, 1).reshape([-1])).unwrap();
        assert_eq!(first, [4.0, 5.0, 104.0, 105.0]);
        let normal: Vec<f32> = Vec::try_from(span.targets.synthetic.get(0).squeeze_dim(1)).unwrap();
        assert_eq!(normal, [0.0, 1.0, 0.0, 0.0, 1.0]);
        let mut seen = vec![];
        epoch
            .for_each_span(Device::Cpu, |range, span| {
                seen.push((range, span.batches.clone()));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [(0..3, vec![0..2, 2..5, 5..7])]);
    }

    #[test]
    fn adam_agrees_with_libtorchs() {
        use crate::interface::{Ensemble, CPU};
        use tch::nn::{self, OptimizerConfig};
        let store = nn::VarStore::new(Device::Cpu);
        let theirs = store.root().zeros("p", &[3]);
        let mut optimiser = nn::Adam::default().build(&store, 0.01).unwrap();

        let ensemble = Ensemble {
            width: 1,
            hidden: [1usize].as_slice().into(),
            latent: 1,
            inputs: [0usize].as_slice().into(),
            flat: [0f32; 14].as_slice().into(),
            device: CPU,
        };
        // SAFETY: the slices are constants.
        let mut network = unsafe { Network::open(&ensemble) }.unwrap();
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
