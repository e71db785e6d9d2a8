//! How rare a number is among training numbers, and a count among the counts of values: evidence
//! from a share p of the training rows is 0.3 · p^−0.7. Where a number follows precisely from others, to
//! be far from what it should be is an event as well, whose evidence is one over its rate.

use super::events::of_event;
use super::lookup::Lookup;
use super::math::{quick_ln, quick_ln_single};
use super::strips::STRIP;
use crate::simd::{exponentials, logarithms, Simd, Task, Vector};

/// The evidence of a share is `FACTOR * share ^ -EXPONENT`.
const FACTOR: f64 = 0.3;
const EXPONENT: f64 = 0.7;
/// The highest values stand as they are; from there on, each knot covers a fifth more rows.
const HIGHEST: usize = 12;
const GROWTH: f64 = 1.2;
/// The most knots that a tail has: those of 2^48 rows.
pub const MOST_KNOTS: usize = 192;
/// Values of up to this many times the rows are as rare.
const APART: u64 = 8;
/// How far beyond the highest training value the evidence goes on to rise.
const FURTHEST: f64 = 20.0;
/// A number breaks a rule if it is so many spreads from what it should be, and there is a rule where at
/// most this share of the training rows breaks it.
const BREAKS: f32 = 30.0;
const FEW: f64 = 0.02;

/// The evidence of a share of the training rows.
pub fn evidence_of_share(share: f64) -> f64 {
    FACTOR * libm::pow(share, -EXPONENT)
}

/// The upper tail of a column's numbers: how many training rows have at least a given one.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// Numbers in rising order.
    pub knots: Vec<f64>,
    /// The number of training rows with at least each of them.
    pub at_least: Vec<f64>,
    /// The rows that a share is of: the tail's own, or more of them.
    rows: f64,
    /// By how many nats the evidence of a share rises with each unit beyond the last knot.
    slope: f64,
    /// Whether what it is the tail of may be a rule.
    pub is_rule: bool,
    /// From where on a number breaks the rule, and the evidence of that against a new number and against
    /// a training row's own.
    breaks_from: f32,
    of_break: [f32; 2],
    /// The evidence of a new number between the knots.
    lookup: Lookup,
}

impl Tail {
    /// From numbers and how many rows have each.
    pub fn fit(mut numbers: Vec<(f64, f64)>, slope: f64) -> Self {
        numbers.retain(|(number, count)| number.is_finite() && *count > 0.0);
        numbers.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let (mut knots, mut at_least) = (vec![], vec![]);
        let (mut rows, mut next) = (0.0, 0.0);
        let mut all = numbers.into_iter().peekable();
        while let Some((number, count)) = all.next() {
            rows += count;
            if all.peek().is_some_and(|(following, _)| *following == number) {
                continue;
            }
            let is_wanted = rows >= next && knots.len() + 1 < MOST_KNOTS;
            // A count may be lost beside those of the higher numbers, where it is rounded.
            let has_more = at_least.last().is_none_or(|higher| rows > *higher);
            if has_more && (is_wanted || all.peek().is_none()) {
                knots.push(number);
                at_least.push(rows);
                next = if knots.len() < HIGHEST { 0.0 } else { rows * GROWTH };
            }
        }
        knots.reverse();
        at_least.reverse();
        Self::new(knots, at_least, slope)
    }

    /// From its knots.
    pub fn new(knots: Vec<f64>, at_least: Vec<f64>, slope: f64) -> Self {
        let (rows, is_rule, breaks_from, of_break) = (0.0, false, f32::INFINITY, [0.0; 2]);
        let lookup = Lookup::new([(&[], &[])]);
        Self { knots, at_least, rows, slope, is_rule, breaks_from, of_break, lookup }.among(0.0)
    }

    /// The same, of how far numbers are from what they precisely should be.
    pub fn of_rule(mut self) -> Self {
        let from = how_far(BREAKS);
        let at = self.knots.partition_point(|knot| *knot < f64::from(from));
        let rows = self.at_least.get(at).copied().unwrap_or(0.0);
        self.is_rule = true;
        if rows <= FEW * self.own_rows() {
            self.breaks_from = from;
            let evidence = |is_left_out| of_event(rows as u64, self.rows as u64, is_left_out) as f32;
            self.of_break = [false, true].map(evidence);
        }
        self
    }

    /// The same, with shares of so many rows if there are fewer in the tail itself.
    pub fn among(mut self, rows: f64) -> Self {
        let rows = rows.max(self.own_rows());
        self.rows = rows;
        self.lookup = Lookup::new([(&self.knots, &self.of_knots())]);
        self
    }

    /// The evidence of each knot.
    fn of_knots(&self) -> Vec<f64> {
        self.at_least.iter().map(|count| evidence_of_share((count + 1.0) / (self.rows + 1.0))).collect()
    }

    /// The evidence against a number that breaks the rule, if this is the tail of one.
    pub fn of_broken_rule(&self) -> Option<f64> {
        self.breaks_from.is_finite().then_some(self.of_break[0].into())
    }

    /// The evidence of a new number beyond all knots.
    #[cold]
    fn evidence_beyond(&self, number: f32) -> f32 {
        let beyond = f64::from(number) - self.knots.last().copied().unwrap_or(0.0);
        if self.rows <= 0.0 || beyond <= 0.0 {
            return FACTOR as f32;
        }
        (FACTOR * libm::exp(EXPONENT * (libm::log(self.rows + 1.0) + self.slope * beyond.min(FURTHEST)))) as f32
    }

    /// One over the share of the rows that is left for a training row's own number, and the nats by
    /// which the highest one is beyond the next.
    fn left_out(&self, number: f32) -> (f64, f64) {
        let (at, number) = (self.lookup.place(number), f64::from(number));
        let own = match at {
            0 => self.own_rows(),
            at if at >= self.knots.len() => 1.0,
            at => {
                let share = (number - self.knots[at - 1]) / (self.knots[at] - self.knots[at - 1]);
                self.at_least[at - 1] + (self.at_least[at] - self.at_least[at - 1]) * share
            }
        };
        let mut more = 0.0;
        if own < 1.5 {
            let second = self.knots.len().checked_sub(2).map_or(number, |at| self.knots[at]);
            more = self.slope * (number - second).clamp(0.0, FURTHEST);
        }
        ((self.rows + 1.0) / own.max(1.0), more)
    }

    /// Keeps so many of the knots, evenly among them; the first and the last one always.
    pub fn thin(&mut self, most: usize) {
        let (count, most) = (self.knots.len(), most.max(2));
        if count > most {
            let places = (0..most).map(|at| at * (count - 1) / (most - 1));
            let (knots, at_least) = places.map(|at| (self.knots[at], self.at_least[at])).unzip();
            let thinner = Self::new(knots, at_least, self.slope).among(self.rows);
            *self = if self.is_rule { thinner.of_rule() } else { thinner };
        }
    }

    /// The knots, and for each how many rows have it but not the next one.
    pub fn values(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let next = self.at_least.iter().skip(1).copied().chain([0.0]);
        self.knots.iter().zip(&self.at_least).zip(next).map(|((knot, rows), next)| (*knot, rows - next))
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.knots.capacity() * 16 + self.lookup.bytes()
    }

    /// The number of training rows in it.
    pub fn own_rows(&self) -> f64 {
        self.at_least.first().copied().unwrap_or(0.0)
    }

    /// What is wrong with a tail that comes from a file.
    pub fn fault(&self) -> Option<&'static str> {
        let is_rising = self.knots.windows(2).all(|pair| pair[0] < pair[1]);
        let is_falling = self.at_least.windows(2).all(|pair| pair[0] > pair[1]);
        let are_counts = self.at_least.iter().all(|count| (0.0..1e15).contains(count));
        let are_finite = self.knots.iter().all(|knot| knot.is_finite());
        let is_sized = self.knots.len() <= MOST_KNOTS && self.knots.len() == self.at_least.len();
        let is_right = is_rising && is_falling && are_counts && are_finite && is_sized;
        (!is_right).then_some("a tail of its cells is not in order")
    }
}

impl Tail {
    /// The evidence of up to [`STRIP`] numbers, but for rules that they break; training rows' own are left
    /// out.
    pub fn evidence_of_strip(&self, numbers: &[f32], is_left_out: bool, out: &mut [f32; STRIP]) {
        evidence_of_strip(&self.lookup, numbers, &[0.0; STRIP], |_| self, is_left_out, out);
    }

    /// Raises evidence of up to [`STRIP`] numbers, where a number breaks the rule, to that of it.
    pub fn add_broken(&self, numbers: &[f32], is_left_out: bool, evidence: &mut [f32; STRIP]) {
        if self.breaks_from.is_finite() {
            let of_break = self.of_break[usize::from(is_left_out)];
            Simd::chosen().run(Raise { numbers, from: self.breaks_from, to: of_break, evidence });
        }
    }

    /// The evidence of one number; a training row's own is left out.
    pub fn evidence(&self, number: f32, is_left_out: bool) -> f32 {
        let evidence = match is_left_out {
            true => {
                let (rows_per_own, more) = self.left_out(number);
                (FACTOR * libm::exp(EXPONENT * (libm::log(rows_per_own) + more))) as f32
            }
            false => match self.lookup.result(number, false) {
                evidence if evidence.is_nan() && !number.is_nan() => self.evidence_beyond(number),
                evidence => evidence,
            },
        };
        match number >= self.breaks_from {
            true => evidence.max(self.of_break[usize::from(is_left_out)]),
            false => evidence,
        }
    }
}

/// Raises the evidence of what is at least a number.
struct Raise<'a> {
    numbers: &'a [f32],
    from: f32,
    to: f32,
    evidence: &'a mut [f32; STRIP],
}

impl Task for Raise<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for (number, evidence) in self.numbers.iter().zip(self.evidence) {
            let least = if *number >= self.from { self.to } else { 0.0 };
            *evidence = if *evidence < least { least } else { *evidence };
        }
    }
}

/// The evidence of up to [`STRIP`] numbers, each on the side of its sign; training rows' own are left out.
fn evidence_of_strip<'a>(
    lookup: &Lookup,
    numbers: &[f32],
    signs: &[f32],
    tail_of: impl Fn(usize) -> &'a Tail,
    is_left_out: bool,
    out: &mut [f32; STRIP],
) {
    let rows = numbers.iter().enumerate();
    if !is_left_out {
        if !lookup.results(numbers, signs, out) {
            return;
        }
        let beyond = rows.zip(out).filter(|((_, number), out)| out.is_nan() & !number.is_nan());
        beyond.for_each(|((at, number), out)| *out = tail_of(at).evidence_beyond(*number));
        return;
    }
    let (mut ratios, mut more, mut nats) = ([1.0; STRIP], [0.0; STRIP], [0.0; STRIP]);
    rows.for_each(|(at, number)| (ratios[at], more[at]) = tail_of(at).left_out(*number));
    logarithms(&ratios, &mut nats);
    nats.iter_mut().zip(more).for_each(|(nats, more)| *nats = EXPONENT * (*nats + more));
    exponentials(&mut nats);
    out.iter_mut().zip(nats).take(numbers.len()).for_each(|(out, nats)| *out = (FACTOR * nats) as f32);
}

/// How far out numbers are below the centre and above it: which share of the rows is at least as far
/// on the same side, times two.
#[derive(Clone, Debug, PartialEq)]
pub struct Ends {
    pub below: Tail,
    pub above: Tail,
    /// The evidence of both sides.
    lookup: Lookup,
}

impl Ends {
    /// From how far numbers are from the centre, in spreads, and how many rows have each.
    pub fn fit(away: impl Iterator<Item = (f64, f64)>) -> Self {
        let (below, above) = away.partition::<Vec<_>, _>(|(away, _)| away.is_sign_negative());
        let tail = |side: Vec<(f64, f64)>| {
            Tail::fit(side.into_iter().map(|(away, rows)| (how_far(away as f32).into(), rows)).collect(), 1.0)
        };
        Self::new(tail(below), tail(above))
    }

    /// From both sides.
    pub fn new(below: Tail, above: Tail) -> Self {
        let half = (below.own_rows() + above.own_rows()) / 2.0;
        let [below, above] = [below.among(half), above.among(half)];
        let lookup = Lookup::new([(&above.knots, &above.of_knots()), (&below.knots, &below.of_knots())]);
        Self { below, above, lookup }
    }

    /// The evidence of up to [`STRIP`] numbers so many spreads from the centre; training rows' own are left
    /// out.
    pub fn evidence_of_strip(&self, away: &[f32], is_left_out: bool, out: &mut [f32; STRIP]) {
        let mut far = [0.0; STRIP];
        Simd::chosen().run(HowFar { away, out: &mut far });
        let far = &far[..away.len()];
        evidence_of_strip(&self.lookup, far, away, |at| self.side(away[at]), is_left_out, out);
    }

    /// The evidence of a number so many spreads from the centre; a training row's own is left out.
    pub fn evidence(&self, away: f32, is_left_out: bool) -> f32 {
        self.side(away).evidence(how_far(away), is_left_out)
    }

    /// The tail of a number's side.
    #[inline(always)]
    pub fn side(&self, away: f32) -> &Tail {
        [&self.above, &self.below][usize::from(away.is_sign_negative())]
    }

    /// How far numbers are from the centre, and for each how many rows are so far but not farther.
    pub fn values(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let side = |tail: &'_ Tail, sign: f64| {
            let away = move |(knot, rows): (f64, f64)| (sign * (libm::exp(knot) - 1.0).max(0.0).sqrt(), rows);
            tail.values().map(away).collect::<Vec<_>>()
        };
        // A number just below the centre stays below it.
        let below = side(&self.below, -1.0).into_iter().map(|(away, rows)| (away.min(-f64::MIN_POSITIVE), rows));
        below.chain(side(&self.above, 1.0))
    }

    /// The number of training rows.
    pub fn rows(&self) -> f64 {
        self.below.own_rows() + self.above.own_rows()
    }

    /// Keeps so many of each side's knots.
    pub fn thin(&mut self, most: usize) {
        self.below.thin(most);
        self.above.thin(most);
        *self = Self::new(self.below.clone(), self.above.clone());
    }
}

/// The most spreads that a number is taken to be from where it is expected: its square is still finite.
const MOST_AWAY: f32 = 1e15;

/// z², for z spreads from where a number is expected.
#[inline(always)]
pub fn square_of(away: f32) -> f32 {
    let away = away.clamp(-MOST_AWAY, MOST_AWAY);
    away * away
}

/// ln(1 + z²), for z spreads from where a number is expected; NaN where z is.
#[inline(always)]
pub fn how_far(away: f32) -> f32 {
    let far = quick_ln_single(1.0 + square_of(away));
    if away.is_nan() {
        f32::NAN
    } else {
        far
    }
}

/// ln(1 + z²) of numbers.
struct HowFar<'a> {
    away: &'a [f32],
    out: &'a mut [f32; STRIP],
}

impl Task for HowFar<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.out.iter_mut().zip(self.away).for_each(|(out, away)| *out = how_far(*away));
    }
}

/// How rare the values of a column are: the share of the rows with a value no more frequent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rarity {
    /// The numbers of rows that values have, rising and different.
    counts: Vec<u64>,
    /// The number of rows with values of at most these counts.
    rows: Vec<f64>,
    all: f64,
    /// The evidence of a value, by how many of the counts are at most its own.
    evidence: Vec<f64>,
}

impl Rarity {
    /// From the number of rows that each value has, and the number of rows with values that are not
    /// remembered: each of these counts as a value of its own.
    pub fn fit(counts: impl IntoIterator<Item = u64>, alone: u64) -> Self {
        let mut sorted: Vec<u64> = counts.into_iter().filter(|count| *count > 0).collect();
        sorted.sort_unstable();
        let (mut counts, mut rows): (Vec<u64>, Vec<f64>) = (vec![], vec![]);
        let mut all = alone as f64;
        if alone > 0 {
            counts.push(1);
            rows.push(all);
        }
        for count in sorted {
            all += count as f64;
            match counts.last() == Some(&count) {
                true => rows.pop(),
                false => {
                    counts.push(count);
                    None
                }
            };
            rows.push(all);
        }
        let mut fitted = Self { counts, rows, all, evidence: vec![] };
        fitted.evidence = (0..=fitted.rows.len()).map(|at| evidence_of_share(fitted.share_at(at))).collect();
        fitted
    }

    /// The share of the rows that have a value of at most this count. A new value counts as one of
    /// those that a single row has.
    pub fn share(&self, count: u64) -> f64 {
        self.share_at(self.place(count))
    }

    /// The evidence of a value of this count.
    pub fn evidence(&self, count: u64) -> f64 {
        self.evidence.get(self.place(count)).copied().unwrap_or(FACTOR)
    }

    fn place(&self, count: u64) -> usize {
        self.counts.partition_point(|known| *known <= count.max(1))
    }

    fn share_at(&self, place: usize) -> f64 {
        let rows = place.checked_sub(1).map_or(0.0, |at| self.rows[at]);
        ((rows + 0.5) / (self.all + 1.0)).min(1.0)
    }

    /// The event that no other values are nearly as rare: one over the share of the rows with
    /// values of up to eight times the rows. A training row, which has one of `count`, is no part
    /// of it.
    pub fn apart(&self, count: u64, is_left_out: bool) -> f64 {
        let one = u64::from(is_left_out);
        let others = count.saturating_sub(one).max(1);
        let at = self.counts.partition_point(|known| *known <= others.saturating_mul(APART).max(count));
        let rows = at.checked_sub(1).map_or(0.0, |at| self.rows[at]);
        (self.all + 1.0) / ((rows - one as f64).max(0.0) + 0.5)
    }

    /// −ln of that share.
    pub fn nats(&self, count: u64) -> f64 {
        -quick_ln(self.share(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail() -> Tail {
        Tail::fit((0..1000).map(|at| (f64::from(at), 1.0)).collect(), 1.0)
    }

    #[test]
    fn the_evidence_of_a_number_follows_the_share_beyond_it() {
        let tail = tail();
        assert!(tail.knots.len() < 60 && tail.fault().is_none());
        for number in [0.0, 500.0, 900.0, 989.5, 998.0, 999.0] {
            let beyond = (1000.0 - f64::from(number).ceil() + 1.0) / 1001.0;
            let expected = evidence_of_share(beyond.min(1.0));
            assert!((f64::from(tail.evidence(number, false)) / expected - 1.0).abs() < 0.06, "{number}");
        }
        let beyond = evidence_of_share(1.0 / 1001.0) * libm::exp(0.7);
        assert!((f64::from(tail.evidence(1000.0, false)) / beyond - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_training_number_is_judged_without_itself() {
        let tail = tail();
        let evidence = |number| f64::from(tail.evidence(number, true));
        let expected = evidence_of_share(1.0 / 1001.0) * libm::exp(0.7);
        assert!((evidence(999.0) / expected - 1.0).abs() < 1e-6);
        assert!((evidence(998.0) / evidence_of_share(2.0 / 1001.0) - 1.0).abs() < 1e-6);
        assert!((evidence(0.0) - evidence_of_share(1000.0 / 1001.0)).abs() < 1e-6);
    }

    /// The evidence by a search and the formulas.
    fn plain(tail: &Tail, number: f32, is_left_out: bool) -> f64 {
        let number = f64::from(number);
        let at = tail.knots.partition_point(|knot| *knot < number);
        let [first, last] = [tail.knots.first(), tail.knots.last()].map(|knot| knot.copied().unwrap_or(0.0));
        let between = |numbers: &[f64]| {
            let share = (number - tail.knots[at - 1]) / (tail.knots[at] - tail.knots[at - 1]);
            numbers[at - 1] + (numbers[at] - numbers[at - 1]) * share
        };
        if is_left_out {
            let own = match at {
                0 => tail.own_rows(),
                at if at == tail.knots.len() => 1.0,
                _ => between(&tail.at_least),
            };
            let second = tail.knots.len().checked_sub(2).map_or(number, |at| tail.knots[at]);
            let beyond = if own < 1.5 { tail.slope * (number - second).clamp(0.0, FURTHEST) } else { 0.0 };
            return FACTOR * libm::exp(EXPONENT * (libm::log((tail.rows + 1.0) / own.max(1.0)) + beyond));
        }
        let knots = tail.at_least.iter().map(|count| evidence_of_share((count + 1.0) / (tail.rows + 1.0)));
        let knots: Vec<f64> = knots.collect();
        if tail.rows <= 0.0 {
            FACTOR
        } else if number > last {
            let nats = libm::log(tail.rows + 1.0) + tail.slope * (number - last).min(FURTHEST);
            FACTOR * libm::exp(EXPONENT * nats)
        } else if tail.knots.is_empty() || number <= first {
            knots.first().copied().unwrap_or(FACTOR)
        } else {
            between(&knots)
        }
    }

    #[test]
    fn the_evidence_is_that_of_a_search() {
        let usual: Vec<(f64, f64)> =
            (0..5_000).map(|at| (how_far((at * 37 % 5_000) as f32 / 900.0).into(), 1.0)).collect();
        let apart = [usual.clone(), vec![(300.0, 2.0), (460.0, 1.0)]].concat();
        let tails = [vec![], vec![(2.0, 7.0)], vec![(0.0, 3.0), (1e-7f32.into(), 1.0)], usual, apart];
        for (tail, among) in tails.into_iter().flat_map(|of| [(of.clone(), 0.0), (of, 9_000.0)]) {
            let tail = Tail::fit(tail, 1.0).among(among);
            let mut numbers: Vec<f32> = (0..2_000).map(|at| at as f32 / 300.0).collect();
            let knots = tail.knots.iter().map(|knot| *knot as f32);
            numbers.extend(knots.flat_map(|knot| [knot.next_down().max(0.0), knot, knot.next_up()]));
            numbers.extend([0.0, 1e-45, 100.0, 461.0, f32::MAX]);
            for (numbers, is_left_out) in numbers.chunks(STRIP).flat_map(|of| [(of, false), (of, true)]) {
                let mut found = [0.0; STRIP];
                tail.evidence_of_strip(numbers, is_left_out, &mut found);
                for (number, found) in numbers.iter().zip(found) {
                    let expected = plain(&tail, *number, is_left_out);
                    assert!((f64::from(found) / expected - 1.0).abs() < 1e-5, "{number}: {found} and {expected}");
                    assert_eq!(tail.evidence(*number, is_left_out).to_bits(), found.to_bits());
                }
            }
        }
    }

    #[test]
    fn a_count_that_is_lost_in_rounding_makes_no_knot() {
        let tail = Tail::fit(vec![(3.0, 1.0), (2.0, 1e-20), (1.0, 1.0), (0.0, 1e-20)], 1.0);
        assert_eq!((tail.knots.as_slice(), tail.at_least.as_slice()), (&[1.0, 3.0][..], &[2.0, 1.0][..]));
        assert_eq!(tail.fault(), None);
    }

    #[test]
    fn a_tail_of_many_rows_is_small_and_one_of_none_is_quiet() {
        let many = Tail::fit((0..200_000).map(|at| (f64::from(at % 65_536), 1e9)).collect(), 1.0);
        assert!(many.knots.len() < MOST_KNOTS);
        assert_eq!(Tail::fit(vec![], 1.0).evidence(1e9, false), 0.3f32);
        assert_eq!(Tail::fit(vec![(2.0, 7.0)], 1.0).evidence(2.0, false), 0.3f32);
    }

    #[test]
    fn a_value_is_as_rare_as_the_rows_with_no_commoner_one() {
        let rarity = Rarity::fit([90, 6, 2, 1, 1], 0);
        let shares = [0, 1, 2, 6, 90].map(|count| rarity.share(count) * 101.0);
        for (share, expected) in shares.into_iter().zip([2.5, 2.5, 4.5, 10.5, 100.5]) {
            assert!((share - expected).abs() < 1e-9);
        }
        for count in [0, 1, 2, 5, 6, 90, 91] {
            assert_eq!(rarity.evidence(count), evidence_of_share(rarity.share(count)));
        }
        assert_eq!(Rarity::fit([90, 6, 2], 2), rarity);
        assert!(Rarity::default().share(0) <= 1.0);
    }
}
