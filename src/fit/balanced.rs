//! Known anomalies as half of each batch, whatever their share of the table, with uniform noise on top.

use polars::prelude::PolarsResult;
use rand_chacha::ChaCha8Rng;

use crate::engine::{TakeBatch, TrainingSet};
use crate::options::Options;

use super::deck::{shuffled, Deck};
use super::rows::Rows;
use super::uniform::NoiseBox;

/// Normal rows, each once in an epoch, beside the same number of known anomalies, each as often as any other.
pub struct Balanced<'a> {
    rows: Rows<'a>,
    normal: Vec<usize>,
    known: Vec<usize>,
    noise: NoiseBox,
    /// Rows that are not noise, and noise, of a full batch
    shares: (usize, usize),
}

impl<'a> Balanced<'a> {
    pub fn new(rows: Rows<'a>, normal: Vec<usize>, known: Vec<usize>, noise: NoiseBox, options: &Options) -> Self {
        Self { rows, normal, known, noise, shares: options.batch_shares() }
    }
}

impl TrainingSet for Balanced<'_> {
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut TakeBatch) -> PolarsResult<()> {
        let order = shuffled(self.normal.len(), rng)?;
        let (others, noise) = self.shares;
        let real = others.div_ceil(2);
        // A batch that is not full gets its share of noise.
        let noise_beside = |rows: usize| (noise * rows).div_ceil(real);
        let mut deck = Deck::new(self.known.clone());
        let largest = real.min(order.len());
        let mut batch = self.rows.batch(2 * largest + noise_beside(largest))?;
        for places in order.chunks(real) {
            batch.clear();
            places.iter().for_each(|at| self.rows.push(self.normal[*at], &mut batch.x));
            let known: Vec<usize> = places.iter().filter_map(|_| deck.draw(rng)).collect();
            known.iter().for_each(|row| self.rows.push(*row, &mut batch.x));
            let noise = noise_beside(places.len());
            self.noise.draw_into(&mut batch.x, noise, rng);
            batch.synthetic.resize(places.len(), false);
            batch.synthetic.resize(places.len() + known.len() + noise, true);
            each(&batch.x, &batch.synthetic)?;
        }
        Ok(())
    }
}
