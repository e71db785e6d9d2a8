//! The surprisal of a class: of a category's value, of an hour, of a null; −ln of the share of the training rows in classes at
//! least as rare.
//!
//! A class that no training row has is a novelty. Where few training rows are alone in their class, new classes are not to be
//! expected, and the surprisal is so high that the row is flagged whatever the other rows are like. Where many are, as in a
//! column of names, a new one is as ordinary as they are.

/// The share of training rows that are alone in their class from which on a new class is nothing special.
pub const ALONE: f64 = 0.005;
/// What a novelty has beyond 2·ln n: networks give the most unusual of the training rows up to 20 nats.
const NOVELTY: f64 = 20.0;
/// The share of training rows up to which a class that is far rarer than the others counts as more than rare.
const ISOLATED: f64 = 0.002;

/// The surprisals of classes by the number of training rows that have one.
pub struct Classes {
    rows: f64,
    /// The different numbers of rows that classes have, rising, and the numbers of rows of all classes up to each
    counts: Vec<f64>,
    sums: Vec<f64>,
    /// The number of rows that are alone in their class
    alone: usize,
}

impl Classes {
    /// From the number of rows of each class; `rows` is the number of all training rows.
    pub fn of(counts: impl Iterator<Item = u64>, rows: usize) -> Self {
        Self::of_many(counts.map(|count| (count, 1)), rows)
    }

    /// From numbers of rows, and of the classes that have each: these may be a file's, and more than memory has room for.
    pub fn of_many(counts: impl Iterator<Item = (u64, u64)>, rows: usize) -> Self {
        let mut counted: Vec<(u64, u64)> = counts.filter(|(count, classes)| *count > 0 && *classes > 0).collect();
        counted.sort_unstable();
        let alone = counted.iter().take_while(|(count, _)| *count == 1).fold(0u64, |sum, of| sum.saturating_add(of.1));
        let (mut counts, mut sums, mut sum): (Vec<f64>, Vec<f64>, f64) = (vec![], vec![], 0.0);
        for (count, classes) in counted {
            sum += count as f64 * classes as f64;
            if counts.last() == Some(&(count as f64)) {
                sums.pop();
            } else {
                counts.push(count as f64);
            }
            sums.push(sum);
        }
        Self { rows: rows as f64, counts, sums, alone: usize::try_from(alone).unwrap_or(usize::MAX) }
    }

    /// Of a class that this number of training rows has.
    pub fn surprisal(&self, count: u64) -> f64 {
        match count {
            0 => self.unseen(),
            count => self.seen(count as f64),
        }
    }

    fn unseen(&self) -> f64 {
        Self::novelty(self.alone, self.rows as usize)
    }

    /// Of a class that no training row has, where this number of rows is alone in its class.
    pub fn novelty(alone: usize, rows: usize) -> f64 {
        let (alone, rows) = (alone as f64, rows as f64);
        let known = 1.0 - (alone / (ALONE * rows)).min(1.0);
        libm::log(rows / alone.max(0.5)).max(0.0) + known * (libm::log(2.0 * rows) + NOVELTY)
    }

    /// The most telling of the sets of classes up to some count: how rare the set is, and how much rarer than the next class.
    fn seen(&self, count: f64) -> f64 {
        let mut highest: f64 = 0.0;
        for at in self.counts.partition_point(|other| *other < count)..self.counts.len() {
            let rare = self.sums[at];
            let apart = self
                .counts
                .get(at + 1)
                .map_or(0.0, |above| libm::log(above / rare).min(libm::log(ISOLATED * self.rows / rare)).max(0.0));
            highest = highest.max(libm::log((self.rows + 1.0) / (rare + 1.0)) + apart);
            if rare > self.rows / 20.0 {
                break;
            }
        }
        highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surprisal(counts: &[u64], count: u64) -> f64 {
        Classes::of(counts.iter().copied(), counts.iter().sum::<u64>() as usize).surprisal(count)
    }

    #[test]
    fn a_class_is_the_more_surprising_the_rarer_it_is() {
        let counts = [5_000, 3_000, 1_500, 400, 90, 9, 1];
        let found: Vec<f64> = counts.iter().map(|count| surprisal(&counts, *count)).collect();
        assert!(found.is_sorted(), "{found:?}");
        assert_eq!(found[0], 0.0);
        assert!((found[3] - f64::ln(10_001.0 / 501.0)).abs() < 1e-12);
        assert!(surprisal(&counts, 0) > found[6] + 3.0);
    }

    #[test]
    fn a_new_class_is_a_novelty_whatever_the_counts_of_the_others_are() {
        for counts in [vec![400; 3], vec![1_000, 200], vec![1_200]] {
            let least = counts.iter().map(|count| surprisal(&counts, *count)).fold(0.0, f64::max);
            assert!(surprisal(&counts, 0) > least + 2.0 * f64::ln(100.0), "{counts:?}");
        }
    }

    #[test]
    fn where_many_classes_are_alone_a_new_one_is_as_ordinary_as_they_are() {
        let names = vec![1; 1_000];
        assert_eq!((surprisal(&names, 0), surprisal(&names, 1)), (0.0, 0.0));
        let some = [vec![1; 50], vec![950]].concat();
        assert!((surprisal(&some, 0) - f64::ln(20.0)).abs() < 1e-12);
    }

    #[test]
    fn few_rows_in_a_class_far_rarer_than_the_others_are_more_than_rare() {
        let counts = [4_998, 5_000, 2];
        assert!(surprisal(&counts, 2) > f64::ln(10_001.0 / 3.0) + 2.0);
    }

    #[test]
    fn many_classes_alike_are_what_each_of_them_would_be() {
        let counts = [vec![1; 300], vec![2; 40], vec![9; 5], vec![4_000, 9_000]].concat();
        let rows = counts.iter().sum::<u64>() as usize;
        let each = Classes::of(counts.iter().rev().copied(), rows);
        let many =
            Classes::of_many([(2, 40), (1, 100), (9_000, 1), (9, 5), (1, 200), (4_000, 1), (7, 0)].into_iter(), rows);
        for count in [0, 1, 2, 9, 4_000, 9_000] {
            assert_eq!(each.surprisal(count).to_bits(), many.surprisal(count).to_bits(), "{count}");
        }
        let most = Classes::of_many([(1, u64::MAX), (1, u64::MAX)].into_iter(), 10);
        assert!([0, 1].iter().all(|count| most.surprisal(*count).is_finite()));
    }
}
