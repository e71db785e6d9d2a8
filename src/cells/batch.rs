//! Some rows as the evidence takes them: levels, numbers and codes.

use std::borrow::Cow;

use polars::prelude::PolarsResult;

use super::column::Column;
use super::parents::form::Coder;
use super::read::Read;
use super::values::CellColumn;

/// Rows whose values were looked up.
pub struct Batch<'a> {
    pub rows: usize,
    pub given: &'a [CellColumn<'a>],
    pub read: Vec<Read<'a>>,
    /// Of each column of numbers, those that can be judged by their size; NaN elsewhere.
    pub numbers: Vec<Cow<'a, [f64]>>,
    /// The codes of each coder.
    pub codes: Vec<Vec<u32>>,
}

impl<'a> Batch<'a> {
    /// New rows.
    pub fn new(columns: &[Column], coders: &[Coder], given: &'a [CellColumn<'a>]) -> Self {
        let read = columns.iter().zip(given).map(|(column, given)| column.read(given)).collect();
        let mut batch = Self::from_read(columns, given, read);
        batch.code(columns, coders);
        batch
    }

    /// Rows that were read.
    pub fn from_read(columns: &[Column], given: &'a [CellColumn<'a>], read: Vec<Read<'a>>) -> Self {
        let rows = given.first().map_or(0, CellColumn::rows);
        let numbers = columns.iter().zip(&read).map(|(column, read)| sized(column, read, rows)).collect();
        Self { rows, given, read, numbers, codes: vec![] }
    }

    /// Works out the codes of coders.
    pub fn code(&mut self, columns: &[Column], coders: &[Coder]) {
        let codes = |coder: &Coder| {
            let at = coder.column;
            coder.codes(&columns[at], &self.read[at], &self.given[at], &self.numbers[at])
        };
        self.codes = coders.iter().map(codes).collect();
    }
}

/// The numbers of a column that can be judged by their size; none of a column of categories.
fn sized<'a>(column: &Column, read: &Read<'a>, rows: usize) -> Cow<'a, [f64]> {
    let Some(numbers) = &column.numbers else { return Cow::Borrowed(&[]) };
    let stands_for_itself = |number: f64| if numbers.is_sized(number) { number } else { f64::NAN };
    match read {
        Read::Measured(read) if numbers.sentinels.is_empty() => read.numbers.clone(),
        Read::Measured(read) => read.numbers.iter().map(|number| stands_for_itself(*number)).collect(),
        Read::Levels(_) => (0..rows).map(|row| stands_for_itself(column.level(read, row).number)).collect(),
    }
}

/// An error unless the columns are as many as a model has, and of the same length.
pub fn check(columns: usize, given: &[CellColumn]) -> PolarsResult<usize> {
    let rows = given.first().map_or(0, CellColumn::rows);
    let is_even = given.len() == columns && given.iter().all(|column| column.rows() == rows);
    polars::prelude::polars_ensure!(is_even, ComputeError: "anorand: the columns are not those of the model");
    Ok(rows)
}
