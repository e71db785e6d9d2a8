//! How much likelier numbers are with a parent than without it, for strips of rows at a time.

use crate::cells::judged::Judged;
use crate::cells::math::{spreads, t_shape, wrong_density, T_CENTRE};
use crate::cells::numbers::Numbers;
use crate::cells::strips::STRIP;
use crate::cells::tails::{how_far, square_of, Tail};
use crate::simd::{logarithms, Simd, Task, Vector};

use super::expected::Expectations;
use super::mixture::bounded;

/// A number that has no logarithm is this many spreads from the expected one.
const NO_LOGARITHM: f32 = 15.0;
/// From this evidence on, how far a number is from what a rule says counts by itself: of a number that is spread
/// widely, one that is near the right one is not likelier to be right.
const RARE: f32 = 20.0;
/// The lowest evidence that a tail gives.
const LOWEST_TAIL: f32 = 0.3;
/// How many times as narrow as the column a parent's expectation may be taken for, and as wide.
const NARROWEST: f32 = 1e30;

/// The numbers of a strip of rows, as their column has them.
pub struct Strip {
    judged: Judged,
    /// One over the density of each number if it is wrong, on a scale in spreads.
    per_wrong: [f32; STRIP],
}

/// Numbers beside what is expected of them.
pub struct Compared {
    /// How far they are from it, in spreads; NaN where there is no number, or nothing is expected.
    pub away: [f32; STRIP],
    /// By how much the expectation is narrower than the column.
    pub narrower: [f32; STRIP],
    /// ln(1 + z²) of how far they are.
    pub far: [f32; STRIP],
    /// How much likelier they are there than as wrong numbers.
    ratios: [f32; STRIP],
}

impl Strip {
    pub fn none() -> Self {
        Self { judged: Judged::none(), per_wrong: [1.0; STRIP] }
    }

    /// From up to [`STRIP`] numbers of a column; NaN where one can't be judged.
    pub fn new(of: &Numbers, numbers: &[f64]) -> Self {
        let mut strip = Self::none();
        strip.read(of, numbers);
        strip
    }

    /// Takes other numbers.
    pub fn read(&mut self, of: &Numbers, numbers: &[f64]) {
        self.judged.judge(of, numbers);
        Simd::chosen().run(PerWrong { away: &self.judged.away, out: &mut self.per_wrong });
    }

    /// Compares its numbers with what is expected of them, or of their logarithms.
    pub fn compare(
        &self,
        of: &Numbers,
        numbers: &[f64],
        is_log: bool,
        expected: &Expectations,
        compared: &mut Compared,
    ) {
        let (mut logs, mut units) = ([f64::NAN; STRIP], [1.0; STRIP]);
        let given = numbers.iter().zip(&mut units);
        let own = match (is_log, of.is_log) {
            (true, false) => {
                logarithms(numbers, &mut logs);
                let positive = given.zip(&mut logs);
                positive.for_each(|((number, unit), log)| match *number > 0.0 {
                    true => *unit = 1.0 / number,
                    false => *log = f64::NAN,
                });
                logs.as_slice()
            }
            (false, true) => {
                given.filter(|(number, _)| **number > 0.0).for_each(|(number, unit)| *unit = *number);
                numbers
            }
            _ => self.judged.on_scale(of, numbers),
        };
        let own = &own[..numbers.len()];
        let (units, per_wrong, spread) = (&units, &self.per_wrong, of.scale().spread);
        Simd::chosen().run(Compare { numbers, own, units, spread, per_wrong, expected, out: compared });
    }
}

impl Compared {
    pub fn none() -> Self {
        let [away, narrower, far, ratios] = [f32::NAN, 1.0, f32::NAN, 1.0].map(|number| [number; STRIP]);
        Self { away, narrower, far, ratios }
    }

    /// The bounded ratios; 1 where there is nothing to compare. A number no further away than those
    /// of training rows are is no evidence.
    pub fn ratios(&self, tail: &Tail, is_left_out: bool, out: &mut [f32]) {
        let (mut usual, far) = ([LOWEST_TAIL; STRIP], &self.far[..out.len()]);
        tail.evidence_of_strip(far, is_left_out, &mut usual);
        tail.add_broken(far, is_left_out, &mut usual);
        let rare = if tail.is_rule { RARE } else { f32::INFINITY };
        Simd::chosen().run(Bound { compared: self, usual: &usual, rare, out });
    }
}

/// Works out one over the density of a wrong number, from its distance to the centre in spreads.
struct PerWrong<'a> {
    away: &'a [f32; STRIP],
    out: &'a mut [f32; STRIP],
}

impl Task for PerWrong<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.out.iter_mut().zip(self.away).for_each(|(out, away)| *out = 1.0 / wrong_density(square_of(*away)));
    }
}

/// The comparison of numbers with what is expected of them.
struct Compare<'a> {
    numbers: &'a [f64],
    /// What is compared: the numbers or their logarithms; NaN where one has none.
    own: &'a [f64],
    /// By how much the scale of the expectation is narrower than that of the column.
    units: &'a [f64; STRIP],
    /// The spread of the column.
    spread: f64,
    per_wrong: &'a [f32; STRIP],
    expected: &'a Expectations,
    out: &'a mut Compared,
}

impl Task for Compare<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Compared { away, narrower, far, ratios } = self.out;
        let expected = self.expected.places.iter().zip(&self.expected.per_spread);
        let given = self.numbers.iter().zip(self.own).zip(self.units);
        let out = away.iter_mut().zip(narrower.iter_mut());
        for ((((number, own), unit), (place, per_spread)), (away, narrower)) in given.zip(expected).zip(out) {
            let from_place = spreads(own - place, *per_spread);
            let from_place = if own.is_nan() { -NO_LOGARITHM } else { from_place };
            *away = if number.is_nan() | place.is_nan() { f32::NAN } else { from_place };
            *narrower = ((unit * self.spread * per_spread) as f32).clamp(1.0 / NARROWEST, NARROWEST);
        }
        let compared = away.iter().zip(narrower.iter()).zip(self.per_wrong).take(self.numbers.len());
        for (((away, narrower), per_wrong), (far, ratio)) in compared.zip(far.iter_mut().zip(ratios)) {
            *far = how_far(*away);
            *ratio = T_CENTRE * narrower * t_shape(square_of(*away)) * per_wrong;
        }
    }
}

/// Ratios, as far as the tail leaves them, within their bounds.
struct Bound<'a> {
    compared: &'a Compared,
    /// The tail's evidence, and from where on it counts by itself.
    usual: &'a [f32; STRIP],
    rare: f32,
    out: &'a mut [f32],
}

impl Task for Bound<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Compared { far, ratios, .. } = self.compared;
        for ((out, far), (ratio, usual)) in self.out.iter_mut().zip(far).zip(ratios.iter().zip(self.usual)) {
            let least = 1.0 / usual;
            let is_low = ((*ratio < 1.0 / LOWEST_TAIL) & (*ratio < least)) | (*usual >= self.rare);
            let ratio = if is_low { least } else { *ratio };
            *out = if far.is_nan() { 1.0 } else { bounded(ratio) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::events::of_event;

    /// How far a number is from what is expected, and the bounded ratio, by the formulas in double precision.
    fn plain(
        of: &Numbers,
        number: f64,
        is_log: bool,
        [place, spread]: [f64; 2],
        tail: &Tail,
        is_left_out: bool,
    ) -> [f64; 2] {
        let t_density = |z: f64| 0.375 * libm::pow(1.0 + z * z / 4.0, -2.5);
        let wrong = |z: f64| 0.7 * t_density(z) + 0.3 / (5.0 * std::f64::consts::PI * (1.0 + z * z / 25.0));
        let own = match is_log {
            true if of.is_log => Some(of.on_scale(number)),
            true => Some(number).filter(|number| *number > 0.0).map(libm::log),
            false => Some(number),
        };
        let unit = match (is_log, of.is_log) {
            (false, true) if number > 0.0 => number,
            (true, false) if number > 0.0 => 1.0 / number,
            _ => 1.0,
        };
        let away = own.map_or(-15.0, |own| ((own - place) / spread).clamp(-1e15, 1e15));
        let of_column = ((of.on_scale(number) - of.scale().centre) / of.scale().spread).clamp(-1e15, 1e15);
        let narrower = (unit * of.scale().spread / spread).clamp(1e-30, 1e30);
        let ratio = narrower * t_density(away) / wrong(of_column);
        let far = libm::log1p(away * away);
        let usual = f64::from(tail.evidence(far as f32, is_left_out));
        let broken = if tail.is_rule && away.abs() >= 30.0 { of_event(0, 900, is_left_out) } else { 0.0 };
        let least = 1.0 / usual.max(broken);
        let ratio = if ratio < 1.0 / 0.3 { ratio.max(least) } else { ratio };
        let ratio = if tail.is_rule && least <= 1.0 / 20.0 { least } else { ratio };
        [far, ratio.clamp(1e-5, 1e5)]
    }

    #[test]
    fn strips_are_compared_as_single_numbers() {
        let bell = |at: i32| f64::from(at * 7_919 % 1_009 + at * 104_729 % 997) / 100.0;
        let logs: Vec<f64> = (0..3_000).map(|at| libm::exp(bell(at) / 3.0)).collect();
        let raw: Vec<f64> = (0..3_000).map(|at| bell(at) - 8.0).collect();
        let tail = Tail::fit((0..900).map(|at| (how_far(at as f32 / 200.0).into(), 1.0)).collect(), 1.0);
        let line = (0..230).map(|at| f64::from(at * at) / 300.0 - 20.0);
        let odd = [0.0, -3.0, 5e-324, 1e-310, 1e300, f64::MAX, f64::MIN, f64::NAN];
        let numbers: Vec<f64> = line.chain(odd).collect();
        let mut expected = Expectations::none();
        for at in 0..numbers.len() {
            expected.places[at] = if at % 11 == 3 { f64::NAN } else { (at % 17) as f64 / 3.0 };
            expected.per_spread[at] = [1e300, 100.0, 1.0, 0.025][at % 4];
        }
        let columns = [raw, logs].map(|all| Numbers::fit(&all, all.len(), 0, false, true).unwrap());
        let each = [false, true].into_iter().flat_map(|is_log| [(is_log, false), (is_log, true)]);
        for (of, tail) in columns.iter().flat_map(|of| [(of, tail.clone()), (of, tail.clone().of_rule())]) {
            for (is_log, is_left_out) in each.clone() {
                let mut compared = Compared::none();
                Strip::new(of, &numbers).compare(of, &numbers, is_log, &expected, &mut compared);
                let mut ratios = vec![0.0; numbers.len()];
                compared.ratios(&tail, is_left_out, &mut ratios);
                for (at, number) in numbers.iter().enumerate() {
                    let of_row = [expected.places[at], 1.0 / expected.per_spread[at]];
                    if number.is_nan() || of_row[0].is_nan() {
                        assert!(compared.far[at].is_nan() && ratios[at] == 1.0);
                        continue;
                    }
                    let [far, ratio] = plain(of, *number, is_log, of_row, &tail, is_left_out);
                    let found = [f64::from(compared.far[at]), f64::from(ratios[at])];
                    let is_near = (found[0] - far).abs() <= 1e-6 * (1.0 + far) && (found[1] / ratio - 1.0).abs() < 1e-4;
                    assert!(is_near, "{number}, {is_log}: {found:?} and {far}, {ratio}");
                }
            }
        }
    }
}
