//! Medians, quantiles and spreads: the one place of each.

use std::cmp::Ordering;

/// f32 and f64.
pub trait Number: Copy + Into<f64> {
    /// The total order of its type.
    fn order(&self, other: &Self) -> Ordering;
}

impl Number for f32 {
    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
}

impl Number for f64 {
    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
}

/// The quantile of sorted numbers by linear interpolation, NumPy's default.
pub fn quantile_of_sorted(sorted: &[f32], share: f64) -> f64 {
    let position = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high) = (f64::from(sorted[below]), f64::from(sorted[above]));
    low + (position - below as f64) * (high - low)
}

/// The distance from the median of some numbers to their third quartile, which is held above 0.
pub fn spread_of(head: &[f32]) -> f64 {
    let in_order = sorted(head);
    let [median, q3] = [0.5, 0.75].map(|share| quantile_of_sorted(&in_order, share));
    (q3 - median).max(least_spread(&in_order))
}

/// The least spread of a head, so that one that is the same for most training rows does not
/// outweigh the other.
pub fn least_spread<T: Number>(head: &[T]) -> f64 {
    1e-3 * deviation(head) + 1e-9
}

/// The standard deviation of at least one number.
pub fn deviation<T: Number>(numbers: &[T]) -> f64 {
    let count = numbers.len() as f64;
    let mean = numbers.iter().map(|number| (*number).into()).sum::<f64>() / count;
    let variance = numbers.iter().map(|number| ((*number).into() - mean).powi(2)).sum::<f64>() / count;
    variance.sqrt()
}

/// The median of at least one number; of an even number of them, the upper one of the two in the
/// middle. Reorders the numbers.
pub fn upper_median<T: Number>(numbers: &mut [T]) -> T {
    nth(numbers, numbers.len() / 2)
}

/// The number that has `rank` of them below it once they are sorted. Reorders the numbers.
pub fn nth<T: Number>(numbers: &mut [T], rank: usize) -> T {
    *numbers.select_nth_unstable_by(rank, T::order).1
}

/// The numbers in rising order.
pub fn sorted(head: &[f32]) -> Vec<f32> {
    let mut head = head.to_vec();
    head.sort_unstable_by(f32::total_cmp);
    head
}

/// Writes the values of some ranks into `found`. The ranks rise, and the first of the values has
/// the rank `first`. It halves ranks and values, so that it takes less than a sort.
pub fn select(values: &mut [f64], first: usize, ranks: &[usize], found: &mut [f64]) {
    let middle = ranks.len() / 2;
    let Some(rank) = ranks.get(middle) else { return };
    let (below, value, above) = values.select_nth_unstable_by(rank - first, f64::total_cmp);
    let (ranks_below, ranks_above) = (&ranks[..middle], &ranks[middle + 1..]);
    let (found_below, found_above) = found.split_at_mut(middle);
    found_above[0] = *value;
    // The same rank may be asked for several times.
    let lower = ranks_below.partition_point(|other| other < rank);
    let higher = ranks_above.partition_point(|other| other == rank);
    found_below[lower..].fill(*value);
    found_above[1..=higher].fill(*value);
    select(below, first, &ranks_below[..lower], &mut found_below[..lower]);
    select(above, rank + 1, &ranks_above[higher..], &mut found_above[1 + higher..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpys() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.75, 5.0), (1.0, 8.0)] {
            assert_eq!(quantile_of_sorted(&sorted, share), expected);
        }
    }
}
