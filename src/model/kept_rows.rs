//! Training rows that a model keeps: an autoencoder whose decoder is a look-up.
//!
//! Such a one reconstructs a row by the nearest row that it keeps. The distance between the two is a reconstruction error like
//! that of eq. 6, and is added to it, in the unit that gives both errors comparable spreads over the training rows. What is like
//! none of the training rows is then an anomaly, even if the networks have learned to reconstruct it.
//!
//! The kept rows may be several draws. Each is a look-up of its own, and the distances are averaged: an anomaly is far from most small
//! draws of rows, even if other anomalies are like it (Sugiyama and Borgwardt, 2013). Rows are compared in two views: scaled, as
//! the networks take them, and by [`Asinh`]. In the first, a feature counts by its range, in the second by how much is usual.
//!
//! A kept row is not compared with itself, so that it has the score that it had in the training: where the nearest row of a draw is at
//! distance 0, the second nearest takes its place. (In models of format 4, it does not.)

use polars::prelude::PolarsResult;

use crate::simd::Simd;

use super::asinh::{Asinh, ViewOfTile};
use super::nearest::{Search, NONE};

/// Rows, at least one of them in each draw, in each view.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRows {
    scaled: View,
    /// None in files of format 4
    standard: Option<(Asinh, View)>,
}

/// No kept row; a draw has at most 65,536 of them.
const NO_ROW: u32 = u32::MAX;

/// The rows of all draws in one view, `[draws, kept, inputs]`.
#[derive(Clone, Debug, PartialEq)]
struct View {
    rows: Vec<f32>,
    draws: usize,
    inputs: usize,
    /// What a distance is multiplied with to be a reconstruction error
    unit: f32,
}

/// A row of tiles, and the kept row of a draw that it is compared with.
struct Found<'a> {
    row: usize,
    draw: usize,
    /// Which row of the draw it is
    number: usize,
    /// The square of their distance
    square: f32,
    nearest: &'a [f32],
    /// The row's numbers in the view: a tile, `[inputs, wide]`, from the row's place in it on
    numbers: &'a [f32],
    wide: usize,
}

impl KeptRows {
    /// From scaled `rows`, `[draws, kept, inputs]`, and the units of both views; of one, where there is no other.
    pub fn new(
        rows: Vec<f32>,
        draws: usize,
        inputs: usize,
        standard: Option<Asinh>,
        units: &[f32],
    ) -> PolarsResult<Self> {
        let unit = |view: usize| units.get(view).copied().unwrap_or(f32::NAN);
        let standard = match standard {
            None => None,
            Some(view) => {
                let of_view = View { rows: view.rows(&rows)?, draws, inputs, unit: unit(1) };
                Some((view, of_view))
            }
        };
        Ok(Self { scaled: View { rows, draws, inputs, unit: unit(0) }, standard })
    }

    /// The same rows, with distances in other units.
    pub fn with_units(mut self, units: [f32; 2]) -> Self {
        self.scaled.unit = units[0];
        self.standard.iter_mut().for_each(|(_, of_view)| of_view.unit = units[1]);
        self
    }

    pub fn draws(&self) -> usize {
        self.scaled.draws
    }

    /// The rows, scaled, `[draws, kept, inputs]`.
    pub fn numbers(&self) -> &[f32] {
        &self.scaled.rows
    }

    pub fn units(&self) -> Vec<f32> {
        self.views().map(|(_, view)| view.unit).collect()
    }

    pub fn standard(&self) -> Option<&Asinh> {
        self.standard.as_ref().map(|(view, _)| view)
    }

    pub fn bytes(&self) -> usize {
        self.views().map(|(_, view)| view.rows.len() * size_of::<f32>()).sum()
    }

    /// What is wrong with its numbers, if anything is.
    pub fn fault(&self) -> Option<String> {
        if !self.scaled.rows.iter().all(|number| number.is_finite()) {
            return Some("a number of its kept rows is not finite".to_string());
        }
        let unusable = |unit: &f32| !(unit.is_normal() && *unit > 0.0);
        let unit = self.units().into_iter().find(unusable);
        unit.map(|unit| format!("the unit of its kept rows is {unit}, expected a finite number above 0"))
            .or_else(|| self.standard().and_then(Asinh::fault))
    }

    /// Adds each row's distances as reconstruction errors to `errors`; rows come in tiles, `[tiles, inputs, tile]`.
    pub fn add_errors(&self, tiles: &[f32], tile: usize, errors: &mut [f32]) {
        let mut distances = [vec![0f32; errors.len()], vec![0f32; errors.len()]];
        self.add_distances(tiles, tile, distances.each_mut().map(Vec::as_mut_slice));
        self.weigh(&distances, errors);
    }

    /// Adds distances in both views, each in its unit, to `errors`.
    pub fn weigh(&self, distances: &[Vec<f32>; 2], errors: &mut [f32]) {
        let [scaled, standard] = [&self.scaled, self.standard.as_ref().map_or(&self.scaled, |(_, view)| view)];
        let both = distances[0].iter().zip(&distances[1]);
        for (error, (of_scaled, of_standard)) in errors.iter_mut().zip(both) {
            *error += scaled.unit * of_scaled + standard.unit * of_standard;
        }
    }

    /// Adds the gradient of `weights` · error to `out`, which is as `tiles`. There is a weight for each row, which is not compared with
    /// the kept ones that it [`equals`](Self::equals) at the end of its way.
    pub fn add_gradients(&self, tiles: &[f32], tile: usize, weights: &[f32], equal: &[u32], out: &mut [f32]) {
        for (view, rows) in self.views() {
            rows.add_gradients(view, tiles, tile, (weights, equal), out);
        }
    }

    /// Of each draw and row, `[draws, rows]`, the number of the kept row that the row is not compared with, since it is that row; else
    /// [`NO_ROW`].
    pub fn equals(&self, tiles: &[f32], tile: usize, rows: usize) -> Vec<u32> {
        let mut equal = vec![NO_ROW; self.scaled.draws * rows];
        if self.leaves_itself_out() {
            let of = Compared { view: None, tiles, tile, rows, leave_out: LeaveOut::Nothing, which: true };
            let lone = self.scaled.kept() == 1;
            self.scaled.each(of, |found| {
                if found.square == 0.0 && !lone {
                    equal[found.draw * rows + found.row] = found.number as u32;
                }
            });
        }
        equal
    }

    /// Adds each row's distance in each view, without a unit, to the view's part of `distances`.
    pub fn add_distances(&self, tiles: &[f32], tile: usize, distances: [&mut [f32]; 2]) {
        for ((view, rows), distances) in self.views().zip(distances) {
            rows.add_distances(view, tiles, tile, self.leaves_itself_out(), distances);
        }
    }

    /// Whether a row is not compared with a kept one that equals it.
    fn leaves_itself_out(&self) -> bool {
        self.standard.is_some()
    }

    fn views(&self) -> impl Iterator<Item = (Option<&Asinh>, &View)> {
        let standard = self.standard.iter().map(|(view, rows)| (Some(view), rows));
        std::iter::once((None, &self.scaled)).chain(standard)
    }
}

impl View {
    /// The number of rows of a draw.
    fn kept(&self) -> usize {
        self.rows.len() / self.inputs / self.draws
    }

    /// Adds the mean over the draws of each row's distance to `out`.
    fn add_distances(&self, view: Option<&Asinh>, tiles: &[f32], tile: usize, leave_out: bool, out: &mut [f32]) {
        let share = 1.0 / self.draws as f32;
        let leave_out = if leave_out { LeaveOut::Equal } else { LeaveOut::Nothing };
        let of = Compared { view, tiles, tile, rows: out.len(), leave_out, which: false };
        self.each(of, |found| out[found.row] += share * found.square.sqrt());
    }

    fn add_gradients(
        &self,
        view: Option<&Asinh>,
        tiles: &[f32],
        tile: usize,
        (weights, equal): (&[f32], &[u32]),
        out: &mut [f32],
    ) {
        let (inputs, unit) = (self.inputs, self.unit / self.draws as f32);
        // In the view, whose slopes are the same for all draws.
        let mut in_view = vec![0f32; out.len()];
        let of = Compared { view, tiles, tile, rows: weights.len(), leave_out: LeaveOut::Those(equal), which: true };
        self.each(of, |Found { row, square, nearest, numbers, wide, .. }| {
            let distance = square.sqrt();
            // At a kept row, the error has a kink.
            if distance == 0.0 {
                return;
            }
            let weight = weights[row] * unit / distance;
            let places = in_view[row / tile * inputs * tile + row % tile..].iter_mut().step_by(tile);
            for (out, (kept, number)) in places.zip(nearest.iter().zip(numbers.iter().step_by(wide))) {
                *out += weight * (number - kept);
            }
        });
        for (at, (out, in_view)) in out.iter_mut().zip(in_view).enumerate() {
            let slope = view.map_or(1.0, |view| view.slope(at / tile % inputs, tiles[at]));
            *out += slope * in_view;
        }
    }

    /// Calls `take` with each row and the kept row of each draw that it is compared with.
    fn each(&self, of: Compared, mut take: impl FnMut(Found)) {
        let Compared { view, tiles, tile, rows, leave_out, which } = of;
        let simd = Simd::chosen();
        let wide = simd.tile_rows();
        let inputs = self.inputs;
        let (mut own, mut in_view) = (vec![0f32; inputs * wide], vec![0f32; inputs * wide]);
        for first in (0..rows).step_by(wide) {
            let here = wide.min(rows - first);
            // A GPU's tiles are single rows.
            let mut numbers = if tile == wide {
                &tiles[first * inputs..][..inputs * wide]
            } else {
                for (input, numbers) in own.chunks_exact_mut(wide).enumerate() {
                    for (at, number) in numbers[..here].iter_mut().enumerate() {
                        let row = first + at;
                        *number = tiles[(row / tile * inputs + input) * tile + row % tile];
                    }
                }
                own.as_slice()
            };
            if let Some(view) = view {
                simd.run(ViewOfTile { view, tile: numbers, out: &mut in_view });
                numbers = &in_view;
            }
            for (draw, kept) in self.rows.chunks_exact(self.kept() * inputs).enumerate() {
                let found = simd.run(Search { kept, inputs, numbers, which });
                for at in 0..here {
                    let [nearest, second] = found.minus_squares.map(|squares| squares[at]);
                    let itself = match leave_out {
                        LeaveOut::Nothing => false,
                        LeaveOut::Equal => nearest == 0.0,
                        LeaveOut::Those(equal) => equal[draw * rows + first + at] == found.numbers[0][at] as u32,
                    };
                    let place = usize::from(itself && second != NONE);
                    let number = found.numbers[place][at] as usize;
                    take(Found {
                        row: first + at,
                        draw,
                        number,
                        square: (-[nearest, second][place]).max(0.0),
                        nearest: &kept[number * inputs..][..inputs],
                        numbers: &numbers[at..],
                        wide,
                    });
                }
            }
        }
    }
}

/// What a row is not compared with.
#[derive(Clone, Copy)]
enum LeaveOut<'a> {
    Nothing,
    /// A kept row that equals it
    Equal,
    /// The kept row of that number, of each draw and row, `[draws, rows]`
    Those(&'a [u32]),
}

/// What is compared with the kept rows, and how.
struct Compared<'a> {
    view: Option<&'a Asinh>,
    /// Scaled, `[tiles, inputs, tile]`
    tiles: &'a [f32],
    tile: usize,
    /// The number of rows, without the padding
    rows: usize,
    leave_out: LeaveOut<'a>,
    /// Whether it matters which kept row it is; else it is the first one
    which: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tiled;
    use ndarray::Array2;

    const INPUTS: usize = 3;
    const UNITS: [f32; 2] = [2.0, 3.0];

    fn matrix(rows: usize, shift: f64) -> Array2<f32> {
        Array2::from_shape_fn((rows, INPUTS), |(row, input)| libm::sin((row * 7 + input * 3) as f64 + shift) as f32)
    }

    fn view() -> Asinh {
        Asinh::new(vec![0.1, -0.2, 0.0], vec![0.3, 1.0, 0.7])
    }

    fn kept(draws: usize, rows: usize, standard: Option<Asinh>) -> KeptRows {
        let numbers = matrix(draws * rows, 0.0).into_raw_vec_and_offset().0;
        KeptRows::new(numbers, draws, INPUTS, standard, &UNITS).unwrap()
    }

    fn distance(row: &[f32], kept: &[f32]) -> f32 {
        row.iter().zip(kept).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
    }

    /// The sum of the distances from the nearest row of each draw in each view, in their units.
    fn error(kept: &KeptRows, draws: usize, row: &[f32]) -> f32 {
        let of_view = |(view, rows): (Option<&Asinh>, &View)| {
            let row = view.map_or_else(|| row.to_vec(), |view| view.rows(row).unwrap());
            let of_draw =
                |draw: &[f32]| draw.chunks_exact(INPUTS).map(|kept| distance(&row, kept)).fold(f32::INFINITY, f32::min);
            let size = rows.rows.len() / draws;
            rows.unit * rows.rows.chunks_exact(size).map(of_draw).sum::<f32>() / draws as f32
        };
        kept.views().map(of_view).sum()
    }

    #[test]
    fn errors_are_distances_from_the_nearest_row_of_each_draw_in_each_view() {
        for (draws, count) in [(1, 1), (1, 4), (3, 5), (1, 131)] {
            for standard in [None, Some(view())] {
                let (kept, rows) = (kept(draws, count, standard), matrix(77, 0.5));
                // A CPU's tiles, and single rows.
                for tile in [Simd::chosen().tile_rows(), 1] {
                    let mut errors = vec![1f32; 77];
                    kept.add_errors(&tiled(rows.view(), tile).unwrap(), tile, &mut errors);
                    for (found, row) in errors.iter().zip(rows.rows()) {
                        let expected = 1.0 + error(&kept, draws, row.as_slice().unwrap());
                        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn gradients_are_slopes_of_the_errors() {
        let (rows, step) = (matrix(40, 0.5), 2e-4);
        for (kept, draws) in [(kept(1, 50, None), 1), (kept(2, 9, Some(view())), 2)] {
            for tile in [Simd::chosen().tile_rows(), 1] {
                let tiles = tiled(rows.view(), tile).unwrap();
                let weights = vec![1.5f32; tiles.len() / INPUTS];
                let mut found = vec![0f32; tiles.len()];
                let equal = kept.equals(&tiles, tile, weights.len());
                kept.add_gradients(&tiles, tile, &weights, &equal, &mut found);
                let mut compared = 0;
                for (number, row) in rows.rows().into_iter().enumerate() {
                    let row = row.to_vec();
                    for input in 0..INPUTS {
                        let moved = |by: f32| {
                            let mut row = row.clone();
                            row[input] += by;
                            error(&kept, draws, &row)
                        };
                        let [before, here, after] = [-step, 0.0, step].map(moved);
                        // Where the nearest row changes, or near one, the error bends within a step.
                        if (before + after - 2.0 * here).abs() > 0.1 * step {
                            continue;
                        }
                        compared += 1;
                        let slope = 1.5 * (after - before) / (2.0 * step);
                        let at = (number / tile * INPUTS + input) * tile + number % tile;
                        assert!((found[at] - slope).abs() < 0.1, "{} {slope}", found[at]);
                    }
                }
                assert!(compared >= 60, "{compared}");
            }
        }
    }

    #[test]
    fn distances_have_no_unit() {
        let (kept, rows, tile) = (kept(2, 9, Some(view())), matrix(40, 0.5), Simd::chosen().tile_rows());
        let tiles = tiled(rows.view(), tile).unwrap();
        let (mut scaled, mut standard, mut errors) = (vec![0f32; 40], vec![0f32; 40], vec![0f32; 40]);
        kept.add_distances(&tiles, tile, [&mut scaled, &mut standard]);
        kept.add_errors(&tiles, tile, &mut errors);
        for (error, (scaled, standard)) in errors.iter().zip(scaled.iter().zip(&standard)) {
            assert!((error - UNITS[0] * scaled - UNITS[1] * standard).abs() < 1e-5);
        }
    }

    #[test]
    fn a_kept_row_is_compared_with_the_others_of_its_draw_and_a_lone_one_with_itself() {
        let distances = |rows: Vec<f32>, draws, standard: Option<Asinh>| {
            let kept = KeptRows::new(rows.clone(), draws, 1, standard, &UNITS).unwrap();
            let rows = Array2::from_shape_vec((rows.len(), 1), rows).unwrap();
            let (mut scaled, mut rest) = (vec![0f32; rows.nrows()], vec![0f32; rows.nrows()]);
            kept.add_distances(&tiled(rows.view(), 1).unwrap(), 1, [&mut scaled, &mut rest]);
            scaled
        };
        let view = || Some(Asinh::new(vec![0.0], vec![1.0]));
        assert_eq!(distances(vec![1.0, 2.0, 4.0, 4.0], 1, view()), [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(distances(vec![1.0, 2.0, 2.0, 4.0], 2, view()), [1.0, 1.5, 1.5, 2.0]);
        assert_eq!(distances(vec![1.0], 1, view()), [0.0]);
        assert_eq!(distances(vec![1.0, 2.0], 1, None), [0.0, 0.0]);
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(kept(1, 3, Some(view())).fault(), None);
        let of = |number: f32, unit: f32| KeptRows::new(vec![number], 1, 1, None, &[unit]).unwrap().fault().unwrap();
        assert!(of(f32::NAN, 1.0).contains("kept rows is not finite"));
        for unit in [0.0, -1.0, f32::INFINITY] {
            assert!(of(0.0, unit).contains("unit of its kept rows"));
        }
        let bad = Asinh::new(vec![0.0], vec![0.0]);
        let kept = KeptRows::new(vec![0.0], 1, 1, Some(bad), &UNITS).unwrap();
        assert!(kept.fault().unwrap().contains("scale of theirs"));
    }
}
