//! The nearest of some rows to each row of a tile, difference by difference, on the widest vectors.

use crate::simd::{Task, Vector, MOST_LANES, VECTORS};

/// The most rows of a tile, whatever the vectors.
pub const MOST_TILE: usize = VECTORS * MOST_LANES;

/// Kept rows that are compared with a tile together, so that a number of the tile is loaded once
/// for all of them.
const TOGETHER: usize = 4;

/// The most neighbours whose distances count.
pub const MOST_NEIGHBOURS: usize = 5;
/// One more is found, since the nearest may be the row itself.
pub const SLOTS: usize = MOST_NEIGHBOURS + 1;

/// The nearest of some rows to each row of a tile, the nearest one first: the squares of
/// their distances, [`NONE`] where there is no further one or it was not asked for; and their
/// numbers, if they were asked for, else 0.
pub struct Nearest {
    pub squares: [[f32; MOST_TILE]; SLOTS],
    pub numbers: [[f32; MOST_TILE]; SLOTS],
    /// The mean distance from the nearest ones, by [`rank_weights`], of the rows that
    /// [`Nearest::is_plain`] says
    pub distances: [f32; MOST_TILE],
    /// Whether that is all rows of the tile
    pub are_plain: bool,
}

impl Nearest {
    pub fn none() -> Self {
        Self {
            squares: [[NONE; MOST_TILE]; SLOTS],
            numbers: [[0.0; MOST_TILE]; SLOTS],
            distances: [0.0; MOST_TILE],
            are_plain: false,
        }
    }

    /// Computes the mean distances of a tile, of the nearest `neighbours`.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    pub unsafe fn weigh<V: Vector>(&mut self, neighbours: usize) {
        let weights = rank_weights(neighbours);
        let mut others = 0;
        // SAFETY: the caller knows that the CPU has the vector's instructions. The arrays have room
        // for `VECTORS` of the widest vectors.
        unsafe {
            for vector in 0..VECTORS {
                let zero = V::splat(0.0);
                let mut mean = zero;
                for (squares, weight) in self.squares.iter().zip(weights).take(neighbours) {
                    let square = V::load(squares.as_ptr().add(vector * V::LANES));
                    mean = square.sqrt().mul_add(V::splat(weight), mean);
                }
                mean.store(self.distances.as_mut_ptr().add(vector * V::LANES));
                let [first, last] = [0, neighbours - 1].map(|at| &self.squares[at]);
                others |= V::load(first.as_ptr().add(vector * V::LANES)).is_at_most(zero);
                others |= V::splat(NONE).is_at_most(V::load(last.as_ptr().add(vector * V::LANES)));
            }
        }
        self.are_plain = others == 0;
    }

    /// Whether there are that number of nearest rows, none of them at distance 0.
    pub fn is_plain(&self, row: usize, neighbours: usize) -> bool {
        self.squares[0][row] > 0.0 && self.squares[neighbours - 1][row] != NONE
    }
}

/// The number of no row: a draw has at most 65,536 of them.
pub const NO_ROW: u32 = u32::MAX;

/// Above all squares.
pub const NONE: f32 = f32::MAX;

/// The weights of the distances from the `count` nearest rows in their mean: of the k-th nearest, 1
/// / √k, over the sum.
pub fn rank_weights(count: usize) -> [f32; MOST_NEIGHBOURS] {
    let weight = |rank: usize| 1.0 / (rank as f32).sqrt();
    let sum: f32 = (1..=count).map(weight).sum();
    std::array::from_fn(|at| if at < count { weight(at + 1) / sum } else { 0.0 })
}

/// The search for the nearest rows to those of a tile, `[inputs, tile]`.
pub struct Search<'a> {
    /// `[kept, inputs]`
    pub kept: &'a [f32],
    pub inputs: usize,
    pub numbers: &'a [f32],
    /// The number of nearest rows that count, at most [`MOST_NEIGHBOURS`]; one more is found
    pub neighbours: usize,
    pub numbered: Numbered,
}

/// Says for which of the nearest rows the search also finds their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbered {
    None,
    NearestTwo,
}

impl Task for Search<'_> {
    type Output = Nearest;

    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> Nearest {
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe {
            match (self.neighbours, self.numbered) {
                (..2, Numbered::None) => self.search::<V, 2, 0>(),
                (..2, _) => self.search::<V, 2, 2>(),
                (2, Numbered::None) => self.search::<V, 3, 0>(),
                (2, Numbered::NearestTwo) => self.search::<V, 3, 2>(),
                (_, Numbered::None) => self.search::<V, SLOTS, 0>(),
                (_, Numbered::NearestTwo) => self.search::<V, SLOTS, 2>(),
            }
        }
    }
}

impl Search<'_> {
    /// Finds the `K` nearest rows, and the numbers of `W` of them.
    ///
    /// # Safety
    /// The promise of [`Task::run`] holds.
    #[inline(always)]
    unsafe fn search<V: Vector, const K: usize, const W: usize>(self) -> Nearest {
        let Self { kept, inputs, numbers, neighbours, .. } = self;
        debug_assert_eq!(numbers.len(), inputs * V::TILE);
        let mut found = Nearest::none();
        // SAFETY: the caller knows that the CPU has the vector's instructions. `numbers` has a tile
        // of each input, which is `VECTORS` vectors: `View` cuts it so, and debug builds check it.
        // The arrays of what was found have room for `VECTORS` of the widest vectors.
        unsafe {
            let zero = V::splat(0.0);
            let mut best = [[V::splat(NONE); VECTORS]; K];
            let mut which = [[zero; VECTORS]; K];
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
                    for (vector, sum) in sums.iter().enumerate() {
                        // The row goes down the ranks: at each, the farther one of it and the row
                        // that has the rank goes on.
                        let mut square = *sum;
                        let mut number = V::splat((first + at) as f32);
                        for rank in 0..K {
                            let had = best[rank][vector];
                            if rank < W {
                                // Numbers up to 2²⁴ are exact, and so are their differences.
                                let moved = number.sub(which[rank][vector]).where_positive(had.sub(square));
                                which[rank][vector] = which[rank][vector].add(moved);
                                number = number.sub(moved);
                            }
                            best[rank][vector] = square.min(had);
                            square = square.max(had);
                        }
                    }
                }
                first += count;
            }
            for (at, (vectors, numbers)) in best.iter().zip(&which).enumerate() {
                for (vector, (square, number)) in vectors.iter().zip(numbers).enumerate() {
                    square.store(found.squares[at].as_mut_ptr().add(vector * V::LANES));
                    number.store(found.numbers[at].as_mut_ptr().add(vector * V::LANES));
                }
            }
            found.weigh::<V>(neighbours);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Simd;

    #[test]
    fn the_nearest_are_found_whatever_the_vectors() {
        const INPUTS: usize = 2;
        for (count, neighbours) in
            [1, 2, 3, 4, 5, 9, 130].into_iter().flat_map(|count| [1, 2, 3, 5].map(|k| (count, k)))
        {
            let kept: Vec<f32> = (0..count * INPUTS).map(|at| libm::sin((at * at) as f64) as f32).collect();
            for simd in Simd::available() {
                let tile = simd.tile_rows();
                // The first row is a kept one.
                let number = |at: usize| match at % tile {
                    0 => kept[at / tile],
                    _ => libm::cos(at as f64 * 0.7) as f32,
                };
                let numbers: Vec<f32> = (0..INPUTS * tile).map(number).collect();
                let [found, without] = [Numbered::NearestTwo, Numbered::None].map(|numbered| {
                    simd.run(Search { kept: &kept, inputs: INPUTS, numbers: &numbers, neighbours, numbered })
                });
                for row in 0..tile {
                    let square = |other: &[f32]| {
                        other.iter().enumerate().map(|(j, kept)| (numbers[j * tile + row] - kept).powi(2)).sum::<f32>()
                    };
                    let mut expected: Vec<(f32, usize)> =
                        kept.chunks(INPUTS).map(square).enumerate().map(|(at, square)| (square, at)).collect();
                    expected.sort_by(|a, b| a.0.total_cmp(&b.0));
                    for (place, (square, number)) in expected.iter().take(neighbours + 1).enumerate() {
                        assert!((found.squares[place][row] - square).abs() < 1e-6);
                        assert_eq!(found.squares[place][row], without.squares[place][row]);
                        assert_eq!(found.numbers[place][row], if place < 2 { *number as f32 } else { 0.0 });
                    }
                    assert_eq!(found.squares[neighbours][row] == NONE, count <= neighbours);
                    assert_eq!(found.is_plain(row, neighbours), count >= neighbours && expected[0].0 > 0.0);
                    assert!(!found.are_plain || found.is_plain(row, neighbours));
                    if found.is_plain(row, neighbours) {
                        let weighted = expected.iter().zip(rank_weights(neighbours));
                        let mean: f32 = weighted.map(|((square, _), weight)| weight * square.sqrt()).sum();
                        assert!((found.distances[row] - mean).abs() < 1e-5);
                    }
                }
            }
        }
    }
}
