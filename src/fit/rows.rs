//! A member's view of the table: all members share its scaled rows, and keep numbers of rows and features.

use ndarray::{Array2, ArrayView2};
use polars::prelude::PolarsResult;

use crate::memory::{matrix, reserved};

/// The table's scaled rows `[n, d]`, and the features of them that a member sees.
pub struct Rows<'a> {
    pub table: ArrayView2<'a, f32>,
    pub inputs: Vec<usize>,
}

impl Rows<'_> {
    /// Adds a row of the table, as the member sees it.
    pub fn push(&self, row: usize, x: &mut Vec<f32>) {
        let row = self.table.row(row);
        x.extend(self.inputs.iter().map(|feature| row[*feature]));
    }

    /// Some rows of the table as the member sees them, `[rows, inputs]`.
    pub fn select(&self, rows: &[usize]) -> PolarsResult<Array2<f32>> {
        let mut selected = matrix(rows.len(), self.inputs.len(), "the rows of a member")?;
        selected
            .indexed_iter_mut()
            .for_each(|((at, input), number)| *number = self.table[[rows[at], self.inputs[input]]]);
        Ok(selected)
    }

    /// Room for the largest batch, of `rows` rows, which serves all batches of an epoch.
    pub fn batch(&self, rows: usize) -> PolarsResult<Batch> {
        let x = reserved(rows.saturating_mul(self.inputs.len()), "the rows of a batch")?;
        Ok(Batch { x, synthetic: reserved(rows, "the rows of a batch")? })
    }
}

/// A batch in the making.
pub struct Batch {
    /// `[rows, inputs]`, row by row
    pub x: Vec<f32>,
    /// y of each row
    pub synthetic: Vec<bool>,
}

impl Batch {
    pub fn clear(&mut self) {
        self.x.clear();
        self.synthetic.clear();
    }
}
