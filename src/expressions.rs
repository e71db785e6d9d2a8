//! All that Polars can call: kwargs → checked options → one call → a named column. No maths here.
//!
//! Each verb has a schema function, which Polars calls when a plan is built: it refuses a bad dtype or option there, where an
//! error is an error, and where a column never comes near libtorch.

use std::path::PathBuf;

use polars::prelude::*;
use pyo3_polars::derive::polars_expr;
use serde::Deserialize;

use crate::columns::{feature_fields, Columns, Feature};
use crate::fit::fit;
use crate::options::UncheckedOptions;
use crate::store::Destination;
use crate::{apply, device, store};

/// `fit`: what comes with the call. Inputs: the features.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FitKwargs {
    options: UncheckedOptions,
    device: Option<String>,
    path: Option<PathBuf>,
}

/// `score`: what comes with the call. Inputs: the features, then the model if it is a value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScoreKwargs {
    /// The model's file, if it is one.
    model: Option<PathBuf>,
    /// How to fit a model on the rows that are scored, if none is given.
    fit: Option<UncheckedOptions>,
    device: Option<String>,
}

fn fit_field(inputs: &[Field], kwargs: FitKwargs) -> PolarsResult<Field> {
    check_features(inputs)?;
    kwargs.options.check()?;
    Ok(Field::new(PlSmallStr::from_static("model"), DataType::Binary))
}

#[polars_expr(output_type_func_with_kwargs=fit_field)]
fn anorand_fit(inputs: &[Series], kwargs: FitKwargs) -> PolarsResult<Series> {
    let columns = features(inputs)?;
    let options = kwargs.options.check()?;
    let device = device::parse(kwargs.device.as_deref())?;
    let destination = kwargs.path.map(|path| Destination::claim(&path)).transpose()?;
    let bytes = fit(&columns, &options, device)?.to_bytes()?;
    if let Some(destination) = destination {
        destination.write(&bytes)?;
    }
    Ok(Series::new(PlSmallStr::from_static("model"), [bytes.as_slice()]))
}

fn score_field(inputs: &[Field], kwargs: ScoreKwargs) -> PolarsResult<Field> {
    check_features(inputs)?;
    if let Some(model) = inputs.get(1) {
        polars_ensure!(matches!(model.dtype(), DataType::Binary | DataType::Null), SchemaMismatch:
            "anorand: the model column {:?} has dtype {}, expected Binary, as fit() returns it", model.name(), model.dtype());
    }
    if let Some(options) = kwargs.fit {
        options.check()?;
    }
    Ok(Field::new(PlSmallStr::from_static("score"), DataType::Float32))
}

#[polars_expr(output_type_func_with_kwargs=score_field)]
fn anorand_score(inputs: &[Series], kwargs: ScoreKwargs) -> PolarsResult<Series> {
    let columns = features(inputs)?;
    let device = device::parse(kwargs.device.as_deref())?;
    let scores = match (inputs.get(1), kwargs.model, kwargs.fit) {
        (Some(models), _, _) => apply::score_by_row(&columns, models, device)?,
        (None, Some(path), _) => apply::score_all(&columns, &*store::from_path(&path)?, device)?,
        (None, None, Some(options)) => {
            let options = options.check()?;
            apply::fit_and_score(&columns, &options, device)?
        }
        (None, None, None) => polars_bail!(ComputeError: "anorand: score needs a model, or options to fit one"),
    };
    Ok(scores.into_series())
}

fn features(inputs: &[Series]) -> PolarsResult<Columns> {
    let Some(features) = inputs.first() else {
        polars_bail!(ComputeError: "anorand: there is no feature: the expression selects no column");
    };
    Columns::from_series(features)
}

fn check_features(inputs: &[Field]) -> PolarsResult<()> {
    let Some(features) = inputs.first() else {
        polars_bail!(ComputeError: "anorand: there is no feature: the expression selects no column");
    };
    feature_fields(features)?.iter().try_for_each(|field| Feature::from_field(field).map(drop))
}
