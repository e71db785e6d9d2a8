//! Batches of normal rows and anomalies that are the same in every epoch.

use polars::prelude::PolarsResult;
use rand_chacha::ChaCha8Rng;

use crate::engine::{BatchRows, Order, TakeRows};
use crate::memory::reserved;
use crate::options::Options;

use super::sampler::shuffled;

/// Takes each normal row and each anomaly once in an epoch, mixed at random.
pub struct Fixed {
    normal: Vec<usize>,
    anomalies: Vec<usize>,
    batch_size: usize,
}

impl Fixed {
    /// Takes the numbers of the normal rows and of the anomalies.
    pub fn new(normal: Vec<usize>, anomalies: Vec<usize>, options: &Options) -> Self {
        Self { normal, anomalies, batch_size: options.batch_size }
    }
}

impl Order for Fixed {
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut TakeRows) -> PolarsResult<()> {
        let order = shuffled(self.normal.len() + self.anomalies.len(), rng)?;
        let largest = self.batch_size.min(order.len());
        let mut rows = reserved(largest, "the rows of a batch")?;
        let mut synthetic = reserved(largest, "the rows of a batch")?;
        for places in order.chunks(self.batch_size) {
            rows.clear();
            synthetic.clear();
            for place in places {
                let anomaly = place.checked_sub(self.normal.len());
                rows.push(anomaly.map_or_else(|| self.normal[*place], |at| self.anomalies[at]));
                synthetic.push(anomaly.is_some());
            }
            each(&BatchRows { rows: &rows, synthetic: &synthetic, noise: 0 }, rng)?;
        }
        Ok(())
    }
}
