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
use super::math::{quick_ln, quick_ln_single};
use super::nature::Meaning;
use super::orders::Order;
use super::parents::{Aim, Room, Said, Target};
use super::read::Own;
use super::strips::{strips, STRIP};

/// What an e counts for in a row's evidence.
pub const SHARE: f32 = 0.02;
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
    e: [f32; STRIP],
    tails: [f32; STRIP],
    /// How much likelier the row's other values make each value, at least.
    given: [f32; STRIP],
}

/// The evidence against the rows of a strip.
struct OfRows {
    all: [f64; STRIP],
    tails: [f64; STRIP],
    /// How much likelier the row's other values make one of its values, at least.
    given: [f32; STRIP],
}

impl OfRows {
    fn none() -> Self {
        Self { all: [0.0; STRIP], tails: [0.0; STRIP], given: [1.0; STRIP] }
    }

    /// Writes the evidence against each row.
    fn write(&self, rows: &mut [RowEvidence]) {
        for ((row, given), (all, tails)) in rows.iter_mut().zip(self.given).zip(self.all.iter().zip(self.tails)) {
            *row = RowEvidence { all: *all, tails, conflict: -quick_ln(given.into()) };
        }
    }
}

/// Adds what cells add to the evidence against their rows, and to the tails of it.
struct AddCells<'a> {
    against: &'a Against,
    parts: &'a mut [[f32; STRIP]; 2],
    rows: &'a mut OfRows,
}

impl Task for AddCells<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [all, tails] = self.parts;
        let both = self.against.e.iter().zip(&self.against.tails);
        for ((all, tails), (e, tail)) in all.iter_mut().zip(tails.iter_mut()).zip(both) {
            *all = quick_ln_single(1.0 + SHARE * e);
            *tails = quick_ln_single(1.0 + SHARE * tail);
        }
        self.rows.all.iter_mut().zip(all.iter()).for_each(|(sum, part)| *sum += f64::from(*part));
        self.rows.tails.iter_mut().zip(tails.iter()).for_each(|(sum, part)| *sum += f64::from(*part));
        self.rows.given.iter_mut().zip(&self.against.given).for_each(|(least, given)| *least = least.min(*given));
    }
}

/// Adds what other values say to the evidence, and takes what they explain from how rare a value
/// is.
struct Explain<'a> {
    /// The ratios of how likely values are with the others and without them.
    mixed: &'a [f32],
    against: &'a mut Against,
    explained: Option<&'a mut [f32; STRIP]>,
}

impl Task for Explain<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let mut given = [0.0; STRIP];
        let Against { e, given: least, .. } = self.against;
        for ((given, mixed), (e, least)) in given.iter_mut().zip(self.mixed).zip(e.iter_mut().zip(least)) {
            *given = 1.0 / *mixed;
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
    value: &'a [f32; STRIP],
    number: &'a [f32; STRIP],
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

/// What is said about some rows, and by whom.
pub struct Statement<'a> {
    pub columns: &'a [Column],
    pub batch: &'a Batch<'a>,
    pub targets: &'a [Target],
    /// By target; none where only the evidence against new rows is asked for, which takes what all
    /// parents say together.
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
        for strip in strips(rows) {
            let first = strip.start;
            let of_rows = &mut found.rows[strip.clone()];
            self.each_column(strip, of_rows, |at, against, [all, tails]| {
                for (row, (e, (all, tails))) in against.e.iter().zip(all.iter().zip(tails)).enumerate() {
                    let Some(part) = found.parts.get_mut((first + row) * width + at) else { break };
                    *part = [*all, *tails];
                    found.cells[(first + row) * width + at] = quick_ln_single(e.max(1e-6));
                }
            });
        }
        let width = width.max(1);
        let of_rows = found.cells.chunks_exact_mut(width).zip(found.parts.chunks_exact_mut(width));
        for (row, (cells, parts)) in of_rows.enumerate() {
            if self.name_determined(row, cells) {
                for (cell, part) in cells.iter().zip(parts) {
                    part[0] = quick_ln_single(1.0 + SHARE * libm::expf(*cell));
                }
            }
        }
        Ok(found)
    }

    /// The evidence against the rows alone.
    pub fn of_rows(&self) -> PolarsResult<Vec<RowEvidence>> {
        let mut rows: Vec<RowEvidence> = zeros(self.batch.rows, WHAT)?;
        for strip in strips(rows.len()) {
            self.each_column(strip.clone(), &mut rows[strip], |_, _, _| {});
        }
        Ok(rows)
    }

    /// Adds up the evidence against the rows of a strip, column by column. `take` gets each column's number, the
    /// evidence against its cells, and the cells' parts of the rows' evidence and tails.
    fn each_column(
        &self,
        strip: Range<usize>,
        rows: &mut [RowEvidence],
        mut take: impl FnMut(usize, &Against, &[[f32; STRIP]; 2]),
    ) {
        let (mut of_rows, mut parts, mut room) = (OfRows::none(), [[0.0; STRIP]; 2], Room::new());
        let (mut own, mut mixed) = (Own::none(), [1.0; STRIP]);
        let mut against = Against { e: [0.0; STRIP], tails: [0.0; STRIP], given: [1.0; STRIP] };
        for at in 0..self.columns.len() {
            own.read(&self.columns[at], &self.batch.read[at], strip.clone());
            self.add_up(at, strip.clone(), (&mut own, &mut mixed, &mut room), &mut against);
            Simd::chosen().run(AddCells { against: &against, parts: &mut parts, rows: &mut of_rows });
            take(at, &against, &parts);
        }
        of_rows.write(rows);
    }

    /// Adds up the evidence against the cells of a column in a strip of rows. `own` is the evidence of the values
    /// by themselves; the ratios of the other columns are worked out in `mixed` and `room`.
    fn add_up(
        &self,
        at: usize,
        rows: Range<usize>,
        (own, mixed, room): (&mut Own, &mut [f32; STRIP], &mut Room),
        against: &mut Against,
    ) {
        against.e.copy_from_slice(&own.fixed);
        against.given.fill(1.0);
        for target in &self.of_column[at] {
            let mixed = match self.said.get(*target) {
                Some(said) => &said.mixed[rows.clone()],
                None => {
                    let mixed = &mut mixed[..rows.len()];
                    self.targets[*target].say_together(self.columns, self.batch, rows.clone(), room, mixed);
                    mixed
                }
            };
            let explained = match self.targets[*target].aim {
                Aim::Value => Some(&mut own.value),
                Aim::Number => Some(&mut own.number),
                Aim::Hour | Aim::Presence => None,
            };
            if self.targets[*target].aim == Aim::Presence {
                self.explain_missing(&mut against.e, mixed, at, rows.clone());
            }
            Simd::chosen().run(Explain { mixed, against, explained });
        }
        for order in self.orders.iter().filter(|order| order.has(at)) {
            let evidence = order.evidence(self.batch.read[at].is_left_out()) as f32;
            let rows = rows.clone().enumerate().filter(|(_, row)| order.is_broken(&self.batch.numbers, *row));
            for (to, _) in rows {
                against.e[to] += evidence;
                against.given[to] = against.given[to].min(1.0 / evidence);
            }
        }
        Simd::chosen().run(AddTails { value: &own.value, number: &own.number, against });
    }

    /// Takes what other values explain from the evidence against values that are missing.
    fn explain_missing(&self, e: &mut [f32; STRIP], mixed: &[f32], at: usize, rows: Range<usize>) {
        let (column, read) = (&self.columns[at], &self.batch.read[at]);
        for ((e, mixed), row) in e.iter_mut().zip(mixed).zip(rows) {
            let level = column.level(read, row);
            if level.is_missing {
                *e -= level.own.fixed * (1.0 - (1.0 / *mixed).min(1.0));
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
        let own = |row: usize, by: f32| (row % 13) as f32 * by;
        let e = std::array::from_fn(|row| own(row, 9.0));
        let mut against = Against { e, tails: [0.0; STRIP], given: [1.0; STRIP] };
        let [mut value, number]: [[f32; STRIP]; 2] = [0.7, 0.2].map(|by| std::array::from_fn(|row| own(row, by)));
        let simd = Simd::chosen();
        simd.run(Explain { mixed: &mixed, against: &mut against, explained: Some(&mut value) });
        simd.run(Explain { mixed: &mixed, against: &mut against, explained: None });
        simd.run(AddTails { value: &value, number: &number, against: &mut against });
        let (mut of_rows, mut parts) = (OfRows::none(), [[0.0; STRIP]; 2]);
        (of_rows.all, of_rows.tails, of_rows.given) = ([1.0; STRIP], [2.0; STRIP], [0.6; STRIP]);
        simd.run(AddCells { against: &against, parts: &mut parts, rows: &mut of_rows });
        let mut rows = vec![RowEvidence::default(); 200];
        of_rows.write(&mut rows);
        for (row, mixed) in mixed.iter().enumerate() {
            let given = 1.0 / *mixed;
            let tail = own(row, 0.7) * given.min(1.0) + own(row, 0.2);
            let e = own(row, 9.0) + given + given + tail;
            assert_eq!([against.e[row], against.tails[row]], [e, tail]);
            let expected = [e, tail].map(|e| quick_ln_single(1.0 + SHARE * e));
            assert_eq!([parts[0][row], parts[1][row]], expected);
            let [all, tails] = expected.map(f64::from);
            let conflict = -quick_ln(mixed.min(0.6).into());
            assert_eq!(rows[row], RowEvidence { all: 1.0 + all, tails: 2.0 + tails, conflict });
        }
        let rows: Vec<Range<usize>> = strips(600).collect();
        assert_eq!(rows, [0..256, 256..512, 512..600]);
    }
}
