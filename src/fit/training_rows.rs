//! The rows that a fit uses, in an order of their own.

use polars::prelude::PolarsResult;

use crate::data::{Columns, Labels};
use crate::options::Missing;

/// The rows that a fit uses, and their labels.
///
/// It comes before [`in_content_order`]: its errors name rows by the numbers that they have in the caller's table.
pub fn training_rows(
    columns: &Columns,
    labels: Option<&Labels>,
    missing: Missing,
) -> PolarsResult<(Columns, Option<Labels>)> {
    let usable = columns.training_rows(missing)?;
    let labels = labels.map(|labels| labels.filter(&usable)).transpose()?;
    Ok((columns.filter(&usable)?, labels))
}

/// The same rows in an order that does not depend on where they stand, their labels, and which of them are replayed; see [`Columns::content_order`].
pub fn in_content_order(
    columns: Columns,
    labels: Option<Labels>,
    replayed: Option<Vec<bool>>,
) -> PolarsResult<(Columns, Option<Labels>, Option<Vec<bool>>)> {
    let order = columns.content_order(labels.as_ref(), replayed.as_deref())?;
    let rows = order.cont_slice().unwrap_or_default();
    let labels = labels.map(|labels| labels.gather(rows));
    let replayed = replayed.map(|replayed| rows.iter().map(|row| replayed[*row as usize]).collect());
    Ok((columns.gather(&order)?, labels, replayed))
}
