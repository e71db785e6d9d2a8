//! A number given another one and a group: an amount times the rate of a country, a quantity times the price of
//! an article, a start and how long each kind of job takes.

use crate::cells::math::{median, MOST_SPREAD};
use crate::cells::numbers::Scale;

use super::grouped::Grouped;
use super::line::{slope_of, taken, Shape};
use super::number::{Expected, NumberInGroups, Seen};

/// The fewest rows that tell a relation.
pub const FEWEST: usize = 20;
/// The rows that the slope is found on, and the fewest of them in a group.
const SLOPE_ROWS: usize = 20_000;
const GROUP_ROWS: usize = 3;

/// A line for each group: through zero, or all with the same slope.
#[derive(Clone, Debug, PartialEq)]
pub struct LineInGroups {
    /// How the numbers are taken where all lines have one slope; None where they go through zero.
    pub shape: Option<Shape>,
    /// The slope of all lines; of lines through zero, each group has its own as its centre.
    pub slope: f64,
    /// The lines' offsets, or the slopes of lines through zero, and how far numbers are from the lines.
    pub groups: NumberInGroups,
}

/// What lines in groups are fitted from.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    pub shape: Option<Shape>,
    pub slope: f64,
    pub grouped: &'a Grouped,
    /// The other number of all rows, as the shape takes it.
    pub taken: &'a [f64],
    /// The scale of the child's numbers or logarithms.
    pub scale: &'a Scale,
    /// The number of the groups' codes.
    pub codes: u32,
}

/// Numbers as a shape takes them.
pub fn all_taken(shape: Option<Shape>, numbers: &[f64]) -> Vec<f64> {
    let is_log = shape.is_some_and(|shape| shape.parent_is_log);
    numbers.iter().map(|number| taken(*number, is_log)).collect()
}

/// The slope that the lines of a shape have in common; 0 where each has its own.
pub fn common_slope(shape: Option<Shape>, grouped: &Grouped, x: &[f64], y: &[f64]) -> Option<f64> {
    match shape {
        None => return Some(0.0),
        Some(shape) if shape.is_difference => return Some(1.0),
        Some(_) => {}
    }
    let step = grouped.rows.len() / SLOPE_ROWS + 1;
    let (mut points, mut of_group) = (vec![], vec![]);
    for group in grouped.groups() {
        of_group.clear();
        let known = group.iter().step_by(step).map(|row| (x[*row as usize], y[*row as usize]));
        of_group.extend(known.filter(|(x, y)| x.is_finite() & y.is_finite()));
        if of_group.len() < GROUP_ROWS {
            continue;
        }
        let middle = |of: fn(&(f64, f64)) -> f64| median(&mut of_group.iter().map(of).collect::<Vec<f64>>());
        if let (Some(x), Some(y)) = (middle(|point| point.0), middle(|point| point.1)) {
            points.extend(of_group.iter().map(|point| (point.0 - x, point.1 - y)));
        }
    }
    if points.len() < FEWEST {
        return None;
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    slope_of(&points).filter(|slope| slope.is_finite())
}

impl Lines<'_> {
    /// The lines of the rows that are seen.
    pub fn fit(&self, seen: Seen) -> Option<LineInGroups> {
        let groups = match self.shape {
            Some(_) => self.offsets(Seen { places: &self.rests(seen), ..seen })?,
            None => self.factors(seen),
        };
        let rows: usize = groups.rows.iter().map(|rows| *rows as usize).sum();
        (rows >= FEWEST).then_some(LineInGroups { shape: self.shape, slope: self.slope, groups })
    }

    /// What the common slope leaves of the numbers that are seen.
    fn rests(&self, seen: Seen) -> Vec<f64> {
        let rest = |(row, x): (usize, &f64)| match seen.look(row) {
            (y, true) if x.is_finite() => y - self.slope * x,
            _ => f64::NAN,
        };
        self.taken.iter().enumerate().map(rest).collect()
    }

    fn offsets(&self, rests: Seen) -> Option<NumberInGroups> {
        let known = rests.places.iter().copied().filter(|rest| !rest.is_nan());
        let centre = median(&mut known.collect::<Vec<f64>>())?;
        Some(self.by_group(centre, |rows, away| rests.centre(rows, away)))
    }

    /// A centre for each group; `centre` is that of all rows.
    fn by_group(&self, centre: f64, centre_of: impl FnMut(&[u32], &mut Vec<f64>) -> Option<f64>) -> NumberInGroups {
        let scale = Scale { centre, ..*self.scale };
        NumberInGroups::fit_by(self.grouped, (&scale, scale.least_by_numbers()), self.codes, centre_of)
    }

    fn factors(&self, seen: Seen) -> NumberInGroups {
        let mut ratios: Vec<(f64, f64)> = vec![];
        let mut of_group = |rows: &[u32], away: &mut Vec<f64>| {
            ratios.clear();
            away.clear();
            let pair = |row: &u32| {
                let (y, is_seen) = seen.look(*row as usize);
                let x = self.taken[*row as usize];
                (is_seen && x.is_finite()).then_some((x, y))
            };
            let known = rows.iter().filter_map(pair);
            ratios.extend(known.clone().filter(|(x, y)| (y / x).is_finite()).map(|(x, y)| (y / x, x.abs())));
            let factor = weighted_median(&mut ratios)?;
            away.extend(known.map(|(x, y)| (y - factor * x).abs().min(MOST_SPREAD)));
            Some(factor)
        };
        let factor = of_group(&self.grouped.rows, &mut vec![]).unwrap_or(0.0);
        self.by_group(factor, of_group)
    }
}

/// The median of pairs of a number and its weight: the slope through zero with the smallest sum of distances.
fn weighted_median(pairs: &mut [(f64, f64)]) -> Option<f64> {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = pairs.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let middle = pairs.iter().find(|(_, weight)| {
        sum += weight;
        sum >= half
    });
    middle.map(|(number, _)| *number)
}

impl LineInGroups {
    pub fn expected(&self, code: u32, other: f64) -> Option<Expected> {
        let Expected { place, spread } = self.groups.expected(code)?;
        let place = match self.shape {
            Some(shape) => place + self.slope * taken(other, shape.parent_is_log),
            None => place * other,
        };
        place.is_finite().then_some(Expected { place, spread })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale { centre: 50.0, spread: 30.0, grain: 0.01 };
    const LINE: Shape = Shape { parent_is_log: false, child_is_log: false, is_difference: false };

    /// The codes, the other numbers and the numbers of some rows, one in twenty of which is wrong.
    fn rows(number: impl Fn(u32, f64) -> f64) -> (Vec<u32>, Vec<f64>, Vec<f64>) {
        let codes: Vec<u32> = (0..400).map(|row| row * 7 % 5).collect();
        let other: Vec<f64> = (0..400).map(|row| f64::from(row * 37 % 101) / 4.0 + 2.0).collect();
        let mut numbers: Vec<f64> = codes.iter().zip(&other).map(|(code, other)| number(*code, *other)).collect();
        numbers.iter_mut().step_by(20).for_each(|number| *number *= 3.0);
        (codes, other, numbers)
    }

    fn fit(shape: Option<Shape>, number: impl Fn(u32, f64) -> f64) -> LineInGroups {
        let (codes, other, numbers) = rows(number);
        let is_log = shape.is_some_and(|shape| shape.child_is_log);
        let places: Vec<f64> = numbers.iter().map(|number| taken(*number, is_log)).collect();
        let (grouped, taken) = (Grouped::new(&codes, 6), all_taken(shape, &other));
        let slope = common_slope(shape, &grouped, &taken, &places).unwrap();
        let lines = Lines { shape, slope, grouped: &grouped, taken: &taken, scale: &SCALE, codes: 6 };
        lines.fit(Seen { places: &places, folds: &[], left_out: None }).unwrap()
    }

    #[test]
    fn each_group_has_a_rate_of_its_own() {
        let rates = [0.05, 0.19, 0.2, 0.077, 0.25];
        let fitted = fit(None, |code, amount| (rates[code as usize] * amount * 100.0).round() / 100.0);
        let expected = fitted.expected(3, 200.0).unwrap();
        assert!((expected.place - 15.4).abs() < 0.2 && expected.spread < 0.05, "{expected:?}");
        assert_eq!((fitted.expected(5, 200.0), fitted.expected(3, f64::NAN)), (None, None));
        assert_eq!(fitted.expected(1, 0.0).unwrap().place, 0.0);
    }

    #[test]
    fn groups_have_offsets_on_lines_of_one_slope() {
        let fitted = fit(Some(LINE), |code, way| 3.0 * f64::from(code) + 1.5 * way);
        assert!((fitted.slope - 1.5).abs() < 0.01, "{fitted:?}");
        let expected = fitted.expected(4, 10.0).unwrap();
        assert!((expected.place - 27.0).abs() < 0.2 && expected.spread < 0.3, "{expected:?}");
        let power = Shape { parent_is_log: true, child_is_log: true, is_difference: false };
        let fitted = fit(Some(power), |code, weight| f64::from(code + 1) * weight * weight);
        assert!((fitted.slope - 2.0).abs() < 0.01, "{fitted:?}");
        assert!((fitted.expected(2, 5.0).unwrap().place.exp() - 75.0).abs() < 2.0);
    }

    #[test]
    fn differences_have_the_slope_one() {
        let shape = Shape { is_difference: true, ..LINE };
        let fitted = fit(Some(shape), |code, start| start + f64::from(code));
        assert_eq!(fitted.slope, 1.0);
        assert!((fitted.expected(3, 7.0).unwrap().place - 10.0).abs() < 0.1);
    }

    #[test]
    fn the_weighted_median_is_the_slope_of_the_smallest_distances() {
        assert_eq!(weighted_median(&mut [(3.0, 1.0), (1.0, 5.0), (2.0, 1.0)]), Some(1.0));
        assert_eq!(weighted_median(&mut [(3.0, 2.0), (1.0, 1.0), (2.0, 2.0)]), Some(2.0));
        assert_eq!(weighted_median(&mut []), None);
    }
}
