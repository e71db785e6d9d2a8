//! By how many nats a number is likelier with a parent than without it: what parents are chosen by.

use std::ops::Range;

use crate::cells::math::{quick_ln, t_ln_density};
use crate::cells::numbers::{Numbers, Scale};
use crate::cells::strips::{strips, STRIP};
use crate::simd::{Simd, Task, Vector};

use super::expected::Expectations;
use super::line::{Line, Shape};
use super::line_in_groups::{all_taken, common_slope, Lines};
use super::number::{NumberInGroups, Seen};
use super::ratios::{Compared, Strip};
use super::sample::Formed;
use super::two_numbers::{NumberOfTwo, Operation};
use super::From;

/// The bounds of what one row gains.
const ROW_GAIN: [f64; 2] = [-6.0, 12.0];
/// The rows that lines are compared on.
const LINE_ROWS: usize = 3_000;
/// The fewest rows that tell a gain.
const FEWEST: usize = 40;
/// The parts of the sample that are judged by one another.
const FOLDS: u8 = 2;

/// The number of a column in the sample.
pub struct Gains<'a> {
    pub numbers: &'a Numbers,
    raw: &'a [f64],
    strips: Vec<Strip>,
    /// Places on the column's scale, and on that of logarithms.
    places: Vec<f64>,
    logs: Vec<f64>,
    /// ln of the density of each number by itself, on a scale in spreads.
    alone: Vec<f64>,
    folds: Vec<u8>,
}

impl<'a> Gains<'a> {
    pub fn new(numbers: &'a Numbers, raw: &'a [f64], folds: &[u8]) -> Self {
        let places = numbers.places(raw);
        let log = |number: &f64| super::line::taken(*number, true);
        let logs = if numbers.log.is_some() { raw.iter().map(log).collect() } else { vec![] };
        let folds = folds.iter().take(raw.len()).map(|fold| fold % FOLDS).collect();
        let scale = numbers.scale();
        let alone = places.iter().map(|place| t_ln_density((place - scale.centre) / scale.spread)).collect();
        let strips = raw.chunks(STRIP).map(|raw| Strip::new(numbers, raw)).collect();
        Self { numbers, raw, strips, places, logs, alone, folds }
    }

    /// The places of the numbers on their column's scale.
    pub fn places(&self) -> &[f64] {
        &self.places
    }

    /// The gain of a column in a form.
    pub fn gain_of_groups(&self, formed: &Formed) -> f64 {
        let codes = formed.coder.unseen();
        let scale = self.numbers.scale();
        let fit = |fold: u8| NumberInGroups::fit(&formed.grouped, self.seen(&self.places, fold), scale, codes);
        let fitted = [fit(0), fit(1)].map(From::Groups);
        let expect = |from: &From, rows: Range<usize>| from.expect(&formed.codes[rows], [&[]; 2]);
        self.gain(self.raw.len(), fitted, expect)
    }

    /// That of a line through the numbers of a parent, whose rows are given in their order.
    pub fn gain_of_line(&self, shape: Shape, parent: &[f64], rising: &[u32]) -> Option<f64> {
        let (places, scale) = self.scaled(shape.child_is_log)?;
        let rows = LINE_ROWS.min(self.raw.len());
        let few: Vec<u32> = rising.iter().copied().filter(|row| (*row as usize) < rows).collect();
        let fit = |fold: u8| Line::fit(shape, parent, &few, self.seen(places, fold), scale);
        let fitted = [fit(0)?, fit(1)?].map(From::Line);
        Some(self.gain(rows, fitted, |from, rows| from.expect(&[], [&parent[rows], &[]])))
    }

    /// That of a line for each code of a form, through the numbers of another column.
    pub fn gain_of_lines(&self, shape: Option<Shape>, formed: &Formed, other: &[f64]) -> Option<f64> {
        let (places, scale) = self.scaled(shape.is_some_and(|shape| shape.child_is_log))?;
        let (grouped, codes, taken) = (&formed.grouped, formed.coder.unseen(), all_taken(shape, other));
        let slope = common_slope(shape, grouped, &taken, places)?;
        let lines = Lines { shape, slope, grouped, taken: &taken, scale, codes };
        let fit = |fold: u8| lines.fit(self.seen(places, fold));
        let fitted = [fit(0)?, fit(1)?].map(From::LineInGroups);
        let expect = |from: &From, rows: Range<usize>| from.expect(&formed.codes[rows.clone()], [&[], &other[rows]]);
        Some(self.gain(self.raw.len(), fitted, expect))
    }

    /// That of an operation on two others.
    pub fn gain_of_two(&self, operation: Operation, is_log: bool, others: [&[f64]; 2]) -> Option<f64> {
        let scale = if is_log { self.numbers.log.as_ref()? } else { &self.numbers.raw };
        let fit = |fold: u8| NumberOfTwo::fit(operation, is_log, others, self.seen(self.raw, fold), scale);
        let fitted = [fit(0)?, fit(1)?].map(From::Two);
        let expect = |from: &From, rows: Range<usize>| from.expect(&[], others.map(|other| &other[rows.clone()]));
        Some(self.gain(self.raw.len(), fitted, expect))
    }

    fn seen<'b>(&'b self, places: &'b [f64], left_out: u8) -> Seen<'b> {
        Seen { places, folds: &self.folds, left_out: Some(left_out) }
    }

    /// The places of a scale, and the scale; None where there is none.
    fn scaled(&self, is_log: bool) -> Option<(&[f64], &Scale)> {
        match is_log {
            _ if is_log == self.numbers.is_log => Some((&self.places, self.numbers.scale())),
            true => self.numbers.log.as_ref().map(|log| (self.logs.as_slice(), log)),
            false => Some((self.raw, &self.numbers.raw)),
        }
    }

    /// The mean gain of the first rows, of which each is judged by what was fitted without its fold.
    fn gain(
        &self,
        rows: usize,
        fitted: [From; FOLDS as usize],
        expect: impl Fn(&From, Range<usize>) -> Expectations,
    ) -> f64 {
        let is_log = fitted[0].is_log(self.numbers);
        let (mut sum, mut count, mut compared) = (0.0, 0, Compared::none());
        for (rows, strip) in strips(rows).zip(&self.strips) {
            let folds = &self.folds[rows.clone()];
            let expected = Expectations::by_fold(folds, fitted.iter().map(|from| Some(expect(from, rows.clone()))));
            strip.compare(self.numbers, &self.raw[rows.clone()], is_log, &expected, &mut compared);
            let mut gains = [0.0; STRIP];
            Simd::chosen().run(GainsOfStrip { compared: &compared, alone: &self.alone[rows.clone()], out: &mut gains });
            count += self.raw[rows.clone()].iter().filter(|number| !number.is_nan()).count();
            let known = gains.iter().zip(&compared.far).take(rows.len()).filter(|(_, far)| !far.is_nan());
            known.for_each(|(gain, _)| sum += gain);
        }
        match count < FEWEST {
            true => 0.0,
            false => sum / count as f64,
        }
    }
}

/// What each row of a strip gains.
struct GainsOfStrip<'a> {
    compared: &'a Compared,
    alone: &'a [f64],
    out: &'a mut [f64; STRIP],
}

impl Task for GainsOfStrip<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let rows = self.compared.away.iter().zip(&self.compared.narrower).zip(self.alone);
        for (out, ((away, narrower), alone)) in self.out.iter_mut().zip(rows) {
            let there = quick_ln(f64::from(*narrower)) + t_ln_density(f64::from(*away));
            *out = (there - alone).clamp(ROW_GAIN[0], ROW_GAIN[1]);
        }
    }
}
