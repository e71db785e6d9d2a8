//! A fit that is asked for, and what it gives.

use crate::data::{Columns, Labels, Totals};
use crate::model::Model;
use crate::options::Options;

use super::start::Start;
use super::warnings::Warning;

/// What a fit is given beside its options.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub columns: &'a Columns,
    /// With them, known anomalies take the place of synthetic ones
    pub labels: Option<&'a Labels>,
    /// Of a table of which the rows are a sample: its counts and extremes are the model's
    pub totals: Option<&'a Totals>,
    /// Where it starts from another one's model
    pub start: Option<Start<'a>>,
}

impl<'a> Given<'a> {
    /// All rows of a table, for a fit that starts anew.
    pub fn table(columns: &'a Columns, labels: Option<&'a Labels>) -> Self {
        Self { columns, labels, totals: None, start: None }
    }
}

/// A fit that is asked for.
#[derive(Clone, Copy)]
pub struct Fit<'a> {
    pub given: Given<'a>,
    pub options: &'a Options,
}

/// A model, and what its user should hear about it.
pub struct Fitted {
    pub model: Model,
    pub warnings: Vec<Warning>,
}
