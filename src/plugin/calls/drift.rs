//! `drift`: how the rows differ from the training rows of a model.

use polars::prelude::*;

use crate::data::Columns;
use crate::device::Request;
use crate::model;
use crate::options::DEFAULT_CONTAMINATION;
use crate::plugin::kwargs::{first, DriftKwargs, PackedFields};
use crate::query::verbs::Drift;

pub fn drift_field(inputs: &[Field], kwargs: DriftKwargs) -> PolarsResult<Field> {
    Request::parse(kwargs.device.as_deref(), None)?;
    PackedFields::from_inputs(inputs, None)?.features()?;
    Drift::new(kwargs.contamination.unwrap_or(DEFAULT_CONTAMINATION))?;
    Ok(Field::new(kwargs.name.into(), Drift::dtype()))
}

pub fn drift(inputs: &[Series], kwargs: DriftKwargs) -> PolarsResult<Series> {
    let (columns, drift) =
        (Columns::from_series(first(inputs)?)?, Drift::new(kwargs.contamination.unwrap_or(DEFAULT_CONTAMINATION))?);
    let bytes = inputs.get(1).map(|models| Ok::<_, PolarsError>(models.binary()?.get(0))).transpose()?.flatten();
    let bytes =
        bytes.ok_or_else(|| polars_err!(ComputeError: "anorand: drift needs a model to compare with, got none"))?;
    let model = model::from_bytes(bytes)?;
    let request = Request::parse(kwargs.device.as_deref(), None)?;
    let found = request.run(Drift::cost(&model, columns.rows()), |device| drift.compare(&model, &columns, device))?;
    Ok(found.with_name(kwargs.name.into()))
}
