//! What parents expect of the numbers of a strip of rows.

use crate::cells::strips::STRIP;
use crate::simd::{logarithms, Simd, Task, Vector};

use super::line::{Line, Shape};
use super::line_in_groups::LineInGroups;
use super::number::NumberInGroups;
use super::two_numbers::NumberOfTwo;

/// The place is NaN where nothing is expected.
pub struct Expectations {
    pub places: [f64; STRIP],
    /// One over the spreads.
    pub per_spread: [f64; STRIP],
}

impl Expectations {
    pub fn none() -> Self {
        Self { places: [f64::NAN; STRIP], per_spread: [1.0; STRIP] }
    }

    /// What is expected of each row by what was fitted without its fold, if that is there.
    pub fn by_fold(folds: &[u8], without: impl Iterator<Item = Option<Self>>) -> Self {
        let mut expected = Self::none();
        for (fold, of_fold) in (0u8..).zip(without) {
            let Some(of_fold) = of_fold else { continue };
            let numbers = of_fold.places.iter().zip(&of_fold.per_spread);
            let rows = expected.places.iter_mut().zip(&mut expected.per_spread).zip(numbers).zip(folds);
            for (((place, spread), (of_place, of_spread)), _) in rows.filter(|(_, of_row)| **of_row == fold) {
                (*place, *spread) = (*of_place, *of_spread);
            }
        }
        expected
    }
}

impl NumberInGroups {
    /// What is expected of up to [`STRIP`] rows.
    pub fn expect(&self, codes: &[u32], expected: &mut Expectations) {
        let Expectations { places, per_spread } = expected;
        places[codes.len()..].fill(f64::NAN);
        for (code, (place, per_spread)) in codes.iter().zip(places.iter_mut().zip(per_spread)) {
            [*place, *per_spread] = self.of_code(*code);
        }
    }
}

impl Line {
    /// What is expected of up to [`STRIP`] rows.
    pub fn expect(&self, parents: &[f64], expected: &mut Expectations) {
        expected.per_spread[..parents.len()].fill(1.0 / self.spread);
        expected.places[parents.len()..].fill(f64::NAN);
        let mut logs = [0.0; STRIP];
        let parents = match self.parent_is_log {
            true => {
                logarithms(parents, &mut logs);
                &logs[..parents.len()]
            }
            false => parents,
        };
        Simd::chosen().run(OnLine { line: self, parents, places: &mut expected.places });
    }
}

impl LineInGroups {
    /// What is expected of up to [`STRIP`] rows.
    pub fn expect(&self, codes: &[u32], others: &[f64], expected: &mut Expectations) {
        let rows = codes.len().min(others.len());
        self.groups.expect(&codes[..rows], expected);
        let (others, places) = (&others[..rows], &mut expected.places[..rows]);
        let mut logs = [0.0; STRIP];
        let taken = match self.shape {
            Some(Shape { parent_is_log: true, .. }) => {
                logarithms(others, &mut logs);
                &logs[..rows]
            }
            _ => others,
        };
        match self.shape {
            Some(_) => places.iter_mut().zip(taken).for_each(|(place, x)| *place += self.slope * x),
            None => places.iter_mut().zip(taken).for_each(|(place, x)| *place *= x),
        }
        places.iter_mut().filter(|place| !place.is_finite()).for_each(|place| *place = f64::NAN);
    }
}

impl NumberOfTwo {
    /// What is expected of up to [`STRIP`] rows.
    pub fn expect(&self, first: &[f64], second: &[f64], expected: &mut Expectations) {
        let rows = first.len().min(second.len());
        expected.per_spread[..rows].fill(1.0 / self.spread);
        expected.places[rows..].fill(f64::NAN);
        let mut results = [f64::NAN; STRIP];
        for (result, (first, second)) in results.iter_mut().zip(first.iter().zip(second)) {
            *result = self.operation.apply(self.factor, *first, *second);
        }
        let (results, places) = (&results[..rows], &mut expected.places[..rows]);
        match self.is_log {
            true => logarithms(results, places),
            false => places.copy_from_slice(results),
        }
        places.iter_mut().filter(|place| !place.is_finite()).for_each(|place| *place = f64::NAN);
    }
}

/// The places on a line of numbers, or of their logarithms.
struct OnLine<'a> {
    line: &'a Line,
    parents: &'a [f64],
    places: &'a mut [f64; STRIP],
}

impl Task for OnLine<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for (parent, place) in self.parents.iter().zip(self.places) {
            let on_line = self.line.offset + self.line.slope * parent;
            *place = if parent.is_finite() { on_line } else { f64::NAN };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::Expected;
    use super::super::two_numbers::OPERATIONS;
    use super::*;

    const NUMBERS: [f64; 9] = [1.0, -2.5, 0.0, 5e-324, f64::MAX, f64::MIN, f64::NAN, 37.0, 1e-300];

    fn check(expect: impl Fn(&mut Expectations), expected: impl Fn(usize) -> Option<Expected>) {
        // What was expected of other rows does not stay.
        let mut found = Expectations { places: [7.0; STRIP], per_spread: [7.0; STRIP] };
        expect(&mut found);
        for at in 0..NUMBERS.len() {
            match expected(at) {
                Some(of_row) => {
                    let is_same = found.places[at].to_bits() == of_row.place.to_bits();
                    assert!(is_same && found.per_spread[at] == 1.0 / of_row.spread, "{at}: {of_row:?}");
                }
                None => assert!(found.places[at].is_nan(), "{at}"),
            }
        }
        assert!(found.places[NUMBERS.len()..].iter().all(|place| place.is_nan()));
    }

    #[test]
    fn what_is_expected_of_strips_is_that_of_single_rows() {
        for (parent_is_log, slope) in [(false, 2.0), (false, 1e-3), (true, -0.7)] {
            let line = Line { parent_is_log, child_is_log: false, slope, offset: 3.0, spread: 0.5 };
            check(|found| line.expect(&NUMBERS, found), |at| line.expected(NUMBERS[at]));
        }
        let mut others = NUMBERS;
        others.rotate_left(4);
        for (operation, is_log) in OPERATIONS.into_iter().flat_map(|of| [(of, false), (of, true)]) {
            let two = NumberOfTwo { operation, factor: -1.5, is_log, spread: 0.2 };
            check(|found| two.expect(&NUMBERS, &others, found), |at| two.expected(NUMBERS[at], others[at]));
        }
        let groups = NumberInGroups::new(vec![0, 2], vec![5, 5], vec![1.5, -3.0], vec![0.5, 0.25], 4);
        let codes = [0, 1, 2, 3, 4, u32::MAX, 0, 2, 1];
        let mixed = [0, 0, 2, 2, 0, 2, 0, 1, 2];
        let shape = |parent_is_log| Shape { parent_is_log, child_is_log: false, is_difference: false };
        for shape in [None, Some(shape(false)), Some(shape(true))] {
            let lines = LineInGroups { shape, slope: 0.7, groups: groups.clone() };
            check(|found| lines.expect(&mixed, &NUMBERS, found), |at| lines.expected(mixed[at], NUMBERS[at]));
        }
        check(|found| groups.expect(&codes, found), |at| groups.expected(codes[at]));
    }

    #[test]
    fn each_row_is_expected_from_the_other_folds() {
        let of_fold = |fold: u8| {
            let mut of_fold = Expectations::none();
            of_fold.places = [f64::from(fold); STRIP];
            (fold != 1).then_some(of_fold)
        };
        let expected = Expectations::by_fold(&[2, 0, 1, 0], (0..3).map(of_fold));
        assert_eq!(expected.places[..2], [2.0, 0.0]);
        assert!(expected.places[2].is_nan() && expected.places[3] == 0.0 && expected.places[4].is_nan());
    }
}
