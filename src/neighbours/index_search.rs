//! The nearest of the rows of an [`Index`] to each row of a tile: those that
//! [`Search`](super::nearest::Search) finds, to the bit, since the distance of two rows is the same
//! sum in the same order, and since rows that are as near count by their numbers.
//!
//! The blocks whose centres are nearest have rows that are near, and these say how far the nearest
//! rows are at most. Then the codes of all rows are compared, and distances computed where a row
//! may be as near.

use crate::simd::{Task, Vector, MOST_LANES};

use super::codes::IN_WORD;
use super::index::{CodedRows, Index};
use super::nearest::{Nearest, MOST_TILE, NONE, SLOTS};

/// Rows of a tile whose codes are compared with a block together.
const TOGETHER: usize = 8;

/// Blocks whose codes are compared before the distances of their rows are computed.
const CHUNK: usize = 64;

/// Blocks whose distances are computed together, so that one sum need not wait for another.
const BLOCKS: usize = 4;

/// The blocks that a row is compared with first.
const FIRST: usize = 4;

/// The search for the nearest rows to the first `rows` of a tile, `[inputs, tile]`.
pub struct IndexSearch<'a> {
    pub index: &'a Index,
    pub numbers: &'a [f32],
    pub rows: usize,
    /// The number of nearest rows that count; one more is found
    pub neighbours: usize,
}

impl Task for IndexSearch<'_> {
    type Output = Nearest;

    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> Nearest {
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe {
            match self.neighbours {
                ..2 => self.search::<V, 2>(),
                2 => self.search::<V, 3>(),
                _ => self.search::<V, SLOTS>(),
            }
        }
    }
}

impl IndexSearch<'_> {
    /// Finds the `K` nearest rows.
    ///
    /// # Safety
    /// The promise of [`Task::run`] holds.
    #[inline(always)]
    unsafe fn search<V: Vector, const K: usize>(self) -> Nearest {
        debug_assert_eq!((self.numbers.len(), self.index.lanes), (self.index.inputs * V::TILE, V::LANES));
        let mut tile = Tile::<K>::new(&self, V::TILE);
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe {
            tile.look_at_centres::<V>();
            for first in (0..self.index.blocks()).step_by(CHUNK) {
                tile.look_at::<V>(first..self.index.blocks().min(first + CHUNK));
            }
            tile.found::<V>(self.neighbours)
        }
    }
}

/// The squares and the numbers of the nearest rows so far, as [`rank`] makes them, the nearest one
/// first.
type Near<const K: usize> = [u64; K];

/// In the place of a row that is not there.
const NOBODY: u64 = rank(NONE, u32::MAX);

/// Ranks a row by its square, and by its number among rows that are as near.
#[inline(always)]
const fn rank(square: f32, number: u32) -> u64 {
    // The bits of numbers from 0 on are in the order of the numbers.
    (square.to_bits() as u64) << 32 | number as u64
}

#[inline(always)]
fn square_of(rank: u64) -> f32 {
    f32::from_bits((rank >> 32) as u32)
}

/// Puts a rank into its place; the last one falls out.
#[inline(always)]
fn insert<const K: usize>(near: &mut Near<K>, mut rank: u64) {
    for had in near {
        (*had, rank) = ((*had).min(rank), (*had).max(rank));
    }
}

/// Of whole vectors of numbers: a bit for each that is at least `least`, and the place of the first
/// one; only of vectors that have such a number.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn masks<V: Vector>(numbers: &[i32], least: i32) -> impl Iterator<Item = (usize, u32)> + '_ {
    let mask = move |(at, numbers): (usize, &[i32])| {
        // SAFETY: the caller knows that the CPU has the vector's instructions; each chunk has `V::LANES` numbers.
        (at * V::LANES, unsafe { V::is_at_least(V::load_whole(numbers.as_ptr()), V::splat_whole(least)) })
    };
    numbers.chunks_exact(V::LANES).enumerate().map(mask).filter(|(_, mask)| *mask != 0)
}

/// The rows of a tile, and what was found for them.
struct Tile<'a, const K: usize> {
    index: &'a Index,
    numbers: &'a [f32],
    rows: usize,
    /// `[tile / TOGETHER, words, TOGETHER]`
    words: Vec<i32>,
    /// Their squared norms, and how far each row is from its codes
    norms: [i32; MOST_TILE],
    errors: [f32; MOST_TILE],
    near: [Near<K>; MOST_TILE],
    /// The blocks that each row was compared with first
    first: [[usize; FIRST]; MOST_TILE],
    /// See [`Codes::need`](super::codes::Codes::need)
    need: [i32; MOST_TILE],
}

impl<'a, const K: usize> Tile<'a, K> {
    #[inline(always)]
    fn new(search: &IndexSearch<'a>, tile: usize) -> Self {
        let IndexSearch { index, numbers, rows, .. } = *search;
        let codes = &index.codes;
        let each = codes.words();
        let mut words = vec![0; each * tile];
        let (mut norms, mut squares) = ([0; MOST_TILE], [0f32; MOST_TILE]);
        for (input, numbers) in numbers.chunks_exact(tile).enumerate() {
            let mut coded = [0; MOST_TILE];
            for (row, number) in numbers.iter().enumerate() {
                let (code, error) = codes.code(input, *number);
                coded[row] = ((code - codes.offset()) & 0xff) << (8 * (input % IN_WORD));
                norms[row] += code * code;
                squares[row] += error * error;
            }
            let groups = words.chunks_exact_mut(each * TOGETHER).zip(coded.chunks_exact(TOGETHER));
            for (words, coded) in groups {
                let own = &mut words[input / IN_WORD * TOGETHER..][..TOGETHER];
                own.iter_mut().zip(coded).for_each(|(word, code)| *word |= code);
            }
        }
        let errors = squares.map(|square| codes.error(square));
        let (near, first, need) = ([[NOBODY; K]; MOST_TILE], [[usize::MAX; FIRST]; MOST_TILE], [i32::MAX; MOST_TILE]);
        Self { index, numbers, rows, words, norms, errors, near, first, need }
    }

    /// Compares each row with the blocks whose centres are nearest.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn look_at_centres<V: Vector>(&mut self) {
        let centres = self.index.centres();
        let wide = centres.blocks() * V::LANES;
        let mut sums = vec![0i32; wide * TOGETHER];
        for row in (0..self.rows).step_by(TOGETHER) {
            for block in 0..centres.blocks() {
                // SAFETY: the caller knows that the CPU has the vector's instructions, and each row has its part of the sums.
                unsafe {
                    for (at, found) in self.sums::<V>(centres, block, row).into_iter().enumerate() {
                        V::store_whole(found, sums[at * wide + block * V::LANES..][..V::LANES].as_mut_ptr());
                    }
                }
            }
            for (row, sums) in (row..self.rows).zip(sums.chunks_exact_mut(wide)) {
                // SAFETY: the caller knows that the CPU has the vector's instructions.
                unsafe { self.look_first::<V>(row, sums) };
            }
        }
    }

    /// Compares a row with the blocks of the largest sums, of which there are more.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn look_first<V: Vector>(&mut self, row: usize, sums: &mut [i32]) {
        for at in 0..FIRST {
            let most = sums.iter().copied().fold(i32::MIN, i32::max);
            // SAFETY: the caller knows that the CPU has the vector's instructions.
            let found = unsafe { masks::<V>(sums, most) }.next();
            let block = found.map_or(0, |(first, mask)| first + mask.trailing_zeros() as usize);
            sums[block] = i32::MIN;
            self.first[row][at] = block;
        }
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe { self.compare::<V>(row, &{ self.first[row] }) };
    }

    /// Compares each row with those of some blocks.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn look_at<V: Vector>(&mut self, blocks: std::ops::Range<usize>) {
        let coded = self.index.coded();
        for row in (0..self.rows).step_by(TOGETHER) {
            // Which rows of each block may be near enough to a row of the tile
            let mut may_be = [[0i32; CHUNK]; TOGETHER];
            for (at, block) in blocks.clone().enumerate() {
                // SAFETY: the caller knows that the CPU has the vector's instructions, and that
                // there are no more blocks than a chunk has.
                unsafe {
                    let sums = self.sums::<V>(coded, block, row);
                    for ((may_be, sums), need) in may_be.iter_mut().zip(sums).zip(&self.need[row..][..TOGETHER]) {
                        *may_be.get_unchecked_mut(at) = V::is_at_least(sums, V::splat_whole(*need)) as i32;
                    }
                }
            }
            for (row, may_be) in (row..self.rows).zip(&may_be) {
                let mut near_enough = [0; CHUNK];
                let mut count = 0;
                // SAFETY: the caller knows that the CPU has the vector's instructions.
                for (first, mut mask) in unsafe { masks::<V>(may_be, 1) } {
                    while mask != 0 {
                        let block = blocks.start + first + mask.trailing_zeros() as usize;
                        mask &= mask - 1;
                        near_enough[count] = block;
                        count += usize::from(!self.first[row].contains(&block));
                    }
                }
                // SAFETY: the caller knows that the CPU has the vector's instructions.
                unsafe { self.compare::<V>(row, &near_enough[..count]) };
            }
        }
    }

    /// Computes the distances of a row from those of some blocks, and keeps the nearest ones.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn compare<V: Vector>(&mut self, row: usize, blocks: &[usize]) {
        let near = &mut self.near[row];
        for blocks in blocks.chunks(BLOCKS) {
            // In the place of blocks that are not there: the first one again.
            let mut rows = [self.index.block(blocks[0]).as_ptr(); BLOCKS];
            for (rows, block) in rows.iter_mut().zip(blocks) {
                *rows = self.index.block(*block).as_ptr();
            }
            // SAFETY: the caller knows that the CPU has the vector's instructions. Each block has a
            // vector of each input, and the tile has the row's number.
            unsafe {
                let mut squares = [V::splat(0.0); BLOCKS];
                for input in 0..self.index.inputs {
                    let number = V::splat(*self.numbers.as_ptr().add(input * V::TILE + row));
                    for (rows, square) in rows.iter().zip(&mut squares) {
                        let difference = number.sub(V::load(rows.add(input * V::LANES)));
                        *square = difference.mul_add(difference, *square);
                    }
                }
                for (block, squares) in blocks.iter().zip(squares) {
                    let mut nearer = squares.is_at_most(V::splat(square_of(near[K - 1])));
                    if nearer == 0 {
                        continue;
                    }
                    let mut lanes = [0f32; MOST_LANES];
                    squares.store(lanes.as_mut_ptr());
                    while nearer != 0 {
                        let lane = nearer.trailing_zeros() as usize;
                        nearer &= nearer - 1;
                        let rank = rank(lanes[lane], self.index.numbers[block * V::LANES + lane]);
                        if rank < near[K - 1] {
                            insert(near, rank);
                        }
                    }
                }
            }
        }
        let error = self.errors[row] + self.index.error;
        self.need[row] = self.index.codes.need(self.norms[row], error, square_of(near[K - 1]));
    }

    /// For each of [`TOGETHER`] rows from `row` on: the products of its codes and those of a
    /// block's rows, from the [`Start`](super::codes::Start) of these on. The larger, the nearer.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn sums<V: Vector>(&self, coded: &CodedRows, block: usize, row: usize) -> [V::Whole; TOGETHER] {
        let words = self.index.codes.words();
        let (own, others) = (&self.words[row * words..][..TOGETHER * words], coded.words(block));
        // SAFETY: the caller knows that the CPU has the vector's instructions. There are `words` words of each row, and as many
        // vectors of the block.
        unsafe {
            let mut sums = [V::load_whole(coded.starts(block).as_ptr()); TOGETHER];
            for word in 0..words {
                let others = V::load_whole(others.as_ptr().add(word * V::LANES));
                for (row, sum) in sums.iter_mut().enumerate() {
                    *sum = V::add_products(*sum, others, V::splat_whole(*own.as_ptr().add(word * TOGETHER + row)));
                }
            }
            sums
        }
    }

    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn found<V: Vector>(&self, neighbours: usize) -> Nearest {
        let mut found = Nearest::none();
        for (row, near) in self.near.iter().enumerate().take(self.rows) {
            for (slot, rank) in near.iter().enumerate().filter(|(_, rank)| **rank != NOBODY) {
                found.squares[slot][row] = square_of(*rank);
                found.numbers[slot][row] = *rank as u32 as f32;
            }
        }
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe { found.weigh::<V>(neighbours) };
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::nearest::{Numbered, Search};
    use super::*;
    use crate::simd::Simd;

    /// Numbers between -1 and 1 that look random.
    fn noise(at: usize) -> f64 {
        libm::sin((at * at % 99_991) as f64 * 1.7 + at as f64)
    }

    /// Kept rows of all kinds, with the number of their inputs.
    fn kinds() -> Vec<(&'static str, usize, Vec<f32>)> {
        let made = |rows: usize, inputs: usize, number: &dyn Fn(usize, usize) -> f64| {
            (0..rows * inputs).map(|at| number(at / inputs, at % inputs) as f32).collect()
        };
        let random = |row: usize, input: usize| noise(row * 31 + input * 7);
        vec![
            ("random", 3, made(1_000, 3, &random)),
            ("few rows", 5, made(257, 5, &random)),
            ("many columns", 130, made(400, 130, &random)),
            ("clustered", 10, made(900, 10, &|row, input| (row % 5) as f64 * 3.0 + 0.01 * random(row, input))),
            ("ties", 2, made(800, 2, &|row, input| (random(row, input) * 4.0).round())),
            ("duplicated rows", 4, made(900, 4, &|row, input| random(row % 7, input))),
            ("constant columns", 6, made(500, 6, &|row, input| if input % 2 == 0 { 7.0 } else { random(row, input) })),
            ("huge values", 4, made(600, 4, &|row, input| libm::pow(random(row, input), 9.0) * 1e6)),
            ("tiny values", 2, made(600, 2, &|row, input| random(row, input) * 1e-20)),
            ("one far row", 3, made(600, 3, &|row, input| if row == 99 { 1e6 } else { random(row, input) })),
            ("rising", 2, made(700, 2, &|row, input| row as f64 + 0.1 * random(row, input))),
        ]
    }

    /// A tile of rows: kept ones, ones near them, between them and far away.
    fn tile(kept: &[f32], inputs: usize, rows: usize) -> Vec<f32> {
        let count = kept.len() / inputs;
        let mut numbers = vec![0f32; inputs * rows];
        for row in 0..rows {
            for input in 0..inputs {
                let of_kept = |row: usize| kept[row * 37 % count * inputs + input];
                numbers[input * rows + row] = match row % 4 {
                    0 => of_kept(row),
                    1 => of_kept(row) + (noise(row + input) * 1e-3) as f32,
                    2 => (of_kept(row) + of_kept(row + 1)) / 2.0,
                    _ => of_kept(row) * 3.0 - 1e5 * (row % 8 / 7) as f32,
                };
            }
        }
        numbers
    }

    /// The squares and the numbers of all kept rows, the nearest one first.
    fn sorted(simd: Simd, kept: &[f32], inputs: usize, row: &[f32]) -> Vec<(f32, usize)> {
        let add = |sum: f32, (a, b): (&f32, &f32)| {
            let difference = a - b;
            if simd.fuses() {
                difference.mul_add(difference, sum)
            } else {
                difference * difference + sum
            }
        };
        let square = |other: &[f32]| row.iter().zip(other).fold(0.0, add);
        let mut all: Vec<(f32, usize)> = kept.chunks(inputs).map(square).zip(0..).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all
    }

    #[test]
    fn the_nearest_are_those_of_all_rows_sorted_to_the_bit_whatever_the_vectors() {
        let with_each =
            |kind: (&'static str, usize, Vec<f32>)| Simd::available().into_iter().map(move |simd| (kind.clone(), simd));
        for ((kind, inputs, kept), simd) in kinds().into_iter().flat_map(with_each) {
            let wide = simd.tile_rows();
            let index = Index::new(&kept, inputs, simd).unwrap().unwrap();
            let numbers = tile(&kept, inputs, wide);
            for (neighbours, rows) in [(1, wide), (2, wide - 3), (3, 1), (5, wide)] {
                let found = simd.run(IndexSearch { index: &index, numbers: &numbers, rows, neighbours });
                let all =
                    simd.run(Search { kept: &kept, inputs, numbers: &numbers, neighbours, numbered: Numbered::None });
                for row in 0..rows {
                    let own: Vec<f32> = numbers[row..].iter().step_by(wide).copied().collect();
                    let expected = sorted(simd, &kept, inputs, &own);
                    for (slot, (square, number)) in expected[..neighbours + 1].iter().enumerate() {
                        let what = format!("{kind}, {simd:?}, row {row}, slot {slot} of {neighbours}");
                        assert_eq!(found.squares[slot][row], *square, "{what}");
                        assert_eq!(found.numbers[slot][row], *number as f32, "{what}");
                        assert_eq!(found.squares[slot][row], all.squares[slot][row], "{what}");
                    }
                    assert_eq!(found.distances[row].to_bits(), all.distances[row].to_bits(), "{kind}, {simd:?}");
                }
            }
        }
    }

    #[test]
    fn a_row_that_is_no_number_has_no_neighbours() {
        for (simd, number) in
            Simd::available().into_iter().flat_map(|simd| [f32::NAN, f32::INFINITY].map(|x| (simd, x)))
        {
            let (_, inputs, kept) = kinds().swap_remove(0);
            let index = Index::new(&kept, inputs, simd).unwrap().unwrap();
            let numbers = vec![number; inputs * simd.tile_rows()];
            let found = simd.run(IndexSearch { index: &index, numbers: &numbers, rows: 2, neighbours: 2 });
            assert_eq!(found.squares[0][..2], [NONE; 2], "{simd:?} {number}");
        }
    }
}
