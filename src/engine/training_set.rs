//! What a member is trained on: its rows, its noise, and the order in which they come.
//!
//! Rows and noise are described, so that an engine can keep the rows where it computes, and draw the noise there.

use ndarray::{Array2, ArrayView2};
use polars::prelude::PolarsResult;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::memory::reserve;

/// What a member is trained on.
pub struct TrainingSet<'a> {
    /// Scaled rows `[n, d]`, which the members of a fit share
    pub table: ArrayView2<'a, f32>,
    /// The features of them that the member sees
    pub inputs: Vec<usize>,
    /// Rows of the member alone, `[count, inputs]`
    pub own: Array2<f32>,
    pub noise: NoiseBox,
    pub order: Box<dyn Order>,
}

/// Which rows an epoch has, batch by batch.
pub trait Order: Send + Sync {
    /// Each batch of the next epoch in turn. The generator that goes with a batch stands where the batch's noise begins; what
    /// takes the batch moves it past the noise.
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut TakeRows) -> PolarsResult<()>;
}

/// What takes the rows of a batch.
pub type TakeRows<'a> = dyn FnMut(&BatchRows, &mut ChaCha8Rng) -> PolarsResult<()> + 'a;

/// The rows of a batch.
pub struct BatchRows<'a> {
    /// Numbers of rows: those below n are the table's, the others the member's own
    pub rows: &'a [usize],
    /// y of each of these
    pub synthetic: &'a [bool],
    /// The number of rows of noise that come after them
    pub noise: usize,
}

/// What takes a batch: its rows `[rows, inputs]`, and y of each.
pub type TakeBatch<'a> = dyn FnMut(&[f32], &[bool]) -> PolarsResult<()> + 'a;

impl TrainingSet<'_> {
    /// One epoch: each batch in turn. One batch is in memory at a time; an error is that of a batch, or says that there is no
    /// memory for one.
    pub fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut TakeBatch) -> PolarsResult<()> {
        let (mut x, mut synthetic) = (vec![], vec![]);
        self.order.epoch(rng, &mut |batch, rng| {
            x.clear();
            synthetic.clear();
            let rows = batch.rows.len() + batch.noise;
            reserve(&mut x, rows.saturating_mul(self.inputs.len()), "the rows of a batch")?;
            reserve(&mut synthetic, rows, "the rows of a batch")?;
            batch.rows.iter().for_each(|row| self.push(*row, &mut x));
            self.noise.draw_into(&mut x, batch.noise, rng);
            synthetic.extend_from_slice(batch.synthetic);
            synthetic.resize(rows, true);
            each(&x, &synthetic)
        })
    }

    /// Adds a row as the member sees it.
    fn push(&self, row: usize, x: &mut Vec<f32>) {
        match row.checked_sub(self.table.nrows()) {
            None => {
                let row = self.table.row(row);
                x.extend(self.inputs.iter().map(|feature| row[*feature]));
            }
            Some(own) => x.extend(self.own.row(own)),
        }
    }
}

/// Uniform noise: `low` to `low + width` in each input.
#[derive(Clone, Debug, Default)]
pub struct NoiseBox {
    pub low: Vec<f32>,
    pub width: Vec<f32>,
}

impl NoiseBox {
    /// Adds `rows` rows of noise. Each number is one word of the generator, which an engine of its own may draw elsewhere.
    pub fn draw_into(&self, x: &mut Vec<f32>, rows: usize, rng: &mut ChaCha8Rng) {
        for _ in 0..rows {
            x.extend(self.low.iter().zip(&self.width).map(|(low, width)| rng.random::<f32>() * width + low));
        }
    }

    /// Moves a generator past `rows` rows of noise, and says at which word they begin.
    pub fn skip(&self, rows: usize, rng: &mut ChaCha8Rng) -> u128 {
        let first = rng.get_word_pos();
        rng.set_word_pos(first + (rows * self.low.len()) as u128);
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn noise_that_is_skipped_leaves_the_generator_as_noise_that_is_drawn() {
        let noise = NoiseBox { low: vec![0.0; 3], width: vec![1.0; 3] };
        let [mut drawn, mut skipped] = [(); 2].map(|()| ChaCha8Rng::seed_from_u64(3));
        for rows in [1, 0, 7, 40] {
            // A generator may stand within a block of sixteen words.
            let _: (u64, u32) = (drawn.random(), skipped.random());
            let _: (u64, u32) = (skipped.random(), drawn.random());
            assert_eq!(noise.skip(rows, &mut skipped), drawn.get_word_pos());
            noise.draw_into(&mut vec![], rows, &mut drawn);
            assert_eq!(drawn, skipped);
        }
    }
}
