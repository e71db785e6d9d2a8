//! The types by which a scan hands rows and totals to the fits.

use polars::prelude::*;

use crate::data::Totals;

/// The samples of all groups, one after the other or mixed.
pub struct Gathered {
    pub rows: Series,
    pub groups: Vec<Sampled>,
    /// The first row of each group, usable or not
    pub first_rows: Series,
}

/// The sample of a group.
pub struct Sampled {
    /// The places of its rows among all that were gathered
    pub rows: Vec<IdxSize>,
    /// The number of its rows in the table, and of those that a fit can use
    pub given: usize,
    pub usable: usize,
    /// Totals of its usable rows without those that are replayed; None if the sample is all of them
    pub totals: Option<Totals>,
}
