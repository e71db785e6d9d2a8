//! Draws the rows from which a student learns an ensemble's heads: training rows, and rows around
//! and beyond them.

use ndarray::{Array2, ArrayView2, ArrayViewMut1};
use polars::prelude::PolarsResult;
use rand::seq::index;
use rand::Rng;

use crate::memory::matrix;

/// How a row is made of a training row.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    /// The training row as it is
    Training,
    /// With some inputs of another one
    Exchanged,
    /// With Gaussian noise on every input, at a drawn scale
    Disturbed,
    /// On the line through it and another one, up to as far beyond it
    OnLine,
    /// Anywhere in the box of the training rows, which is widened by half of its width on each side
    Box,
    /// With some inputs from that box
    PartlyBox,
    /// Up to a hundred times as far from the middle
    Far,
}

use Origin::{Box, Disturbed, Exchanged, Far, OnLine, PartlyBox, Training};

/// The share of the rows of each origin.
const SHARES: [(Origin, f32); 7] = [
    (Training, 0.45),
    (Disturbed, 0.18),
    (Exchanged, 0.12),
    (OnLine, 0.1),
    (Box, 0.05),
    (PartlyBox, 0.05),
    (Far, 0.05),
];

/// The widest disturbance, in standard deviations, and its ratio to the narrowest one, both as
/// powers of 10.
const WIDEST: f32 = 0.0;
const SCALES: f32 = 2.0;
/// How far from the middle rows go, as a power of 10.
const FARTHEST: f32 = 2.0;

/// Draws `count` rows `[n, inputs]` around the training rows, of which there is at least one.
pub fn draw(rows: ArrayView2<f32>, count: usize, rng: &mut impl Rng) -> PolarsResult<Array2<f32>> {
    let (training, inputs) = rows.dim();
    let spans: Vec<InputSpan> =
        rows.columns().into_iter().map(|column| InputSpan::from_numbers(column.iter().copied())).collect();
    let mut drawn = matrix(count, inputs, "the rows that a network is distilled on")?;
    let mut left: Vec<usize> = vec![];
    for mut row in drawn.rows_mut() {
        // Each training row comes once before any comes again.
        if left.is_empty() {
            left = index::sample(rng, training, training.min(count)).into_vec();
        }
        let Some(number) = left.pop() else { continue };
        row.assign(&rows.row(number));
        match origin(rng.random()) {
            Training => {}
            Exchanged => {
                let other = rows.row(rng.random_range(0..training));
                some(&mut row, rng, |at, _| other[at]);
            }
            Disturbed => {
                let scale = power_of_10(WIDEST - SCALES * rng.random::<f32>());
                for (number, span) in row.iter_mut().zip(&spans) {
                    *number += bell(rng) * scale * span.deviation;
                }
            }
            OnLine => {
                let other = rows.row(rng.random_range(0..training));
                let share = 2.0 * rng.random::<f32>() - 1.0;
                row.iter_mut().zip(other).for_each(|(number, other)| *number += share * (other - *number));
            }
            Box => row.iter_mut().zip(&spans).for_each(|(number, span)| *number = span.in_box(rng)),
            PartlyBox => some(&mut row, rng, |at, rng| spans[at].in_box(rng)),
            Far => {
                let scale = power_of_10(FARTHEST * rng.random::<f32>());
                let places = row.iter_mut().zip(&spans);
                places.for_each(|(number, span)| *number = span.mean + scale * (*number - span.mean));
            }
        }
    }
    Ok(drawn)
}

/// The origin of the row at a share of all rows.
fn origin(mut share: f32) -> Origin {
    for (origin, part) in SHARES {
        if share < part {
            return origin;
        }
        share -= part;
    }
    Training
}

/// Replaces a random share of the inputs.
fn some<R: Rng>(row: &mut ArrayViewMut1<f32>, rng: &mut R, mut new: impl FnMut(usize, &mut R) -> f32) {
    let share: f32 = rng.random();
    for (at, number) in row.iter_mut().enumerate() {
        if rng.random::<f32>() < share {
            *number = new(at, rng);
        }
    }
}

fn power_of_10(power: f32) -> f32 {
    libm::expf(power * std::f32::consts::LN_10)
}

/// Draws a nearly standard normal number: the scaled sum of four uniform ones, whose variance is
/// 1/3.
///
/// Unlike rand_distr's normal numbers, it needs no function of the platform, so that models are the
/// same to the bit on all platforms.
fn bell(rng: &mut impl Rng) -> f32 {
    let sum: f32 = (0..4).map(|_| rng.random::<f32>() - 0.5).sum();
    sum * 3f32.sqrt()
}

/// The range and the moments of the training rows in one input.
struct InputSpan {
    /// The lower end of the widened box; `width` is the box's width.
    low: f32,
    width: f32,
    mean: f32,
    deviation: f32,
}

impl InputSpan {
    fn from_numbers(numbers: impl Iterator<Item = f32> + Clone) -> Self {
        let ends = (f32::INFINITY, f32::NEG_INFINITY);
        let (low, high) = numbers.clone().fold(ends, |(low, high), number| (low.min(number), high.max(number)));
        let (count, sum) =
            numbers.clone().fold((0.0, 0.0), |(count, sum), number| (count + 1.0, sum + f64::from(number)));
        let mean = sum / count;
        let variance = numbers.map(|number| (f64::from(number) - mean).powi(2)).sum::<f64>() / count;
        let range = if high > low { high - low } else { 1.0 };
        Self { low: low - 0.5 * range, width: 2.0 * range, mean: mean as f32, deviation: variance.sqrt() as f32 }
    }

    fn in_box(&self, rng: &mut impl Rng) -> f32 {
        self.low + rng.random::<f32>() * self.width
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::batches::tests::{random_rows, rng};

    #[test]
    fn the_shares_are_all_rows() {
        let sum: f32 = SHARES.iter().map(|(_, share)| share).sum();
        assert!((sum - 1.0).abs() < 1e-6);
        assert_eq!([0.0, 0.44, 0.46, 0.999].map(origin), [Training, Training, Disturbed, Far]);
    }

    #[test]
    fn each_training_row_comes_about_equally_often_and_nearly_half_of_the_rows_are_training_rows() {
        let rows = random_rows(50, 3);
        let drawn = draw(rows.view(), 2_000, &mut rng()).unwrap();
        let counts: Vec<usize> =
            rows.rows().into_iter().map(|row| drawn.rows().into_iter().filter(|other| *other == row).count()).collect();
        assert!(counts.iter().all(|count| (5..=35).contains(count)), "{counts:?}");
        assert!((900..1_200).contains(&counts.iter().sum::<usize>()), "{counts:?}");
    }

    #[test]
    fn rows_reach_beyond_the_training_rows_on_all_sides_and_are_finite() {
        let rows = random_rows(300, 4);
        let drawn = draw(rows.view(), 4_000, &mut rng()).unwrap();
        for column in drawn.columns() {
            let (low, high) =
                column.iter().fold((f32::MAX, f32::MIN), |(l, h), number| (l.min(*number), h.max(*number)));
            assert!(low < -10.0 && high > 10.0 && low > -60.0 && high < 60.0, "{low} {high}");
        }
        let near =
            drawn.rows().into_iter().filter(|row| row.iter().all(|number| (-0.5..=1.5).contains(number))).count();
        assert!(near > 3_700, "{near}");
    }

    #[test]
    fn constant_inputs_leave_their_value_too() {
        let drawn = draw(Array2::from_elem((10, 2), 3.0).view(), 500, &mut rng()).unwrap();
        assert!(drawn.iter().any(|number| *number > 3.3) && drawn.iter().any(|number| *number < 2.7));
    }

    #[test]
    fn the_bell_has_variance_1() {
        let mut rng = rng();
        let numbers: Vec<f32> = (0..20_000).map(|_| bell(&mut rng)).collect();
        let square = numbers.iter().map(|number| number * number).sum::<f32>() / 20_000.0;
        assert!((square - 1.0).abs() < 0.05 && numbers.iter().sum::<f32>().abs() < 600.0, "{square}");
    }
}
