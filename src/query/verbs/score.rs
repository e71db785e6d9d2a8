//! The anomaly score.

use polars::prelude::*;

use crate::data::Columns;
use crate::engine::Device;
use crate::model::Model;
use crate::scoring;

use super::Verb;

/// The anomaly score.
pub struct Score;

impl Verb for Score {
    fn apply(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series> {
        Ok(scoring::score(model, columns, device)?.into_series())
    }

    fn dtype(&self) -> DataType {
        DataType::Float32
    }
}
