//! Training rows that a model keeps: an autoencoder whose decoder is a look-up.
//!
//! Such a one reconstructs a row by the nearest rows that it keeps. The distance from them is a
//! reconstruction error like that of eq. 6, and is added to it, in the unit that gives both errors
//! comparable spreads over the training rows. What is like none of the training rows is then an
//! anomaly, even if the networks have learned to reconstruct it.
//!
//! The kept rows may be several draws. Each is a look-up of its own, and the distances are
//! averaged: an anomaly is far from most small draws of rows, even if other anomalies are like it
//! (Sugiyama and Borgwardt, 2013). The distances from the nearest rows of a draw are averaged too,
//! the k-th nearest with the weight 1 / √k. Of one draw, the mean is multiplied with a factor of
//! the nearest row, which is larger where kept rows lie close together: what is usual among them is
//! far for another one.
//!
//! Rows are compared in two views. One is their [`Asinh`], in which a feature counts by how much is
//! usual. With several draws, the other one has them scaled, as the networks take them: a feature
//! counts by its range. With one draw, it is their [`LogOdds`]: a feature counts by ranks.
//!
//! A kept row is not compared with itself, so that it has the score that it had in the training:
//! where the nearest row of a draw is at distance 0, those after it take its place.

use polars::prelude::PolarsResult;

use crate::memory::collected;

use super::view::{Compared, Transform, View};

/// Rows, at least one of them in each draw, in each view.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRows {
    /// Scaled, `[draws, kept, inputs]`
    rows: Vec<f32>,
    draws: usize,
    inputs: usize,
    /// The number of nearest rows of each draw whose distances count
    neighbours: usize,
    /// Two
    views: Vec<View>,
}

/// How kept rows are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub draws: usize,
    pub inputs: usize,
    pub neighbours: usize,
}

impl Comparison {
    /// Whether distances are multiplied with a factor of the nearest kept row.
    pub fn has_factors(&self) -> bool {
        self.draws == 1
    }
}

/// Rows in each view, and how far they are from the kept rows there.
pub struct Placed {
    inputs: usize,
    views: Vec<PlacedInView>,
}

struct PlacedInView {
    /// `[rows, inputs]`
    numbers: Vec<f32>,
    /// From the kept rows, in the view's unit
    distances: Vec<f32>,
}

impl Placed {
    /// Adds to `out`, by input, how much farther a row is from the kept rows than another one, `from`
    /// those at `other`. In each view, an input's share is that of its squared difference among those of
    /// both rows.
    pub fn add_farther(&self, row: usize, (from, other): (&Self, usize), out: &mut [f32]) {
        let of = |row: usize| row * self.inputs..(row + 1) * self.inputs;
        for (view, from) in self.views.iter().zip(&from.views) {
            let pairs = || view.numbers[of(row)].iter().zip(&from.numbers[of(other)]);
            let squares = || pairs().map(|(a, b)| (a - b) * (a - b));
            let all: f32 = squares().sum();
            // Rows that are the same in the view are as far.
            if all > 0.0 && all.is_finite() {
                let of_each = (view.distances[row] - from.distances[other]) / all;
                out.iter_mut().zip(squares()).for_each(|(out, square)| *out += of_each * square);
            }
        }
    }
}

impl KeptRows {
    /// Takes scaled `rows`, `[draws, kept, inputs]`, and the views with their units.
    pub fn new(
        rows: Vec<f32>,
        Comparison { draws, inputs, neighbours }: Comparison,
        views: Vec<Transform>,
        units: &[f32],
    ) -> PolarsResult<Self> {
        let view = |(transform, unit): (Transform, &f32)| View::new(transform, &rows, [draws, inputs], *unit);
        let views = views.into_iter().zip(units).map(view).collect::<PolarsResult<_>>()?;
        Ok(Self { rows, draws, inputs, neighbours, views })
    }

    /// Gives the distances other units.
    pub fn with_units(mut self, units: [f32; 2]) -> Self {
        self.views.iter_mut().zip(units).for_each(|(view, unit)| view.unit = unit);
        self
    }

    /// Takes the factors of both views.
    pub fn with_factors(mut self, factors: [Vec<f32>; 2]) -> Self {
        self.views.iter_mut().zip(factors).for_each(|(view, factors)| view.factors = factors);
        self
    }

    pub fn draws(&self) -> usize {
        self.draws
    }

    /// The rows, scaled, `[draws, kept, inputs]`.
    pub fn numbers(&self) -> &[f32] {
        &self.rows
    }

    pub fn units(&self) -> Vec<f32> {
        self.views.iter().map(|view| view.unit).collect()
    }

    /// How rows are seen in each view.
    pub fn transforms(&self) -> impl Iterator<Item = &Transform> {
        self.views.iter().map(|view| &view.transform)
    }

    /// The factors of both views, `[2, kept]`; nothing for several draws.
    pub fn factors(&self) -> Vec<f32> {
        self.views.iter().flat_map(|view| &view.factors).copied().collect()
    }

    pub fn bytes(&self) -> usize {
        self.rows.len() * size_of::<f32>() + self.views.iter().map(View::bytes).sum::<usize>()
    }

    /// What is wrong with its numbers, if anything is.
    pub fn fault(&self) -> Option<String> {
        if !self.rows.iter().all(|number| number.is_finite()) {
            return Some("a number of its kept rows is not finite".to_string());
        }
        let unusable = |unit: &f32| !(unit.is_normal() && *unit > 0.0);
        let unit = self.units().into_iter().find(unusable);
        unit.map(|unit| format!("the unit of its kept rows is {unit}, expected a finite number above 0"))
            .or_else(|| self.views.iter().find_map(|view| view.transform.fault()))
            .or_else(|| {
                let factor = self.factors().into_iter().find(unusable)?;
                Some(format!("a factor of its kept rows is {factor}, expected a finite number above 0"))
            })
    }

    /// Adds each row's distances as reconstruction errors to `errors`. Rows come in tiles,
    /// `[tiles, inputs, tile]`.
    pub fn add_errors(&self, tiles: &[f32], tile: usize, errors: &mut [f32]) {
        let mut distances = [vec![0f32; errors.len()], vec![0f32; errors.len()]];
        self.add_distances(tiles, tile, distances.each_mut().map(Vec::as_mut_slice));
        self.weigh(&distances, errors);
    }

    /// Adds distances in both views, each in its unit, to `errors`.
    pub fn weigh(&self, distances: &[Vec<f32>; 2], errors: &mut [f32]) {
        for (at, error) in errors.iter_mut().enumerate() {
            *error += self.views.iter().zip(distances).map(|(view, distances)| view.unit * distances[at]).sum::<f32>();
        }
    }

    /// Says where rows, in tiles, are in each view.
    pub fn place(&self, tiles: &[f32], tile: usize, rows: usize) -> PolarsResult<Placed> {
        let compared = self.compared(tiles, tile, rows);
        let number = |at: usize| compared.number(at / self.inputs, at % self.inputs);
        let scaled = collected((0..rows * self.inputs).map(number), "the rows of an explanation")?;
        let mut distances = [vec![0f32; rows], vec![0f32; rows]];
        self.add_distances(tiles, tile, distances.each_mut().map(Vec::as_mut_slice));
        let place = |(view, mut distances): (&View, Vec<f32>)| {
            distances.iter_mut().for_each(|distance| *distance *= view.unit);
            Ok(PlacedInView { numbers: view.transform.rows(&scaled)?, distances })
        };
        let views = self.views.iter().zip(distances).map(place).collect::<PolarsResult<_>>()?;
        Ok(Placed { inputs: self.inputs, views })
    }

    /// Adds each row's distance in each view, without a unit, to the view's part of `distances`.
    pub fn add_distances(&self, tiles: &[f32], tile: usize, distances: [&mut [f32]; 2]) {
        for (view, distances) in self.views.iter().zip(distances) {
            view.add_distances(self.compared(tiles, tile, distances.len()), distances);
        }
    }

    fn compared<'a>(&'a self, tiles: &'a [f32], tile: usize, rows: usize) -> Compared<'a> {
        let Self { rows: scaled, draws, inputs, neighbours, .. } = self;
        Compared { scaled, draws: *draws, inputs: *inputs, neighbours: *neighbours, tiles, tile, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tiled;
    use crate::neighbours::{Asinh, LogOdds};
    use crate::simd::Simd;
    use ndarray::{concatenate, Array2, Axis};

    const INPUTS: usize = 3;
    const UNITS: [f32; 2] = [2.0, 3.0];

    fn matrix(rows: usize, shift: f64) -> Array2<f32> {
        Array2::from_shape_fn((rows, INPUTS), |(row, input)| libm::sin((row * 7 + input * 3) as f64 + shift) as f32)
    }

    fn asinh() -> Transform {
        Transform::Asinh(Asinh::new(vec![0.1, -0.2, 0.0], vec![0.3, 1.0, 0.7]))
    }

    fn log_odds() -> Transform {
        Transform::LogOdds(LogOdds::fit(matrix(90, 0.2).as_slice().unwrap(), INPUTS).unwrap())
    }

    fn kept(draws: usize, rows: usize, neighbours: usize, views: Vec<Transform>) -> KeptRows {
        let numbers = matrix(draws * rows, 0.0).into_raw_vec_and_offset().0;
        KeptRows::new(numbers, Comparison { draws, inputs: INPUTS, neighbours }, views, &UNITS).unwrap()
    }

    /// The views of several draws, and of one.
    fn kinds() -> [Vec<Transform>; 2] {
        [vec![Transform::Scaled, asinh()], vec![asinh(), log_odds()]]
    }

    /// Adds factors, if there is one draw.
    fn with_factors(kept: KeptRows) -> KeptRows {
        let count = kept.rows.len() / INPUTS;
        let factors_in = |view: usize| (0..count).map(|at| 0.5 + ((at + view) % 3) as f32).collect();
        if kept.draws == 1 {
            kept.with_factors([factors_in(0), factors_in(1)])
        } else {
            kept
        }
    }

    fn distance(row: &[f32], kept: &[f32]) -> f32 {
        row.iter().zip(kept).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
    }

    /// The sum of the mean distances from the nearest rows of each draw in each view, in their
    /// units.
    fn error(kept_rows: &KeptRows, row: &[f32]) -> f32 {
        let mean_distance = |view: &View| {
            let (row, rows) = (view.transform.rows(row).unwrap(), view.transform.rows(&kept_rows.rows).unwrap());
            let mean_of_draw = |draw: &[f32]| {
                let distances = draw.chunks_exact(INPUTS).map(|kept| distance(&row, kept)).enumerate();
                let mut distances: Vec<(usize, f32)> = distances.collect();
                distances.sort_by(|a, b| a.1.total_cmp(&b.1));
                distances.truncate(kept_rows.neighbours);
                let weights = (1..=distances.len()).map(|rank| 1.0 / (rank as f32).sqrt());
                let sum: f32 = distances.iter().zip(weights.clone()).map(|((_, apart), weight)| apart * weight).sum();
                view.factors.get(distances[0].0).unwrap_or(&1.0) * sum / weights.sum::<f32>()
            };
            let size = rows.len() / kept_rows.draws;
            view.unit * rows.chunks_exact(size).map(mean_of_draw).sum::<f32>() / kept_rows.draws as f32
        };
        kept_rows.views.iter().map(mean_distance).sum()
    }

    #[test]
    fn errors_are_mean_distances_from_the_nearest_rows_of_each_draw_in_each_view() {
        // The last one has an index.
        for (draws, count) in [(1, 1), (1, 4), (3, 5), (1, 131), (1, 300)] {
            for (neighbours, views) in [1, 2, 3, 5].into_iter().flat_map(|k| kinds().map(|views| (k, views))) {
                let (kept, rows) = (with_factors(kept(draws, count, neighbours, views)), matrix(77, 0.5));
                // A CPU's tiles, and single rows.
                for tile in [Simd::chosen().tile_rows(), 1] {
                    let mut errors = vec![1f32; 77];
                    kept.add_errors(&tiled(rows.view(), tile).unwrap(), tile, &mut errors);
                    for (found, row) in errors.iter().zip(rows.rows()) {
                        let expected = 1.0 + error(&kept, row.as_slice().unwrap());
                        assert!((found - expected).abs() < 1e-5 * expected, "{found} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn by_how_much_a_row_is_farther_is_shared_out_by_squared_differences() {
        let [of_draws, of_one] = kinds();
        for kept in [kept(2, 9, 1, of_draws.clone()), kept(3, 8, 2, of_draws), with_factors(kept(1, 300, 3, of_one))] {
            // New rows, then kept ones, which are not compared with themselves.
            let rows = concatenate![Axis(0), matrix(60, 0.5), matrix(5, 0.0)];
            let others = matrix(7, 0.9);
            for tile in [Simd::chosen().tile_rows(), 1] {
                let in_tiles = [&rows, &others].map(|rows| tiled(rows.view(), tile).unwrap());
                let [errors, of_others] = [(&in_tiles[0], 65), (&in_tiles[1], 7)].map(|(tiles, count)| {
                    let mut errors = vec![0f32; count];
                    kept.add_errors(tiles, tile, &mut errors);
                    errors
                });
                let placed = kept.place(&in_tiles[0], tile, 65).unwrap();
                let from = kept.place(&in_tiles[1], tile, 7).unwrap();
                for row in 0..65 {
                    let mut farther = [0f32; INPUTS];
                    placed.add_farther(row, (&from, row % 7), &mut farther);
                    let expected = errors[row] - of_others[row % 7];
                    assert!((farther.iter().sum::<f32>() - expected).abs() < 1e-4 * errors[row].max(1.0), "{row}");
                }
            }
        }
        let comparison = Comparison { draws: 1, inputs: INPUTS, neighbours: 1 };
        let one =
            KeptRows::new(vec![0.0; INPUTS], comparison, vec![Transform::Scaled, asinh()], &[1.0, 1e-30]).unwrap();
        let [placed, from] = [[4.0, 6.0, 0.0], [1.0, 2.0, 0.0]].map(|row| one.place(&row, 1, 1).unwrap());
        let mut farther = [0.0; INPUTS];
        placed.add_farther(0, (&from, 0), &mut farther);
        let apart = 52f32.sqrt() - 5f32.sqrt();
        let expected = [9.0 / 25.0 * apart, 16.0 / 25.0 * apart, 0.0];
        assert!(farther.iter().zip(expected).all(|(found, part)| (found - part).abs() < 1e-5), "{farther:?}");
    }

    #[test]
    fn distances_have_no_unit() {
        let [views, _] = kinds();
        let (kept, rows, tile) = (kept(2, 9, 1, views), matrix(40, 0.5), Simd::chosen().tile_rows());
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
        let distances = |rows: Vec<f32>, draws, neighbours, views| {
            let comparison = Comparison { draws, inputs: 1, neighbours };
            let kept = KeptRows::new(rows.clone(), comparison, views, &UNITS).unwrap();
            let rows = Array2::from_shape_vec((rows.len(), 1), rows).unwrap();
            let (mut scaled, mut rest) = (vec![0f32; rows.nrows()], vec![0f32; rows.nrows()]);
            kept.add_distances(&tiled(rows.view(), 1).unwrap(), 1, [&mut scaled, &mut rest]);
            scaled
        };
        let both = || vec![Transform::Scaled, Transform::Asinh(Asinh::new(vec![0.0], vec![1.0]))];
        assert_eq!(distances(vec![1.0, 2.0, 4.0, 4.0], 1, 1, both()), [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(distances(vec![1.0, 2.0, 2.0, 4.0], 2, 1, both()), [1.0, 1.5, 1.5, 2.0]);
        let second = 0.5f32.sqrt();
        let expected = [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0], [3.0, 5.0]].map(|[a, b]| (a + second * b) / (1.0 + second));
        for (found, expected) in distances(vec![1.0, 2.0, 4.0, 7.0], 1, 2, both()).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert_eq!(distances(vec![1.0, 2.0], 1, 5, both()), [1.0, 1.0]);
        assert_eq!(distances(vec![1.0], 1, 3, both()), [0.0]);
    }

    #[test]
    fn a_row_beyond_the_range_is_compared_with_the_kept_row_that_has_the_same_ranks() {
        let rows = vec![1.0, 2.0, 3.0, 4.0];
        let views = vec![
            Transform::Asinh(Asinh::new(vec![0.0], vec![1.0])),
            Transform::LogOdds(LogOdds::fit(&rows, 1).unwrap()),
        ];
        let kept = KeptRows::new(rows, Comparison { draws: 1, inputs: 1, neighbours: 1 }, views, &UNITS).unwrap();
        let (mut asinh, mut odds) = ([0.0; 2], [0.0; 2]);
        kept.add_distances(&[4.0, 9.0], 1, [&mut asinh, &mut odds]);
        assert!(odds[0] > 0.5, "a kept row, not compared with itself: {odds:?}");
        assert_eq!(odds[1], 0.0);
        assert!(asinh[1] > 0.5);
    }

    #[test]
    fn faults_are_named() {
        let [views, of_one_draw] = kinds();
        assert_eq!(kept(1, 3, 1, views).fault(), None);
        assert_eq!(kept(1, 3, 1, of_one_draw).fault(), None);
        let fault = |number: f32, unit: f32, view: Transform| {
            let comparison = Comparison { draws: 1, inputs: 1, neighbours: 1 };
            KeptRows::new(vec![number], comparison, vec![view], &[unit]).unwrap().fault().unwrap()
        };
        assert!(fault(f32::NAN, 1.0, Transform::Scaled).contains("kept rows is not finite"));
        for unit in [0.0, -1.0, f32::INFINITY] {
            assert!(fault(0.0, unit, Transform::Scaled).contains("unit of its kept rows"));
        }
        let bad = Transform::Asinh(Asinh::new(vec![0.0], vec![0.0]));
        assert!(fault(0.0, 1.0, bad).contains("scale of theirs"));
        let [_, views] = kinds();
        let bad = kept(1, 3, 1, views).with_factors([vec![1.0; 3], vec![1.0, f32::NAN, 1.0]]);
        assert!(bad.fault().unwrap().contains("factor of its kept rows"));
    }
}
