//! Training by libtorch: the whole ensemble in one go, as a GPU wants it.

use polars::prelude::PolarsResult;

use crate::engine::device::Device;
use crate::engine::train::{Checkpoint, Count, Losses, Member, Trained, Training};
use crate::engine::weights::Weights;
use crate::job::{self, Unit};
use crate::memory::reserve;

use super::interface::{Epoch, LossSums};
use super::library::call;
use super::network::Network;

/// Trains all members, each on its own set.
pub fn train(
    weights: &mut Weights,
    mut members: Vec<Member>,
    training: &Training,
    device: Device,
) -> PolarsResult<Trained> {
    let mut network = Network::open(weights, device)?;
    // The losses are those of one epoch, that is not trained on, so that before and after can be compared.
    let shown = Batches::draw(&mut members, training)?;
    let course = shown.count.course(training);
    let before = losses(&network, &shown)?;
    let steps_of_all = |steps: usize| steps * weights.members();
    job::expect(Unit::Steps, steps_of_all(course.steps));
    let (checkpoints, mut between) = (course.checkpoints(), vec![]);
    for epoch in 0..course.epochs {
        job::check()?;
        if checkpoints.contains(&epoch) {
            between.push(Checkpoint { epochs: epoch, losses: losses(&network, &shown)? });
        }
        let mut batches = Batches::draw(&mut members, training)?;
        let first = epoch * batches.sizes.len();
        batches.rates = (0..batches.sizes.len()).map(|at| training.learning_rate(first + at, course.steps)).collect();
        let handle = network.handle_mut();
        // SAFETY: the batches' slices outlive the call, and the network is ours alone.
        call(|engine, failure| unsafe { (engine.train)(handle, &batches.view(), failure) })?;
        job::advance(Unit::Steps, steps_of_all(batches.sizes.len()));
    }
    let after = losses(&network, &shown)?;
    let flat = weights.flat_mut();
    // SAFETY: the slice outlives the call.
    call(|engine, failure| unsafe { (engine.flat)(network.handle(), flat.into(), failure) })?;
    Ok(Trained { course, before, after, between })
}

/// An epoch of all members as the interface wants it.
#[derive(Default)]
pub struct Batches {
    x: Vec<f32>,
    synthetic: Vec<f32>,
    ce_weights: Vec<f32>,
    ae_weights: Vec<f32>,
    sizes: Vec<usize>,
    rates: Vec<f64>,
    /// Of one member: all have the same number of rows and of batches
    count: Count,
}

impl Batches {
    /// Each member's next epoch.
    pub fn draw(members: &mut [Member], training: &Training) -> PolarsResult<Self> {
        let mut all = Self::default();
        for (at, member) in members.iter_mut().enumerate() {
            member.set.epoch(&mut member.rng, &mut |x, synthetic| {
                if at == 0 {
                    all.count.add(synthetic);
                    all.sizes.push(synthetic.len());
                }
                all.push(x, synthetic, training.weights(synthetic))
            })?;
        }
        Ok(all)
    }

    /// One batch of one member.
    #[cfg(test)]
    pub fn of_one(x: &[f32], synthetic: &[bool], training: &Training) -> PolarsResult<Self> {
        let mut all = Self { sizes: vec![synthetic.len()], rates: vec![0.0], ..Self::default() };
        all.push(x, synthetic, training.weights(synthetic))?;
        Ok(all)
    }

    /// One more batch of the member at hand, with the weights of its rows in the loss.
    fn push(&mut self, x: &[f32], synthetic: &[bool], (ce, ae): (f32, f32)) -> PolarsResult<()> {
        reserve(&mut self.x, x.len(), "the batches")?;
        for numbers in [&mut self.synthetic, &mut self.ce_weights, &mut self.ae_weights] {
            reserve(numbers, synthetic.len(), "the batches")?;
        }
        self.x.extend_from_slice(x);
        self.synthetic.extend(synthetic.iter().map(|synthetic| if *synthetic { 1f32 } else { 0.0 }));
        self.ce_weights.extend(std::iter::repeat_n(ce, synthetic.len()));
        self.ae_weights.extend(synthetic.iter().map(|synthetic| if *synthetic { 0.0 } else { ae }));
        Ok(())
    }

    pub fn view(&self) -> Epoch {
        Epoch {
            x: self.x.as_slice().into(),
            synthetic: self.synthetic.as_slice().into(),
            ce_weights: self.ce_weights.as_slice().into(),
            ae_weights: self.ae_weights.as_slice().into(),
            batches: self.sizes.as_slice().into(),
            rates: self.rates.as_slice().into(),
        }
    }
}

/// Means over the epoch.
fn losses(network: &Network, epoch: &Batches) -> PolarsResult<Losses> {
    let mut sums = LossSums::default();
    // SAFETY: the epoch's slices outlive the call.
    call(|engine, failure| unsafe { (engine.losses)(network.handle(), &epoch.view(), &mut sums, failure) })?;
    Ok(Losses {
        cross_entropy: (sums.cross_entropy / sums.rows.max(1.0)) as f32,
        reconstruction: (sums.reconstruction / sums.normal_rows.max(1.0)) as f32,
    })
}
