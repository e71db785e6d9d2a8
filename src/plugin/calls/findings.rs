//! `findings`: what the cells of a table know of its columns, which `profile` puts into words.

use polars::prelude::*;

use crate::data::Columns;
use crate::fit;
use crate::plugin::kwargs::{first, FindingsKwargs, PackedFields};

pub fn findings_field(inputs: &[Field], kwargs: FindingsKwargs) -> PolarsResult<Field> {
    PackedFields::from_inputs(inputs, None)?.features()?;
    Ok(Field::new(kwargs.name.into(), DataType::String))
}

/// One text: JSON, as the Python module takes it apart.
pub fn findings(inputs: &[Series], kwargs: FindingsKwargs) -> PolarsResult<Series> {
    let found = fit::findings(&Columns::from_series(first(inputs)?)?)?;
    let text = serde_json::to_string(&found)
        .map_err(|error| polars_err!(ComputeError: "anorand: the findings can't be written: {error}"))?;
    Ok(Series::new(kwargs.name.into(), [text]))
}
