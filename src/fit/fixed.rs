//! Normal rows and anomalies that are the same in every epoch.

use ndarray::Array2;
use polars::prelude::PolarsResult;
use rand_chacha::ChaCha8Rng;

use crate::engine::{TakeBatch, TrainingSet};
use crate::options::Options;

use super::deck::shuffled;
use super::rows::Rows;

/// Normal rows and anomalies, the same in every epoch, in batches of any mixture.
pub struct Fixed<'a> {
    rows: Rows<'a>,
    normal: Vec<usize>,
    anomalies: Anomalies,
    batch_size: usize,
}

/// The anomalies of a [`Fixed`] set.
pub enum Anomalies {
    /// `[count, inputs]`
    Synthetic(Array2<f32>),
    /// Rows of the table
    Known(Vec<usize>),
}

impl Anomalies {
    fn len(&self) -> usize {
        match self {
            Self::Synthetic(rows) => rows.nrows(),
            Self::Known(rows) => rows.len(),
        }
    }
}

impl<'a> Fixed<'a> {
    pub fn new(rows: Rows<'a>, normal: Vec<usize>, anomalies: Anomalies, options: &Options) -> Self {
        Self { rows, normal, anomalies, batch_size: options.batch_size }
    }
}

impl TrainingSet for Fixed<'_> {
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut TakeBatch) -> PolarsResult<()> {
        let order = shuffled(self.normal.len() + self.anomalies.len(), rng)?;
        let mut batch = self.rows.batch(self.batch_size.min(order.len()))?;
        for places in order.chunks(self.batch_size) {
            batch.clear();
            for place in places {
                match (place.checked_sub(self.normal.len()), &self.anomalies) {
                    (None, _) => self.rows.push(self.normal[*place], &mut batch.x),
                    (Some(at), Anomalies::Synthetic(rows)) => batch.x.extend(rows.row(at)),
                    (Some(at), Anomalies::Known(known)) => self.rows.push(known[at], &mut batch.x),
                }
                batch.synthetic.push(*place >= self.normal.len());
            }
            each(&batch.x, &batch.synthetic)?;
        }
        Ok(())
    }
}
