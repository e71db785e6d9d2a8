//! The evidence against each cell of some rows, and against the rows.
//!
//! e is how much likelier a value is if the cell is wrong than if it is right. The kinds of
//! evidence add up in e; what the other values explain takes away from how rare a value or a number
//! is. A row's evidence is Σ ln(1 + 0.02 · e).

use polars::prelude::PolarsResult;

use crate::memory::zeros;

use super::batch::Batch;
use super::column::Column;
use super::events::Sums;
use super::math::quick_ln;
use super::nature::Meaning;
use super::parents::{Aim, Said, Target};

/// What an e counts for in a row's evidence.
pub const SHARE: f64 = 0.02;
const WHAT: &str = "the evidence of the cells";
/// Cells disagree only with each other if, in nats, a parent says at least so much against the one,
/// the other has nearly as much evidence, and neither is odd by itself.
const DISAGREES: f64 = 0.7;
const DISPUTES: f32 = 0.2;
const NEARLY: f32 = 2.5;
const ODD: [f64; 2] = [1.5, 2.5];
/// The cell that is named has at least so much more evidence than those it disagrees with.
const STRICTLY: f32 = 0.01;
/// Determined equally, to this much.
const EQUALLY: f64 = 0.05;

/// The evidence against a row, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowEvidence {
    /// Σ ln(1 + 0.02 · e) over the cells.
    pub all: f64,
    /// The same sum over what is only rare or far out in its own column.
    pub tails: f64,
}

/// The evidence against some rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// ln e of each cell, `[rows, columns]`.
    pub cells: Vec<f32>,
    /// What each cell adds to the evidence against its row, and to the tails of it,
    /// `[rows, columns]`.
    pub parts: Vec<[f32; 2]>,
    pub rows: Vec<RowEvidence>,
}

/// Adds a cell's part to the evidence against its row.
fn add(row: &mut RowEvidence, [all, tail]: [f64; 2]) {
    row.all += all;
    row.tails += tail;
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
        let cells = rows * width;
        let mut found = Evidence { cells: zeros(cells, WHAT)?, parts: zeros(cells, WHAT)?, rows: zeros(rows, WHAT)? };
        for at in 0..width {
            for row in 0..rows {
                let [e, tail] = self.against(at, row);
                let part = [e, tail].map(|e| quick_ln(1.0 + SHARE * e));
                add(&mut found.rows[row], part);
                found.parts[row * width + at] = part.map(|nats| nats as f32);
                found.cells[row * width + at] = quick_ln(e.max(1e-6)) as f32;
            }
        }
        let width = width.max(1);
        let of_rows = found.cells.chunks_exact_mut(width).zip(found.parts.chunks_exact_mut(width));
        for (row, (cells, parts)) in of_rows.enumerate() {
            if self.name_determined(row, cells) {
                for (cell, part) in cells.iter().zip(parts) {
                    part[0] = quick_ln(1.0 + SHARE * libm::exp(f64::from(*cell))) as f32;
                }
            }
        }
        Ok(found)
    }

    /// The evidence against the rows alone.
    pub fn of_rows(&self) -> PolarsResult<Vec<RowEvidence>> {
        let mut rows: Vec<RowEvidence> = zeros(self.batch.rows, WHAT)?;
        for at in 0..self.columns.len() {
            for (row, sums) in rows.iter_mut().enumerate() {
                add(sums, self.against(at, row).map(|e| quick_ln(1.0 + SHARE * e)));
            }
        }
        Ok(rows)
    }

    /// The evidence against a cell, and what of it is only rare or far out in its own column.
    fn against(&self, at: usize, row: usize) -> [f64; 2] {
        let own = self.columns[at].level(&self.batch.read[at], row).own;
        let [mut e, mut value, mut number] = [own.fixed, own.value, own.number].map(f64::from);
        for target in &self.of_column[at] {
            let given = 1.0 / f64::from(self.said[*target].mixed[row]);
            e += given;
            match self.targets[*target].aim {
                Aim::Value => value *= given.min(1.0),
                Aim::Number => number *= given.min(1.0),
                Aim::Hour => {}
            }
        }
        let tail = value + number;
        [e + tail, tail]
    }

    /// Where cells disagree with each other, gives the evidence to the one that disagrees with more
    /// of the other columns, then to the one that the others determine best. If that is even, a
    /// number gets it, then the later column, since what follows from others mostly stands after
    /// them.
    fn name_determined(&self, row: usize, cells: &mut [f32]) -> bool {
        let highest = (0..cells.len()).reduce(|a, b| if cells[b] > cells[a] { b } else { a });
        let Some(first) = highest else { return false };
        let by_itself = self.by_itself(first, row);
        let Some(others) = self.opponents(first, row, by_itself).filter(|_| by_itself <= ODD[0]) else { return false };
        let group = [first, others[0], others[1]];
        let is_number = |at: usize| self.columns[at].nature.meaning != Meaning::Category;
        let mut best = first;
        for other in others {
            let is_near = cells[other] >= cells[first] - NEARLY || self.disputed(other, &group, row);
            if !is_near || self.by_itself(other, row) > ODD[1] {
                continue;
            }
            let by_tenths = |at: usize| (self.determined(at, &group) * 10.0).round() / 10.0;
            let more = by_tenths(other) - by_tenths(best);
            let is_rather = match more.abs() <= EQUALLY {
                true => (is_number(other), other) > (is_number(best), best),
                false => more > 0.0,
            };
            let [disputes, of_best] = [other, best].map(|at| self.disputes(at, &group, row));
            if disputes > of_best || disputes == of_best && is_rather {
                best = other;
            }
        }
        cells.swap(first, best);
        for at in group.into_iter().filter(|at| *at != best) {
            cells[at] = cells[at].min(cells[best] - STRICTLY);
        }
        true
    }

    /// Whether the others of a group speak against a cell.
    fn disputed(&self, at: usize, group: &[usize], row: usize) -> bool {
        let said = self.of_column[at].iter().map(|target| (&self.targets[*target].parents, &self.said[*target].ratios));
        let mut ratios = said.flat_map(|(parents, ratios)| parents.iter().zip(ratios));
        ratios.any(|(parent, ratios)| ratios[row] < DISPUTES && parent.columns.iter().all(|at| group.contains(at)))
    }

    /// How many columns outside of a group a cell disagrees with.
    fn disputes(&self, at: usize, group: &[usize], row: usize) -> usize {
        let mut columns = vec![];
        for (target, said) in self.targets.iter().zip(self.said) {
            for (parent, ratios) in target.parents.iter().zip(&said.ratios) {
                let other = match (target.column == at, parent.columns == [at; 2]) {
                    (true, _) if parent.columns[0] == parent.columns[1] => parent.columns[0],
                    (_, true) => target.column,
                    _ => continue,
                };
                let is_new = !group.contains(&other) && !columns.contains(&other);
                if is_new && ratios[row] < DISPUTES {
                    columns.push(other);
                }
            }
        }
        columns.len()
    }

    /// The columns of the parent that speaks loudest against a cell, louder than the cell by
    /// itself.
    fn opponents(&self, at: usize, row: usize, by_itself: f64) -> Option<[usize; 2]> {
        let mut most = by_itself.max(DISAGREES);
        let mut opponents = None;
        for target in &self.of_column[at] {
            for (parent, ratios) in self.targets[*target].parents.iter().zip(&self.said[*target].ratios) {
                let nats = -quick_ln(f64::from(ratios[row]));
                if nats > most {
                    (most, opponents) = (nats, Some(parent.columns));
                }
            }
        }
        opponents
    }

    /// The nats that speak against a cell by itself.
    fn by_itself(&self, at: usize, row: usize) -> f64 {
        let Sums { fixed, value, number } = self.columns[at].level(&self.batch.read[at], row).own;
        let [fixed, value, number] = [fixed, value, number].map(f64::from);
        let most = fixed.max(value / super::events::VALUE).max(number / super::events::NUMBER);
        quick_ln(most.max(1e-6))
    }

    /// How far other columns of a group determine a column.
    fn determined(&self, column: usize, group: &[usize]) -> f64 {
        let parents = self.of_column[column].iter().flat_map(|target| &self.targets[*target].parents);
        let of_group = parents.filter(|parent| parent.columns.iter().all(|at| group.contains(at)));
        of_group.map(|parent| parent.determines).fold(0.0, f64::max)
    }
}
