//! A number given a number: a line through the medians of bins (Theil–Sen), of the numbers or of
//! their logarithms; of two dates also their difference alone.

use serde::{Deserialize, Serialize};

use crate::cells::math::{median, quantile_of, MOST_SPREAD};
use crate::cells::numbers::Scale;

use super::number::{Expected, Seen};

/// The most bins, and the rows of each at least.
const MOST_BINS: usize = 24;
const BIN_ROWS: usize = 20;
/// The fewest rows that a line goes through.
pub const FEWEST: usize = 20;

/// How numbers are taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Whether the parent's logarithm is taken, and the child's.
    pub parent_is_log: bool,
    pub child_is_log: bool,
    pub slope: f64,
    pub offset: f64,
    pub spread: f64,
}

/// What a line is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    pub parent_is_log: bool,
    pub child_is_log: bool,
    /// Whether the slope is one.
    pub is_difference: bool,
}

impl Line {
    /// From the parent's numbers of all rows, and the rows in rising order of these.
    pub fn fit(shape: Shape, numbers: &[f64], rising: &[u32], seen: Seen, scale: &Scale) -> Option<Self> {
        let mut points = vec![(0.0, 0.0); rising.len()];
        let mut count = 0;
        for row in rising {
            let x = taken(numbers[*row as usize], shape.parent_is_log);
            // As in `Seen::gather`, without a branch.
            let (y, is_seen) = seen.look(*row as usize);
            points[count] = (x, y);
            count += usize::from(is_seen & x.is_finite());
        }
        points.truncate(count);
        if points.len() < FEWEST {
            return None;
        }
        let slope = if shape.is_difference { 1.0 } else { slope_of(&points)? };
        let mut away: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
        let offset = median(&mut away)?;
        away.iter_mut().for_each(|rest| *rest = (*rest - offset).abs());
        let usual = 1.4826 * median(&mut away)?;
        let spread = usual.max(quantile_of(&mut away, 0.8) / 2.56).max(scale.least_by_numbers()).min(MOST_SPREAD);
        if !(slope.is_finite() && offset.is_finite()) {
            return None;
        }
        let Shape { parent_is_log, child_is_log, .. } = shape;
        Some(Self { parent_is_log, child_is_log, slope, offset, spread })
    }

    pub fn expected(&self, parent: f64) -> Option<Expected> {
        let x = taken(parent, self.parent_is_log);
        x.is_finite().then_some(Expected { place: self.offset + self.slope * x, spread: self.spread })
    }
}

/// A number as a line takes it.
pub fn taken(number: f64, is_log: bool) -> f64 {
    match is_log {
        false => number,
        true if number > 0.0 => libm::log(number),
        true => f64::NAN,
    }
}

/// The median of the slopes between the medians of bins of points `(x, y)` in rising order of x.
pub fn slope_of(points: &[(f64, f64)]) -> Option<f64> {
    let bins = (points.len() / BIN_ROWS).clamp(4, MOST_BINS);
    let place = |bin: usize| bin * points.len() / bins;
    let centre = |bin: usize| {
        let points = &points[place(bin)..place(bin + 1)];
        let mut y: Vec<f64> = points.iter().map(|(_, y)| *y).collect();
        let (lower, upper) = (points[points.len().checked_sub(1)? / 2].0, points[points.len() / 2].0);
        Some((lower / 2.0 + upper / 2.0, median(&mut y)?))
    };
    let centres: Vec<(f64, f64)> = (0..bins).filter_map(centre).collect();
    let mut slopes = vec![];
    for (at, low) in centres.iter().enumerate() {
        for high in &centres[at + 1..] {
            if high.0 > low.0 {
                slopes.push((high.1 - low.1) / (high.0 - low.0));
            }
        }
    }
    median(&mut slopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale { centre: 20.0, spread: 6.0, grain: 0.001 };
    const RAW: Shape = Shape { parent_is_log: false, child_is_log: false, is_difference: false };

    fn fit(shape: Shape, x: &[f64], y: &[f64]) -> Line {
        let mut rising: Vec<u32> = (0..x.len() as u32).collect();
        rising.sort_by(|a, b| x[*a as usize].total_cmp(&x[*b as usize]));
        Line::fit(shape, x, &rising, Seen { places: y, folds: &[], left_out: None }, &SCALE).unwrap()
    }

    #[test]
    fn a_line_is_found_among_outliers() {
        let x: Vec<f64> = (0..300).map(|row| f64::from(row * 37 % 300) / 15.0).collect();
        let noise = |row: usize| (row * 17 % 11) as f64 / 11.0 - 0.45;
        let y: Vec<f64> =
            x.iter().enumerate().map(|(row, x)| if row % 10 == 3 { 99.0 } else { 2.0 * x + noise(row) }).collect();
        let line = fit(RAW, &x, &y);
        assert!((line.slope - 2.0).abs() < 0.05 && line.offset.abs() < 0.3 && line.spread < 1.0, "{line:?}");
        assert!((line.expected(10.0).unwrap().place - 20.0).abs() < 0.3);
        assert_eq!(line.expected(f64::NAN), None);
    }

    #[test]
    fn powers_are_lines_of_logarithms_and_dates_may_differ_alone() {
        let x: Vec<f64> = (1..200).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| (3.0 * x * x).ln()).collect();
        let line = fit(Shape { parent_is_log: true, child_is_log: true, is_difference: false }, &x, &y);
        assert!((line.slope - 2.0).abs() < 1e-6);
        assert_eq!(line.expected(0.0), None);
        let y: Vec<f64> = x.iter().map(|x| x + 5.0 + x % 3.0).collect();
        let line = fit(Shape { is_difference: true, ..RAW }, &x, &y);
        assert_eq!((line.slope, line.offset), (1.0, 6.0));
    }
}
