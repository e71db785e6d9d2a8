//! Which training rows several draws keep: typical ones of all kinds.
//!
//! Rows at random would do (Sugiyama and Borgwardt, 2013), but two seeds would then flag different rows. So
//! [`order`] splits the rows into parts of rows that are near one another. There are as many parts as rows to keep, and the
//! row in the middle of each part is kept. Neighbouring parts go to different draws, so that each draw has rows of all kinds.

use ndarray::ArrayView2;
use polars::prelude::PolarsResult;
use rand::seq::index;
use rand::Rng;

use crate::memory::reserved;

use super::partition::order;

/// The rows of a part at most. Of more rows, some are drawn at random.
const IN_PART: usize = 64;

/// The rows of `draws` draws of `size` rows each, by their numbers in `rows`, `[n, inputs]`, which rise in each draw.
/// They are some of `among`, at least one row.
pub fn draw(
    rows: ArrayView2<f32>,
    among: &[usize],
    (draws, size): (usize, usize),
    rng: &mut impl Rng,
) -> PolarsResult<Vec<Vec<usize>>> {
    let parts = draws * size;
    let mut drawn = index::sample(rng, among.len(), among.len().min(parts.saturating_mul(IN_PART))).into_vec();
    drawn.sort_unstable();
    let some: Vec<usize> = drawn.into_iter().map(|at| among[at]).collect();
    let mut numbers: Vec<f32> = reserved(some.len().saturating_mul(rows.ncols()), "the rows that draws are from")?;
    some.iter().for_each(|row| numbers.extend(rows.row(*row)));
    let mut ordered: Vec<u32> = (0..some.len() as u32).collect();
    order(&mut ordered, &numbers, rows.ncols(), some.len().div_ceil(parts));
    let mut found = vec![Vec::with_capacity(size); draws];
    for first in (0..parts).step_by(draws) {
        for (part, draw) in (first..).zip(index::sample(rng, draws, draws)) {
            // Of fewer rows than parts, some are in several parts.
            let start = part * some.len() / parts;
            let end = ((part + 1) * some.len() / parts).max(start + 1);
            found[draw].push(some[middle(&ordered[start..end], &numbers, rows.ncols()) as usize]);
        }
    }
    found.iter_mut().for_each(|draw| draw.sort_unstable());
    Ok(found)
}

/// The row that is nearest to the mean of a part.
fn middle(part: &[u32], numbers: &[f32], inputs: usize) -> u32 {
    let row = |number: u32| &numbers[number as usize * inputs..][..inputs];
    let mut sums = vec![0f64; inputs];
    for number in part {
        sums.iter_mut().zip(row(*number)).for_each(|(sum, number)| *sum += f64::from(*number));
    }
    let away = |number: u32| {
        let off = |(number, sum): (&f32, &f64)| f64::from(*number) - sum / part.len() as f64;
        row(number).iter().zip(&sums).map(off).map(|off| off * off).sum::<f64>()
    };
    let nearer = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    part.iter().map(|number| (away(*number), *number)).min_by(nearer).map_or(0, |(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn drawn(rows: &Array2<f32>, among: &[usize], (draws, size): (usize, usize), seed: u64) -> Vec<Vec<usize>> {
        draw(rows.view(), among, (draws, size), &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    #[test]
    fn each_draw_has_rows_of_all_kinds_and_none_that_is_far_from_its_kind() {
        // Four clusters of a hundred rows, a tenth of which are far from the others.
        let rows = Array2::from_shape_fn((400, 2), |(row, input)| {
            let far = if row % 40 < 4 { 9.0 } else { 0.0 };
            (row % 4 * 100) as f32 + (row * 37 % 11) as f32 / 10.0 + far + input as f32
        });
        let all: Vec<usize> = (0..400).collect();
        for seed in 0..5 {
            for draw in drawn(&rows, &all, (5, 8), seed) {
                let kinds: Vec<usize> = (0..4).map(|kind| draw.iter().filter(|row| *row % 4 == kind).count()).collect();
                assert_eq!(kinds, [2; 4]);
                assert!(draw.is_sorted() && draw.iter().filter(|row| *row % 40 < 4).count() <= 4, "{draw:?}");
            }
        }
    }

    #[test]
    fn few_rows_are_the_same_ones_whatever_the_seed_and_none_is_taken_twice() {
        let rows = Array2::from_shape_fn((300, 3), |(row, input)| libm::sin((row * (input + 2)) as f64) as f32);
        let among: Vec<usize> = (100..300).collect();
        let all = |seed| {
            let mut all = drawn(&rows, &among, (5, 12), seed).concat();
            all.sort_unstable();
            all
        };
        assert_eq!(all(1), all(2));
        assert!(all(1).windows(2).all(|pair| pair[0] < pair[1]) && all(1)[0] >= 100);
        assert_ne!(drawn(&rows, &among, (5, 12), 1), drawn(&rows, &among, (5, 12), 2));
    }

    #[test]
    fn fewer_rows_than_are_wanted_are_in_several_draws() {
        let rows = Array2::zeros((2, 1));
        assert_eq!(drawn(&rows, &[0, 1], (4, 1), 0).iter().filter(|draw| **draw == [1]).count(), 2);
        assert_eq!(drawn(&rows, &[1], (3, 1), 0), [[1], [1], [1]]);
    }
}
