//! The models of groups as one column: a struct of the keys and the model.

use polars::prelude::*;

use crate::query::Groups;

/// The name of the models' field, among those of the keys.
const MODEL: PlSmallStr = PlSmallStr::from_static("model");

/// The dtype of such a column.
///
/// # Errors
/// `Duplicate` if a key has the name of the models.
pub fn models_dtype(keys: &[Field]) -> PolarsResult<DataType> {
    polars_ensure!(keys.iter().all(|key| *key.name() != MODEL), Duplicate:
        "anorand: a key of by= is named {MODEL:?}, as the models are: rename it with .alias()");
    Ok(DataType::Struct([keys, &[Field::new(MODEL, DataType::Binary)]].concat()))
}

/// The keys of groups and the model of each.
pub fn models_of_groups(groups: &Groups, models: Vec<Option<Vec<u8>>>, name: &str) -> PolarsResult<Series> {
    let models: BinaryChunked = models.into_iter().collect();
    let mut fields: Vec<Series> = groups.keys().iter().map(|key| key.as_materialized_series().clone()).collect();
    fields.push(models.with_name(MODEL).into_series());
    Ok(StructChunked::from_series(name.into(), groups.rows().len(), fields.iter())?.into_series())
}
