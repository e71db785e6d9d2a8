//! All that Polars can call: kwargs → checked options → one call → a named column. No maths here.
//!
//! Each verb has a schema function, which Polars calls when a plan is built: it refuses a bad dtype or option there, where an
//! error is an error, and where a column never comes near libtorch.

use std::path::PathBuf;

use polars::prelude::*;
use pyo3_polars::derive::polars_expr;
use serde::Deserialize;

use crate::apply::{apply, Detect, Score, Source, Verb};
use crate::columns::{feature_fields, Columns, Feature};
use crate::device;
use crate::fit::fit;
use crate::options::UncheckedOptions;
use crate::store::Destination;

/// `fit`: what comes with the call. Inputs: the features.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FitKwargs {
    options: UncheckedOptions,
    device: Option<String>,
    path: Option<PathBuf>,
}

/// What comes with a call that applies a model. Inputs: the features, then the model if it is a value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplyKwargs {
    /// The model's file, if it is one.
    model: Option<PathBuf>,
    /// How to fit a model on the rows themselves, if none is given.
    fit: Option<UncheckedOptions>,
    device: Option<String>,
}

/// `detect`: what comes with the call, beside the above.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DetectKwargs {
    apply: ApplyKwargs,
    contamination: Option<f64>,
    threshold: Option<f64>,
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

fn score_field(inputs: &[Field], kwargs: ApplyKwargs) -> PolarsResult<Field> {
    check_apply(inputs, kwargs)?;
    Ok(Field::new("score".into(), Score.dtype()))
}

#[polars_expr(output_type_func_with_kwargs=score_field)]
fn anorand_score(inputs: &[Series], kwargs: ApplyKwargs) -> PolarsResult<Series> {
    apply_to(inputs, kwargs, &Score)
}

fn detect_field(inputs: &[Field], kwargs: DetectKwargs) -> PolarsResult<Field> {
    let detect = detect(kwargs.contamination, kwargs.threshold)?;
    check_apply(inputs, kwargs.apply)?;
    Ok(Field::new("anomaly".into(), detect.dtype()))
}

#[polars_expr(output_type_func_with_kwargs=detect_field)]
fn anorand_detect(inputs: &[Series], kwargs: DetectKwargs) -> PolarsResult<Series> {
    let detect = detect(kwargs.contamination, kwargs.threshold)?;
    apply_to(inputs, kwargs.apply, &detect)
}

/// What makes a row an outlier, if anything was said; 1 % of the training rows otherwise.
fn detect(contamination: Option<f64>, threshold: Option<f64>) -> PolarsResult<Detect> {
    match (contamination, threshold) {
        (_, Some(threshold)) if threshold.is_nan() => polars_bail!(ComputeError:
            "anorand: threshold must be a score, a number from 0 to 1, got NaN"),
        (_, Some(threshold)) => Ok(Detect::Threshold(threshold)),
        (contamination, None) => Detect::contamination(contamination.unwrap_or(0.01)),
    }
}

fn apply_to(inputs: &[Series], kwargs: ApplyKwargs, verb: &impl Verb) -> PolarsResult<Series> {
    let columns = features(inputs)?;
    let device = device::parse(kwargs.device.as_deref())?;
    let source = match (inputs.get(1), &kwargs.model, kwargs.fit) {
        (Some(models), _, _) => Source::Column(models),
        (None, Some(path), _) => Source::File(path),
        (None, None, Some(options)) => Source::Rows(options.check()?),
        (None, None, None) => polars_bail!(ComputeError: "anorand: there is no model, and no options to fit one"),
    };
    apply(verb, &columns, source, device)
}

fn check_apply(inputs: &[Field], kwargs: ApplyKwargs) -> PolarsResult<()> {
    check_features(inputs)?;
    if let Some(model) = inputs.get(1) {
        polars_ensure!(matches!(model.dtype(), DataType::Binary | DataType::Null), SchemaMismatch:
            "anorand: the model column {:?} has dtype {}, expected Binary, as fit() returns it", model.name(), model.dtype());
    }
    kwargs.fit.map_or(Ok(()), |options| options.check().map(drop))
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
