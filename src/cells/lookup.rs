//! Numbers as lines between rising knots say, many at a time and without a search: a table says how many
//! knots lie below the bucket of a number, and few lie in the bucket itself.

use crate::simd::{Simd, Task, Vector};

use super::strips::STRIP;

/// Buckets of the same width, and how many of the highest knots may share the last one: in a
/// tail, these may lie far from the others, which would then share the first.
const BUCKETS: usize = 256;
const HIGHEST: usize = 12;
/// The most knots of a bucket that are compared with each number without a branch.
const MOST_STEPS: usize = 3;

/// Lines between the knots of one side, or of two: one of numbers without a sign, one of numbers with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    sides: [Side; 2],
    /// For each side's buckets, the segment that the first number of the bucket may be in.
    starts: Box<[u16; 2 * BUCKETS]>,
    /// The most knots in a bucket, but for the last one.
    steps: usize,
    segments: Vec<Segment>,
}

/// Where the buckets of a side begin, and how many there are for each unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Side {
    first: f32,
    per_unit: f32,
}

/// The part of a line up to a knot.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    /// The knot, and the one below.
    until: f32,
    low: f32,
    /// The result at the knot below, and by how much it rises with each unit.
    least: f32,
    rise: f32,
}

impl Segment {
    /// The segment beyond all knots. It has no line.
    const BEYOND: Self = Self { until: f32::INFINITY, low: 0.0, least: f32::NAN, rise: 0.0 };

    #[inline(always)]
    fn line(&self, number: f32) -> f32 {
        self.least + self.rise * (number - self.low)
    }
}

impl Lookup {
    /// From up to two sides: knots, rising, and the result at each.
    pub fn new<const N: usize>(sides: [(&[f64], &[f64]); N]) -> Self {
        let (sides_of, starts) = ([Side::default(); 2], Box::new([0; 2 * BUCKETS]));
        let mut lookup = Self { sides: sides_of, starts, steps: 0, segments: vec![] };
        // A side that is not there has no knots.
        let none: (&[f64], &[f64]) = (&[], &[]);
        for (at, (knots, results)) in sides.into_iter().chain([none]).take(2).enumerate() {
            lookup.add(at, knots, results);
        }
        lookup
    }

    fn add(&mut self, at: usize, knots: &[f64], results: &[f64]) {
        let rising: Vec<f32> = knots.iter().map(|knot| *knot as f32).collect();
        let first = rising.first().copied().unwrap_or(0.0);
        let end = rising.len().checked_sub(HIGHEST).and_then(|end| rising.get(end));
        let width = end.or(rising.last()).map_or(0.0, |end| end - first);
        let side = Side { first, per_unit: (BUCKETS - 1) as f32 / width };
        let mut counts = [0usize; BUCKETS];
        rising.iter().for_each(|knot| counts[side.bucket(*knot)] += 1);
        let mut start = self.segments.len();
        for (start_of, count) in self.starts[at * BUCKETS..].iter_mut().zip(counts) {
            *start_of = start as u16;
            start += count;
        }
        self.sides[at] = side;
        self.steps = counts[..BUCKETS - 1].iter().fold(self.steps, |most, count| most.max(*count));
        let mut before: Option<(f32, f32)> = None;
        let segment = |(until, result): (f32, &f64)| {
            let result = *result as f32;
            // Up to the first knot, the result is that of the knot.
            let (low, least) = before.unwrap_or((until, result));
            before = Some((until, result));
            let rise = Some((result - least) / (until - low)).filter(|rise| rise.is_finite()).unwrap_or(0.0);
            Segment { until, low, least, rise }
        };
        self.segments.extend(rising.into_iter().zip(results).map(segment).chain([Segment::BEYOND]));
    }

    /// The number of knots of the first side that are below a number; 0 where it is none.
    pub fn place(&self, number: f32) -> usize {
        self.segment(usize::from(self.starts[self.sides[0].bucket(number)]), number)
    }

    /// The segment of a number, from one on that is none of those above.
    #[inline(always)]
    fn segment(&self, mut at: usize, number: f32) -> usize {
        while number > self.at(at).until {
            at += 1;
        }
        at
    }

    /// The results of up to [`STRIP`] numbers; NaN of those beyond all knots. The side of each is that of the
    /// sign of `signs`. Returns whether a result may be NaN.
    pub fn results(&self, numbers: &[f32], signs: &[f32], out: &mut [f32; STRIP]) -> bool {
        let mut places = [0i32; STRIP];
        Simd::chosen().run(Buckets { sides: self.sides, numbers, signs, places: &mut places });
        match self.steps {
            ..2 => self.take_steps::<1>(numbers, &places, out),
            2 => self.take_steps::<2>(numbers, &places, out),
            _ => self.take_steps::<MOST_STEPS>(numbers, &places, out),
        }
    }

    #[inline(always)]
    fn take_steps<const STEPS: usize>(&self, numbers: &[f32], places: &[i32; STRIP], out: &mut [f32; STRIP]) -> bool {
        let mut are_numbers = true;
        for ((number, place), out) in numbers.iter().zip(places).zip(out) {
            let mut at = usize::from(self.starts[*place as usize % (2 * BUCKETS)]);
            for _ in 0..STEPS {
                // No branch: whether a number is above a knot of its bucket can't be foretold.
                at += usize::from(*number > self.at(at).until);
            }
            if *number > self.at(at).until {
                at = self.segment(at, *number);
            }
            *out = self.at(at).line(*number);
            are_numbers &= !out.is_nan();
        }
        !are_numbers
    }

    /// The segment at a place that a start leads to.
    #[inline(always)]
    fn at(&self, at: usize) -> &Segment {
        debug_assert!(at < self.segments.len());
        // SAFETY: each start is the place of a segment of its side. The last segment of a side is `BEYOND`, whose end
        // no number is above, so that a place never goes past it.
        unsafe { self.segments.get_unchecked(at) }
    }

    /// The result of one number, see [`Lookup::results`].
    pub fn result(&self, number: f32, is_second: bool) -> f32 {
        let at = usize::from(is_second);
        let start = self.starts[at * BUCKETS + self.sides[at].bucket(number)];
        self.at(self.segment(usize::from(start), number)).line(number)
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.starts) + self.segments.capacity() * size_of::<Segment>()
    }
}

impl Side {
    /// The bucket of a number. It rises with the number, whatever is rounded: those in lower
    /// buckets are lower, and those in higher ones higher. It is the first one for what is no number.
    #[inline(always)]
    fn bucket(self, number: f32) -> usize {
        self.place(number) as usize
    }

    #[inline(always)]
    fn place(self, number: f32) -> i32 {
        let place = (number - self.first) * self.per_unit;
        let place = if place > 0.0 { place } else { 0.0 };
        let place = if place < (BUCKETS - 1) as f32 { place } else { (BUCKETS - 1) as f32 };
        // SAFETY: it is a number from 0 to 255. The checks of a plain cast would keep loops from becoming vectors.
        unsafe { place.to_int_unchecked() }
    }
}

/// The buckets of numbers, those of the second side after the others.
struct Buckets<'a> {
    sides: [Side; 2],
    numbers: &'a [f32],
    signs: &'a [f32],
    places: &'a mut [i32; STRIP],
}

impl Task for Buckets<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [positive, negative] = self.sides;
        for ((number, sign), place) in self.numbers.iter().zip(self.signs).zip(self.places) {
            let is_negative = sign.is_sign_negative();
            let first = if is_negative { negative.first } else { positive.first };
            let per_unit = if is_negative { negative.per_unit } else { positive.per_unit };
            let after = if is_negative { BUCKETS as i32 } else { 0 };
            *place = Side { first, per_unit }.place(*number) + after;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// The lines at one number, in double precision.
    fn plain(knots: &[f32], results: &[f64], number: f32) -> Option<f64> {
        let at = knots.partition_point(|knot| *knot < number);
        let (upper, result) = (f64::from(*knots.get(at)?), results[at]);
        let Some(below) = at.checked_sub(1) else { return Some(result) };
        let low = f64::from(knots[below]);
        Some(results[below] + (result - results[below]) * ((f64::from(number) - low) / (upper - low)))
    }

    /// Compares with a search: at each knot, just below and above it, between them and far away.
    fn check(rising: &[f32], others: &[f32]) {
        let knots: Vec<f64> = rising.iter().map(|knot| f64::from(*knot)).collect();
        let results: Vec<f64> = (0..knots.len()).map(|at| f64::from(at as u32 * 7 % 13)).collect();
        let shifted: Vec<f64> = results.iter().map(|result| result + 1.0).collect();
        let one = Lookup::new([(&knots, &results)]);
        let two = Lookup::new([(&knots, &results), (&knots, &shifted)]);
        let near = rising.iter().flat_map(|number| [number.next_down(), *number, number.next_up()]);
        let between = rising.windows(2).map(|pair| pair[0] / 2.0 + pair[1] / 2.0);
        let far = [f32::NEG_INFINITY, f32::MIN, -0.0, 0.0, f32::MIN_POSITIVE, 1e-45, f32::MAX, f32::INFINITY];
        let numbers: Vec<f32> = near.chain(between).chain(far).chain(others.iter().copied()).collect();
        for numbers in numbers.chunks(STRIP) {
            let ([mut of_one, mut of_two], signs) = ([[0.0; STRIP]; 2], [-1.0; STRIP]);
            one.results(numbers, &[0.0; STRIP], &mut of_one);
            two.results(numbers, &signs, &mut of_two);
            for (number, (found, of_second)) in numbers.iter().zip(of_one.iter().zip(of_two)) {
                let alone = [one.result(*number, false), two.result(*number, true)];
                assert_eq!(alone.map(f32::to_bits), [*found, of_second].map(f32::to_bits));
                let place = rising.partition_point(|knot| knot < number);
                assert_eq!(one.place(*number), place, "{number:e} in {rising:?}");
                // Near the ends of the range of single precision, lines are flat, or no numbers.
                let is_close = rising.windows(2).any(|pair| pair[1] - pair[0] < 1e-30);
                let is_wild = is_close || rising.iter().any(|knot| knot.abs() > 1e37) || number.is_infinite();
                match plain(rising, &results, *number).filter(|_| !is_wild) {
                    Some(expected) => {
                        assert!((f64::from(*found) - expected).abs() < 1e-4, "{number:e} in {rising:?}");
                        assert!((f64::from(of_second) - expected - 1.0).abs() < 1e-4, "{number:e} in {rising:?}");
                    }
                    None => assert!(is_wild || found.is_nan() && of_second.is_nan(), "{number:e} in {rising:?}"),
                }
            }
        }
        assert_eq!(one.place(f32::NAN), 0);
    }

    #[test]
    fn the_lines_are_those_of_a_search() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for count in (0..60).chain([191, 192, 255]) {
            for power in [0, 1, 3, 40] {
                let number = |rng: &mut ChaCha8Rng| rng.random_range(-1.0f32..3.0).powi(2 * power + 1);
                let mut rising: Vec<f32> = (0..count).map(|_| number(&mut rng)).collect();
                rising.sort_unstable_by(f32::total_cmp);
                rising.dedup();
                let others: Vec<f32> = (0..200).map(|_| number(&mut rng)).collect();
                check(&rising, &others);
            }
        }
    }

    #[test]
    fn absurd_numbers_have_their_places_too() {
        check(&[5.0], &[]);
        check(&[-1e-45, 0.0, 1e-45, 3e-45], &[1.0]);
        check(&[f32::MIN, -1.0, 0.0, 1.0, f32::MAX], &[0.5]);
        let steps: Vec<f32> = (0..30).map(|at| 1.0 + at as f32 * f32::EPSILON).collect();
        check(&steps, &[1.0]);
        let apart: Vec<f32> = (0..100).map(|at| at as f32).chain((0..50).map(|at| 1e30 + at as f32 * 1e29)).collect();
        check(&apart, &[1e29, 1e31]);
    }
}
