//! A member's view of the table: all members share its scaled rows, and keep numbers of rows and features.

use ndarray::{Array2, ArrayView2};

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
    pub fn select(&self, rows: &[usize]) -> Array2<f32> {
        Array2::from_shape_fn((rows.len(), self.inputs.len()), |(at, input)| self.table[[rows[at], self.inputs[input]]])
    }
}
