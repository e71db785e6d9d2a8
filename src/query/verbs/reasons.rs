//! The largest contributions to a row's score, by name.

use polars::prelude::*;

use crate::data::Columns;
use crate::engine::Device;
use crate::model::Model;
use crate::scoring::explain_top;

use super::with_nulls;

/// A list for each row: the `top` largest contributions, or all of a model that has fewer features.
pub fn reasons(model: &Model, columns: &Columns, top: usize, device: Device) -> PolarsResult<Series> {
    let features = &model.metadata().features;
    let top = top.min(features.len());
    let explained = explain_top(model, columns, top, device)?;
    let names = explained.numbers.iter().map(|item| features[item.feature as usize].name.as_str());
    let names = StringChunked::from_iter_values("feature".into(), names).into_series();
    let amounts = explained.numbers.iter().map(|item| item.amount).collect();
    let amounts = Float32Chunked::from_vec("contribution".into(), amounts).into_series();
    let items = StructChunked::from_series("explanation".into(), names.len(), [names, amounts].iter())?.into_series();
    let shape = [columns.rows(), top].map(|size| ReshapeDimension::new(size as i64));
    with_nulls(items.reshape_list(&shape)?, explained.missing.as_ref())
}

pub fn reasons_dtype() -> DataType {
    let fields = [("feature", DataType::String), ("contribution", DataType::Float32)];
    DataType::List(Box::new(DataType::Struct(fields.map(|(name, dtype)| Field::new(name.into(), dtype)).to_vec())))
}
