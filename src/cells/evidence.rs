//! The evidence against each cell of some rows, and against the rows.
//!
//! e is how much likelier a value is if the cell is wrong than if it is right. The kinds of evidence
//! add up in e; what the other values explain takes away from how rare a value or a number is. A
//! row's evidence is Σ ln(1 + 0.02 · e).

use polars::prelude::PolarsResult;

use crate::memory::zeros;

use super::batch::Batch;
use super::column::{Column, Meaning};
use super::events::Sums;
use super::math::quick_ln;
use super::parents::{Aim, Said, Target};

/// What an e counts for in a row's evidence.
pub const SHARE: f64 = 0.02;
const WHAT: &str = "the evidence of the cells";
/// Two cells disagree only with each other if, in nats, the parent says at least so much against
/// the one, the other has nearly as much evidence, and neither is odd by itself.
const DISAGREES: f64 = 0.7;
const NEARLY: f32 = 2.5;
const ODD: [f64; 2] = [1.5, 2.5];
/// Determined equally, to this much.
const EQUALLY: f64 = 0.05;

/// The evidence against some rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// ln e of each cell, `[rows, columns]`.
    pub cells: Vec<f32>,
    /// Of each row.
    pub rows: Vec<f64>,
}

/// What is said about some rows, and by whom.
pub struct Statement<'a> {
    pub columns: &'a [Column],
    pub batch: &'a Batch<'a>,
    pub targets: &'a [Target],
    /// By target.
    pub said: &'a [Said],
    /// The targets of each column.
    pub of_column: &'a [Vec<usize>],
}

impl Statement<'_> {
    /// The evidence against all cells and rows.
    pub fn evidence(&self) -> PolarsResult<Evidence> {
        let (rows, width) = (self.batch.rows, self.columns.len());
        let mut found = Evidence { cells: zeros(rows * width, WHAT)?, rows: zeros(rows, WHAT)? };
        for at in 0..width {
            for row in 0..rows {
                let e = self.against(at, row);
                found.rows[row] += quick_ln(1.0 + SHARE * e);
                found.cells[row * width + at] = quick_ln(e.max(1e-6)) as f32;
            }
        }
        for (row, cells) in found.cells.chunks_exact_mut(width.max(1)).enumerate() {
            self.name_determined(row, cells);
        }
        Ok(found)
    }

    /// The evidence against the rows alone.
    pub fn of_rows(&self) -> PolarsResult<Vec<f64>> {
        let mut rows: Vec<f64> = zeros(self.batch.rows, WHAT)?;
        for at in 0..self.columns.len() {
            rows.iter_mut().enumerate().for_each(|(row, sum)| *sum += quick_ln(1.0 + SHARE * self.against(at, row)));
        }
        Ok(rows)
    }

    /// The evidence against a cell.
    fn against(&self, at: usize, row: usize) -> f64 {
        let own = self.columns[at].level(&self.batch.read[at], row).own;
        let (mut e, mut value, mut number) = (own.fixed, own.value, own.number);
        for target in &self.of_column[at] {
            let given = 1.0 / f64::from(self.said[*target].mixed[row]);
            e += given;
            match self.targets[*target].aim {
                Aim::Value => value *= given.min(1.0),
                Aim::Number => number *= given.min(1.0),
                Aim::Hour => {}
            }
        }
        e + value + number
    }

    /// Where two cells disagree only with each other, gives the evidence to the one that the other
    /// determines, or to the number.
    fn name_determined(&self, row: usize, cells: &mut [f32]) {
        let highest = (0..cells.len()).reduce(|a, b| if cells[b] > cells[a] { b } else { a });
        let Some(first) = highest else { return };
        let by_itself = self.by_itself(first, row);
        let mut most = by_itself.max(DISAGREES);
        let mut other = None;
        for target in &self.of_column[first] {
            let ratios = self.targets[*target].parents.iter().zip(&self.said[*target].ratios);
            for (parent, ratios) in ratios {
                let nats = -quick_ln(f64::from(ratios[row]));
                if nats > most {
                    (most, other) = (nats, (parent.columns[0] == parent.columns[1]).then_some(parent.columns[0]));
                }
            }
        }
        let Some(other) = other.filter(|_| by_itself <= ODD[0]) else { return };
        if cells[other] < cells[first] - NEARLY || self.by_itself(other, row) > ODD[1] {
            return;
        }
        let by_tenths = |share: f64| (share * 10.0).round() / 10.0;
        let [by_first, by_other] = [self.determines(first, other), self.determines(other, first)].map(by_tenths);
        let is_number = |at: usize| self.columns[at].nature.meaning != Meaning::Category;
        let is_even = (by_first - by_other).abs() <= EQUALLY + 1e-3;
        if by_first > by_other + EQUALLY || is_even && is_number(other) && !is_number(first) {
            cells.swap(first, other);
        }
    }

    /// The nats that speak against a cell by itself.
    fn by_itself(&self, at: usize, row: usize) -> f64 {
        let Sums { fixed, value, number } = self.columns[at].level(&self.batch.read[at], row).own;
        let most = fixed.max(value / super::events::VALUE).max(number / super::events::NUMBER);
        quick_ln(most.max(1e-6))
    }

    /// How far a parent determines a column.
    fn determines(&self, parent: usize, column: usize) -> f64 {
        let targets = self.of_column[column].iter().map(|target| &self.targets[*target]);
        let parents = targets.flat_map(|target| &target.parents).filter(|one| one.columns == [parent; 2]);
        parents.map(|parent| parent.determines).fold(0.0, f64::max)
    }
}
