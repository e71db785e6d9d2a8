//! The nearest of the rows of an [`Index`] to each row of a tile: those that
//! [`Search`](super::nearest::Search) finds, to the bit, since the distance of two rows is the same
//! sum in the same order, and since rows that are as near count by their numbers.
//!
//! The codes of all rows are compared. The distances of the rows whose codes are nearest say how far the nearest
//! rows are at most. Then distances are computed wherever a row may be as near.

use std::ops::Range;

use crate::simd::{Task, Vector, MOST_LANES};

use super::codes::IN_WORD;
use super::index::Index;
use super::nearest::{Nearest, MOST_TILE, NONE, NO_ROW, SLOTS};

/// Rows of a tile whose codes are compared with a block together.
const TOGETHER: usize = 8;

/// Blocks that are passed over together where none of their rows may be near enough. Their sums are computed again where
/// one may be, since that takes less than to store them.
const GROUP: usize = 4;

/// Blocks whose rows are compared by their distances at a time.
const QUEUE: usize = 16;

/// Rows whose distances are computed side by side, so that one sum need not wait for another.
const ABREAST: usize = 8;

/// The search for the nearest rows to the first `rows` of a tile, `[inputs, tile]`.
pub struct IndexSearch<'a> {
    pub index: &'a Index,
    /// The rows of the index, `[kept, inputs]`
    pub kept: &'a [f32],
    pub numbers: &'a [f32],
    pub rows: usize,
    /// The number of nearest rows that count; one more is found
    pub neighbours: usize,
    pub room: &'a mut Room,
}

/// Room for how near the codes of some rows of a tile are to those of an index. One search leaves it for the next one.
#[derive(Default)]
pub struct Room {
    /// Of each group of blocks, the largest sum of products in each lane: the larger, the nearer.
    /// `[TOGETHER, groups, lanes]`
    largest: Vec<i32>,
    /// Groups that are to be looked at
    groups: Vec<u32>,
}

impl Room {
    fn fit(&mut self, index: &Index) {
        let groups = index.blocks().div_ceil(GROUP);
        self.largest.resize(TOGETHER * groups * index.lanes, 0);
        self.groups.resize(groups, 0);
    }
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
        self.room.fit(self.index);
        for row in (0..self.rows).step_by(TOGETHER) {
            // SAFETY: the caller knows that the CPU has the vector's instructions. The room is the index's.
            unsafe { tile.search::<V>(row, self.room) };
        }
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe { tile.found::<V>(self.neighbours) }
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

/// A sum that at least `K` rows reach, and hardly more of them: the `K`-th largest of the lanes' largest ones.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn sum_of_rank<V: Vector, const K: usize>(largest: &[i32]) -> i32 {
    let mut lanes = [i32::MIN; MOST_LANES];
    // SAFETY: the caller knows that the CPU has the vector's instructions; each chunk has `V::LANES` numbers.
    unsafe {
        let groups = largest.chunks_exact(V::LANES);
        let start = V::splat_whole(i32::MIN);
        let largest = groups.fold(start, |most, group| V::max_whole(most, V::load_whole(group.as_ptr())));
        V::store_whole(largest, lanes.as_mut_ptr());
    }
    let mut ranked = [i32::MIN; K];
    for mut sum in lanes {
        for had in &mut ranked {
            (*had, sum) = ((*had).max(sum), (*had).min(sum));
        }
    }
    ranked[K - 1]
}

/// A bit for each lane: whether its sum is at least a number.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
unsafe fn reach<V: Vector>(sums: V::Whole, least: i32) -> u32 {
    // SAFETY: the caller knows that the CPU has the vector's instructions.
    unsafe { V::is_at_least(sums, V::splat_whole(least)) }
}

/// The rows of a tile, and what was found for them.
struct Tile<'a, const K: usize> {
    index: &'a Index,
    kept: &'a [f32],
    numbers: &'a [f32],
    rows: usize,
    /// `[tile / TOGETHER, words, TOGETHER]`
    words: Vec<i32>,
    /// Their squared norms, and how far each row is from its codes
    norms: [i32; MOST_TILE],
    errors: [f32; MOST_TILE],
    near: [Near<K>; MOST_TILE],
}

/// A block, and a bit for each lane whose distance is wanted.
type Wanted = (usize, u32);

impl<'a, const K: usize> Tile<'a, K> {
    #[inline(always)]
    fn new(search: &IndexSearch<'a>, tile: usize) -> Self {
        let IndexSearch { index, kept, numbers, rows, .. } = *search;
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
        Self { index, kept, numbers, rows, words, norms, errors, near: [[NOBODY; K]; MOST_TILE] }
    }

    /// Finds the nearest rows to each of [`TOGETHER`] rows from `row` on.
    ///
    /// # Safety
    /// The CPU has the vector's instructions, and the room is the index's.
    #[inline(always)]
    unsafe fn search<V: Vector>(&mut self, row: usize, room: &mut Room) {
        let groups = room.groups.len();
        // SAFETY: the caller knows that the CPU has the vector's instructions, and that there is room for a vector of each
        // group of blocks for each row.
        unsafe {
            for group in 0..groups {
                let mut largest = [V::splat_whole(i32::MIN); TOGETHER];
                for block in self.blocks_of(group) {
                    let sums = self.sums::<V>(block, row);
                    largest.iter_mut().zip(sums).for_each(|(largest, sums)| *largest = V::max_whole(*largest, sums));
                }
                for (at, largest) in largest.into_iter().enumerate() {
                    V::store_whole(largest, room.largest.as_mut_ptr().add((at * groups + group) * V::LANES));
                }
            }
        }
        for (row, largest) in (row..self.rows).zip(room.largest.chunks_exact(groups * V::LANES)) {
            // SAFETY: the caller knows that the CPU has the vector's instructions.
            unsafe {
                let first = sum_of_rank::<V, K>(largest);
                self.look::<V>(row, largest, [first, i32::MAX], &mut room.groups);
                self.look::<V>(row, largest, [self.need(row), first], &mut room.groups);
            }
        }
    }

    fn blocks_of(&self, group: usize) -> Range<usize> {
        group * GROUP..self.index.blocks().min((group + 1) * GROUP)
    }

    /// Compares a row with those whose sum is at least `least`, and below `most`. `largest` has
    /// the row's part of [`Room::largest`], and `groups` is [`Room::groups`].
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn look<V: Vector>(&mut self, row: usize, largest: &[i32], [mut least, most]: [i32; 2], groups: &mut [u32]) {
        // Whether a sum is large enough can't be foretold: branches would take longer than this.
        let mut count = 0;
        for (group, largest) in largest.chunks_exact(V::LANES).enumerate() {
            groups[count] = group as u32;
            // SAFETY: the caller knows that the CPU has the vector's instructions; each chunk has `V::LANES` numbers.
            count += usize::from(unsafe { reach::<V>(V::load_whole(largest.as_ptr()), least) } != 0);
        }
        let (mut wanted, mut in_queue) = ([(0, 0); QUEUE], 0);
        for group in &groups[..count] {
            let blocks = self.blocks_of(*group as usize);
            // SAFETY: the caller knows that the CPU has the vector's instructions.
            let sums = unsafe { self.sums_of_row::<V>(blocks.clone(), row) };
            for (block, sums) in blocks.zip(sums) {
                // SAFETY: the caller knows that the CPU has the vector's instructions.
                let lanes = unsafe { reach::<V>(sums, least) & !reach::<V>(sums, most) };
                wanted[in_queue] = (block, lanes);
                in_queue += usize::from(lanes != 0);
            }
            if in_queue > QUEUE - GROUP {
                // SAFETY: the caller knows that the CPU has the vector's instructions.
                unsafe { self.compare::<V>(row, &wanted[..in_queue]) };
                (least, in_queue) = (least.max(self.need(row)), 0);
            }
        }
        // SAFETY: the caller knows that the CPU has the vector's instructions.
        unsafe { self.compare::<V>(row, &wanted[..in_queue]) };
    }

    /// The sum that a row reaches if it may be as near as the nearest ones so far.
    fn need(&self, row: usize) -> i32 {
        let error = self.errors[row] + self.index.error;
        self.index.codes.need(self.norms[row], error, square_of(self.near[row][K - 1]))
    }

    /// Computes the distances of a row from those that are wanted of up to [`QUEUE`] blocks, and keeps the nearest ones.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn compare<V: Vector>(&mut self, row: usize, wanted: &[Wanted]) {
        let (mut numbers, mut count) = ([0; QUEUE * MOST_LANES], 0);
        for (block, lanes) in wanted {
            let (of_block, mut lanes) = (&self.index.numbers[block * V::LANES..], *lanes);
            while lanes != 0 {
                numbers[count] = of_block[lanes.trailing_zeros() as usize];
                count += usize::from(numbers[count] != NO_ROW);
                lanes &= lanes - 1;
            }
        }
        let inputs = self.index.inputs;
        for numbers in numbers[..count].chunks(ABREAST) {
            // In the place of rows that are not there: the first one again.
            let mut others = [&self.kept[numbers[0] as usize * inputs..][..inputs]; ABREAST];
            for (other, number) in others.iter_mut().zip(numbers) {
                *other = &self.kept[*number as usize * inputs..][..inputs];
            }
            let mut squares = [0f32; ABREAST];
            for input in 0..inputs {
                // SAFETY: the tile has a number of each row for each input.
                let own = unsafe { *self.numbers.get_unchecked(input * V::TILE + row) };
                for (square, other) in squares.iter_mut().zip(&others) {
                    // SAFETY: each of `others` is a slice of `inputs` numbers.
                    let difference = own - unsafe { *other.get_unchecked(input) };
                    *square = match V::FUSES {
                        true => difference.mul_add(difference, *square),
                        false => difference * difference + *square,
                    };
                }
            }
            for (number, square) in numbers.iter().zip(squares) {
                insert(&mut self.near[row], rank(square, *number));
            }
        }
    }

    /// For each of [`TOGETHER`] rows from `row` on: the products of its codes and those of a
    /// block's rows, from the [`Start`](super::codes::Start) of these on. The larger, the nearer.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn sums<V: Vector>(&self, block: usize, row: usize) -> [V::Whole; TOGETHER] {
        let (words, coded) = (self.index.codes.words(), self.index.coded());
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

    /// The same of one row and a group of blocks; what is not there has the sums of the last block.
    ///
    /// # Safety
    /// The CPU has the vector's instructions.
    #[inline(always)]
    unsafe fn sums_of_row<V: Vector>(&self, blocks: Range<usize>, row: usize) -> [V::Whole; GROUP] {
        let (words, coded) = (self.index.codes.words(), self.index.coded());
        let own = &self.words[row / TOGETHER * TOGETHER * words..][..TOGETHER * words];
        let mut others: [&[i32]; GROUP] = [&[]; GROUP];
        // SAFETY: the caller knows that the CPU has the vector's instructions. There are `words` words of each row, and as many
        // vectors of each block.
        unsafe {
            // No closures here: they would not be compiled for the vector's instructions.
            let mut sums = [V::splat_whole(0); GROUP];
            for (at, (others, sums)) in others.iter_mut().zip(&mut sums).enumerate() {
                let block = (blocks.start + at).min(blocks.end - 1);
                *others = coded.words(block);
                *sums = V::load_whole(coded.starts(block).as_ptr());
            }
            for word in 0..words {
                let own = V::splat_whole(*own.as_ptr().add(word * TOGETHER + row % TOGETHER));
                for (sum, others) in sums.iter_mut().zip(&others) {
                    *sum = V::add_products(*sum, V::load_whole(others.as_ptr().add(word * V::LANES)), own);
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
            let (numbers, mut room) = (tile(&kept, inputs, wide), Room::default());
            for (neighbours, rows) in [(1, wide), (2, wide - 3), (3, 1), (5, wide)] {
                let found = simd.run(IndexSearch {
                    index: &index,
                    kept: &kept,
                    numbers: &numbers,
                    rows,
                    neighbours,
                    room: &mut room,
                });
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
            let found = simd.run(IndexSearch {
                index: &index,
                kept: &kept,
                numbers: &numbers,
                rows: 2,
                neighbours: 2,
                room: &mut Room::default(),
            });
            assert_eq!(found.squares[0][..2], [NONE; 2], "{simd:?} {number}");
        }
    }
}
