//! Batches for labelled rows: half of each batch are known anomalies, however rare they are in the
//! table, and uniform noise is added.

use polars::prelude::PolarsResult;
use rand_chacha::ChaCha8Rng;

use crate::engine::{BatchRows, Order, TakeRows};
use crate::memory::reserved;
use crate::options::Options;

use super::sampler::{shuffled, BalancedSampler};

/// Takes each normal row once in an epoch, and the same number of known anomalies, each of them
/// equally often.
pub struct Balanced {
    normal: Vec<usize>,
    known: Vec<usize>,
    /// A full batch has this number of rows, and this number of rows of noise.
    shares: (usize, usize),
}

impl Balanced {
    pub fn new(normal: Vec<usize>, known: Vec<usize>, options: &Options) -> Self {
        Self { normal, known, shares: options.batch_shares() }
    }
}

impl Order for Balanced {
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut TakeRows) -> PolarsResult<()> {
        let order = shuffled(self.normal.len(), rng)?;
        let (others, noise) = self.shares;
        let real = others.div_ceil(2);
        let mut known = BalancedSampler::new(self.known.clone());
        let mut rows = reserved(2 * real.min(order.len()), "the rows of a batch")?;
        for places in order.chunks(real) {
            rows.clear();
            rows.extend(places.iter().map(|at| self.normal[*at]));
            rows.extend(places.iter().filter_map(|_| known.next(rng)));
            let mut synthetic = vec![false; places.len()];
            synthetic.resize(rows.len(), true);
            // A batch that is not full gets its share of noise.
            let noise = (noise * places.len()).div_ceil(real);
            each(&BatchRows { rows: &rows, synthetic: &synthetic, noise }, rng)?;
        }
        Ok(())
    }
}
