//! Cells: the evidence that a single value of a table is wrong.
//!
//! A value is judged by what is usual in its column (events, tails, shapes of texts,
//! near-duplicates) and by what the row's other values predict (parents). The training rows are
//! judged without themselves, so that a fault that repeats among them is still rare.
//!
//! | what | where |
//! |---|---|
//! | what a column is, and its values by themselves | `column`, `texts`, `numbers`, `parse` |
//! | rates of events | `events`, `sentinels` |
//! | how rare | `tails`, `shapes`, `near_duplicates` |
//! | what other values say | `parents` |
//! | everything together | `evidence` |
//! | many rows at a time | `strips`, `judged`, `lookup`, `parents::ratios` |
//! | what an earlier model knows | `merge` |
//! | in words | `reason` |
//! | in a file | `tensors`, `restore`, `bound` |

mod batch;
mod bound;
mod by_parent;
mod column;
mod events;
mod evidence;
#[cfg(test)]
mod examples;
mod findings;
mod given;
mod judged;
mod known_numbers;
mod lookup;
mod math;
mod merge;
mod nature;
mod near_duplicates;
mod notation;
mod numbers;
mod orders;
mod parents;
mod parse;
mod read;
mod reason;
mod restore;
mod sample;
mod sentinels;
mod shapes;
mod shares;
mod strips;
mod tails;
mod tensors;
#[cfg(test)]
mod tests;
mod texts;
mod values;
mod words;
mod zeros;

use std::cell::OnceCell;

use polars::prelude::PolarsResult;

use crate::pool;

pub use evidence::{Evidence, RowEvidence};
pub use findings::Finding;
pub use given::{all_rows, describe, Given};
pub use merge::Earlier;
pub use reason::{Reason, Why};
pub use tensors::{CellsMetadata, Spec};
pub use texts::meaning_of;
pub use values::{AllRows, CellColumn, Description};
#[cfg(test)]
pub use values::{Vocabulary, NULL};
pub use words::percent;

use batch::Batch;
use column::Column;
use evidence::Statement;
use merge::Merging;
use nature::Meaning;
use numbers::Numbers;
use orders::Order;
use parents::form::Coder;
use parents::{Said, Target};
use reason::Reasons;
use sample::{Owned, Split};

/// The numbers of discrete columns that are remembered in all, and of each column at least.
const MOST_NUMBERS: usize = 1 << 15;
const FEWEST_NUMBERS: usize = 32;
/// Of more training rows, these are fitted on, and the others are judged as new rows.
const MOST_ROWS: usize = 1 << 17;

/// Bytes that a fit takes for each cell that it is given, and for each that it is fitted on, as
/// measured on independent columns.
const BYTES_GIVEN: usize = 8;
const BYTES_FITTED: usize = 56;

/// About how much memory a fit takes.
pub fn bytes_of_fit(rows: usize, columns: usize) -> usize {
    let of_column = rows.saturating_mul(BYTES_GIVEN).saturating_add(rows.min(MOST_ROWS) * BYTES_FITTED);
    of_column.saturating_mul(columns)
}

/// What is known of a table's columns and of how they depend on one another.
#[derive(Clone, Debug)]
pub struct Cells {
    columns: Vec<Column>,
    coders: Vec<Coder>,
    targets: Vec<Target>,
    /// The targets of each column.
    of_column: Vec<Vec<usize>>,
    orders: Vec<Order>,
    /// The number of rows that pairs and tails are counted from: all, or a sample of them.
    seen: u64,
}

impl Cells {
    /// From training rows, in an order that doesn't depend on where they stood; and the evidence
    /// against each of them without itself. `all` counts all rows where these are a sample, and
    /// where there is an `earlier` model, whose rows are among them.
    pub fn fit(
        given: &[CellColumn],
        described: &[Description],
        all: Option<&[AllRows]>,
        earlier: Option<&Earlier>,
    ) -> PolarsResult<(Self, Vec<RowEvidence>)> {
        let rows = batch::check(described.len(), given)?;
        let of_rows = |statement: Statement| statement.of_rows();
        if rows <= MOST_ROWS {
            return Self::fit_and(given, described, all, earlier, of_rows);
        }
        let counted: Vec<AllRows> = given.iter().map(AllRows::count).collect();
        let split = Split::new(rows, MOST_ROWS);
        let owned = split.taken(given, described);
        let taken: Vec<CellColumn> = owned.iter().map(Owned::column).collect();
        let all = Some(all.unwrap_or(&counted));
        let replayed = earlier.and_then(|earlier| earlier.replayed).map(|replayed| split.pick(replayed));
        let earlier =
            earlier.map(|of| Earlier { replayed: replayed.as_deref(), described: of.described.clone(), ..*of });
        let (cells, of_taken) = Self::fit_and(&taken, described, all, earlier.as_ref(), of_rows)?;
        let evidence = split.complete(&cells, of_taken, given, described)?;
        Ok((cells, evidence))
    }

    /// The same, with the evidence against each cell of the training rows.
    #[cfg(test)]
    fn fit_cells(
        given: &[CellColumn],
        described: &[Description],
        all: Option<&[AllRows]>,
        earlier: Option<&Earlier>,
    ) -> PolarsResult<(Self, Evidence)> {
        Self::fit_and(given, described, all, earlier, |statement| statement.evidence())
    }

    fn fit_and<T>(
        given: &[CellColumn],
        described: &[Description],
        all: Option<&[AllRows]>,
        earlier: Option<&Earlier>,
        read_training: impl FnOnce(Statement) -> PolarsResult<T>,
    ) -> PolarsResult<(Self, T)> {
        let rows = batch::check(described.len(), given)?;
        let merging = earlier.and_then(|earlier| Merging::new(earlier, given, all?));
        let new_rows = merging.as_ref().and_then(|merging| merging.new_rows.as_deref());
        let new: Option<Vec<Owned>> = new_rows.map(|rows| sample::gathered(given, described, rows));
        let most = (MOST_NUMBERS / given.len().max(1)).max(FEWEST_NUMBERS);
        let columns = pool::map((0..given.len()).collect(), |at| {
            let all = all.and_then(|all| all.get(at)).copied();
            let earlier = merging.as_ref().map(|merging| merging.column(at));
            let column = new.as_ref().map_or(given[at], |new| new[at].column());
            Ok(Column::fit(&column, described[at].vocabulary.as_ref(), all, most, earlier))
        })?;
        let read = pool::map((0..given.len()).collect(), |at| {
            Ok(columns[at].read_training(&given[at], described[at].vocabulary.as_ref()))
        })?;
        let mut batch = Batch::from_read(&columns, given, read);
        let fitted = parents::fit::fit(&columns, described, &mut batch, merging.as_ref())?;
        let seen = merging.as_ref().map_or(rows as u64, |merging| merging.seen);
        let orders = merge::orders(&columns, &batch, merging.as_ref());
        let mut cells = Self::new(columns, fitted.coders, fitted.targets, orders, Some(seen));
        let evidence = read_training(cells.state(&batch, &fitted.said))?;
        cells.keep_within(bound::MOST_BYTES);
        Ok((cells, evidence))
    }

    /// `seen` is None where pairs and tails are counted from all rows.
    fn new(
        columns: Vec<Column>,
        coders: Vec<Coder>,
        targets: Vec<Target>,
        orders: Vec<Order>,
        seen: Option<u64>,
    ) -> Self {
        let all = columns.first().map_or(0, |column| column.all.rows);
        let seen = seen.map_or(all, |seen| seen.min(all));
        let mut cells = Self { columns, coders, targets, of_column: vec![], orders, seen };
        cells.index();
        cells
    }

    /// Notes the targets of each column.
    fn index(&mut self) {
        self.of_column = vec![vec![]; self.columns.len()];
        for (at, target) in self.targets.iter().enumerate() {
            self.of_column[target.column].push(at);
        }
    }

    fn state<'a>(&'a self, batch: &'a Batch<'a>, said: &'a [Said]) -> Statement<'a> {
        let Self { columns, targets, of_column, orders, .. } = self;
        Statement { columns, batch, targets, said, of_column, orders }
    }

    /// Looks up the values of new rows.
    pub fn look_up<'a>(&'a self, given: &'a [CellColumn<'a>]) -> PolarsResult<Rows<'a>> {
        batch::check(self.columns.len(), given)?;
        Ok(Rows { cells: self, batch: Batch::new(&self.columns, &self.coders, given), said: OnceCell::new() })
    }

    /// The evidence against rows as new ones, on the plugin's threads.
    pub fn of_rows(&self, given: &[CellColumn]) -> PolarsResult<Vec<RowEvidence>> {
        const CHUNK: usize = 1 << 13;
        let rows = batch::check(self.columns.len(), given)?;
        let starts = (0..rows).step_by(CHUNK).collect();
        let part = |start: usize| {
            let rows = start..(start + CHUNK).min(rows);
            let part: Vec<CellColumn> = given.iter().map(|column| column.slice(rows.clone())).collect();
            self.look_up(&part)?.of_rows()
        };
        Ok(pool::map(starts, part)?.concat())
    }

    /// The evidence against new rows and each of their cells.
    pub fn evidence(&self, given: &[CellColumn]) -> PolarsResult<Evidence> {
        self.look_up(given)?.evidence()
    }

    /// Whether the values of a column are times of the day, or numbers with a fraction or a unit: whole
    /// numbers may be ids.
    pub fn measures(&self, column: usize) -> bool {
        let Some(of) = self.columns.get(column) else { return false };
        let has_fractions = |numbers: &Numbers| numbers.odd[2] as f64 > 0.05 * numbers.rows as f64;
        match of.nature.meaning {
            Meaning::Number => !of.notation.is_plain() || of.numbers.as_ref().is_some_and(has_fractions),
            meaning => meaning == Meaning::Clock,
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(Column::bytes).sum();
        let coders: usize = self.coders.iter().map(Coder::bytes).sum();
        let parents = self.targets.iter().flat_map(|target| &target.parents).map(|parent| parent.bytes());
        columns + coders + parents.sum::<usize>()
    }
}

/// New rows, and what is said about them.
pub struct Rows<'a> {
    cells: &'a Cells,
    batch: Batch<'a>,
    /// What each parent says, once that is asked for.
    said: OnceCell<Vec<Said>>,
}

impl Rows<'_> {
    fn statement(&self) -> Statement<'_> {
        let Cells { columns, targets, .. } = self.cells;
        let said = || targets.iter().map(|target| target.say(columns, &self.batch)).collect();
        self.cells.state(&self.batch, self.said.get_or_init(said))
    }

    /// The evidence against the rows and each of their cells.
    pub fn evidence(&self) -> PolarsResult<Evidence> {
        self.statement().evidence()
    }

    /// The evidence against the rows alone.
    pub fn of_rows(&self) -> PolarsResult<Vec<RowEvidence>> {
        self.cells.state(&self.batch, &[]).of_rows()
    }

    /// Why a cell is taken for wrong.
    pub fn reason(&self, described: &[Description], column: usize, row: usize) -> Reason {
        Reasons { statement: self.statement(), coders: &self.cells.coders, described }.reason(column, row)
    }
}

impl PartialEq for Cells {
    /// Compares what a file holds.
    fn eq(&self, other: &Self) -> bool {
        self.metadata() == other.metadata() && self.tensors() == other.tensors()
    }
}
