//! The tail of a feature's training values on one side: how surprising a value that far out is.
//!
//! Among the training values, the surprisal is −ln of the share of the rows at least that far out. The last few of them, and all
//! that is beyond, are judged by a generalised Pareto tail (peaks over threshold): its shape and scale come from quantiles
//! (Pickands, 1975), so that a few absurd values do not move it. The fewer values they come from, the heavier the tail is taken to
//! be: among the tails of hundreds of columns, the most surprising value would else be that of the tail that was judged worst.
//!
//! Values below are mirrored for the lower side: larger is further out.

/// The share of the training rows that may lie beyond the tail, each with a value of its own, until their distance says nothing
/// any more: a column with that many strays has strays.
const STRAYS: f64 = 0.003;
/// How far beyond ln n a training value counts as a stray.
const STRAY: f64 = 2.0;
/// The share of the values below which one value that many rows have may be a glitch that was copied. A more frequent one, as the
/// zeros of a column that is mostly zero, is usual.
const GLITCH: f64 = 0.03;
/// The heaviest tail; a mean does not exist beyond 1.
const HEAVIEST: f64 = 1.5;
/// Tails lighter than this are taken for exponential.
const LIGHTEST: f64 = 0.05;
/// By how much a shape is raised, times the number of exceedances that it comes from.
const DOUBT: f64 = 5.0;
/// Exceedances that a shape needs.
const LEAST_EXCEEDANCES: usize = 30;

/// Sorted training values, seen from one side.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// In rising order
    pub sorted: &'a [f64],
    pub upper: bool,
}

impl<'a> Side<'a> {
    /// The value at a place, counted from the other end.
    fn at(&self, place: usize) -> f64 {
        match self.upper {
            true => self.sorted[place],
            false => -self.sorted[self.sorted.len() - 1 - place],
        }
    }

    /// The nearest values alone, this number of them.
    fn nearest(&self, count: usize) -> Side<'a> {
        let sorted = match self.upper {
            true => &self.sorted[..count],
            false => &self.sorted[self.sorted.len() - count..],
        };
        Side { sorted, upper: self.upper }
    }

    /// The number of values up to one.
    fn up_to(&self, value: f64) -> usize {
        match self.upper {
            true => self.sorted.partition_point(|other| *other <= value),
            false => self.sorted.len() - self.sorted.partition_point(|other| *other < -value),
        }
    }

    /// The number of values at least as far out.
    pub fn beyond(&self, value: f64) -> usize {
        match self.upper {
            true => self.sorted.len() - self.sorted.partition_point(|other| *other < value),
            false => self.sorted.partition_point(|other| *other <= -value),
        }
    }
}

/// A generalised Pareto tail of one side: −ln P(value > x) is ln(1 + shape·(x − start)/scale)/shape, or (x − start)/scale for a
/// shape of 0, and an offset, so that it joins the counted surprisals at the anchor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// Up to here, values are judged by counting alone
    pub anchor: f64,
    pub offset: f64,
    pub start: f64,
    pub shape: f64,
    pub scale: f64,
    /// 1 where the distance beyond the counted surprisal counts in full, 0 where it does not count
    pub weight: f64,
}

impl Tail {
    /// No tail at all.
    pub const NONE: Self = Self { anchor: f64::MAX, offset: 0.0, start: 0.0, shape: 0.0, scale: 1.0, weight: 0.0 };

    /// Of at least one value, not all of them equal, out of `rows` training rows; `gap` is the median gap between neighbouring values.
    pub fn of(side: &Side, rows: usize, gap: f64) -> Self {
        let count = side.sorted.len();
        let few = (count / 500).max(10).min(count / 20).max(1);
        let (anchor, beyond) = anchor(side, few);
        // A value that many rows share would be taken for the tail.
        let judged = if beyond > few { side.nearest(side.up_to(anchor)) } else { *side };
        let (start, shape, scale) = pareto(&judged, gap);
        let exceedances = judged.sorted.len() - judged.up_to(start);
        // It goes on from the anchor as steeply as without doubts, and bends sooner.
        let scale = (scale + shape * (anchor - start).max(0.0)).min(f64::MAX);
        let shape = shape + DOUBT / exceedances.max(1) as f64;
        let offset = libm::log((rows as f64 + 1.0) / (beyond as f64 + 1.0));
        let mut tail = Self { anchor, offset, start: anchor, shape, scale, weight: 1.0 };
        tail.weight = (1.0 - tail.strays(side, rows as f64) as f64 / (STRAYS * rows as f64)).max(0.0);
        tail
    }

    /// Its numbers, in the order of the fields.
    pub fn numbers(&self) -> [f64; 6] {
        [self.anchor, self.offset, self.start, self.shape, self.scale, self.weight]
    }

    /// From what [`Tail::numbers`] gave.
    pub fn from_numbers([anchor, offset, start, shape, scale, weight]: [f64; 6]) -> Self {
        Self { anchor, offset, start, shape, scale, weight }
    }

    /// Whether it gives every finite value a surprisal.
    pub fn is_usable(&self) -> bool {
        let finite = self.numbers().iter().all(|number| number.is_finite());
        finite && self.scale > 0.0 && self.shape >= 0.0 && (0.0..=1.0).contains(&self.weight)
    }

    /// The surprisal of a value, mirrored for the lower side, that is `counted` by the training rows.
    pub fn surprisal(&self, value: f64, counted: f64) -> f64 {
        if value <= self.anchor || self.weight == 0.0 {
            return counted;
        }
        counted + self.weight * (self.judged(value) - counted).max(0.0)
    }

    fn judged(&self, value: f64) -> f64 {
        self.offset + self.grown(value)
    }

    fn grown(&self, value: f64) -> f64 {
        let distance = (value - self.start) / self.scale;
        match self.shape {
            0.0 => distance,
            shape => libm::log1p(shape * distance.max(0.0)) / shape,
        }
    }

    /// The number of distinct training values that lie far beyond what the tail lets expect.
    fn strays(&self, side: &Side, rows: f64) -> usize {
        let most = (STRAYS * rows).ceil() as usize;
        let far = libm::log(rows + 1.0) + STRAY;
        let (mut strays, mut last) = (0, f64::NAN);
        for place in (0..side.sorted.len()).rev() {
            let value = side.at(place);
            if strays > most || value <= self.anchor || self.judged(value) < far {
                break;
            }
            if value != last {
                strays += 1;
                last = value;
            }
        }
        strays
    }
}

/// The value that `few` values are beyond, and the number of values at least as far out. Where it is a value that many rows share,
/// as a glitch that was copied, it is the next one: what is shared is then judged by its distance as well.
fn anchor(side: &Side, few: usize) -> (f64, usize) {
    let count = side.sorted.len();
    let value = side.at(count - few);
    let below = count - side.beyond(value);
    let shared = side.up_to(value) - below;
    let is_glitch = 2 * shared >= few && (shared as f64) < GLITCH * count as f64;
    match below.checked_sub(1).filter(|_| is_glitch) {
        None => (value, few),
        Some(next) => (side.at(next), side.beyond(side.at(next))),
    }
}

/// Where it starts, its shape and its scale, from two quantiles of what exceeds the third quartile.
fn pareto(side: &Side, gap: f64) -> (f64, f64, f64) {
    let count = side.sorted.len();
    let start = side.at((3 * count / 4).min(count - 1));
    let first = side.up_to(start);
    let exceeding = count - first;
    let usable = |scale: f64| if scale.is_finite() { scale.max(f64::MIN_POSITIVE) } else { f64::MAX };
    let exponential = |scale: f64| (start, 0.0, usable(scale.max(gap)));
    if exceeding < LEAST_EXCEEDANCES {
        // An exponential tail has half of its exceedances below ln 2 of its scale.
        let median = if exceeding > 0 { side.at(first + exceeding / 2) - start } else { 0.0 };
        return exponential(median / std::f64::consts::LN_2);
    }
    // At least a hundredth of the values exceed the second quantile, if there are enough exceedances for that.
    let factor = (100.0 * exceeding as f64 / count as f64).sqrt().clamp(2.0, 5.0);
    let quantile = |share: f64| side.at(first + ((share * exceeding as f64) as usize).min(exceeding - 1)) - start;
    let (near, far) = (quantile(1.0 - 1.0 / factor), quantile(1.0 - 1.0 / (factor * factor)));
    let ln_factor = libm::log(factor);
    let shape = libm::log((far - near) / near) / ln_factor;
    if far > near && shape > LIGHTEST {
        let shape = shape.min(HEAVIEST);
        return (start, shape, usable(near * shape / (libm::pow(factor, shape) - 1.0)));
    }
    // A light tail goes on as it ends. Where both quantiles are one value, it is the only scale there is.
    exponential(if far > near { (far - near) / ln_factor } else { far / ln_factor / 4.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(count: usize) -> Vec<f64> {
        (0..count).map(|k| -(1.0 - (k as f64 + 0.5) / count as f64).ln()).collect()
    }

    fn tail(sorted: &[f64], upper: bool) -> Tail {
        Tail::of(&Side { sorted, upper }, sorted.len(), 1e-3)
    }

    #[test]
    fn an_exponential_tail_goes_on() {
        let tail = tail(&exponential(10_000), true);
        for value in [7.0, 12.0, 30.0] {
            assert!((tail.surprisal(value, 0.0) - value).abs() < 0.15 * value, "{}", tail.surprisal(value, 0.0));
        }
    }

    #[test]
    fn a_heavy_tail_is_judged_by_its_own_measure() {
        let sorted: Vec<f64> = exponential(10_000).iter().map(|value| value.exp()).collect();
        let tail = tail(&sorted, true);
        // Ten times as far out is ln 10 more for a Pareto tail with the exponent 1.
        let [near, far] = [1.0, 10.0].map(|times| tail.surprisal(times * sorted[9_999], 0.0));
        assert!((far - near - f64::ln(10.0)).abs() < 0.5, "{near} {far}");
    }

    #[test]
    fn the_lower_side_is_the_mirror_of_the_upper() {
        let sorted = exponential(1_000);
        let mirrored: Vec<f64> = sorted.iter().rev().map(|value| -value).collect();
        assert_eq!(tail(&sorted, true), tail(&mirrored, false));
    }

    #[test]
    fn an_absurd_value_hides_no_others() {
        let mut sorted: Vec<f64> = (0..2_000).map(|k| f64::from(k / 20) + 50.0).collect();
        let clean = tail(&sorted, true);
        sorted.push(1e6);
        let tail = tail(&sorted, true);
        assert!((tail.scale - clean.scale).abs() < 0.1 * clean.scale);
        assert!(tail.surprisal(500.0, 7.0) > 20.0 && tail.surprisal(149.0, 3.9) < 5.0);
    }

    #[test]
    fn many_strays_are_a_part_of_the_column_and_copies_of_one_are_not() {
        let with = |strays: Vec<f64>| {
            let mut sorted = [(0..2_000).map(|k| f64::from(k % 100)).collect(), strays].concat();
            sorted.sort_unstable_by(f64::total_cmp);
            tail(&sorted, true)
        };
        assert_eq!(with((0..20).map(|k| 1e3 + 50.0 * f64::from(k)).collect()).weight, 0.0);
        assert!(with(vec![9_999.0; 20]).surprisal(9_999.0, 4.6) > 20.0);
    }
}
