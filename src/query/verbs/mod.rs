//! The verbs that apply a model: what each makes of the rows of one model.

mod cells;
mod detect;
mod drift;
mod embed;
mod explain;
mod mostly_outliers;
mod reasons;
mod score;

pub use cells::Cells;
pub use detect::{Detect, Limit};
pub use drift::Drift;
pub use embed::Embed;
pub use explain::Explain;
pub use mostly_outliers::forget;
pub use score::Score;

use polars::prelude::*;

use crate::data::Columns;
use crate::device::Cost;
use crate::engine::Device;
use crate::model::Model;

/// Makes a series of the rows of one model, of the same length.
pub trait Verb: Sync {
    fn apply(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series>;

    /// Estimates what `rows` rows cost.
    fn cost(&self, model: &Model, rows: usize) -> Cost {
        Cost::of_heads(model.weights(), model.inputs().count(), rows)
    }

    /// The dtype of that series.
    fn dtype(&self) -> DataType;
}

/// Puts nulls where `missing` holds.
fn with_nulls(series: Series, missing: Option<&BooleanChunked>) -> PolarsResult<Series> {
    match missing {
        Some(missing) => {
            let nulls = Series::full_null(series.name().clone(), series.len(), series.dtype());
            nulls.zip_with(missing, &series)
        }
        None => Ok(series),
    }
}
