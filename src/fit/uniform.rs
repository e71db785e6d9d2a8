//! Uniform noise: synthetic anomalies all over the data's box, and beyond, fresh in each epoch.

use ndarray::ArrayView2;
use polars::prelude::PolarsResult;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::engine::{TakeBatch, TrainingSet};
use crate::options::{Options, ScalingKind};

use super::deck::shuffled;
use super::rows::Rows;

/// The source of uniform noise: the box of the scaled data, widened on each side.
pub struct NoiseBox {
    low: Vec<f32>,
    width: Vec<f32>,
}

impl NoiseBox {
    /// Around the features `inputs` of scaled rows `[n, d]`.
    pub fn around(rows: ArrayView2<f32>, inputs: &[usize], options: &Options) -> Self {
        let margin = options.noise_margin as f32;
        let (mut lows, mut widths) = (vec![], vec![]);
        for input in inputs {
            let (low, range) = match options.scaling {
                // Known, without another look at all rows.
                ScalingKind::Minmax | ScalingKind::Robust => (0.0, 1.0),
                ScalingKind::Asinh => {
                    let ends = (f32::INFINITY, f32::NEG_INFINITY);
                    let column = rows.column(*input);
                    let (low, high) = column.iter().fold(ends, |(low, high), v| (low.min(*v), high.max(*v)));
                    (low, if high > low { high - low } else { 1.0 })
                }
            };
            lows.push(low - margin * range);
            widths.push((1.0 + 2.0 * margin) * range);
        }
        Self { low: lows, width: widths }
    }

    /// Adds `rows` rows of noise.
    pub fn draw_into(&self, x: &mut Vec<f32>, rows: usize, rng: &mut impl Rng) {
        for _ in 0..rows {
            x.extend(self.low.iter().zip(&self.width).map(|(low, width)| rng.random::<f32>() * width + low));
        }
    }
}

/// All rows are normal; noise comes from the box.
pub struct Uniform<'a> {
    rows: Rows<'a>,
    normal: Vec<usize>,
    noise: NoiseBox,
    /// Normal rows and noise of a full batch
    shares: (usize, usize),
}

impl<'a> Uniform<'a> {
    pub fn new(rows: Rows<'a>, normal: Vec<usize>, noise: NoiseBox, options: &Options) -> Self {
        Self { rows, normal, noise, shares: options.batch_shares() }
    }
}

impl TrainingSet for Uniform<'_> {
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut TakeBatch) -> PolarsResult<()> {
        let order = shuffled(self.normal.len(), rng)?;
        let (real, noise) = self.shares;
        // A batch that is not full gets its share of noise.
        let noise_beside = |rows: usize| (noise * rows).div_ceil(real);
        let largest = real.min(order.len());
        let mut batch = self.rows.batch(largest + noise_beside(largest))?;
        for places in order.chunks(real) {
            batch.clear();
            places.iter().for_each(|at| self.rows.push(self.normal[*at], &mut batch.x));
            let noise = noise_beside(places.len());
            self.noise.draw_into(&mut batch.x, noise, rng);
            batch.synthetic.resize(places.len(), false);
            batch.synthetic.resize(places.len() + noise, true);
            each(&batch.x, &batch.synthetic)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::fit::training_set::draw;
    use crate::fit::training_set::tests::{epoch, random_rows, rng, Epoch};
    use crate::options::{Options, Preset};

    #[test]
    fn uniform_noise_fills_the_widened_box_and_is_fresh() {
        let options = Options { max_samples: 0, ..Options::preset(Preset::Default) };
        let rows = random_rows(640, 2);
        let set = draw(rows.view(), None, &[1, 0], &options, &mut rng()).unwrap();
        let mut rng = rng();
        let noise = |epoch: &Epoch| -> Vec<f32> {
            let rows = epoch.x.chunks(2).zip(&epoch.synthetic);
            rows.filter(|(_, synthetic)| **synthetic).flat_map(|(row, _)| row.to_vec()).collect()
        };
        let (first, second) = (epoch(&*set, &mut rng), epoch(&*set, &mut rng));
        assert_eq!(first.batches, [128; 10]);
        assert_eq!(noise(&first).len(), 2 * 640);
        assert_ne!(noise(&first), noise(&second));
        let (low, high) = noise(&first).iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!((-0.5..-0.45).contains(&low) && (1.45..1.5).contains(&high), "{low} {high}");
    }
}
