//! Epochs as the interface wants them: numbers of rows, and places in the members' generators.

use polars::prelude::PolarsResult;

use crate::engine::train::{Count, Member, Training};
use crate::memory::{reserve, reserved};
use crate::pool;

use super::interface::{self, BatchRows};
use super::material::Material;

/// A member in training.
pub struct Learner<'a> {
    pub member: Member<'a>,
    pub training: Training<'a>,
}

/// An epoch of one member, in its set's own numbers of rows.
#[derive(Default)]
pub struct Planned {
    rows: Vec<usize>,
    noise_at: Vec<i64>,
    synthetic: Vec<f32>,
    ae_weights: Vec<f32>,
    ce_weights: Vec<f32>,
    pub sizes: Vec<BatchRows>,
    pub count: Count,
}

impl Planned {
    /// Each member's next epoch, side by side: to draw an order takes time too.
    pub fn of_each(learners: &mut [Learner]) -> PolarsResult<Vec<Self>> {
        pool::map(learners.iter_mut().collect(), Self::of)
    }

    fn of(Learner { member, training }: &mut Learner) -> PolarsResult<Self> {
        let (set, mut all) = (&member.set, Self::default());
        set.order.epoch(&mut member.rng, &mut |batch, rng| {
            let rows = batch.rows.len() + batch.noise;
            let mut synthetic = reserved(rows, "the rows of a batch")?;
            synthetic.extend_from_slice(batch.synthetic);
            synthetic.resize(rows, true);
            let (ce, ae) = training.weights(&synthetic);
            all.count.add(&synthetic);
            all.sizes.push(BatchRows { given: batch.rows.len(), noise: batch.noise });
            all.ce_weights.push(ce);
            // No training is so long that a generator's place is beyond it.
            all.noise_at.push(set.noise.skip(batch.noise, rng) as i64);
            append(&mut all.rows, batch.rows.iter().copied())?;
            append(&mut all.synthetic, synthetic.iter().map(|synthetic| f32::from(u8::from(*synthetic))))?;
            append(&mut all.ae_weights, synthetic.iter().map(|synthetic| if *synthetic { 0.0 } else { ae }))
        })?;
        Ok(all)
    }
}

/// An epoch of all members, whose batches are of equal sizes.
#[derive(Default)]
pub struct Epoch {
    rows: Vec<i64>,
    noise_at: Vec<i64>,
    synthetic: Vec<f32>,
    ae_weights: Vec<f32>,
    ce_weights: Vec<f32>,
    sizes: Vec<BatchRows>,
    pub rates: Vec<f64>,
}

impl Epoch {
    /// Of members whose rows are in the material.
    pub fn joined(members: Vec<Planned>, material: &Material) -> PolarsResult<Self> {
        let mut all = Self::default();
        for (at, member) in members.into_iter().enumerate() {
            append(&mut all.rows, member.rows.iter().map(|row| material.row(at, *row)))?;
            append(&mut all.noise_at, member.noise_at.iter().copied())?;
            append(&mut all.synthetic, member.synthetic.iter().copied())?;
            append(&mut all.ae_weights, member.ae_weights.iter().copied())?;
            append(&mut all.ce_weights, member.ce_weights.iter().copied())?;
            all.sizes = member.sizes;
        }
        Ok(all)
    }

    /// The number of batches.
    pub fn batches(&self) -> usize {
        self.sizes.len()
    }

    pub fn view(&self) -> interface::Epoch {
        interface::Epoch {
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

fn append<T>(all: &mut Vec<T>, part: impl ExactSizeIterator<Item = T>) -> PolarsResult<()> {
    reserve(all, part.len(), "the batches")?;
    all.extend(part);
    Ok(())
}
