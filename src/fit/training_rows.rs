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

/// The same rows in an order that does not depend on where they stand, and their labels; see [`Columns::content_order`].
pub fn in_content_order(columns: Columns, labels: Option<Labels>) -> PolarsResult<(Columns, Option<Labels>)> {
    let order = columns.content_order(labels.as_ref())?;
    let labels = labels.map(|labels| labels.gather(order.cont_slice().unwrap_or_default()));
    Ok((columns.gather(&order)?, labels))
}
