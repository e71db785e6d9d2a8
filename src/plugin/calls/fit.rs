//! `fit`: a model as a value, or one for each group.

use polars::prelude::*;

use super::models::{models_dtype, models_of_groups};
use crate::device::Request;
use crate::model::Destination;
use crate::plugin::ffi::expression;
use crate::plugin::kwargs::{training, FitKwargs, PackedFields};
use crate::plugin::progress::Watching;
use crate::query::write_once;

pub fn fit_field(inputs: &[Field], kwargs: FitKwargs) -> PolarsResult<Field> {
    Request::parse(kwargs.device.as_deref(), kwargs.precision.as_deref())?;
    let packed = PackedFields::from_inputs(inputs, Some(&kwargs.training))?;
    packed.check(&kwargs.name, Some(&kwargs.training))?;
    let dtype = if kwargs.training.by { models_dtype(&packed.keys)? } else { DataType::Binary };
    Ok(Field::new(kwargs.name.into(), dtype))
}

pub fn fit(inputs: &[Series], kwargs: FitKwargs) -> PolarsResult<Series> {
    let _watching = Watching::begin(kwargs.progress.as_deref(), &kwargs.name)?;
    let (columns, training) = training(inputs, kwargs.training)?;
    let request = Request::parse(kwargs.device.as_deref(), kwargs.precision.as_deref())?;
    let Some(groups) = &training.groups else {
        let destination = kwargs.path.map(|path| Destination::claim(&path.0)).transpose()?;
        let bytes = training.fit(&columns, request)?.to_bytes()?;
        if let Some(destination) = destination {
            write_once(expression(), destination, &bytes)?;
        }
        return Ok(Series::new(kwargs.name.into(), [bytes.as_slice()]));
    };
    models_of_groups(
        groups,
        training.fit_each(groups, &columns, request, |model, _, _| model.to_bytes())?,
        &kwargs.name,
    )
}
