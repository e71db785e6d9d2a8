//! Where a number stands among rising ones, without a search: an index says how many of them lie
//! in the buckets below that of the number, and few lie in the bucket itself.

/// Buckets of the same width, and how many of the highest numbers may share the last one: in a
/// tail, these may lie far from the others, which would then share the first.
const BUCKETS: usize = 256;
const HIGHEST: usize = 12;

/// An index of rising numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    first: f64,
    per_unit: f64,
    /// For each bucket the numbers in those below it, and for the end all.
    starts: Box<[u8; BUCKETS + 1]>,
}

impl Index {
    /// Bytes that it holds.
    pub const BYTES: usize = BUCKETS + 1;

    /// From up to 255 rising numbers.
    pub fn new(rising: &[f64]) -> Self {
        let first = rising.first().copied().unwrap_or(0.0);
        let end = rising.len().checked_sub(HIGHEST).and_then(|end| rising.get(end));
        let width = end.or(rising.last()).map_or(0.0, |end| end - first);
        let mut index = Self { first, per_unit: (BUCKETS - 1) as f64 / width, starts: Box::new([0; BUCKETS + 1]) };
        for number in rising {
            let next = index.bucket(*number) + 1;
            index.starts[next] = index.starts[next].saturating_add(1);
        }
        for bucket in 0..BUCKETS {
            index.starts[bucket + 1] = index.starts[bucket + 1].saturating_add(index.starts[bucket]);
        }
        index
    }

    /// The bucket of a number. It rises with the number, whatever is rounded: those in lower
    /// buckets are lower, and those in higher ones higher.
    #[inline(always)]
    fn bucket(&self, number: f64) -> usize {
        // A cast takes what is below 0 or no number to 0, and what is above 255 to 255.
        usize::from(((number - self.first) * self.per_unit) as u8)
    }

    /// How many of the numbers that the index was made of are below one; 0 where it is no number.
    #[inline(always)]
    pub fn count_below(&self, rising: &[f64], number: f64) -> usize {
        let bucket = self.bucket(number);
        let [start, end] = [self.starts[bucket], self.starts[bucket + 1]].map(usize::from);
        let at = start + usize::from(rising.get(start).is_some_and(|first| *first < number));
        match end > start + 1 {
            true => at + rising[at..end].partition_point(|other| *other < number),
            false => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Compares with a search: at each number, just below and above it, between them and far away.
    fn check(rising: &[f64], others: &[f64]) {
        let index = Index::new(rising);
        let near = rising.iter().flat_map(|number| [number.next_down(), *number, number.next_up()]);
        let between = rising.windows(2).map(|pair| pair[0] / 2.0 + pair[1] / 2.0);
        let far =
            [f64::NEG_INFINITY, f64::MIN, -0.0, 0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, f64::NAN];
        for number in near.chain(between).chain(far).chain(others.iter().copied()) {
            let expected = rising.partition_point(|other| *other < number);
            assert_eq!(index.count_below(rising, number), expected, "{number:e} in {rising:?}");
        }
    }

    #[test]
    fn the_place_is_that_of_a_search() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for count in (0..60).chain([191, 192, 255]) {
            for power in [0, 1, 3, 40] {
                let number = |rng: &mut ChaCha8Rng| rng.random_range(-1.0f64..3.0).powi(2 * power + 1);
                let mut rising: Vec<f64> = (0..count).map(|_| number(&mut rng)).collect();
                rising.sort_unstable_by(f64::total_cmp);
                rising.dedup();
                let others: Vec<f64> = (0..200).map(|_| number(&mut rng)).collect();
                check(&rising, &others);
            }
        }
    }

    #[test]
    fn absurd_numbers_have_their_places_too() {
        check(&[5.0], &[]);
        check(&[-5e-324, 0.0, 5e-324, 1e-323], &[1.0]);
        check(&[f64::MIN, -1.0, 0.0, 1.0, f64::MAX], &[0.5]);
        let steps: Vec<f64> = (0..30).map(|at| 1.0 + f64::from(at) * f64::EPSILON).collect();
        check(&steps, &[1.0]);
        let apart: Vec<f64> = (0..100).map(f64::from).chain((0..50).map(|at| 1e300 + f64::from(at) * 1e290)).collect();
        check(&apart, &[1e299, 1e301]);
    }
}
