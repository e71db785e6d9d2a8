//! What the evidence is given: the columns of a table, and what is known of their texts.

use std::ops::Range;

use crate::data::Kind;

/// The code of a text that is null.
pub const NULL: u32 = u32::MAX;

/// One column of some rows.
#[derive(Clone, Copy)]
pub enum CellColumn<'a> {
    /// Numbers; NaN where one is missing. Booleans are 0 and 1.
    Number(&'a [f64]),
    /// Times in the unit of their kind; NaN where one is missing.
    Time { kind: Kind, values: &'a [f64] },
    /// Texts. A code is the place in the column's vocabulary; those after its end count on in
    /// `others`, the texts that the vocabulary lacks; [`NULL`] where one is missing.
    Text { codes: &'a [u32], others: &'a [String] },
}

impl CellColumn<'_> {
    pub fn rows(&self) -> usize {
        match self {
            Self::Number(values) | Self::Time { values, .. } => values.len(),
            Self::Text { codes, .. } => codes.len(),
        }
    }

    /// The values of some rows.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        match *self {
            Self::Number(values) => Self::Number(&values[rows]),
            Self::Time { kind, values } => Self::Time { kind, values: &values[rows] },
            Self::Text { codes, others } => Self::Text { codes: &codes[rows], others },
        }
    }
}

/// The texts of a column that a model remembers, the most frequent first.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    pub values: &'a [String],
    /// The number of rows that have each text.
    pub counts: &'a [u64],
    /// The number of rows with a text that is not remembered.
    pub other_rows: u64,
}

/// What is said of a column beside its values.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    pub name: &'a str,
    /// Of a column that holds texts.
    pub vocabulary: Option<Vocabulary<'a>>,
    /// Whether its numbers are Booleans.
    pub is_boolean: bool,
}

/// What is known of all rows of a column, of which the rows at hand may be a sample.
#[derive(Clone, Copy, Debug)]
pub struct AllRows {
    pub rows: u64,
    pub missing: u64,
}
