//! What a fit is given, and what it returns.

use crate::data::{Columns, Labels, Totals};
use crate::model::Model;
use crate::options::Options;

use super::start::Start;
use super::warnings::Warning;

/// The rows of a fit, and what is known about them.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub columns: &'a Columns,
    /// Known anomalies take the place of synthetic ones.
    pub labels: Option<&'a Labels>,
    /// If the rows are a sample: the counts and extremes of the whole table.
    pub totals: Option<&'a Totals>,
    /// If the fit goes on from an earlier model.
    pub start: Option<Start<'a>>,
}

impl<'a> Given<'a> {
    /// All rows of a table, for a fit that does not go on from a model.
    pub fn table(columns: &'a Columns, labels: Option<&'a Labels>) -> Self {
        Self { columns, labels, totals: None, start: None }
    }
}

/// A fit: its rows and its options.
#[derive(Clone, Copy)]
pub struct Fit<'a> {
    pub given: Given<'a>,
    pub options: &'a Options,
}

/// A fitted model, and what its user should be warned of.
pub struct Fitted {
    pub model: Model,
    pub warnings: Vec<Warning>,
}
