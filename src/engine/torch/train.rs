//! Training by libtorch: the whole ensemble in one go, as a GPU wants it.
//!
//! The rows go to the device once. From then on an epoch is numbers of rows, and places in the members' generators, from which
//! the device draws the noise that the CPU would draw.

use polars::prelude::PolarsResult;

use crate::engine::device::Device;
use crate::engine::train::{Checkpoint, Count, Losses, Member, Trained, Training};
use crate::engine::weights::Weights;
use crate::job::{self, Unit};
use crate::memory::{reserve, reserved};
use crate::pool;

use super::interface::{BatchRows, Epoch, LossSums};
use super::library::call;
use super::material::Material;
use super::network::Network;

/// Trains all members, each on its own set.
pub fn train(
    weights: &mut Weights,
    mut members: Vec<Member>,
    training: &Training,
    device: Device,
) -> PolarsResult<Trained> {
    let mut network = Network::open(weights, device)?;
    let material = Material::of(&members)?;
    material.begin(&mut network)?;
    // The losses are those of one epoch, that is not trained on, so that before and after can be compared.
    let shown = Batches::plan(&mut members, &material, training)?;
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
        let mut batches = Batches::plan(&mut members, &material, training)?;
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
    rows: Vec<i64>,
    noise_at: Vec<i64>,
    synthetic: Vec<f32>,
    ae_weights: Vec<f32>,
    /// Of one member, as those below: all have the same number of rows and of batches
    sizes: Vec<BatchRows>,
    ce_weights: Vec<f64>,
    pub rates: Vec<f64>,
    count: Count,
}

impl Batches {
    /// Each member's next epoch.
    pub fn plan(members: &mut [Member], material: &Material, training: &Training) -> PolarsResult<Self> {
        // Side by side: to draw an order takes time too.
        let plan = |(at, member): (usize, &mut Member)| Self::of_member(at, member, material, training);
        let mut planned = pool::map(members.iter_mut().enumerate().collect(), plan)?.into_iter();
        let mut all = planned.next().unwrap_or_default();
        for member in planned {
            append(&mut all.rows, &member.rows)?;
            append(&mut all.noise_at, &member.noise_at)?;
            append(&mut all.synthetic, &member.synthetic)?;
            append(&mut all.ae_weights, &member.ae_weights)?;
        }
        Ok(all)
    }

    fn of_member(at: usize, member: &mut Member, material: &Material, training: &Training) -> PolarsResult<Self> {
        let (set, mut all) = (&member.set, Self::default());
        set.order.epoch(&mut member.rng, &mut |batch, rng| {
            let rows = batch.rows.len() + batch.noise;
            let mut synthetic = reserved(rows, "the rows of a batch")?;
            synthetic.extend_from_slice(batch.synthetic);
            synthetic.resize(rows, true);
            let (ce, ae) = training.weights(&synthetic);
            all.count.add(&synthetic);
            all.sizes.push(BatchRows { given: batch.rows.len(), noise: batch.noise });
            all.ce_weights.push(f64::from(ce));
            // No training is so long that a generator's place is beyond it.
            all.noise_at.push(set.noise.skip(batch.noise, rng) as i64);
            reserve(&mut all.rows, batch.rows.len(), "the batches")?;
            reserve(&mut all.synthetic, rows, "the batches")?;
            reserve(&mut all.ae_weights, rows, "the batches")?;
            all.rows.extend(batch.rows.iter().map(|row| material.row(at, *row)));
            all.synthetic.extend(synthetic.iter().map(|synthetic| f32::from(u8::from(*synthetic))));
            all.ae_weights.extend(synthetic.iter().map(|synthetic| if *synthetic { 0.0 } else { ae }));
            Ok(())
        })?;
        Ok(all)
    }

    pub fn view(&self) -> Epoch {
        Epoch {
            batches: self.sizes.as_slice().into(),
            rows: self.rows.as_slice().into(),
            noise_at: self.noise_at.as_slice().into(),
            synthetic: self.synthetic.as_slice().into(),
            ae_weights: self.ae_weights.as_slice().into(),
            ce_weights: self.ce_weights.as_slice().into(),
            rates: self.rates.as_slice().into(),
        }
    }
}

fn append<T: Copy>(all: &mut Vec<T>, part: &[T]) -> PolarsResult<()> {
    reserve(all, part.len(), "the batches")?;
    all.extend_from_slice(part);
    Ok(())
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
