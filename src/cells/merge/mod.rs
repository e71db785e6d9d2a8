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

pub use pairs::{merge_groups, merge_pairs, pool_groups, recoded};

use super::batch::Batch;
use super::column::{Column, EarlierColumn};
use super::orders::{self, Order, MOST_ORDERS};
use super::parents::form::{Coder, Form};
use super::parents::{Aim, Parent, Target};
use super::shares::Shares;
use super::values::{AllRows, CellColumn, Description};
use super::Cells;

/// An earlier model's cells.
pub struct Earlier<'a> {
    pub cells: &'a Cells,
    /// The features and vocabularies that they were fitted with.
    pub described: Vec<Description<'a>>,
    /// Marks the rows at hand that the model has seen; None if it has seen none of them.
    pub replayed: Option<&'a [bool]>,
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

/// The orders of the new rows, and those of an earlier model that still hold.
pub fn orders(columns: &[Column], batch: &Batch, merging: Option<&Merging>) -> Vec<Order> {
    let is_new = |row: usize| !merging.is_some_and(|merging| merging.is_replayed(row));
    let mut found = orders::find(columns, batch, is_new);
    let Some(merging) = merging else { return found };
    for order in &merging.cells.orders {
        let Some(new) = order.recount(batch, is_new) else { continue };
        let [broken, rows] = [(order.broken, new.broken), (order.rows, new.rows)]
            .map(|(earlier, new)| merging.shares.count(earlier, new));
        let both = Order { broken: broken.min(rows), rows, ..*order };
        found.retain(|other| (other.low, other.high) != (order.low, order.high));
        found.extend(Some(both).filter(Order::holds));
    }
    found.truncate(MOST_ORDERS);
    found
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
