//! The nearest of some rows to each row of a tile, difference by difference, on the widest vectors.

use crate::simd::{Task, Vector, MOST_LANES, VECTORS};

/// The most rows of a tile, whatever the vectors.
const MOST_TILE: usize = VECTORS * MOST_LANES;

/// Kept rows that are compared with a tile together, so that a number of the tile is loaded once for all of them.
const TOGETHER: usize = 4;

/// The two nearest of some rows to each row of a tile: minus the squares of their distances, [`NONE`] where there is no second one; and
/// their numbers, if they were asked for.
pub struct Nearest {
    pub minus_squares: [[f32; MOST_TILE]; 2],
    pub numbers: [[f32; MOST_TILE]; 2],
}

/// Below all squares with a minus.
pub const NONE: f32 = f32::MIN;

/// The search for the two nearest rows to those of a tile, `[inputs, tile]`.
pub struct Search<'a> {
    /// `[kept, inputs]`
    pub kept: &'a [f32],
    pub inputs: usize,
    pub numbers: &'a [f32],
    /// Whether it matters which rows they are
    pub which: bool,
}

impl Task for Search<'_> {
    type Output = Nearest;

    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> Nearest {
        // SAFETY: the caller's promise.
        unsafe {
            if self.which {
                self.search::<V, true>()
            } else {
                self.search::<V, false>()
            }
        }
    }
}

impl Search<'_> {
    /// # Safety
    /// As of [`Task::run`].
    #[inline(always)]
    unsafe fn search<V: Vector, const WHICH: bool>(self) -> Nearest {
        let Self { kept, inputs, numbers, .. } = self;
        debug_assert_eq!(numbers.len(), inputs * V::TILE);
        let mut found = Nearest { minus_squares: [[0.0; MOST_TILE]; 2], numbers: [[0.0; MOST_TILE]; 2] };
        // SAFETY: the caller has found the vector's support; a tile has `VECTORS` vectors of each input, and so have the arrays of what was
        // found, since no vector has more than `MOST_LANES` lanes.
        unsafe {
            let zero = V::splat(0.0);
            let mut best = [[V::splat(NONE); VECTORS]; 2];
            let mut which = [[zero; VECTORS]; 2];
            let mut first = 0;
            for rows in kept.chunks(TOGETHER * inputs) {
                let count = rows.len() / inputs;
                // In the place of rows that are not there: the first one again.
                let row: [&[f32]; TOGETHER] =
                    std::array::from_fn(|at| &rows[if at < count { at } else { 0 } * inputs..][..inputs]);
                let mut sums = [[zero; VECTORS]; TOGETHER];
                for input in 0..inputs {
                    let x: [V; VECTORS] =
                        std::array::from_fn(|at| V::load(numbers.as_ptr().add(input * V::TILE + at * V::LANES)));
                    for (row, sums) in row.iter().zip(&mut sums) {
                        let number = V::splat(row[input]);
                        for (sum, x) in sums.iter_mut().zip(x) {
                            let difference = x.sub(number);
                            *sum = difference.mul_add(difference, *sum);
                        }
                    }
                }
                for (at, sums) in sums[..count].iter().enumerate() {
                    let number = V::splat((first + at) as f32);
                    for (vector, sum) in sums.iter().enumerate() {
                        let minus = zero.sub(*sum);
                        let [nearest, second] = best.each_ref().map(|best| best[vector]);
                        if WHICH {
                            // Numbers up to 2²⁴ are exact, and so are their differences.
                            let [one, two] = which.each_ref().map(|which| which[vector]);
                            let nearer = minus.sub(nearest);
                            let two = two.add(number.sub(two).where_positive(minus.sub(second)));
                            which[1][vector] = two.add(one.sub(two).where_positive(nearer));
                            which[0][vector] = one.add(number.sub(one).where_positive(nearer));
                        }
                        // The smaller one of two, by the larger one of their opposites.
                        let less = zero.sub(zero.sub(nearest).max(*sum));
                        best[1][vector] = less.max(second);
                        best[0][vector] = minus.max(nearest);
                    }
                }
                first += count;
            }
            for (at, vectors) in best.iter().enumerate() {
                for (vector, number) in vectors.iter().enumerate() {
                    number.store(found.minus_squares[at].as_mut_ptr().add(vector * V::LANES));
                    which[at][vector].store(found.numbers[at].as_mut_ptr().add(vector * V::LANES));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Simd;

    #[test]
    fn the_two_nearest_are_found_whatever_the_vectors() {
        const INPUTS: usize = 2;
        for count in [1, 2, 3, 4, 5, 9, 130] {
            let kept: Vec<f32> = (0..count * INPUTS).map(|at| libm::sin((at * at) as f64) as f32).collect();
            for simd in Simd::available() {
                let tile = simd.tile_rows();
                // The first row is a kept one.
                let of_place = |at: usize| match at % tile {
                    0 => kept[at / tile],
                    _ => libm::cos(at as f64 * 0.7) as f32,
                };
                let numbers: Vec<f32> = (0..INPUTS * tile).map(of_place).collect();
                let [found, without] = [true, false]
                    .map(|which| simd.run(Search { kept: &kept, inputs: INPUTS, numbers: &numbers, which }));
                for row in 0..tile {
                    let square = |other: &[f32]| {
                        other.iter().enumerate().map(|(j, kept)| (numbers[j * tile + row] - kept).powi(2)).sum::<f32>()
                    };
                    let mut expected: Vec<(f32, usize)> =
                        kept.chunks(INPUTS).map(square).enumerate().map(|(at, square)| (square, at)).collect();
                    expected.sort_by(|a, b| a.0.total_cmp(&b.0));
                    for (place, (square, number)) in expected.iter().take(2).enumerate() {
                        assert!((found.minus_squares[place][row] + square).abs() < 1e-6);
                        assert_eq!(found.minus_squares[place][row], without.minus_squares[place][row]);
                        assert_eq!(found.numbers[place][row], *number as f32);
                    }
                    assert_eq!(found.minus_squares[1][row] == NONE, count == 1);
                }
            }
        }
    }
}
