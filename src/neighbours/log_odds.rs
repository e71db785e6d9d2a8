//! Scaled inputs as log odds: of an input x, the log odds that a kept row's is below it.
//!
//! In this view, inputs are compared by how many kept rows lie between them, whatever the shape of
//! their distributions.

use polars::prelude::PolarsResult;

use crate::memory::reserved;
use crate::simd::{Task, Vector};

/// The number of knots of each input.
pub const LOG_ODDS_KNOTS: usize = 33;

/// Piecewise linear curves between knots, flat beyond the outermost ones.
#[derive(Clone, Debug, PartialEq)]
pub struct LogOdds {
    /// `[inputs, LOG_ODDS_KNOTS]`, in rising order; the last one is repeated where there are fewer
    knots: Vec<f32>,
    /// The log odds at each of them
    odds: Vec<f32>,
}

impl LogOdds {
    /// Takes knots and their log odds, `[inputs, LOG_ODDS_KNOTS]`.
    pub fn new(knots: Vec<f32>, odds: Vec<f32>) -> Self {
        Self { knots, odds }
    }

    /// Fits the curves to at least one row, `[n, inputs]`. The knots are quantiles whose log odds
    /// are evenly spaced, so that the tails have some.
    pub fn fit(rows: &[f32], inputs: usize) -> PolarsResult<Self> {
        let n = rows.len() / inputs;
        let mut column: Vec<f32> = reserved(n, "the inputs of the kept rows")?;
        let (mut knots, mut odds) = (Vec::new(), Vec::new());
        for input in 0..inputs {
            column.clear();
            column.extend(rows.iter().skip(input).step_by(inputs));
            column.sort_unstable_by(f32::total_cmp);
            let first = knots.len();
            for number in quantiles(&column) {
                if knots.len() == first || number > knots[knots.len() - 1] {
                    knots.push(number);
                    odds.push(odds_in(&column, number));
                }
            }
            let last = [knots[knots.len() - 1], odds[odds.len() - 1]];
            knots.resize(first + LOG_ODDS_KNOTS, last[0]);
            odds.resize(first + LOG_ODDS_KNOTS, last[1]);
        }
        Ok(Self { knots, odds })
    }

    pub fn knots(&self) -> &[f32] {
        &self.knots
    }

    pub fn odds(&self) -> &[f32] {
        &self.odds
    }

    /// What is wrong with its numbers, if anything is.
    pub fn fault(&self) -> Option<String> {
        let finite = self.knots.iter().chain(&self.odds).all(|number| number.is_finite());
        let rises = |numbers: &[f32]| numbers.chunks(LOG_ODDS_KNOTS).all(|of_input| of_input.is_sorted());
        let good = finite && rises(&self.knots) && rises(&self.odds);
        (!good).then(|| "the log odds of its kept rows are not finite, or do not rise".to_string())
    }

    /// Rows, `[n, inputs]`, in this view.
    pub fn rows(&self, rows: &[f32]) -> PolarsResult<Vec<f32>> {
        let mut found = reserved(rows.len(), "the kept rows")?;
        let inputs = self.knots.len() / LOG_ODDS_KNOTS;
        for row in rows.chunks_exact(inputs) {
            found.extend(row.iter().enumerate().map(|(input, number)| self.apply(input, *number)));
        }
        Ok(found)
    }

    fn curve(&self, input: usize) -> (&[f32], &[f32]) {
        let all = input * LOG_ODDS_KNOTS..(input + 1) * LOG_ODDS_KNOTS;
        (&self.knots[all.clone()], &self.odds[all])
    }

    fn apply(&self, input: usize, number: f32) -> f32 {
        let (knots, odds) = self.curve(input);
        let segments = knots.windows(2).zip(odds.windows(2));
        segments.fold(odds[0], |sum, (knots, odds)| sum + part(number, knots, odds))
    }
}

/// A tile, `[inputs, tile]`, in the view, into `out`.
pub struct OddsOfTile<'a> {
    pub view: &'a LogOdds,
    pub tile: &'a [f32],
    pub out: &'a mut [f32],
}

impl Task for OddsOfTile<'_> {
    type Output = ();

    /// Plain loops over the rows, which the compiler makes vectors of: a row passes all segments
    /// rather than search its own.
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { view, tile, out } = self;
        for (input, (tile, out)) in tile.chunks_exact(V::TILE).zip(out.chunks_exact_mut(V::TILE)).enumerate() {
            let (knots, odds) = view.curve(input);
            out.fill(odds[0]);
            for (knots, odds) in knots.windows(2).zip(odds.windows(2)) {
                for (number, out) in tile.iter().zip(out.iter_mut()) {
                    *out += part(*number, knots, odds);
                }
            }
        }
    }
}

/// What the segment between two knots adds to the log odds of a number. Its bounds are exact, so
/// that the sum is that of the knots.
#[inline(always)]
fn part(number: f32, knots: &[f32], odds: &[f32]) -> f32 {
    ((number - knots[0]) * slope(knots, odds)).max(0.0).min(odds[1] - odds[0])
}

/// The slope between two knots; 0 where they are one.
#[inline(always)]
fn slope(knots: &[f32], odds: &[f32]) -> f32 {
    let run = knots[1] - knots[0];
    // Of numbers that are next to each other, the quotient may be infinite.
    if run > 0.0 {
        ((odds[1] - odds[0]) / run).min(f32::MAX)
    } else {
        0.0
    }
}

/// Numbers of a sorted column at quantiles whose log odds are evenly spaced, in rising order.
fn quantiles(column: &[f32]) -> impl Iterator<Item = f32> + '_ {
    let n = column.len() as f64;
    let most = libm::log(n);
    (0..LOG_ODDS_KNOTS).map(move |at| {
        let odds = most * (2.0 * at as f64 / (LOG_ODDS_KNOTS - 1) as f64 - 1.0);
        let place = (n + 1.0) / (1.0 + libm::exp(-odds));
        column[(place.round() as usize).clamp(1, column.len()) - 1]
    })
}

/// The log odds that a number of a sorted column is below `number`, which is one of them; of those
/// that are equal to it, half are.
fn odds_in(column: &[f32], number: f32) -> f32 {
    let below = column.partition_point(|other| *other < number);
    let up_to = column.partition_point(|other| *other <= number);
    let place = (below + up_to + 1) as f64 / 2.0;
    libm::log(place / (column.len() as f64 + 1.0 - place)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tiled;
    use crate::simd::Simd;
    use ndarray::Array2;

    fn rows() -> Array2<f32> {
        Array2::from_shape_fn((400, 4), |(row, input)| match input {
            0 => libm::exp((row as f64 - 200.0) / 30.0) as f32,
            1 => (row % 3) as f32,
            2 => 7.0,
            _ => libm::sin(row as f64) as f32,
        })
    }

    fn view() -> LogOdds {
        LogOdds::fit(rows().as_slice().unwrap(), 4).unwrap()
    }

    #[test]
    fn numbers_become_the_log_odds_of_their_ranks() {
        let seen = view().rows(rows().as_slice().unwrap()).unwrap();
        for row in 0..400 {
            let rank = (row + 1) as f32;
            let expected = (rank / (401.0 - rank)).ln();
            assert!((seen[4 * row] - expected).abs() < 0.1, "{row}: {} {expected}", seen[4 * row]);
            assert_eq!(seen[4 * row + 2], 0.0, "of a constant");
        }
        // 134 zeros, 133 ones and 133 twos, of each half below.
        for (row, rank) in [(0, 67.5f32), (1, 201.0), (2, 334.0)] {
            assert!((seen[4 * row + 1] - (rank / (401.0 - rank)).ln()).abs() < 1e-6);
        }
    }

    #[test]
    fn the_view_is_the_same_whatever_the_vectors_and_flat_beyond_the_training_range() {
        let (view, mut rows) = (view(), rows());
        rows.row_mut(0).fill(-1e6);
        rows.row_mut(1).fill(1e6);
        let expected = view.rows(rows.as_slice().unwrap()).unwrap();
        let ends = [0, LOG_ODDS_KNOTS - 1].map(|at| view.odds()[at]);
        assert!((expected[0] - ends[0]).abs() < 1e-6 && (expected[4] - ends[1]).abs() < 1e-5, "{expected:?}");
        for simd in Simd::available() {
            let tile = simd.tile_rows();
            let tiles = tiled(rows.view(), tile).unwrap();
            let mut out = vec![0f32; 4 * tile];
            simd.run(OddsOfTile { view: &view, tile: &tiles[..4 * tile], out: &mut out });
            for (at, found) in out.iter().enumerate() {
                assert_eq!(*found, expected[at % tile * 4 + at / tile]);
            }
        }
    }

    #[test]
    fn the_smallest_numbers_and_the_largest_have_finite_log_odds() {
        for column in [vec![0.0, f32::from_bits(1)], vec![-1e6, 1e6], vec![3.0]] {
            let view = LogOdds::fit(&column, 1).unwrap();
            assert_eq!(view.fault(), None);
            let seen = view.rows(&[-1e6, column[0], 0.0, 1e6]).unwrap();
            assert!(seen.iter().all(|odds| odds.is_finite()) && seen.is_sorted(), "{seen:?}");
        }
    }

    #[test]
    fn faults_are_named() {
        let good = view();
        for (at, number) in [(3, f32::NAN), (0, 1e9), (40, f32::INFINITY)] {
            let (mut knots, mut odds) = (good.knots.clone(), good.odds.clone());
            knots[at] = number;
            assert!(LogOdds::new(knots, good.odds.clone()).fault().unwrap().contains("log odds"));
            odds[at] = number;
            assert!(LogOdds::new(good.knots.clone(), odds).fault().unwrap().contains("log odds"));
        }
    }
}
