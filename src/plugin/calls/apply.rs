//! The verbs that apply a model to rows: `score`, `detect`, `explain` and `embed`.

use polars::prelude::*;

use crate::data::Columns;
use crate::device::Request;
use crate::options::DEFAULT_CONTAMINATION;
use crate::plugin::ffi::expression;
use crate::plugin::kwargs::{first, training, ApplyKwargs, DetectKwargs, EmbedKwargs, ExplainKwargs, PackedFields};
use crate::plugin::progress::Watching;
use crate::query::verbs::{Cells, Detect, Embed, Explain, Limit, Score, Verb};
use crate::query::{apply, ModelFile, Source};

pub fn score_field(inputs: &[Field], kwargs: ApplyKwargs) -> PolarsResult<Field> {
    apply_field(inputs, &kwargs, &Score)
}

pub fn score(inputs: &[Series], kwargs: ApplyKwargs) -> PolarsResult<Series> {
    apply_to(inputs, kwargs, |_| Ok(Score))
}

pub fn detect_field(inputs: &[Field], kwargs: DetectKwargs) -> PolarsResult<Field> {
    apply_field(inputs, &kwargs.apply, &checked_detect(&kwargs)?)
}

pub fn detect(inputs: &[Series], kwargs: DetectKwargs) -> PolarsResult<Series> {
    let detect = checked_detect(&kwargs)?;
    apply_to(inputs, kwargs.apply, |_| Ok(detect))
}

fn checked_detect(kwargs: &DetectKwargs) -> PolarsResult<Detect> {
    let limit = match kwargs.threshold {
        Some(threshold) => Limit::threshold(threshold)?,
        None => Limit::contamination(kwargs.contamination.unwrap_or(DEFAULT_CONTAMINATION))?,
    };
    Detect::new(limit, kwargs.spread, kwargs.explain, expression())
}

pub fn explain_field(inputs: &[Field], kwargs: ExplainKwargs) -> PolarsResult<Field> {
    let packed = PackedFields::from_inputs(inputs, kwargs.apply.training.as_ref())?;
    apply_field(inputs, &kwargs.apply, &Explain::new(packed.features()?.iter(), kwargs.top)?)
}

pub fn explain(inputs: &[Series], kwargs: ExplainKwargs) -> PolarsResult<Series> {
    apply_to(inputs, kwargs.apply, |columns| Explain::new(columns.features().iter(), kwargs.top))
}

pub fn cells_field(inputs: &[Field], kwargs: ApplyKwargs) -> PolarsResult<Field> {
    let packed = PackedFields::from_inputs(inputs, kwargs.training.as_ref())?;
    apply_field(inputs, &kwargs, &Cells::new(packed.features()?.iter()))
}

pub fn cells(inputs: &[Series], kwargs: ApplyKwargs) -> PolarsResult<Series> {
    apply_to(inputs, kwargs, |columns| Ok(Cells::new(columns.features().iter())))
}

pub fn embed_field(inputs: &[Field], kwargs: EmbedKwargs) -> PolarsResult<Field> {
    apply_field(inputs, &kwargs.apply, &Embed::new(kwargs.width)?)
}

pub fn embed(inputs: &[Series], kwargs: EmbedKwargs) -> PolarsResult<Series> {
    apply_to(inputs, kwargs.apply, |_| Embed::new(kwargs.width))
}

fn apply_field(inputs: &[Field], kwargs: &ApplyKwargs, verb: &impl Verb) -> PolarsResult<Field> {
    Request::parse(kwargs.device.as_deref(), kwargs.precision.as_deref())?;
    let packed = PackedFields::from_inputs(inputs, kwargs.training.as_ref())?;
    packed.check(&kwargs.name, kwargs.training.as_ref())?;
    if let Some(model) = inputs.get(1) {
        polars_ensure!(matches!(model.dtype(), DataType::Binary | DataType::Null), SchemaMismatch:
            "anorand: the model column {:?} has dtype {}, expected Binary, as fit() returns it", model.name(), model.dtype());
    }
    Ok(Field::new(kwargs.name.as_str().into(), verb.dtype()))
}

fn apply_to<V: Verb>(
    inputs: &[Series],
    kwargs: ApplyKwargs,
    verb: impl FnOnce(&Columns) -> PolarsResult<V>,
) -> PolarsResult<Series> {
    let _watching = Watching::begin(kwargs.progress.as_deref(), &kwargs.name)?;
    let request = Request::parse(kwargs.device.as_deref(), kwargs.precision.as_deref())?;
    let (columns, source) = match (inputs.get(1), &kwargs.model, kwargs.training) {
        (Some(models), _, _) => (Columns::from_series(first(inputs)?)?, Source::Column(models)),
        (None, Some(path), _) => {
            (Columns::from_series(first(inputs)?)?, Source::File(ModelFile::new(&path.0, expression())))
        }
        (None, None, Some(kwargs)) => {
            let (columns, training) = training(inputs, kwargs)?;
            (columns, Source::Rows(Box::new(training)))
        }
        (None, None, None) => polars_bail!(ComputeError: "anorand: there is no model, and no options to fit one"),
    };
    Ok(apply(&verb(&columns)?, &columns, source, request)?.with_name(kwargs.name.into()))
}
