//! Uniform noise: synthetic anomalies all over the data's box and beyond, new in each epoch.

use ndarray::ArrayView2;
use polars::prelude::PolarsResult;
use rand_chacha::ChaCha8Rng;

use crate::engine::{BatchRows, NoiseBox, Order, TakeRows};
use crate::memory::reserved;
use crate::options::{Options, ScalingKind};

use super::sampler::shuffled;

/// The box that uniform noise fills: that of scaled rows `[n, d]` in the features `inputs`, widened
/// on each side.
pub fn noise_box(rows: ArrayView2<f32>, inputs: &[usize], options: &Options) -> NoiseBox {
    let margin = options.noise_margin as f32;
    let mut noise = NoiseBox::default();
    for input in inputs {
        let (low, range) = match options.scaling {
            // The scaling says what the range is.
            ScalingKind::Minmax | ScalingKind::Robust => (0.0, 1.0),
            ScalingKind::Asinh => {
                let ends = (f32::INFINITY, f32::NEG_INFINITY);
                let column = rows.column(*input);
                let (low, high) = column.iter().fold(ends, |(low, high), v| (low.min(*v), high.max(*v)));
                (low, if high > low { high - low } else { 1.0 })
            }
        };
        noise.low.push(low - margin * range);
        noise.width.push((1.0 + 2.0 * margin) * range);
    }
    noise
}

/// Takes each row once in an epoch, as a normal one, and adds noise from the box.
pub struct Uniform {
    normal: Vec<usize>,
    /// The numbers of normal rows and of rows of noise in a full batch.
    shares: (usize, usize),
}

impl Uniform {
    pub fn new(normal: Vec<usize>, options: &Options) -> Self {
        Self { normal, shares: options.batch_shares() }
    }
}

impl Order for Uniform {
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut TakeRows) -> PolarsResult<()> {
        let order = shuffled(self.normal.len(), rng)?;
        let (real, noise) = self.shares;
        let mut rows = reserved(real.min(order.len()), "the rows of a batch")?;
        for places in order.chunks(real) {
            rows.clear();
            rows.extend(places.iter().map(|at| self.normal[*at]));
            // A batch that is not full gets its share of noise.
            let noise = (noise * rows.len()).div_ceil(real);
            let synthetic = vec![false; rows.len()];
            each(&BatchRows { rows: &rows, synthetic: &synthetic, noise }, rng)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::fit::batches::draw;
    use crate::fit::batches::tests::{epoch, random_rows, rng, Epoch};
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
        let (first, second) = (epoch(&set, &mut rng), epoch(&set, &mut rng));
        assert_eq!(first.batches, [128; 10]);
        assert_eq!(noise(&first).len(), 2 * 640);
        assert_ne!(noise(&first), noise(&second));
        let (low, high) = noise(&first).iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!((-0.5..-0.45).contains(&low) && (1.45..1.5).contains(&high), "{low} {high}");
    }
}
