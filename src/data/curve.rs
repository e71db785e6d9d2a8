//! The surprisal of a number by its feature's training values, tabulated: linear between values at which it is known.

use super::tail::{Side, Tail};

/// Surprisals are held below this.
pub const MOST: f64 = 1e6;

/// A piecewise linear function of a feature's values, and a Pareto tail on each side.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Training values, rising; none for a feature that is not judged by its size
    knots: Vec<f64>,
    /// −ln of the share of the training rows at least as far out as each, on its side
    counted: Vec<f64>,
    /// 1 / half of the distance from each knot to the next
    inverse: Vec<f64>,
    buckets: Buckets,
    /// The lower one, mirrored, and the upper one
    tails: [Tail; 2],
}

impl Curve {
    /// For a feature whose values are not judged by their size.
    pub fn flat() -> Self {
        Self::new(vec![], vec![], [Tail::NONE; 2])
    }

    /// From knots, the counted surprisal of each, and the tails.
    pub fn new(knots: Vec<f64>, counted: Vec<f64>, tails: [Tail; 2]) -> Self {
        // Halved, so that the differences of huge values stay finite.
        let inverse = knots.windows(2).map(|pair| 1.0 / (pair[1] * 0.5 - pair[0] * 0.5)).collect();
        let buckets = Buckets::of(&knots);
        Self { knots, counted, inverse, buckets, tails }
    }

    pub fn knots(&self) -> &[f64] {
        &self.knots
    }

    pub fn counted(&self) -> &[f64] {
        &self.counted
    }

    pub fn tails(&self) -> &[Tail; 2] {
        &self.tails
    }

    /// Whether it gives every finite value a surprisal.
    pub fn is_usable(&self) -> bool {
        let rising = self.knots.iter().all(|knot| knot.is_finite()) && self.knots.is_sorted_by(|a, b| a < b);
        let counted = self.counted.iter().all(|nats| (0.0..=MOST).contains(nats));
        rising && counted && self.tails.iter().all(Tail::is_usable)
    }

    /// Bytes of memory that it takes, beside its own.
    pub fn bytes(&self) -> usize {
        size_of::<f64>() * (self.knots.capacity() + self.counted.capacity() + self.inverse.capacity())
            + size_of::<u16>() * Buckets::COUNT
    }

    /// As many values as are at each knot or beyond it by its share, all at knots; none of a flat curve.
    pub fn values(&self, count: usize) -> Vec<f64> {
        let shares: Vec<f64> = self.counted.iter().map(|counted| libm::exp(-counted)).collect();
        let Some(middle) = (0..shares.len()).max_by(|a, b| shares[*a].total_cmp(&shares[*b])) else { return vec![] };
        // As the shares were counted: (rows beyond + 1) / (rows + 1).
        let rows = |share: f64| (share * (count as f64 + 1.0) - 1.0).max(0.0).round() as usize;
        let mut values = Vec::with_capacity(count);
        // Up to each knot below the middle, and from each one above it on.
        for (knot, share) in self.knots.iter().zip(&shares).take(middle) {
            values.resize(values.len().max(rows(*share)), *knot);
        }
        for (place, knot) in self.knots.iter().enumerate().skip(middle) {
            let beyond = shares.get(place + 1).map_or(0, |share| rows(*share));
            values.resize(values.len().max(count - beyond.min(count)), *knot);
        }
        values
    }

    /// From sorted training values, of `rows` training rows; flat if they are all equal.
    pub fn of(sorted: &[f64], rows: usize) -> Self {
        if sorted.first() == sorted.last() {
            return Self::flat();
        }
        let gap = median_gap(sorted);
        let sides = [false, true].map(|upper| Side { sorted, upper });
        let mut knots: Vec<f64> = places(sorted.len()).into_iter().map(|place| sorted[place]).collect();
        knots.dedup();
        let counted = |knot: &f64| {
            let beyond = sides[0].beyond(-knot).min(sides[1].beyond(*knot));
            // The extremes of all rows may be beside the values of as many rows as there are.
            libm::log((rows as f64 + 1.0) / (beyond as f64 + 1.0)).max(0.0)
        };
        let counted = knots.iter().map(counted).collect();
        Self::new(knots, counted, sides.map(|side| Tail::of(&side, rows, gap)))
    }

    /// Of a finite value; `none` is what no training row is as far out as, ln(n + 1).
    pub fn surprisal(&self, value: f64, none: f64) -> f64 {
        if self.knots.is_empty() {
            return 0.0;
        }
        let counted = self.at(value).unwrap_or(none);
        let [lower, upper] = &self.tails;
        lower.surprisal(-value, counted).max(upper.surprisal(value, counted)).min(MOST)
    }

    /// [`Curve::surprisal`] of many values, to the same bits, without branches that depend on a value but for rare ones; of NaN, any number.
    pub fn surprisals_into(&self, values: &[f64], none: f64, out: &mut [f64]) {
        let (len, [lower, upper]) = (self.knots.len(), &self.tails);
        if len < 2 {
            let of_each = values.iter().map(|value| if value.is_nan() { 0.0 } else { self.surprisal(*value, none) });
            out.iter_mut().zip(of_each).for_each(|(out, of)| *out = of);
            return;
        }
        let (knots, counted, inverse) = (&self.knots[..len], &self.counted[..len], &self.inverse[..len - 1]);
        for (value, out) in values.iter().zip(&mut *out) {
            let value = *value;
            let mut above = self.buckets.first(value);
            // One knot in its bucket is usual, and as often below the value as above it.
            above += usize::from((above < len) & (knots[above.min(len - 1)] < value));
            while above < len && knots[above] < value {
                above += 1;
            }
            while above > 0 && knots[above - 1] >= value {
                above -= 1;
            }
            let (at, below) = (above.min(len - 1), above.clamp(1, len - 1) - 1);
            let share = (value * 0.5 - knots[below] * 0.5) * inverse[below];
            let between = counted[below] + share.clamp(0.0, 1.0) * (counted[at] - counted[below]);
            let outside = (above == 0) | (above == len);
            let beyond = if outside { none } else { between };
            *out = if knots[at] == value { counted[at] } else { beyond };
        }
        for (value, out) in values.iter().zip(out) {
            if *value > upper.anchor || -*value > lower.anchor {
                *out = lower.surprisal(-value, *out).max(upper.surprisal(*value, *out));
            }
            *out = if *out < MOST { *out } else { MOST };
        }
    }

    /// The counted surprisal; None beyond all training values.
    fn at(&self, value: f64) -> Option<f64> {
        let knots = self.knots.as_slice();
        let mut above = self.buckets.first(value);
        while above > 0 && knots[above - 1] >= value {
            above -= 1;
        }
        while above < knots.len() && knots[above] < value {
            above += 1;
        }
        if *knots.get(above)? == value {
            return Some(self.counted[above]);
        }
        let below = above.checked_sub(1)?;
        let share = (value * 0.5 - knots[below] * 0.5) * self.inverse[below];
        Some(self.counted[below] + share.clamp(0.0, 1.0) * (self.counted[above] - self.counted[below]))
    }
}

/// Where to look for a value among knots: at the first knot of its bucket, or near it.
#[derive(Clone, Debug, PartialEq)]
struct Buckets {
    low: f64,
    /// Buckets for each unit of the values, halved
    rate: f64,
    first: Vec<u16>,
}

impl Buckets {
    const COUNT: usize = 256;

    /// Equal parts of the range of the knots, the outermost ones left out.
    fn of(knots: &[f64]) -> Self {
        let out = OUTERMOST.min(knots.len() / 3);
        let (Some(low), Some(high)) = (knots.get(out), knots.get((knots.len().max(1) - 1).saturating_sub(out))) else {
            return Self { low: 0.0, rate: 0.0, first: vec![0; Self::COUNT] };
        };
        let rate = Self::COUNT as f64 / (high * 0.5 - low * 0.5);
        let rate = if rate.is_finite() { rate } else { 0.0 };
        let edge = |bucket: usize| low + 2.0 * bucket as f64 / rate;
        let first = (0..Self::COUNT).map(|bucket| match rate > 0.0 {
            true => knots.partition_point(|knot| *knot < edge(bucket)).min(usize::from(u16::MAX)) as u16,
            false => 0,
        });
        Self { low: *low, rate, first: first.collect() }
    }

    /// The place to begin at. A cast saturates at both ends.
    fn first(&self, value: f64) -> usize {
        let bucket = ((value * 0.5 - self.low * 0.5) * self.rate) as usize;
        usize::from(self.first[bucket.min(Self::COUNT - 1)])
    }
}

/// The number of values at each end that are knots.
const OUTERMOST: usize = 10;

/// The places of sorted values at which a curve is tabulated: the ten outermost of each side, and from there on places whose
/// distances from the end grow by √2.
fn places(count: usize) -> Vec<usize> {
    let mut from_end: Vec<usize> = (0..OUTERMOST.min(count)).collect();
    let mut next = OUTERMOST as f64;
    while (next as usize) < count.div_ceil(2) {
        from_end.push(next as usize);
        next *= std::f64::consts::SQRT_2;
    }
    from_end.push(count / 2);
    let mut places: Vec<usize> = from_end.iter().copied().chain(from_end.iter().map(|at| count - 1 - at)).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// The median distance of neighbouring distinct values; of values that are not all equal.
fn median_gap(sorted: &[f64]) -> f64 {
    let mut gaps: Vec<f64> =
        sorted.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0.0 && gap.is_finite()).collect();
    if gaps.is_empty() {
        return f64::MAX;
    }
    let middle = gaps.len() / 2;
    *gaps.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The curve, and ln(n + 1).
    fn curve(values: impl Iterator<Item = f64>) -> (Curve, f64) {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        (Curve::of(&sorted, sorted.len()), (sorted.len() as f64 + 1.0).ln())
    }

    #[test]
    fn it_is_low_in_the_middle_and_rises_to_both_sides() {
        let (curve, none) = curve((0..=1_000).map(f64::from));
        let found: Vec<f64> =
            [500.0, 750.0, 990.0, 1_000.0, 1_010.0, 2_000.0].map(|at| curve.surprisal(at, none)).to_vec();
        assert!(found.is_sorted() && found[0] < 0.8 && found[4] >= none, "{found:?}");
        for away in [0.0, 123.4, 400.0, 600.0] {
            let [below, above] = [500.0 - away, 500.0 + away].map(|at| curve.surprisal(at, none));
            assert!((below - above).abs() < 1e-9);
        }
    }

    #[test]
    fn a_training_value_has_the_share_of_rows_at_least_as_far_out() {
        let (curve, none) = curve((0..10_000).map(|k| f64::from(k % 24)));
        let rows = (0..10_000).filter(|k| k % 24 >= 20).count() as f64;
        assert!((curve.surprisal(20.0, none) - (10_001.0 / (rows + 1.0)).ln()).abs() < 0.05);
        assert!(curve.surprisal(40.0, none) > none + 5.0);
    }

    #[test]
    fn many_values_have_the_surprisals_of_each() {
        let absurd = [f64::MIN, -1e300, 1e300, f64::MAX].into_iter();
        let curves = [
            curve((0..1_000).map(|k| libm::sin(f64::from(k)))).0,
            curve((0..1_000).map(|k| libm::exp(f64::from(k) / 50.0))).0,
            curve((0..1_000).map(|k| f64::from(k % 7))).0,
            curve((0..1_000).map(f64::from).chain(absurd)).0,
            curve([1.0, 2.0].into_iter()).0,
            Curve::new(vec![3.0], vec![1.0], [Tail::NONE; 2]),
            Curve::flat(),
        ];
        for curve in curves {
            let around = |knot: &f64| [knot.next_down(), *knot, knot.next_up(), knot * 1.5, -knot, knot + 0.3];
            let mut values: Vec<f64> =
                curve.knots().iter().flat_map(around).filter(|value| value.is_finite()).collect();
            values.extend([f64::MIN, f64::MAX, 0.0, -0.0, 1e-300, 5.5]);
            let mut found = vec![0.0; values.len()];
            curve.surprisals_into(&values, 7.0, &mut found);
            for (value, found) in values.iter().zip(&found) {
                assert_eq!(found.to_bits(), curve.surprisal(*value, 7.0).to_bits(), "{value}");
            }
            curve.surprisals_into(&[f64::NAN], 7.0, &mut found[..1]);
            assert!(found[0].is_finite());
        }
    }

    #[test]
    fn equal_values_and_none_are_flat() {
        assert_eq!(Curve::of(&[3.0; 9], 9).surprisal(7.0, 1.0), 0.0);
        assert_eq!(Curve::of(&[], 9), Curve::flat());
    }

    #[test]
    fn the_largest_floats_have_a_surprisal() {
        let (curve, none) = curve([f64::MIN, -1.0, 0.0, 1.0, f64::MAX].into_iter());
        for value in [f64::MIN, -1e300, -0.5, 0.0, 0.5, 1e300, f64::MAX] {
            assert!((0.0..=MOST).contains(&curve.surprisal(value, none)), "{value}");
        }
    }

    #[test]
    fn a_value_between_the_others_and_an_absurd_one_is_far_out() {
        let (curve, none) = curve((0..2_000).map(|k| f64::from(k % 100)).chain([1e9]));
        assert!(curve.surprisal(1_000.0, none) > none + 5.0);
    }
}
