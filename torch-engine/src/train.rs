//! Training by libtorch: the whole ensemble in one go, as a GPU wants it.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::adam::{Corrections, BETA1, BETA2, EPSILON};
use crate::interface::BatchRows;
use crate::libtorch::{in_blocks, in_prepared_blocks, upload};
use crate::material::Material;
use crate::network::{Network, Parameters, Targets, TorchResult};

/// Bytes of an epoch that are on the device at a time, unless a batch is larger.
const SPAN_BYTES: usize = 1 << 28;
/// Rows whose losses are computed at a time.
const LOSS_BLOCK: usize = 4_096;

/// An epoch of all members, as the interface describes it.
pub struct Epoch<'a> {
    pub batches: &'a [BatchRows],
    pub rows: &'a [i64],
    pub noise_at: &'a [i64],
    pub synthetic: &'a [f32],
    pub ae_weights: &'a [f32],
    pub ce_weights: &'a [f32],
    pub rates: &'a [f64],
}

/// Some batches of the whole ensemble's epoch, as tensors.
struct Span {
    /// `[m, given rows, inputs]`
    given: Tensor,
    /// `[m, batches, rows of the largest, inputs]`
    noise: Option<Tensor>,
    /// `[m, rows, 1]` each
    synthetic: Tensor,
    ae_weights: Tensor,
    /// `[m, batches, 1]`
    ce_weights: Tensor,
    batches: Vec<SpanBatch>,
}

/// Where a batch's rows are in a span.
#[derive(Debug, PartialEq)]
struct SpanBatch {
    /// The first of its rows, and of those that are given
    first: i64,
    first_given: i64,
    given: i64,
    noise: i64,
}

impl Epoch<'_> {
    /// `work` on one span of the epoch after the other. A span is shorter where a GPU's memory asks for it.
    fn for_each_span(
        &self,
        network: &Network,
        material: &Material,
        mut work: impl FnMut(Range<usize>, &Span) -> TorchResult<()>,
    ) -> TorchResult<()> {
        let (given, noise) = totals(self.batches);
        let (features, inputs) = (material.features() as usize, network.inputs() as usize);
        // Rows before and after a member's features are selected; noise, the words that it is made of, and their numbers.
        let numbers = given * (features + inputs) + 6 * noise * inputs;
        let bytes = network.members() * numbers * size_of::<f32>();
        let span = self.batches.len() * SPAN_BYTES / bytes.max(1);
        in_prepared_blocks(
            self.batches.len(),
            span,
            1,
            |range| Ok((range.clone(), self.upload(range, network, material)?)),
            |(range, span)| work(range, &span),
        )
    }

    fn upload(&self, batches: Range<usize>, network: &Network, material: &Material) -> TorchResult<Span> {
        let (device, members) = (network.device(), network.members());
        let (all, before, here) = (self.batches, &self.batches[..batches.start], &self.batches[batches.clone()]);
        let given = |batches| totals(batches).0;
        let rows = |batches| totals(batches).0 + totals(batches).1;
        let each = |numbers: &[f32]| {
            let part = of_each(numbers, members, rows(all), rows(before)..rows(before) + rows(here));
            upload(&part, &[members as i64, rows(here) as i64, 1], device)
        };
        let numbers = of_each(self.rows, members, given(all), given(before)..given(before) + given(here));
        let numbers = upload(&numbers, &[members as i64, given(here) as i64], device)?;
        let places = of_each(self.noise_at, members, all.len(), batches.clone());
        let places = upload(&places, &[members as i64, here.len() as i64], device)?;
        let largest = here.iter().map(|batch| batch.noise).max().unwrap_or(0);
        let place = |(at, batch): (usize, &BatchRows)| SpanBatch {
            first: rows(&here[..at]) as i64,
            first_given: given(&here[..at]) as i64,
            given: batch.given as i64,
            noise: batch.noise as i64,
        };
        let ce_weights = of_each(self.ce_weights, members, all.len(), batches);
        Ok(Span {
            given: material.rows(&numbers, network)?,
            noise: material.noise(&places, largest as i64)?,
            synthetic: each(self.synthetic)?,
            ae_weights: each(self.ae_weights)?,
            ce_weights: upload(&ce_weights, &[members as i64, here.len() as i64, 1], device)?,
            batches: here.iter().enumerate().map(place).collect(),
        })
    }
}

/// The rows of batches: those that are given, and noise.
fn totals(batches: &[BatchRows]) -> (usize, usize) {
    batches.iter().fold((0, 0), |(given, noise), batch| (given + batch.given, noise + batch.noise))
}

/// A range of the `count` numbers of each member.
fn of_each<T: Copy>(numbers: &[T], members: usize, count: usize, range: Range<usize>) -> Vec<T> {
    let mut part = Vec::with_capacity(members * range.len());
    for member in 0..members {
        part.extend_from_slice(&numbers[member * count + range.start..member * count + range.end]);
    }
    part
}

impl Span {
    /// The rows `[m, rows, inputs]` of a batch, and what they are.
    fn batch(&self, at: usize) -> TorchResult<(Tensor, Targets)> {
        let SpanBatch { first, first_given, given, noise } = self.batches[at];
        let mut x = self.given.f_narrow(1, first_given, given)?;
        if let Some(drawn) = self.noise.as_ref().filter(|_| noise > 0) {
            x = Tensor::f_cat(&[x, drawn.f_select(1, at as i64)?.f_narrow(1, 0, noise)?], 1)?;
        }
        let of = |tensor: &Tensor| tensor.f_narrow(1, first, given + noise);
        let ce_weight = self.ce_weights.f_narrow(1, at as i64, 1)?;
        Ok((x, Targets { synthetic: of(&self.synthetic)?, ae_weight: of(&self.ae_weights)?, ce_weight }))
    }
}

/// The training of an ensemble: its rows and noise, and Adam over the flat parameter buffer.
pub struct Training {
    material: Material,
    adam: Adam,
}

impl Training {
    pub fn new(material: Material, network: &Network) -> TorchResult<Self> {
        Ok(Self { material, adam: Adam::new(network)? })
    }

    /// A step for each batch of an epoch. Nothing waits for the device.
    pub fn train(&mut self, network: &mut Network, epoch: &Epoch) -> TorchResult<()> {
        let Self { material, adam } = self;
        let mut parameters = network.flat().shallow_clone();
        epoch.for_each_span(network, material, |range, span| {
            for (at, rate) in epoch.rates[range].iter().enumerate() {
                let (x, targets) = span.batch(at)?;
                network.backward(&x, &network.forward(&x)?, &targets, &adam.gradients)?;
                adam.update(&mut parameters, *rate)?;
            }
            Ok(())
        })
    }

    /// The gradient of eq. 4 on an epoch of one batch.
    pub fn gradient(&self, network: &Network, epoch: &Epoch) -> TorchResult<Tensor> {
        let gradients = network.gradient_buffer()?;
        epoch.for_each_span(network, &self.material, |_, span| {
            let (x, targets) = span.batch(0)?;
            network.backward(&x, &network.forward(&x)?, &targets, &gradients)
        })?;
        Ok(gradients.flat)
    }

    /// Sums over an epoch, of each member eq. 3, and eq. 2 over the normal rows: `[m, 2]`, in float64. They are added up on the device, which
    /// is waited for once.
    pub fn losses(&self, network: &Network, epoch: &Epoch) -> TorchResult<Tensor> {
        let mut sums = Tensor::f_zeros([network.members() as i64, 2], (Kind::Double, network.device()))?;
        epoch.for_each_span(network, &self.material, |_, span| {
            for at in 0..span.batches.len() {
                let (x, targets) = span.batch(at)?;
                in_blocks(x.size()[1] as usize, LOSS_BLOCK, |rows| {
                    let of = |tensor: &Tensor| tensor.f_narrow(1, rows.start as i64, rows.len() as i64);
                    let (logit, error) = network.member_heads(&of(&x)?)?;
                    let y = of(&targets.synthetic)?.f_squeeze_dim(2)?;
                    // −y·log σ(l) − (1 − y)·log(1 − σ(l)) = softplus(l) − y·l
                    let cross_entropy = logit.f_softplus()?.f_sub(&logit.f_mul(&y)?)?;
                    let reconstruction = error.f_mul(&y.f_neg()?.f_add_scalar_(1.0)?)?;
                    let sum = |losses: Tensor| losses.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
                    let _ = sums.f_add_(&Tensor::f_stack(&[sum(cross_entropy)?, sum(reconstruction)?], 1)?)?;
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        sums.f_to_device(Device::Cpu)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::{self, Ensemble, Slice, CPU};

    /// Two members that see two features each.
    fn network() -> Network {
        let ensemble = Ensemble {
            width: 2,
            hidden: [1usize].as_slice().into(),
            latent: 1,
            inputs: [0usize, 1, 1, 0].as_slice().into(),
            flat: [0f32; 34].as_slice().into(),
            device: CPU,
        };
        // SAFETY: the slices are constants, which live for good.
        unsafe { Network::open(&ensemble) }.unwrap()
    }

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.reshape([-1])).unwrap()
    }

    #[test]
    fn spans_are_an_epochs_batches_in_their_order() {
        let network = network();
        let table: Vec<f32> = (0..10).map(|number| number as f32).collect();
        let parts: [Slice<f32>; 1] = [table.as_slice().into()];
        let material = interface::Material {
            table: parts.as_slice().into(),
            features: 2,
            // A box without width: noise that is known.
            noise_low: [-1f32, -2.0, -3.0, -4.0].as_slice().into(),
            noise_width: [0f32; 4].as_slice().into(),
            generators: [0u32; 20].as_slice().into(),
        };
        // SAFETY: the slices live until the end of this function.
        let material = unsafe { Material::open(&material, &network) }.unwrap();
        let batches = [(2, 0), (1, 2), (2, 1)].map(|(given, noise)| BatchRows { given, noise });
        let synthetic = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0].repeat(2);
        let epoch = Epoch {
            batches: &batches,
            rows: &[0, 1, 2, 3, 4, 4, 3, 2, 1, 0],
            noise_at: &[0; 6],
            synthetic: &synthetic,
            ae_weights: &synthetic,
            ce_weights: &[0.5, 0.25, 0.125, 5.0, 2.5, 1.25],
            rates: &[0.1; 3],
        };
        let span = epoch.upload(1..3, &network, &material).unwrap();
        let (x, targets) = span.batch(0).unwrap();
        assert_eq!(numbers(&x), [4.0, 5.0, -1.0, -2.0, -1.0, -2.0, 5.0, 4.0, -3.0, -4.0, -3.0, -4.0]);
        assert_eq!(numbers(&targets.synthetic), [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
        let (x, targets) = span.batch(1).unwrap();
        assert_eq!(numbers(&x), [6.0, 7.0, 8.0, 9.0, -1.0, -2.0, 3.0, 2.0, 1.0, 0.0, -3.0, -4.0]);
        assert_eq!(numbers(&targets.ae_weight), [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
        assert_eq!(numbers(&targets.ce_weight), [0.125, 1.25]);
        let mut seen = vec![];
        epoch
            .for_each_span(&network, &material, |range, span| {
                seen.push((range, span.batches.len()));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [(0..3, 3)]);
    }

    #[test]
    fn adam_agrees_with_libtorchs() {
        use tch::nn::{self, OptimizerConfig};
        let store = nn::VarStore::new(Device::Cpu);
        let theirs = store.root().zeros("p", &[3]);
        let mut optimiser = nn::Adam::default().build(&store, 0.01).unwrap();

        let network = network();
        let mut adam = Adam::new(&network).unwrap();
        let mut parameters = network.flat().shallow_clone();
        for step in 1..20 {
            let gradient = Tensor::from_slice(&[1.0f32, -0.3 * step as f32, (step as f32).sin()]);
            optimiser.zero_grad();
            (&theirs * &gradient).sum(Kind::Float).backward();
            optimiser.step();
            adam.gradients.flat.narrow(0, 0, 3).copy_(&gradient);
            adam.update(&mut parameters, 0.01).unwrap();
        }
        let ours = network.flat().narrow(0, 0, 3);
        let difference = (ours - theirs.detach()).abs().max().double_value(&[]);
        assert!(difference < 1e-6, "{difference}");
    }
}
