//! What a column's numbers are like: their centre and spread, their tails, and the numbers among
//! them that stand for missing values. Dates are days, times of the day are hours.

use super::math::{centre_and_spread, grain, spreads, t_ln_density, LEAST_SPREAD, MOST_SPREAD};
use super::sentinels::{self, Counted};
use super::shares::Shares;
use super::tails::Ends;
use super::zeros::go_through_zero;

/// How far beyond the middle 98 % a number must be, in widths of these, for the two events of
/// numbers far out. Of a normal distribution, this is 5.8 and 11.6 standard deviations from the
/// mean.
pub const FAR: [f64; 2] = [0.75, 2.0];
/// The shares of the numbers that are below the middle ones, and up to their end.
const MIDDLE: [f64; 2] = [0.01, 0.99];
/// The width of the middle of a normal distribution, in spreads: the least that there is.
const LEAST_WIDTH: f64 = 4.65;
/// A sign, or a fraction among whole numbers, is an event where at most this share of the
/// numbers is one.
const RARE: f64 = 0.1;
/// The fewest numbers that are described as numbers; fewer are values like any other.
pub const FEWEST: usize = 21;
/// The share of positive numbers for which logarithms are tried.
pub const POSITIVE: f64 = 0.995;
/// Bins that numbers are sorted into as a parent.
const BINS: usize = 16;
/// Up to this many different numbers, each has a bin of its own.
pub const MOST_EXACT: usize = 32;
/// A number without a logarithm is as far below the others as this many spreads.
pub const BELOW: f64 = 15.0;
/// Dates after the usual ones are later, and not wrong, for so many times as long as these last, but
/// for at least and at most so many days.
const LATER: f64 = 5.0;
const LATER_DAYS: [f64; 2] = [366.0, 3_653.0];

/// The centre and the spread of numbers, or of their logarithms, and the unit they are rounded to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    pub centre: f64,
    pub spread: f64,
    pub grain: f64,
}

impl Scale {
    fn fit(rising: &[f64], grain: f64) -> Self {
        let (centre, spread) = centre_and_spread(rising);
        let grain = grain.min(MOST_SPREAD);
        Self { centre, spread: spread.max(grain / 2.0).clamp(LEAST_SPREAD, MOST_SPREAD), grain }
    }

    /// The smallest spread of numbers in a group.
    pub fn least(&self) -> f64 {
        (self.grain / 2.0).max(self.spread * 1e-3)
    }

    /// The smallest spread of numbers that follow from other numbers.
    pub fn least_by_numbers(&self) -> f64 {
        (self.grain / 2.0).max(self.spread * 1e-6)
    }
}

/// New numbers, and what they say by themselves.
pub struct New<'a> {
    /// All finite numbers.
    pub values: &'a [f64],
    /// None where they are too few.
    pub fitted: Option<Numbers>,
    pub rows: u64,
    pub unread: u64,
    pub are_days: bool,
}

/// What the numbers of a column are like.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// Whether the logarithms are closer to a t₄ than the numbers.
    pub is_log: bool,
    pub raw: Scale,
    /// Where nearly all numbers are positive: the scale of their logarithms.
    pub log: Option<Scale>,
    /// The number of rows, those with missing values included.
    pub rows: u64,
    /// Where the middle numbers begin and end on the scale.
    pub middle: [f64; 2],
    /// How many rows have a number far out, by [`FAR`].
    pub far: [u64; 2],
    /// How many rows have a text that is no number.
    pub unread: u64,
    /// How many rows have a number below zero, zero, and one that is not whole.
    pub odd: [u64; 3],
    /// Whether the numbers go on through 0, so that neither it nor a sign says anything.
    pub go_through_zero: bool,
    pub sentinels: Vec<Counted>,
    /// The tail of ln(1 + z²).
    pub ends: Ends,
    /// The bounds between bins, or the numbers themselves where they are few.
    pub edges: Vec<f64>,
    pub edges_are_values: bool,
}

impl Numbers {
    /// From all numbers of `rows` rows, in any order; None where they are too few.
    pub fn fit(numbers: &[f64], rows: usize, unread: usize, are_days: bool, may_be_log: bool) -> Option<Self> {
        let mut all: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
        if all.len() < FEWEST {
            return None;
        }
        all.sort_unstable_by(f64::total_cmp);
        let sentinels = sentinels::find(&all, are_days);
        all.retain(|number| sentinels.iter().all(|(sentinel, _)| sentinel != number));
        let grain = grain(&all, are_days);
        let raw = Scale::fit(&all, grain);
        let positive: Vec<f64> = all.iter().filter(|number| **number > 0.0).map(|x| libm::log(*x)).collect();
        let median_of_logs = super::math::quantile(&positive, 0.5);
        let is_positive = may_be_log && positive.len() as f64 > POSITIVE * all.len() as f64;
        let log = is_positive.then(|| Scale::fit(&positive, grain / libm::exp(median_of_logs)));
        let is_log = log.is_some_and(|log| log_fits_better(&all, &raw, &positive, &log));
        let (edges, edges_are_values) = bins(&all);
        let mut fitted = Self {
            is_log,
            raw,
            log,
            rows: rows as u64,
            middle: [0.0; 2],
            far: [0; 2],
            unread: unread as u64,
            odd: [0; 3],
            go_through_zero: !are_days && go_through_zero(&all),
            sentinels,
            ends: Ends::fit(std::iter::empty()),
            edges,
            edges_are_values,
        };
        let mut places: Vec<f64> = all.iter().map(|number| fitted.on_scale(*number)).collect();
        places.sort_unstable_by(f64::total_cmp);
        fitted.middle = MIDDLE.map(|share| super::math::quantile(&places, share));
        fitted.far = FAR.map(|far| all.iter().filter(|number| fitted.beyond(**number) >= far).count() as u64);
        if !are_days {
            fitted.odd = [0, 1, 2].map(|at| all.iter().filter(|number| oddities(**number)[at]).count() as u64);
        }
        fitted.ends = Ends::fit(all.iter().map(|number| (fitted.away(*number).into(), 1.0)));
        Some(fitted)
    }

    /// The same, with the rows that an earlier model has seen.
    pub fn fit_after(
        numbers: &[f64],
        rows: usize,
        unread: usize,
        are_days: bool,
        may_be_log: bool,
        earlier: Option<(&Self, Shares)>,
    ) -> Option<Self> {
        let Some((earlier, shares)) = earlier else { return Self::fit(numbers, rows, unread, are_days, may_be_log) };
        let values: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
        let stands_for_itself = |number: &f64| earlier.sentinel(*number).is_none();
        let sized: Vec<f64> = values.iter().copied().filter(stands_for_itself).collect();
        let fitted = Self::fit(&sized, rows, unread, are_days, may_be_log);
        let new = New { values: &values, fitted, rows: rows as u64, unread: unread as u64, are_days };
        Some(Self::merged(earlier, new, shares))
    }

    /// The scale that numbers are judged on.
    pub fn scale(&self) -> &Scale {
        self.scale_of(self.is_log)
    }

    /// The scale of the numbers, or of their logarithms where they have one.
    pub fn scale_of(&self, is_log: bool) -> &Scale {
        match (&self.log, is_log) {
            (Some(log), true) => log,
            _ => &self.raw,
        }
    }

    /// The places of numbers on the scale; NaN stays.
    pub fn places(&self, numbers: &[f64]) -> Vec<f64> {
        let place = |number: &f64| if number.is_nan() { f64::NAN } else { self.on_scale(*number) };
        numbers.iter().map(place).collect()
    }

    /// How far a number is from the centre, in spreads.
    pub fn away(&self, number: f64) -> f32 {
        let scale = self.scale();
        spreads(self.on_scale(number) - scale.centre, 1.0 / scale.spread)
    }

    /// How far a number is beyond the middle ones, in widths of these; below 0 within them.
    pub fn beyond(&self, number: f64) -> f64 {
        let (place, [low, high]) = (self.on_scale(number), self.middle);
        let width = (high - low).max(LEAST_WIDTH * self.scale().spread);
        (low - place).max(place - high) / width
    }

    /// Whether a day is later than the usual ones, by one to ten years at most: time goes on.
    pub fn is_later(&self, day: f64) -> bool {
        let [first, last] = self.middle;
        let [least, most] = LATER_DAYS;
        let after = day - last;
        after > 0.0 && after <= (LATER * (last - first)).clamp(least, most) && self.sentinel(day).is_none()
    }

    /// The number of rows with the rarest of the number's sign and its being a fraction, if few of
    /// the rows with a number have it.
    pub fn rare_oddity(&self, number: f64) -> Option<(Oddity, u64)> {
        let is_rare = self.rare_oddities().into_iter().zip(oddities(number));
        let rare = is_rare.zip(self.odd).zip([Oddity::Negative, Oddity::Zero, Oddity::Fraction]);
        let rare = rare.filter(|(((is_rare, is_odd), _), _)| *is_rare && *is_odd);
        rare.map(|((_, count), oddity)| (oddity, count)).min_by_key(|(_, count)| *count)
    }

    /// Which of [`oddities`] few of the rows with a number have. Zero and a sign say nothing of
    /// numbers around zero.
    pub fn rare_oddities(&self) -> [bool; 3] {
        let known = self.ends.rows();
        let few = (RARE * known) as u64;
        let is_side = self.odd[0] <= few || self.odd[0] >= (known as u64).saturating_sub(few);
        let are_one_sided = is_side && !self.go_through_zero;
        let [negative, zero, fraction] = self.odd.map(|count| count <= few);
        [negative && are_one_sided, zero && are_one_sided, fraction]
    }

    /// Whether nothing but its tail can speak against a number, see [`Numbers::are_ordinary`].
    #[cfg(test)]
    pub fn is_ordinary(&self, number: f64, rare: [bool; 3]) -> bool {
        let [low, high] = self.middle;
        let is_odd = oddities(number).into_iter().zip(rare).any(|(is_odd, is_rare)| is_odd && is_rare);
        (low..=high).contains(&self.on_scale(number)) && self.is_sized(number) && !is_odd
    }

    /// The number, or its logarithm where logarithms are judged.
    pub fn on_scale(&self, number: f64) -> f64 {
        let scale = self.scale();
        match self.is_log {
            false => number,
            true if number > 0.0 => libm::log(number),
            true => scale.centre - BELOW * scale.spread,
        }
    }

    /// How many rows have this number in the place of a missing one.
    pub fn sentinel(&self, number: f64) -> Option<u64> {
        self.sentinels.iter().find(|(sentinel, _)| *sentinel == number).map(|(_, count)| *count)
    }

    /// Whether a number can be judged by its size: it is there, and stands for itself.
    pub fn is_sized(&self, number: f64) -> bool {
        !number.is_nan() && (self.sentinels.is_empty() || self.sentinel(number).is_none())
    }

    /// The bin of a number; None of one that can't be judged, or that has no bin.
    pub fn bin(&self, number: f64) -> Option<usize> {
        if !self.is_sized(number) {
            return None;
        }
        match self.edges_are_values {
            true => self.edges.binary_search_by(|edge| edge.total_cmp(&number)).ok(),
            false => Some(self.edges.partition_point(|edge| *edge <= number)),
        }
    }

    /// The number of bins.
    pub fn bins(&self) -> usize {
        self.edges.len() + usize::from(!self.edges_are_values)
    }
}

/// What a number may be that the others are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    Negative,
    Zero,
    Fraction,
}

pub fn oddities(number: f64) -> [bool; 3] {
    [number < 0.0, number == 0.0, number.fract() != 0.0]
}

/// Whether a t₄ fits the logarithms of the positive numbers better than all numbers.
fn log_fits_better(all: &[f64], raw: &Scale, positive: &[f64], log: &Scale) -> bool {
    let nats = |numbers: &[f64], scale: &Scale| {
        let density = |number: &f64| t_ln_density((number - scale.centre) / scale.spread).max(-8.0);
        libm::log(scale.spread) - numbers.iter().map(density).sum::<f64>() / numbers.len() as f64
    };
    let mean = positive.iter().sum::<f64>() / positive.len() as f64;
    nats(positive, log) + mean < nats(all, raw)
}

/// The bounds of bins with the same number of rows; or the numbers, where they are few.
fn bins(rising: &[f64]) -> (Vec<f64>, bool) {
    let mut values: Vec<f64> = vec![];
    for number in rising {
        if values.last() != Some(number) {
            values.push(*number);
        }
        if values.len() > MOST_EXACT {
            return bins_of_values(rising);
        }
    }
    (values, true)
}

/// The bounds of bins with the same number of rising numbers.
pub fn bins_of_values(rising: &[f64]) -> (Vec<f64>, bool) {
    let edge = |at| super::math::quantile(rising, at as f64 / BINS as f64);
    let mut edges: Vec<f64> = (1..BINS).map(edge).collect();
    edges.dedup();
    (edges, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of a normal distribution's quantiles, roughly.
    fn normal(count: usize) -> impl Iterator<Item = f64> {
        (0..count).map(move |at| {
            let u = (at as f64 + 0.5) / count as f64;
            (u.powf(0.1349) - (1.0 - u).powf(0.1349)) / 0.1975
        })
    }

    #[test]
    fn the_scale_is_that_of_the_numbers_or_of_their_logarithms() {
        let raw: Vec<f64> = normal(2000).map(|z| 50.0 + 3.0 * z).collect();
        let fitted = Numbers::fit(&raw, 2000, 0, false, true).unwrap();
        assert!(!fitted.is_log && (fitted.raw.centre - 50.0).abs() < 0.1 && (fitted.raw.spread - 3.0).abs() < 0.1);
        let log: Vec<f64> = normal(2000).map(|z| (4.0 + 0.8 * z).exp()).collect();
        let fitted = Numbers::fit(&log, 2000, 0, false, true).unwrap();
        assert!(fitted.is_log && (fitted.scale().centre - 4.0).abs() < 0.1, "{:?}", fitted.scale());
        assert!(fitted.away(0.5) < -5.0 && fitted.away(-1.0) <= -15.0);
    }

    #[test]
    fn sentinels_do_not_change_the_scale() {
        let days: Vec<f64> = normal(2000).map(|z| (19_000.0 + 200.0 * z).round()).collect();
        let clean = Numbers::fit(&days, 2000, 0, true, false).unwrap();
        let fitted = Numbers::fit(&[days, vec![2_932_896.0; 60]].concat(), 2060, 0, true, false).unwrap();
        assert_eq!((fitted.raw, fitted.far), (clean.raw, [0, 0]));
        assert_eq!(fitted.sentinel(2_932_896.0), Some(60));
        assert!(!fitted.is_sized(2_932_896.0) && fitted.bin(2_932_896.0).is_none());
        // 5000-01-01
        let evidence = |of: &Numbers| of.ends.evidence(of.away(1_106_685.0), false);
        assert!(evidence(&fitted) > 1000.0 && evidence(&fitted) == evidence(&clean));
    }

    #[test]
    fn bins_hold_equal_shares_or_one_number_each() {
        let many = Numbers::fit(&(0..1600).map(f64::from).collect::<Vec<_>>(), 1600, 0, false, true).unwrap();
        assert_eq!((many.bins(), many.bin(-5.0), many.bin(799.0), many.bin(1e9)), (16, Some(0), Some(7), Some(15)));
        let few = Numbers::fit(&(0..100).map(|at| f64::from(at % 5)).collect::<Vec<_>>(), 100, 0, false, true).unwrap();
        assert_eq!((few.bins(), few.bin(3.0), few.bin(3.5), few.bin(f64::NAN)), (5, Some(3), None, None));
    }

    #[test]
    fn a_few_numbers_are_no_distribution() {
        assert!(Numbers::fit(&[1.0; 20], 20, 0, false, true).is_none());
        assert!(Numbers::fit(&[1.0; 21], 21, 0, false, true).is_some_and(|fitted| fitted.raw.spread == 1.0));
    }
}
