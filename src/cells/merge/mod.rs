//! Merges what an earlier model's cells know with what new rows say, for a fit that goes on from
//! the model.
//!
//! The earlier rows are gone, so all that can be added are counts:
//!
//! * The **structure** (which parents, lines, bins, and how categories are smoothed) is that of the
//!   side with more rows. The other side's rows are counted in it.
//! * **Counts** of values, pairs, groups, tails and events add up. Where a side was fitted on a
//!   sample, [`Shares`] gives each side the weight of all its rows. A pair that a side has seen
//!   keeps at least one row, so that it is never taken for unseen.
//! * **Scales** are pooled, as those of a mixture of both, in which a small side far away changes
//!   little, as it would change little of a median.
//!
//! Rows that are replayed are part of the earlier counts already: they help to choose new parents,
//! but are not counted.

mod numbers;
mod pairs;
#[cfg(test)]
mod tests;

pub use numbers::New;
pub use pairs::{merge_groups, merge_pairs, recoded};

use super::column::Column;
use super::parents::form::{Coder, Form};
use super::parents::{Aim, Parent, Target};
use super::values::{AllRows, CellColumn, Description};
use super::Cells;

/// The least share that a row counts for, so that weights have sums.
const LEAST_SHARE: f64 = 1e-4;

/// An earlier model's cells.
pub struct Earlier<'a> {
    pub cells: &'a Cells,
    /// The features and vocabularies that they were fitted with.
    pub described: Vec<Description<'a>>,
    /// Marks the rows at hand that the model has seen; None if it has seen none of them.
    pub replayed: Option<&'a [bool]>,
}

/// What a row of each side counts for, so that both sides have the weight of all their rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    pub earlier: f64,
    pub new: f64,
    /// How many rows one of the new rows at hand stands for.
    pub factor: f64,
    /// Whether there were at least as many earlier rows as there are new ones.
    pub is_earlier_larger: bool,
}

impl Shares {
    /// From the numbers of all rows of each side, and of those among them that are counted.
    fn new([earlier, new]: [u64; 2], [seen, at_hand]: [u64; 2]) -> Self {
        let per = |all: u64, seen: u64| (all as f64 / seen.max(1) as f64).max(1.0);
        let (of_earlier, factor) = (per(earlier, seen), per(new, at_hand));
        let most = of_earlier.max(factor);
        let share = |of: f64| (of / most).max(LEAST_SHARE);
        Self { earlier: share(of_earlier), new: share(factor), factor, is_earlier_larger: earlier >= new }
    }

    /// A count of rows of both sides; one that a side has is no less than one.
    pub fn count(&self, earlier: u64, new: u64) -> u64 {
        scaled(earlier, self.earlier).saturating_add(scaled(new, self.new))
    }
}

/// A share of a count, at least one of one that is not 0.
pub fn scaled(count: u64, share: f64) -> u64 {
    match share == 1.0 || count == 0 {
        true => count,
        false => ((count as f64 * share).round() as u64).max(1),
    }
}

/// What an earlier model knows of one column.
#[derive(Clone, Copy)]
pub struct EarlierColumn<'a> {
    pub column: &'a Column,
    pub shares: Shares,
}

/// An earlier model, beside the rows at hand.
pub struct Merging<'a> {
    pub cells: &'a Cells,
    pub described: &'a [Description<'a>],
    pub shares: Shares,
    /// The rows at hand that are not replayed; None if all of them are new.
    pub new_rows: Option<Vec<u32>>,
    replayed: Option<&'a [bool]>,
    /// The number of rows that pairs and tails are counted from, those of both sides.
    pub seen: u64,
}

impl<'a> Merging<'a> {
    /// None if the earlier model has other columns.
    pub fn new(earlier: &'a Earlier, given: &[CellColumn], all: &[AllRows]) -> Option<Self> {
        let Earlier { cells, described, replayed } = earlier;
        let rows = given.first().map_or(0, CellColumn::rows);
        let is_same = cells.columns.len() == given.len() && described.len() == given.len();
        if !is_same || replayed.is_some_and(|replayed| replayed.len() != rows) {
            return None;
        }
        let of = cells.columns.first()?.all.rows;
        let new = all.first()?.rows.saturating_sub(of);
        let is_new = |row: &u32| replayed.is_none_or(|replayed| !replayed[*row as usize]);
        let replayed = replayed.filter(|replayed| replayed.contains(&true));
        let new_rows: Option<Vec<u32>> = replayed.map(|_| (0..rows as u32).filter(is_new).collect());
        let at_hand = new_rows.as_ref().map_or(rows, Vec::len) as u64;
        let shares = Shares::new([of, new], [cells.seen, at_hand]);
        let seen = shares.count(cells.seen, at_hand);
        Some(Self { cells, described, shares, new_rows, replayed, seen })
    }

    pub fn column(&self, at: usize) -> EarlierColumn<'_> {
        EarlierColumn { column: &self.cells.columns[at], shares: self.shares }
    }

    /// Whether a row at hand is counted already.
    pub fn is_replayed(&self, row: usize) -> bool {
        self.replayed.is_some_and(|replayed| replayed[row])
    }

    /// The codes of the new rows; those of the others are `none`.
    pub fn of_new_rows(&self, codes: &[u32], none: u32) -> Vec<u32> {
        codes.iter().enumerate().map(|(row, code)| if self.is_replayed(row) { none } else { *code }).collect()
    }

    /// What predicted a column in the earlier model, if it can go on predicting it.
    pub fn target(&self, at: usize, aim: Aim) -> Option<&'a Target> {
        let target = self.cells.of_column[at].iter().map(|target| &self.cells.targets[*target]);
        target.into_iter().find(|target| target.aim == aim)
    }

    pub fn form(&self, parent: &Parent) -> Option<Form> {
        parent.coder.map(|coder| self.cells.coders[coder].form)
    }

    /// The code that each code of an earlier coder has now.
    pub fn recoded(&self, earlier: usize, now: &Coder, columns: &[Column], described: &[Description]) -> Vec<u32> {
        let old = &self.cells.coders[earlier];
        let at = old.column;
        let before = (&self.cells.columns[at], &self.described[at]);
        recoded((old, before.0, before.1), (now, &columns[at], &described[at]))
    }
}
