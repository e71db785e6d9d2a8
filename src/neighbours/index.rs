//! The kept rows of one draw, and their [`Codes`], in a form in which the nearest are found fast.
//!
//! Rows that are near one another are in one block, side by side in the lanes of vectors. Products
//! of bytes say of nearly all blocks that their rows are too far away, and distances are computed
//! from the rest. `index_search.rs` has the search.

use polars::prelude::PolarsResult;

use crate::memory::{collected, reserved, zeros};
use crate::simd::Simd;

use super::codes::{Codes, OUT_OF_REACH};
use super::nearest::NO_ROW;
use super::partition::order;

/// Fewer rows are searched as fast one by one.
const LEAST_ROWS: usize = 256;

const INDEX: &str = "the index of the kept rows";

#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    pub inputs: usize,
    /// The rows of a block
    pub lanes: usize,
    pub codes: Codes,
    /// The number of each row, `[blocks, lanes]`; [`NO_ROW`] for what pads the last block
    pub numbers: Vec<u32>,
    coded: CodedRows,
    /// The most that a row is from its codes
    pub error: f32,
}

/// The codes of rows, in blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct CodedRows {
    /// Four codes in each word, `[blocks, words, lanes]`
    words: Vec<i32>,
    /// The [`Start`] of each row's sums, `[blocks, lanes]`
    starts: Vec<i32>,
    lanes: usize,
    /// The words of a row
    width: usize,
}

impl Index {
    /// Makes the index of rows, `[rows, inputs]`; None where it would not make the search faster.
    pub fn new(rows: &[f32], inputs: usize, simd: Simd) -> PolarsResult<Option<Self>> {
        let (count, lanes) = (rows.len() / inputs.max(1), simd.lanes());
        if count < LEAST_ROWS {
            return Ok(None);
        }
        let Some(codes) = Codes::fit(rows, inputs, simd.largest_byte()) else { return Ok(None) };
        let mut numbers = collected(0..count as u32, INDEX)?;
        order(&mut numbers, rows, inputs, lanes);
        let blocks = count.div_ceil(lanes);
        numbers.resize(blocks * lanes, NO_ROW);
        let mut index =
            Self { inputs, lanes, coded: CodedRows::new(blocks, codes.words(), lanes)?, error: 0.0, codes, numbers };
        (0..blocks).for_each(|block| index.fill(block, rows));
        Ok(Some(index))
    }

    fn fill(&mut self, block: usize, rows: &[f32]) {
        let Self { inputs, lanes, .. } = *self;
        let numbers = &self.numbers[block * lanes..][..lanes];
        let count = numbers.iter().take_while(|number| **number != NO_ROW).count();
        for (lane, number) in numbers[..count].iter().enumerate() {
            let row = &rows[*number as usize * inputs..][..inputs];
            let (start, error) = self.codes.write(row, self.coded.lane(block, lane), lanes);
            self.coded.starts[block * lanes + lane] = start;
            self.error = self.error.max(error);
        }
    }

    pub fn blocks(&self) -> usize {
        self.numbers.len() / self.lanes
    }

    /// The codes of the rows.
    pub fn coded(&self) -> &CodedRows {
        &self.coded
    }

    pub fn bytes(&self) -> usize {
        self.numbers.len() * size_of::<u32>() + self.coded.bytes()
    }
}

impl CodedRows {
    /// Has no rows yet.
    fn new(blocks: usize, width: usize, lanes: usize) -> PolarsResult<Self> {
        let mut starts = reserved(blocks * lanes, INDEX)?;
        starts.resize(blocks * lanes, OUT_OF_REACH);
        Ok(Self { words: zeros(blocks * width * lanes, INDEX)?, starts, lanes, width })
    }

    /// The words of a block, `[words, lanes]`.
    #[inline(always)]
    pub fn words(&self, block: usize) -> &[i32] {
        let size = self.width * self.lanes;
        &self.words[block * size..][..size]
    }

    #[inline(always)]
    pub fn starts(&self, block: usize) -> &[i32] {
        &self.starts[block * self.lanes..][..self.lanes]
    }

    /// The words of a block from those of one row on.
    fn lane(&mut self, block: usize, lane: usize) -> &mut [i32] {
        let size = self.width * self.lanes;
        &mut self.words[block * size..][..size][lane..]
    }

    fn bytes(&self) -> usize {
        (self.words.len() + self.starts.len()) * size_of::<i32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_in_one_place_and_rows_of_a_block_are_near_one_another() {
        let rows: Vec<f32> = (0..1_003).map(|row| (row * 389 % 1_003) as f32).collect();
        for simd in Simd::available() {
            let (lanes, index) = (simd.lanes(), Index::new(&rows, 1, simd).unwrap().unwrap());
            assert_eq!(index.blocks(), 1_003usize.div_ceil(lanes));
            let mut all = index.numbers.clone();
            all.sort_unstable();
            assert_eq!(all[..1_003], (0..1_003).collect::<Vec<u32>>());
            assert!(all[1_003..].iter().all(|number| *number == NO_ROW));
            for numbers in index.numbers.chunks(lanes).take(index.blocks() - 1) {
                let own: Vec<f32> = numbers.iter().map(|number| rows[*number as usize]).collect();
                let [least, most] = [f32::min, f32::max].map(|of| own.iter().copied().reduce(of).unwrap());
                assert_eq!(most - least, (lanes - 1) as f32);
            }
        }
    }

    #[test]
    fn few_rows_and_rows_that_are_all_the_same_have_no_index() {
        for rows in [vec![], vec![0.0, 1.0], vec![3.0; 1_000], vec![f32::NAN; 1_000]] {
            assert_eq!(Index::new(&rows, 1, Simd::chosen()).unwrap(), None);
        }
    }
}
