//! The evidence against each cell of some rows, and against the rows.
//!
//! e is how much likelier a value is if the cell is wrong than if it is right. The kinds of
//! evidence add up in e; what the other values explain takes away from how rare a value or a number
//! is. A row's evidence is Σ ln(1 + 0.02 · e).

use std::ops::Range;

use polars::prelude::PolarsResult;

use crate::memory::zeros;
use crate::simd::{Simd, Task, Vector};

use super::batch::Batch;
use super::column::Column;
use super::events::Sums;
use super::math::quick_ln;
use super::nature::Meaning;
use super::orders::Order;
use super::parents::{Aim, Said, Target};
use super::strips::{strips, STRIP};

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
    /// The most that the row's other values say against one cell: by how many nats the value is likelier
    /// without them. It is no sum, since two cells that disagree are one conflict.
    pub conflict: f64,
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

/// The evidence against the cells of a strip, and what of it is only rare or far out in its column.
struct Against {
    e: [f64; STRIP],
    tails: [f64; STRIP],
    /// How much likelier the row's other values make each value, at least.
    given: [f32; STRIP],
}

impl Against {
    /// What each cell adds to the evidence against its row, and to the tails of it.
    fn parts(&self) -> [[f64; 2]; STRIP] {
        let mut parts = [[0.0; 2]; STRIP];
        Simd::chosen().run(Nats { against: self, parts: &mut parts });
        parts
    }

    /// Adds the cells' parts to the evidence against their rows.
    fn add_to(&self, rows: &mut [RowEvidence], parts: &[[f64; 2]; STRIP]) {
        for ((row, [all, tail]), given) in rows.iter_mut().zip(parts).zip(self.given) {
            row.all += all;
            row.tails += tail;
            row.conflict = row.conflict.max(-quick_ln(given.into()));
        }
    }
}

/// Adds what other values say to the evidence, and takes what they explain from how rare a value
/// is.
struct Explain<'a> {
    /// The ratios of how likely values are with the others and without them.
    mixed: &'a [f32],
    against: &'a mut Against,
    explained: Option<&'a mut [f64; STRIP]>,
}

impl Task for Explain<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let mut given = [0.0; STRIP];
        let Against { e, given: least, .. } = self.against;
        for ((given, mixed), (e, least)) in given.iter_mut().zip(self.mixed).zip(e.iter_mut().zip(least)) {
            *given = 1.0 / f64::from(*mixed);
            *e += *given;
            *least = least.min(*mixed);
        }
        if let Some(explained) = self.explained {
            let rows = explained.iter_mut().zip(given).take(self.mixed.len());
            rows.for_each(|(evidence, given)| *evidence *= given.min(1.0));
        }
    }
}

/// Adds how rare values are, and how far out numbers are, to the evidence and to the tails.
struct AddTails<'a> {
    value: &'a [f64; STRIP],
    number: &'a [f64; STRIP],
    against: &'a mut Against,
}

impl Task for AddTails<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Against { e, tails, .. } = self.against;
        for ((e, tail), (value, number)) in e.iter_mut().zip(tails).zip(self.value.iter().zip(self.number)) {
            *tail = value + number;
            *e += *tail;
        }
    }
}

/// ln(1 + 0.02 · e) of both kinds of evidence.
struct Nats<'a> {
    against: &'a Against,
    parts: &'a mut [[f64; 2]; STRIP],
}

impl Task for Nats<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let both = self.against.e.iter().zip(&self.against.tails);
        for (part, (e, tail)) in self.parts.iter_mut().zip(both) {
            *part = [*e, *tail].map(|e| quick_ln(1.0 + SHARE * e));
        }
    }
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
    pub orders: &'a [Order],
}

impl Statement<'_> {
    /// The evidence against all cells and rows.
    pub fn evidence(&self) -> PolarsResult<Evidence> {
        let (rows, width) = (self.batch.rows, self.columns.len());
        let cells = rows * width;
        let mut found = Evidence { cells: zeros(cells, WHAT)?, parts: zeros(cells, WHAT)?, rows: zeros(rows, WHAT)? };
        for at in 0..width {
            for strip in strips(rows) {
                let against = self.against(at, strip.clone());
                let parts = against.parts();
                against.add_to(&mut found.rows[strip.clone()], &parts);
                for (row, (e, part)) in strip.zip(against.e.iter().zip(parts)) {
                    found.parts[row * width + at] = part.map(|nats| nats as f32);
                    found.cells[row * width + at] = quick_ln(e.max(1e-6)) as f32;
                }
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
            for strip in strips(rows.len()) {
                let against = self.against(at, strip.clone());
                against.add_to(&mut rows[strip], &against.parts());
            }
        }
        Ok(rows)
    }

    /// The evidence against the cells of a column in a strip of rows.
    fn against(&self, at: usize, rows: Range<usize>) -> Against {
        let (column, read) = (&self.columns[at], &self.batch.read[at]);
        let [mut fixed, mut value, mut number] = [[0.0; STRIP]; 3];
        for (to, row) in rows.clone().enumerate() {
            let own = column.level(read, row).own;
            (fixed[to], value[to], number[to]) = (own.fixed.into(), own.value.into(), own.number.into());
        }
        let mut against = Against { e: fixed, tails: [0.0; STRIP], given: [1.0; STRIP] };
        for target in &self.of_column[at] {
            let mixed = &self.said[*target].mixed[rows.clone()];
            let explained = match self.targets[*target].aim {
                Aim::Value => Some(&mut value),
                Aim::Number => Some(&mut number),
                Aim::Hour | Aim::Presence => None,
            };
            if self.targets[*target].aim == Aim::Presence {
                self.explain_missing(&mut against.e, mixed, at, rows.clone());
            }
            Simd::chosen().run(Explain { mixed, against: &mut against, explained });
        }
        for order in self.orders.iter().filter(|order| order.has(at)) {
            let evidence = order.evidence(read.is_left_out());
            let rows = rows.clone().enumerate().filter(|(_, row)| order.is_broken(&self.batch.numbers, *row));
            for (to, _) in rows {
                against.e[to] += evidence;
                against.given[to] = against.given[to].min((1.0 / evidence) as f32);
            }
        }
        Simd::chosen().run(AddTails { value: &value, number: &number, against: &mut against });
        against
    }

    /// Takes what other values explain from the evidence against values that are missing.
    fn explain_missing(&self, e: &mut [f64; STRIP], mixed: &[f32], at: usize, rows: Range<usize>) {
        let (column, read) = (&self.columns[at], &self.batch.read[at]);
        for ((e, mixed), row) in e.iter_mut().zip(mixed).zip(rows) {
            let level = column.level(read, row);
            if level.is_missing {
                *e -= f64::from(level.own.fixed) * (1.0 - (1.0 / f64::from(*mixed)).min(1.0));
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_are_summed_as_single_cells() {
        let mixed: Vec<f32> =
            (0..200).map(|row| [1e-5, 0.3, 0.999, 1.0, 7.0, 1e5][row % 6] * (1.0 + row as f32 / 999.0)).collect();
        let own = |row: usize, by: f64| (row % 13) as f64 * by;
        let e = std::array::from_fn(|row| own(row, 9.0));
        let mut against = Against { e, tails: [0.0; STRIP], given: [1.0; STRIP] };
        let [mut value, number]: [[f64; STRIP]; 2] = [0.7, 0.2].map(|by| std::array::from_fn(|row| own(row, by)));
        let simd = Simd::chosen();
        simd.run(Explain { mixed: &mixed, against: &mut against, explained: Some(&mut value) });
        simd.run(Explain { mixed: &mixed, against: &mut against, explained: None });
        simd.run(AddTails { value: &value, number: &number, against: &mut against });
        let parts = against.parts();
        let mut rows = vec![RowEvidence { all: 1.0, tails: 2.0, conflict: 0.5 }; 200];
        against.add_to(&mut rows, &parts);
        for (row, mixed) in mixed.iter().enumerate() {
            let given = 1.0 / f64::from(*mixed);
            let tail = own(row, 0.7) * given.min(1.0) + own(row, 0.2);
            let e = own(row, 9.0) + given + given + tail;
            assert_eq!([against.e[row], against.tails[row]], [e, tail]);
            assert_eq!(parts[row], [quick_ln(1.0 + SHARE * e), quick_ln(1.0 + SHARE * tail)]);
            let conflict = (-quick_ln(f64::from(*mixed))).max(0.5);
            assert_eq!(rows[row], RowEvidence { all: 1.0 + parts[row][0], tails: 2.0 + parts[row][1], conflict });
        }
        let rows: Vec<Range<usize>> = strips(600).collect();
        assert_eq!(rows, [0..256, 256..512, 512..600]);
    }
}
