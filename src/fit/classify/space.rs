//! Inputs around 0, which networks learn from: x' = (x − c)·f, with c the mean of the training rows,
//! and f one over the standard deviation. Bins, and inputs that are 0 or 1, are only centred.

use ndarray::ArrayView2;

use crate::engine::NoiseBox;
use crate::options::Options;

/// A range of 1 or less needs no other unit.
const NARROW: f32 = 1.0;

/// The centre and the factor of some inputs.
pub struct Space {
    pub centres: Vec<f32>,
    pub factors: Vec<f32>,
    /// The range of each, widened on both sides, in numbers around 0
    pub noise: NoiseBox,
}

impl Space {
    /// The space of all inputs of scaled rows.
    pub fn around_zero(rows: ArrayView2<f32>, options: &Options) -> Self {
        let margin = options.noise_margin as f32;
        let mut space = Self { centres: vec![], factors: vec![], noise: NoiseBox::default() };
        for column in rows.columns() {
            let count = column.len().max(1) as f64;
            let mean = column.iter().map(|number| f64::from(*number)).sum::<f64>() / count;
            let variance = column.iter().map(|number| (f64::from(*number) - mean).powi(2)).sum::<f64>() / count;
            let [low, high] = column.iter().fold([f32::MAX, f32::MIN], |[low, high], x| [low.min(*x), high.max(*x)]);
            let range = (high - low).max(0.0);
            let is_wide = range > NARROW && variance.sqrt() > 1e-6;
            let (centre, factor) = (mean as f32, if is_wide { (1.0 / variance.sqrt()) as f32 } else { 1.0 });
            space.centres.push(centre);
            space.factors.push(factor);
            space.noise.low.push((low - margin * range - centre) * factor);
            space.noise.width.push((1.0 + 2.0 * margin) * range * factor);
        }
        space
    }

    /// The space of some of the inputs.
    pub fn of(&self, inputs: &[usize]) -> Self {
        let of = |numbers: &[f32]| inputs.iter().map(|input| numbers[*input]).collect();
        let noise = NoiseBox { low: of(&self.noise.low), width: of(&self.noise.width) };
        Self { centres: of(&self.centres), factors: of(&self.factors), noise }
    }

    /// Makes a network for inputs around 0 of one for the table's: x·W + b = x'·(W/f) + (b + c·W).
    pub fn enter(&self, numbers: &mut [f32], outputs: usize) {
        self.shift(numbers, outputs, |weight, factor| (weight, weight / factor), 1.0);
    }

    /// The other way round.
    pub fn leave(&self, numbers: &mut [f32], outputs: usize) {
        self.shift(numbers, outputs, |weight, factor| (weight * factor, weight * factor), -1.0);
    }

    /// Replaces the first layer's weights, and adds `sign` · centre · weight to the biases. `weigh` gives
    /// the weight for the table's inputs, and the new one.
    fn shift(&self, numbers: &mut [f32], outputs: usize, weigh: impl Fn(f32, f32) -> (f32, f32), sign: f64) {
        let (weights, rest) = numbers.split_at_mut(self.centres.len() * outputs);
        let mut moved = vec![0f64; outputs];
        for (weights, (centre, factor)) in weights.chunks_exact_mut(outputs).zip(self.centres.iter().zip(&self.factors))
        {
            for (weight, moved) in weights.iter_mut().zip(&mut moved) {
                let (of_table, new) = weigh(*weight, *factor);
                *moved += sign * f64::from(*centre) * f64::from(of_table);
                *weight = new;
            }
        }
        rest.iter_mut().zip(moved).for_each(|(bias, moved)| *bias = (f64::from(*bias) + moved) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;
    use ndarray::array;

    #[test]
    fn a_network_gives_the_same_in_both_spaces() {
        let rows = array![[100.0f32, 0.0], [102.0, 1.0], [110.0, 0.0]];
        let space = Space::around_zero(rows.view(), &Options::with_labels(Preset::Default));
        assert_eq!(space.factors[1], 1.0);
        // Half a range below the lowest, and half a range above the highest.
        assert_eq!((space.noise.low[1], space.noise.width[1]), (-0.5 - space.centres[1], 2.0));
        let of_table = vec![0.5f32, -1.0, 2.0, 3.0, 7.0, 8.0];
        let mut around_zero = of_table.clone();
        space.enter(&mut around_zero, 2);
        let affine = |x: [f32; 2], numbers: &[f32]| {
            [0, 1].map(|at| x[0] * numbers[at] + x[1] * numbers[2 + at] + numbers[4 + at])
        };
        let moved = [(102.0 - space.centres[0]) * space.factors[0], (1.0 - space.centres[1]) * space.factors[1]];
        for (ours, expected) in affine(moved, &around_zero).into_iter().zip(affine([102.0, 1.0], &of_table)) {
            assert!((ours - expected).abs() < 1e-4, "{ours} {expected}");
        }
        space.leave(&mut around_zero, 2);
        for (ours, expected) in around_zero.iter().zip(of_table) {
            assert!((ours - expected).abs() < 1e-4, "{ours} {expected}");
        }
    }
}
