//! Whether 0 is a number like those next to it, as the first minute of an hour is, or one that
//! stands apart from them, as a mark for a missing value does.

/// The numbers next to 0 that it is compared with.
const NEXT: usize = 5;
/// 0 is apart if the first of these numbers is farther from it than this many times the widest gap
/// between them.
const GAPS: f64 = 3.0;
/// 0 is unlike these numbers if the rows that have it are fewer, or more, by this factor than the rows
/// that have one of them.
const TIMES: f64 = 10.0;

/// From the numbers of a column, and how many rows have each: whether 0 is one of them. Not known
/// where there are no two others on the side of 0 that most rows are on.
pub fn zero_is_usual(numbers: impl Iterator<Item = (f64, u64)>) -> bool {
    let (mut zeros, mut sides) = (0u64, [vec![], vec![]]);
    for (number, rows) in numbers.filter(|(number, rows)| number.is_finite() && *rows > 0) {
        match number == 0.0 {
            true => zeros = zeros.saturating_add(rows),
            false => sides[usize::from(number > 0.0)].push((number.abs(), rows as f64)),
        }
    }
    let rows = |side: &Vec<(f64, f64)>| side.iter().map(|(_, rows)| rows).sum::<f64>();
    let [below, above] = sides;
    let mut side = if rows(&below) > rows(&above) { below } else { above };
    side.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    side.truncate(NEXT);
    let [(first, _), _, ..] = side[..] else { return false };
    let widest = side.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(0.0, f64::max);
    let mean = rows(&side) / side.len() as f64;
    first <= GAPS * widest && mean <= TIMES * (zeros as f64 + 0.5) && zeros as f64 <= TIMES * mean
}

/// The numbers next to 0 on the side with fewer that are compared with the other side, and how many
/// times as many may be as near there.
const COMPARED: usize = 20;
const DENSER: usize = 8;

/// Whether rising numbers go on through 0: those just below are about as dense as those just above,
/// so that a sign says nothing, and 0 stands among numbers like it.
pub fn go_through_zero(rising: &[f64]) -> bool {
    let first = rising.partition_point(|number| *number < 0.0);
    let after = rising.partition_point(|number| *number <= 0.0);
    let (below, above) = (first, rising.len() - after);
    let nth = |at: usize, is_above: bool| match is_above {
        true => rising.get(after + at).copied(),
        false => first.checked_sub(at + 1).map(|at| -rising[at]),
    };
    let few_are_above = above < below;
    let count = above.min(below).min(COMPARED);
    let Some(width) = count.checked_sub(1).and_then(|at| nth(at, few_are_above)) else { return false };
    let as_near = match few_are_above {
        true => first - rising.partition_point(|number| *number < -width),
        false => rising.partition_point(|number| *number <= width) - after,
    };
    let alike = as_near >= 1 && 4 * as_near >= count && as_near <= DENSER * count;
    alike && after - first <= as_near + count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_through_zero_where_both_sides_are_as_dense() {
        let sorted = |mut numbers: Vec<f64>| {
            numbers.sort_unstable_by(f64::total_cmp);
            numbers
        };
        let even = |at: i32| f64::from(at * 37 % 2_000) / 1_000.0;
        let around: Vec<f64> = (0..2_000).map(|at| even(at) - 0.1).collect();
        assert!(go_through_zero(&sorted(around.clone())));
        assert!(go_through_zero(&sorted(around.iter().map(|number| -number).collect())));
        let mark = [around.clone(), vec![0.0; 60]].concat();
        assert!(!go_through_zero(&sorted(mark)), "a mark among measured numbers");
        let amounts: Vec<f64> = (0..2_000).map(|at| if at % 50 == 0 { -even(at) } else { even(at) }).collect();
        assert!(!go_through_zero(&sorted(amounts)), "signs that were lost");
        let apart: Vec<f64> = (0..2_000).map(|at| if at % 500 == 7 { -1.5 } else { 10.0 + even(at) }).collect();
        assert!(!go_through_zero(&sorted(apart)));
        assert!(!go_through_zero(&[]) && !go_through_zero(&[1.0, 2.0]) && !go_through_zero(&[-1.0, 0.0]));
    }

    #[test]
    fn zero_is_usual_among_numbers_that_begin_with_it() {
        let of = |numbers: &[(f64, u64)]| zero_is_usual(numbers.iter().copied());
        let minutes: Vec<(f64, u64)> = (0..60).map(|minute| (f64::from(minute), 20)).collect();
        assert!(of(&minutes));
        assert!(!of(&minutes[1..]), "20 rows have each other minute");
        let scarce: Vec<(f64, u64)> = minutes[1..].iter().map(|(minute, _)| (*minute, 2)).collect();
        assert!(of(&scarce), "it is missing by chance");
        let below: Vec<(f64, u64)> = minutes.iter().map(|(minute, rows)| (-minute, *rows)).collect();
        assert!(of(&below));
        assert!(of(&[(0.0, 5), (1.0, 15), (2.0, 22), (3.0, 22)]));
        assert!(!of(&[(0.0, 5), (18.0, 15), (19.0, 22), (20.0, 22)]), "it is apart");
        assert!(!of(&[(0.0, 5), (1.0, 900), (2.0, 800), (3.0, 400)]), "it is rare");
        assert!(!of(&[(0.0, 50), (0.37, 1), (0.52, 1), (0.61, 1)]), "it is a mark among measured numbers");
        assert!(!of(&[(0.0, 50), (1.0, 50)]) && !of(&[]));
    }
}
