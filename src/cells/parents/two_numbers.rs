//! A number given two others: total = quantity × price, end = start + length, speed = way / time.
//! A factor for units is part of each, as for minutes added to a date.

use serde::{Deserialize, Serialize};

use crate::cells::math::{median, quantile_of, MOST_SPREAD};
use crate::cells::numbers::Scale;

use super::number::{Expected, Seen};

/// How a number follows from two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// factor · first · second
    Product,
    /// factor · first / second
    Ratio,
    /// first + factor · second
    Sum,
    /// factor · (first − second)
    Difference,
}

pub const OPERATIONS: [Operation; 4] = [Operation::Product, Operation::Ratio, Operation::Sum, Operation::Difference];

/// Factors that a near one is taken for.
const USUAL_FACTORS: [f64; 16] = [
    1.0,
    0.01,
    100.0,
    0.001,
    1000.0,
    2.0,
    0.5,
    24.0,
    1.0 / 24.0,
    60.0,
    1.0 / 60.0,
    1440.0,
    1.0 / 1440.0,
    86_400.0,
    1.0 / 86_400.0,
    7.0,
];
/// How near it must be.
const NEAR: f64 = 0.002;
/// The fewest rows that tell a relation.
pub const FEWEST: usize = 20;

/// A number that follows from two others, but for a rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberOfTwo {
    pub operation: Operation,
    pub factor: f64,
    /// Whether the rest is relative: of logarithms.
    pub is_log: bool,
    pub spread: f64,
}

impl Operation {
    /// The result with a factor.
    pub fn apply(self, factor: f64, first: f64, second: f64) -> f64 {
        match self {
            Self::Product => factor * first * second,
            Self::Ratio => factor * first / second,
            Self::Sum => first + factor * second,
            Self::Difference => factor * (first - second),
        }
    }

    /// The factor that would give a number.
    fn factor(self, number: f64, first: f64, second: f64) -> f64 {
        match self {
            Self::Product => number / (first * second),
            Self::Ratio => number * second / first,
            Self::Sum => (number - first) / second,
            Self::Difference => number / (first - second),
        }
    }

    /// Whether the order of the two others doesn't matter, but for the sign of the factor.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::Product | Self::Difference)
    }
}

/// The median factor of some rows `[number, first, second]`, a usual one if it is near; None where
/// too few rows have one.
pub fn factor(operation: Operation, rows: &[[f64; 3]]) -> Option<f64> {
    let factors = rows.iter().map(|[number, first, second]| operation.factor(*number, *first, *second));
    let mut factors: Vec<f64> = factors.filter(|factor| factor.is_finite()).collect();
    if factors.len() * 2 < rows.len() {
        return None;
    }
    let factor = median(&mut factors).filter(|factor| *factor != 0.0)?;
    let usual = USUAL_FACTORS.iter().find(|usual| (factor.abs() / *usual - 1.0).abs() < NEAR);
    Some(usual.map_or(factor, |usual| usual.copysign(factor)))
}

impl NumberOfTwo {
    /// From the numbers of the two others in all rows, and those of the child as they are. `scale`
    /// is that of the child's numbers or logarithms.
    pub fn fit(operation: Operation, is_log: bool, others: [&[f64]; 2], seen: Seen, scale: &Scale) -> Option<Self> {
        let mut rows = vec![];
        for (row, (first, second)) in others[0].iter().zip(others[1]).enumerate() {
            if let Some(number) = seen.place(row).filter(|_| !first.is_nan() && !second.is_nan()) {
                rows.push([number, *first, *second]);
            }
        }
        if rows.len() < FEWEST {
            return None;
        }
        let factor = factor(operation, &rows).filter(|factor| factor.is_finite())?;
        let mut fitted = Self { operation, factor, is_log, spread: 0.0 };
        let rests = rows.iter().map(|[number, first, second]| fitted.rest(*number, *first, *second));
        let mut rests: Vec<f64> = rests.filter(|rest| rest.is_finite()).collect();
        if rests.len() * 2 < rows.len() {
            return None;
        }
        let usual = 1.4826 * median(&mut rests)?;
        fitted.spread = usual.max(quantile_of(&mut rests, 0.8) / 2.56).max(scale.least_by_numbers()).min(MOST_SPREAD);
        Some(fitted)
    }

    /// How far a number is from what is expected.
    fn rest(&self, number: f64, first: f64, second: f64) -> f64 {
        let expected = self.operation.apply(self.factor, first, second);
        match self.is_log {
            false => (number - expected).abs(),
            true if number > 0.0 && expected > 0.0 => libm::log(number / expected).abs(),
            true => f64::NAN,
        }
    }

    pub fn expected(&self, first: f64, second: f64) -> Option<Expected> {
        let number = self.operation.apply(self.factor, first, second);
        let place = if self.is_log { libm::log(number) } else { number };
        place.is_finite().then_some(Expected { place, spread: self.spread })
    }
}

/// How far the numbers of rows `[number, first, second]` are from those that an operation gives, as
/// a share of how far they are from their median; None where it can't be told.
pub fn unexplained(operation: Operation, rows: &[[f64; 3]], spread: f64) -> Option<f64> {
    let factor = factor(operation, rows)?;
    let rests = rows.iter().map(|[number, first, second]| (number - operation.apply(factor, *first, *second)).abs());
    let mut rests: Vec<f64> = rests.filter(|rest| rest.is_finite()).collect();
    let usual = median(&mut rests)?;
    (spread > 0.0).then(|| 1.4826 * usual / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale { centre: 50.0, spread: 30.0, grain: 0.01 };

    fn numbers() -> (Vec<f64>, Vec<f64>) {
        let first = (0..200).map(|row| f64::from(row % 9 + 1)).collect();
        let second = (0..200).map(|row| f64::from(row * 37 % 101) / 4.0 + 2.0).collect();
        (first, second)
    }

    fn fit(operation: Operation, result: impl Fn(f64, f64) -> f64) -> NumberOfTwo {
        let (first, second) = numbers();
        let mut places: Vec<f64> = first.iter().zip(&second).map(|(a, b)| result(*a, *b)).collect();
        // Some are wrong.
        places.iter_mut().step_by(20).for_each(|place| *place *= 3.0);
        let seen = Seen { places: &places, folds: &[], left_out: None };
        NumberOfTwo::fit(operation, false, [&first, &second], seen, &SCALE).unwrap()
    }

    #[test]
    fn products_ratios_sums_and_differences_are_found() {
        for (operation, factor, result) in [
            (Operation::Product, 1.0, (|a, b| a * b) as fn(f64, f64) -> f64),
            (Operation::Product, 0.01, |a, b| a * b / 100.0),
            (Operation::Ratio, 1.0, |a, b| a / b),
            (Operation::Sum, 1.0, |a, b| a + b),
            (Operation::Sum, -1.0, |a, b| a - b),
            (Operation::Sum, 1.0 / 1440.0, |a, b| a + b / 1440.0),
            (Operation::Difference, -24.0, |a, b| (b - a) * 24.0),
        ] {
            let fitted = fit(operation, result);
            assert_eq!((fitted.factor, fitted.spread), (factor, 0.005), "{operation:?}");
            let expected = fitted.expected(3.0, 4.0).unwrap();
            assert!((expected.place - result(3.0, 4.0)).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_not_related_stays_unexplained() {
        let (first, second) = numbers();
        let rows: Vec<[f64; 3]> =
            (0..200).map(|row| [f64::from(row as u32 * 71 % 97), first[row], second[row]]).collect();
        for operation in OPERATIONS {
            assert!(unexplained(operation, &rows, 30.0).unwrap() > 0.5, "{operation:?}");
        }
        let rows: Vec<[f64; 3]> = rows.into_iter().map(|[_, a, b]| [a * b, a, b]).collect();
        assert_eq!(unexplained(Operation::Product, &rows, 30.0), Some(0.0));
    }
}
