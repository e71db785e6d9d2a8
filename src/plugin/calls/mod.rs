//! All that Polars can call: kwargs → checked options → one call → a named column. No maths here.
//!
//! Each verb has a schema function, which Polars calls when a plan is built: it refuses a bad dtype or option there, before any
//! row is read.

use polars::prelude::*;
use polars_arrow::ffi::ArrowSchema;
use polars_ffi::version_0::{CallerContext, SeriesExport};

use crate::data::Columns;
use crate::device::Request;
use crate::job::{self, of_all_calls, Unit, WorkingFor};
use crate::model::{self, Destination};
use crate::options::DEFAULT_CONTAMINATION;
use crate::query::verbs::{Detect, Drift, Embed, Explain, Limit, Score, Verb};
use crate::query::{apply, Gathered, Groups, Init, Source, Training};

use super::ffi::{compute, resolve, Kwargs};
use super::kwargs::{
    first, training, ApplyKwargs, DetectKwargs, DriftKwargs, EmbedKwargs, ExplainKwargs, FitKwargs, FitScanKwargs,
    ObserveKwargs, PackedFields, Parts, ScoresKwargs, TrainingKwargs,
};
use super::progress::Watching;
use super::scan;

fn fit_field(inputs: &[Field], kwargs: FitKwargs) -> PolarsResult<Field> {
    Request::parse(kwargs.device.as_deref(), kwargs.precision.as_deref())?;
    let packed = PackedFields::of(inputs, Some(&kwargs.training))?;
    packed.check(&kwargs.name, Some(&kwargs.training))?;
    let dtype = if kwargs.training.by { models_dtype(&packed.keys)? } else { DataType::Binary };
    Ok(Field::new(kwargs.name.into(), dtype))
}

fn anorand_fit(inputs: &[Series], kwargs: FitKwargs) -> PolarsResult<Series> {
    let _watching = Watching::begin(kwargs.progress.as_deref(), &kwargs.name)?;
    let (columns, training) = training(inputs, kwargs.training)?;
    let request = Request::parse(kwargs.device.as_deref(), kwargs.precision.as_deref())?;
    let Some(groups) = &training.groups else {
        let destination = kwargs.path.map(|path| Destination::claim(&path)).transpose()?;
        let bytes = training.fit(&columns, request)?.to_bytes()?;
        if let Some(destination) = destination {
            destination.write(&bytes)?;
        }
        return Ok(Series::new(kwargs.name.into(), [bytes.as_slice()]));
    };
    models_of(groups, training.fit_each(groups, &columns, request, |model, _, _| model.to_bytes())?, &kwargs.name)
}

/// The keys of groups and the model of each.
fn models_of(groups: &Groups, models: Vec<Option<Vec<u8>>>, name: &str) -> PolarsResult<Series> {
    let models: BinaryChunked = models.into_iter().collect();
    let mut fields: Vec<Series> = groups.keys().iter().map(|key| key.as_materialized_series().clone()).collect();
    fields.push(models.with_name(MODEL).into_series());
    Ok(StructChunked::from_series(name.into(), groups.rows().len(), fields.iter())?.into_series())
}

fn observe_field(inputs: &[Field], kwargs: ObserveKwargs) -> PolarsResult<Field> {
    let packed = PackedFields::of(inputs, Some(&kwargs.training))?;
    packed.check("rows of the scan", Some(&kwargs.training))?;
    models_dtype(&packed.keys)?;
    Ok(Field::new("rows".into(), DataType::UInt64))
}

fn observe_scores_field(_: &[Field], _: ScoresKwargs) -> PolarsResult<Field> {
    Ok(Field::new("rows".into(), DataType::UInt64))
}

/// Adds a batch to a scan; the number of rows so far.
fn anorand_observe(inputs: &[Series], kwargs: ObserveKwargs) -> PolarsResult<Series> {
    let input = first(inputs)?;
    let mut parts = Parts::of(input, &kwargs.training)?;
    let groups = parts.take_numbers()?;
    let Parts { columns, replayed, .. } = parts;
    let _working = WorkingFor::begin(of_all_calls());
    job::expect(Unit::Rows, columns.rows());
    let training = training_of_scan(inputs, kwargs.training)?;
    let rows = scan::with(kwargs.scan, |gathered| {
        let how = |group| training.gathering(group);
        gathered.rows.add(input, &columns, groups.as_deref(), replayed.as_deref(), how)?;
        Ok(gathered.rows.rows() as u64)
    })?;
    job::advance(Unit::Rows, columns.rows());
    Ok(Series::new("rows".into(), [rows]))
}

/// Adds the scores of a batch to a scan; their number.
fn anorand_observe_scores(inputs: &[Series], kwargs: ScoresKwargs) -> PolarsResult<Series> {
    let scores = first(inputs)?.f32()?;
    scan::with(kwargs.scan, |gathered| {
        let Some(groups) = inputs.get(1) else {
            gathered.scores.entry(0).or_default().add(scores.iter().flatten());
            return Ok(());
        };
        for (group, score) in groups.u32()?.iter().zip(scores.iter()) {
            let (Some(group), Some(score)) = (group, score) else { continue };
            gathered.scores.entry(group).or_default().add(std::iter::once(score));
        }
        Ok(())
    })?;
    Ok(Series::new("rows".into(), [(scores.len() - scores.null_count()) as u64]))
}

/// How to fit what a scan gathers; the models to start from are the second input.
fn training_of_scan(inputs: &[Series], kwargs: TrainingKwargs) -> PolarsResult<Training> {
    let options = kwargs.check_options()?;
    let init = inputs.get(1).map(Init::groups).transpose()?.map(|init| (init, kwargs.options));
    Ok(Training { options, labels: None, groups: None, init, replayed: None })
}

fn check_scan_field(inputs: &[Field], kwargs: TrainingKwargs) -> PolarsResult<Field> {
    let packed = PackedFields::of(inputs, Some(&kwargs))?;
    packed.check("rows of the scan", Some(&kwargs))?;
    models_dtype(&packed.keys)?;
    Ok(Field::new("checked".into(), DataType::Boolean))
}

/// An error if rows as these, of which there may be none, can't be fitted, or not from the models that are the second input.
fn anorand_check_scan(inputs: &[Series], kwargs: TrainingKwargs) -> PolarsResult<Series> {
    let Parts { columns, .. } = Parts::of(first(inputs)?, &kwargs)?;
    inputs.get(1).map_or(Ok(()), |models| Init::check(models, &columns, &kwargs.options))?;
    Ok(Series::new("checked".into(), [true]))
}

/// The model of a scan, or those of its groups. Of a scan that only counts rows, the sample is the first input.
fn anorand_fit_scan(inputs: &[Series], kwargs: FitScanKwargs) -> PolarsResult<Series> {
    let FitKwargs { training: how, device, precision, name, progress, path: _ } = kwargs.fit;
    let _watching = Watching::begin(progress.as_deref(), &name)?;
    let Gathered { rows, groups: samples, first_rows } = scan::with(kwargs.scan, |gathered| match inputs {
        [sample, ..] if gathered.rows.only_counts() => {
            gathered.rows.finish_with(sample.clone(), Columns::from_series(sample)?.features())
        }
        _ => gathered.rows.finish(),
    })?;
    let request = Request::parse(device.as_deref(), precision.as_deref())?;
    let Parts { columns, labels, replayed, .. } = Parts::of(&rows, &how)?;
    let (mut first_rows, small) = (Parts::of(&first_rows, &how)?, how.small_groups()?);
    let training = Training { labels, replayed, ..training_of_scan(inputs, how)? };
    first_rows.take_numbers()?;
    let Some(keys) = first_rows.keys else {
        let bytes = training.fit_sample(&columns, samples.first(), request)?.to_bytes()?;
        return Ok(Series::new(name.into(), [bytes.as_slice()]));
    };
    let groups = Groups::known(keys, samples.iter().map(|sampled| sampled.rows.clone()).collect(), small);
    let each = training.fit_each_sample(&groups, Some(&samples), &columns, request, |model, _, _| model.to_bytes())?;
    models_of(&groups, each, &name)
}

/// Of groups, the input has the dtypes of their keys.
fn fit_scan_field(inputs: &[Field], kwargs: FitScanKwargs) -> PolarsResult<Field> {
    let dtype = match inputs.first().map(Field::dtype) {
        Some(DataType::Struct(keys)) if kwargs.fit.training.by => models_dtype(keys)?,
        _ => DataType::Binary,
    };
    Ok(Field::new(kwargs.fit.name.into(), dtype))
}

/// What the field of the models is called, beside the keys'.
const MODEL: PlSmallStr = PlSmallStr::from_static("model");

fn models_dtype(keys: &[Field]) -> PolarsResult<DataType> {
    polars_ensure!(keys.iter().all(|key| *key.name() != MODEL), Duplicate:
        "anorand: a key of by= is named {MODEL:?}, as the models are: rename it with .alias()");
    Ok(DataType::Struct([keys, &[Field::new(MODEL, DataType::Binary)]].concat()))
}

fn score_field(inputs: &[Field], kwargs: ApplyKwargs) -> PolarsResult<Field> {
    apply_field(inputs, &kwargs, &Score)
}

fn anorand_score(inputs: &[Series], kwargs: ApplyKwargs) -> PolarsResult<Series> {
    apply_to(inputs, kwargs, |_| Ok(Score))
}

fn detect_field(inputs: &[Field], kwargs: DetectKwargs) -> PolarsResult<Field> {
    apply_field(inputs, &kwargs.apply, &detect(&kwargs)?)
}

fn anorand_detect(inputs: &[Series], kwargs: DetectKwargs) -> PolarsResult<Series> {
    let detect = detect(&kwargs)?;
    apply_to(inputs, kwargs.apply, |_| Ok(detect))
}

fn detect(kwargs: &DetectKwargs) -> PolarsResult<Detect> {
    let limit = match kwargs.threshold {
        Some(threshold) => Limit::threshold(threshold)?,
        None => Limit::contamination(kwargs.contamination.unwrap_or(DEFAULT_CONTAMINATION))?,
    };
    Detect::new(limit, kwargs.spread, kwargs.explain)
}

fn drift_field(inputs: &[Field], kwargs: DriftKwargs) -> PolarsResult<Field> {
    Request::parse(kwargs.device.as_deref(), None)?;
    PackedFields::of(inputs, None)?.features()?;
    Drift::new(kwargs.contamination.unwrap_or(DEFAULT_CONTAMINATION))?;
    Ok(Field::new(kwargs.name.into(), Drift::dtype()))
}

fn anorand_drift(inputs: &[Series], kwargs: DriftKwargs) -> PolarsResult<Series> {
    let (columns, drift) =
        (Columns::from_series(first(inputs)?)?, Drift::new(kwargs.contamination.unwrap_or(DEFAULT_CONTAMINATION))?);
    let bytes = inputs.get(1).map(|models| Ok::<_, PolarsError>(models.binary()?.get(0))).transpose()?.flatten();
    let bytes =
        bytes.ok_or_else(|| polars_err!(ComputeError: "anorand: drift needs a model to compare with, got none"))?;
    let model = model::from_bytes(bytes)?;
    let request = Request::parse(kwargs.device.as_deref(), None)?;
    let found = request.run(Drift::cost(&model, columns.rows()), |device| drift.of(&model, &columns, device))?;
    Ok(found.with_name(kwargs.name.into()))
}

fn explain_field(inputs: &[Field], kwargs: ExplainKwargs) -> PolarsResult<Field> {
    let packed = PackedFields::of(inputs, kwargs.apply.training.as_ref())?;
    apply_field(inputs, &kwargs.apply, &Explain::new(packed.features()?.iter(), kwargs.top)?)
}

fn anorand_explain(inputs: &[Series], kwargs: ExplainKwargs) -> PolarsResult<Series> {
    apply_to(inputs, kwargs.apply, |columns| Explain::new(columns.features().iter(), kwargs.top))
}

fn embed_field(inputs: &[Field], kwargs: EmbedKwargs) -> PolarsResult<Field> {
    apply_field(inputs, &kwargs.apply, &Embed::new(kwargs.width)?)
}

fn anorand_embed(inputs: &[Series], kwargs: EmbedKwargs) -> PolarsResult<Series> {
    apply_to(inputs, kwargs.apply, |_| Embed::new(kwargs.width))
}

fn apply_field(inputs: &[Field], kwargs: &ApplyKwargs, verb: &impl Verb) -> PolarsResult<Field> {
    Request::parse(kwargs.device.as_deref(), kwargs.precision.as_deref())?;
    let packed = PackedFields::of(inputs, kwargs.training.as_ref())?;
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
        (None, Some(path), _) => (Columns::from_series(first(inputs)?)?, Source::File(path)),
        (None, None, Some(kwargs)) => {
            let (columns, training) = training(inputs, kwargs)?;
            (columns, Source::Rows(Box::new(training)))
        }
        (None, None, None) => polars_bail!(ComputeError: "anorand: there is no model, and no options to fit one"),
    };
    Ok(apply(&verb(&columns)?, &columns, source, request)?.with_name(kwargs.name.into()))
}

/// The functions by which Polars finds expressions: of each, the one that computes it, and the one that resolves its field.
macro_rules! exported {
    ($($computes:ident => $compute:path, $resolves:ident => $resolve:path;)+) => {$(
        /// # Safety
        /// As Polars' plugin ABI says; see [`compute`].
        #[no_mangle]
        unsafe extern "C" fn $computes(
            inputs: *mut SeriesExport,
            count: usize,
            kwargs: *const u8,
            kwargs_len: usize,
            output: *mut SeriesExport,
            _context: *mut CallerContext,
        ) {
            // SAFETY: Polars' promise.
            unsafe { compute(inputs, count, Kwargs::new(kwargs, kwargs_len), output, $compute) }
        }

        /// # Safety
        /// As Polars' plugin ABI says; see [`resolve`].
        #[no_mangle]
        unsafe extern "C" fn $resolves(
            inputs: *mut ArrowSchema,
            count: usize,
            output: *mut ArrowSchema,
            kwargs: *const u8,
            kwargs_len: usize,
        ) {
            // SAFETY: Polars' promise.
            unsafe { resolve(inputs, count, Kwargs::new(kwargs, kwargs_len), output, $resolve) }
        }
    )+};
}

exported! {
    _polars_plugin_anorand_fit => anorand_fit, _polars_plugin_field_anorand_fit => fit_field;
    _polars_plugin_anorand_score => anorand_score, _polars_plugin_field_anorand_score => score_field;
    _polars_plugin_anorand_detect => anorand_detect, _polars_plugin_field_anorand_detect => detect_field;
    _polars_plugin_anorand_drift => anorand_drift, _polars_plugin_field_anorand_drift => drift_field;
    _polars_plugin_anorand_explain => anorand_explain, _polars_plugin_field_anorand_explain => explain_field;
    _polars_plugin_anorand_embed => anorand_embed, _polars_plugin_field_anorand_embed => embed_field;
    _polars_plugin_anorand_check_scan => anorand_check_scan, _polars_plugin_field_anorand_check_scan => check_scan_field;
    _polars_plugin_anorand_observe => anorand_observe, _polars_plugin_field_anorand_observe => observe_field;
    _polars_plugin_anorand_observe_scores => anorand_observe_scores, _polars_plugin_field_anorand_observe_scores => observe_scores_field;
    _polars_plugin_anorand_fit_scan => anorand_fit_scan, _polars_plugin_field_anorand_fit_scan => fit_scan_field;
}
