//! How much likelier numbers are with a parent than without it, for strips of rows at a time.

use crate::cells::elementary::logarithms;
use crate::cells::judged::Judged;
use crate::cells::math::{t_density, wrong_density};
use crate::cells::numbers::Numbers;
use crate::cells::strips::STRIP;
use crate::cells::tails::{evidence_of_strip, how_far, Tail};
use crate::simd::{Simd, Task, Vector};

use super::expected::Expectations;
use super::mixture::bounded;

/// A number that has no logarithm is this many spreads from the expected one.
const NO_LOGARITHM: f64 = 15.0;
/// The lowest evidence that a tail gives.
const LOWEST_TAIL: f64 = 0.3;

/// The numbers of a strip of rows.
pub struct Strip<'a> {
    numbers: &'a [f64],
    judged: Judged,
    /// The density of each number if it is wrong.
    wrong: [f64; STRIP],
}

/// Numbers beside what is expected of them.
pub struct Compared {
    /// How far they are from it, as ln(1 + z²); NaN where there is no number, or nothing is
    /// expected.
    pub far: [f64; STRIP],
    /// Their densities there, on the scale of the column.
    pub densities: [f64; STRIP],
    /// How much likelier they are there than as wrong numbers.
    ratios: [f64; STRIP],
}

impl<'a> Strip<'a> {
    /// From up to [`STRIP`] numbers of a column; NaN where one can't be judged.
    pub fn new(numbers: &Numbers, of_rows: &'a [f64]) -> Self {
        let mut strip = Self { numbers: of_rows, judged: numbers.judge(of_rows), wrong: [1.0; STRIP] };
        let spread = numbers.scale().spread;
        Simd::chosen().run(Wrong { away: &strip.judged.away, spread, out: &mut strip.wrong });
        strip
    }

    /// Compares with what is expected of the numbers, or of their logarithms.
    pub fn compare(&self, numbers: &Numbers, is_log: bool, expected: &Expectations) -> Compared {
        let mut compared = Compared { far: [0.0; STRIP], densities: [1.0; STRIP], ratios: [1.0; STRIP] };
        let (mut logs, mut units) = ([f64::NAN; STRIP], [1.0; STRIP]);
        let given = self.numbers.iter().zip(&mut units);
        let own = match (is_log, numbers.is_log) {
            (true, false) => {
                logarithms(self.numbers, &mut logs);
                let positive = given.zip(&mut logs);
                positive.for_each(|((number, unit), log)| match *number > 0.0 {
                    true => *unit = 1.0 / number,
                    false => *log = f64::NAN,
                });
                logs.as_slice()
            }
            (false, true) => {
                given.filter(|(number, _)| **number > 0.0).for_each(|(number, unit)| *unit = *number);
                self.numbers
            }
            _ => self.judged.on_scale.as_slice(),
        };
        let own = &own[..self.numbers.len()];
        let (numbers, units, wrong) = (self.numbers, &units, &self.wrong);
        Simd::chosen().run(Compare { numbers, own, units, wrong, expected, out: &mut compared });
        compared
    }
}

impl Compared {
    /// The bounded ratios; 1 where there is nothing to compare. A number no further away than those
    /// of training rows are is no evidence.
    pub fn ratios(&self, tail: &Tail, is_left_out: bool, out: &mut [f32]) {
        let mut usual = [LOWEST_TAIL; STRIP];
        evidence_of_strip(&self.far[..out.len()], |_| tail, is_left_out, &mut usual);
        Simd::chosen().run(Bound { compared: self, usual: &usual, out });
    }
}

/// The densities of wrong numbers so many spreads from the centre.
struct Wrong<'a> {
    away: &'a [f64; STRIP],
    spread: f64,
    out: &'a mut [f64; STRIP],
}

impl Task for Wrong<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.out.iter_mut().zip(self.away).for_each(|(out, away)| *out = wrong_density(*away) / self.spread);
    }
}

/// The comparison of numbers with what is expected of them.
struct Compare<'a> {
    numbers: &'a [f64],
    /// What is compared: the numbers or their logarithms; NaN where one has none.
    own: &'a [f64],
    /// By how much the scale of the densities is narrower than that of the column.
    units: &'a [f64; STRIP],
    wrong: &'a [f64; STRIP],
    expected: &'a Expectations,
    out: &'a mut Compared,
}

impl Task for Compare<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let given = self.numbers.iter().zip(self.own).zip(self.units.iter().zip(self.wrong));
        let expected = self.expected.places.iter().zip(&self.expected.spreads);
        let Compared { far, densities, ratios } = self.out;
        let out = far.iter_mut().zip(densities.iter_mut().zip(ratios));
        for ((((number, own), (unit, wrong)), (place, spread)), (far, (density, ratio))) in given.zip(expected).zip(out)
        {
            let own = if own.is_nan() { place - NO_LOGARITHM * spread } else { *own };
            let away = (own - place) / spread;
            *far = if number.is_nan() | place.is_nan() { f64::NAN } else { how_far(away) };
            *density = unit * t_density(away) / spread;
            *ratio = *density / wrong;
        }
    }
}

/// Ratios, as far as the tail leaves them, within their bounds.
struct Bound<'a> {
    compared: &'a Compared,
    /// The tail's evidence.
    usual: &'a [f64; STRIP],
    out: &'a mut [f32],
}

impl Task for Bound<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Compared { far, ratios, .. } = self.compared;
        for ((out, far), (ratio, usual)) in self.out.iter_mut().zip(far).zip(ratios.iter().zip(self.usual)) {
            let least = 1.0 / usual;
            let ratio = if *ratio < 1.0 / LOWEST_TAIL { ratio.max(least) } else { *ratio };
            *out = if far.is_nan() { 1.0 } else { bounded(ratio as f32) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The density and the bounded ratio of one number, by the formulas.
    fn plain(
        of: &Numbers,
        number: f64,
        is_log: bool,
        [place, spread]: [f64; 2],
        tail: &Tail,
        is_left_out: bool,
    ) -> [f64; 3] {
        let own = match is_log {
            true if of.is_log => of.on_scale(number),
            true if number > 0.0 => libm::log(number),
            true => place - NO_LOGARITHM * spread,
            false => number,
        };
        let unit = match (is_log, of.is_log) {
            (false, true) if number > 0.0 => number,
            (true, false) if number > 0.0 => 1.0 / number,
            _ => 1.0,
        };
        let away = (own - place) / spread;
        let density = unit * t_density(away) / spread;
        let ratio = density / (wrong_density(of.away(number)) / of.scale().spread);
        let least = 1.0 / tail.evidence(how_far(away), is_left_out);
        let ratio = if ratio < 1.0 / LOWEST_TAIL { ratio.max(least) } else { ratio };
        [how_far(away), density, f64::from(bounded(ratio as f32))]
    }

    #[test]
    fn strips_are_compared_as_single_numbers() {
        let bell = |at: i32| f64::from(at * 7_919 % 1_009 + at * 104_729 % 997) / 100.0;
        let logs: Vec<f64> = (0..3_000).map(|at| libm::exp(bell(at) / 3.0)).collect();
        let raw: Vec<f64> = (0..3_000).map(|at| bell(at) - 8.0).collect();
        let tail = Tail::fit((0..900).map(|at| (how_far(f64::from(at) / 200.0), 1.0)).collect(), 1.0);
        let line = (0..230).map(|at| f64::from(at * at) / 300.0 - 20.0);
        let odd = [0.0, -3.0, 5e-324, 1e-310, 1e300, f64::MAX, f64::MIN, f64::NAN];
        let numbers: Vec<f64> = line.chain(odd).collect();
        let mut expected = Expectations::none();
        for at in 0..numbers.len() {
            expected.places[at] = if at % 11 == 3 { f64::NAN } else { (at % 17) as f64 / 3.0 };
            expected.spreads[at] = [1e-300, 0.01, 1.0, 40.0][at % 4];
        }
        for of in [raw, logs].iter().filter_map(|all| Numbers::fit(all, all.len(), 0, false, true)) {
            for (is_log, is_left_out) in [(false, false), (false, true), (true, false), (true, true)] {
                let compared = Strip::new(&of, &numbers).compare(&of, is_log, &expected);
                let mut ratios = vec![0.0; numbers.len()];
                compared.ratios(&tail, is_left_out, &mut ratios);
                for (at, number) in numbers.iter().enumerate() {
                    let of_row = [expected.places[at], expected.spreads[at]];
                    if number.is_nan() || of_row[0].is_nan() {
                        assert!(compared.far[at].is_nan() && ratios[at] == 1.0);
                        continue;
                    }
                    let [far, density, ratio] = plain(&of, *number, is_log, of_row, &tail, is_left_out);
                    let found = [compared.far[at], compared.densities[at], f64::from(ratios[at])];
                    let is_same = found.map(f64::to_bits) == [far, density, ratio].map(f64::to_bits);
                    assert!(is_same || ratio.is_nan() && ratios[at].is_nan(), "{number}, {is_log}: {found:?}");
                }
            }
        }
    }
}
