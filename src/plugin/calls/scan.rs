//! The calls by which a table that comes in batches is counted, sampled, fitted and calibrated.

use polars::prelude::*;

use super::models::{models_dtype, models_of_groups};
use crate::data::{Columns, Feature};
use crate::device::Request;
use crate::job::{self, of_all_calls, Unit, WorkingFor};
use crate::plugin::kwargs::{
    first, FitKwargs, FitScanKwargs, ObserveKwargs, PackedFields, Parts, ScoresKwargs, TrainingKwargs,
};
use crate::plugin::progress::Watching;
use crate::plugin::scan::gathered;
use crate::query::{Gathered, Groups, Init, Training};

pub fn rows_field(inputs: &[Field], kwargs: ObserveKwargs) -> PolarsResult<Field> {
    let packed = PackedFields::from_inputs(inputs, Some(&kwargs.training))?;
    packed.check("rows of the scan", Some(&kwargs.training))?;
    packed.features()?.iter().try_for_each(Feature::check_typed)?;
    models_dtype(&packed.keys)?;
    Ok(Field::new("rows".into(), DataType::UInt64))
}

pub fn scores_field(_: &[Field], _: ScoresKwargs) -> PolarsResult<Field> {
    Ok(Field::new("rows".into(), DataType::UInt64))
}

/// Adds a batch to a scan. Returns the number of rows so far.
pub fn observe(inputs: &[Series], kwargs: ObserveKwargs) -> PolarsResult<Series> {
    let input = first(inputs)?;
    let mut parts = Parts::from_input(input, &kwargs.training)?;
    let groups = parts.take_numbers()?;
    let Parts { columns, replayed, .. } = parts;
    let _working = WorkingFor::begin(of_all_calls());
    job::expect(Unit::Rows, columns.rows());
    let training = training_of_scan(inputs, kwargs.training)?;
    let rows = gathered(kwargs.scan, |gathered| {
        let how = |group| training.gathering(group);
        gathered.rows.add(input, &columns, groups.as_deref(), replayed.as_deref(), how)?;
        Ok(gathered.rows.rows() as u64)
    })?;
    job::advance(Unit::Rows, columns.rows());
    Ok(Series::new("rows".into(), [rows]))
}

/// Adds the scores of a batch to a scan. Returns their number.
pub fn observe_scores(inputs: &[Series], kwargs: ScoresKwargs) -> PolarsResult<Series> {
    let scores = first(inputs)?.f32()?;
    gathered(kwargs.scan, |gathered| {
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

/// Says how to fit what a scan gathers. The models to start from are the second input.
fn training_of_scan(inputs: &[Series], kwargs: TrainingKwargs) -> PolarsResult<Training> {
    let options = kwargs.check_options()?;
    let init = inputs.get(1).map(Init::groups).transpose()?.map(|init| (init, kwargs.options));
    Ok(Training { options, labels: None, groups: None, init, replayed: None })
}

pub fn check_scan_field(inputs: &[Field], kwargs: TrainingKwargs) -> PolarsResult<Field> {
    let packed = PackedFields::from_inputs(inputs, Some(&kwargs))?;
    packed.check("rows of the scan", Some(&kwargs))?;
    packed.features()?.iter().try_for_each(Feature::check_typed)?;
    models_dtype(&packed.keys)?;
    Ok(Field::new("checked".into(), DataType::Boolean))
}

/// Returns an error if rows like these, which may be none, can't be fitted, or not from the models
/// in the second input.
pub fn check_scan(inputs: &[Series], kwargs: TrainingKwargs) -> PolarsResult<Series> {
    let Parts { columns, .. } = Parts::from_input(first(inputs)?, &kwargs)?;
    inputs.get(1).map_or(Ok(()), |models| Init::check(models, &columns, &kwargs.options))?;
    Ok(Series::new("checked".into(), [true]))
}

/// Fits the model of a scan, or those of its groups. If the scan only counts rows, the sample is
/// the first input.
pub fn fit_scan(inputs: &[Series], kwargs: FitScanKwargs) -> PolarsResult<Series> {
    let FitKwargs { training: how, device, precision, name, progress, path: _ } = kwargs.fit;
    let _watching = Watching::begin(progress.as_deref(), &name)?;
    let Gathered { rows, groups: samples, first_rows } = gathered(kwargs.scan, |gathered| match inputs {
        [sample, ..] if gathered.rows.only_counts() => {
            gathered.rows.finish_with(sample.clone(), Columns::from_series(sample)?.features())
        }
        _ => gathered.rows.finish(),
    })?;
    let request = Request::parse(device.as_deref(), precision.as_deref())?;
    let Parts { columns, labels, replayed, .. } = Parts::from_input(&rows, &how)?;
    let (mut first_rows, small) = (Parts::from_input(&first_rows, &how)?, how.small_groups()?);
    let training = Training { labels, replayed, ..training_of_scan(inputs, how)? };
    first_rows.take_numbers()?;
    let Some(keys) = first_rows.keys else {
        let bytes = training.fit_sample(&columns, samples.first(), request)?.to_bytes()?;
        return Ok(Series::new(name.into(), [bytes.as_slice()]));
    };
    let groups = Groups::known(keys, samples.iter().map(|sampled| sampled.rows.clone()).collect(), small);
    let each = training.fit_each_sample(&groups, Some(&samples), &columns, request, |model, _, _| model.to_bytes())?;
    models_of_groups(&groups, each, &name)
}

/// Where there are groups, the input has the dtypes of their keys.
pub fn fit_scan_field(inputs: &[Field], kwargs: FitScanKwargs) -> PolarsResult<Field> {
    let dtype = match inputs.first().map(Field::dtype) {
        Some(DataType::Struct(keys)) if kwargs.fit.training.by => models_dtype(keys)?,
        _ => DataType::Binary,
    };
    Ok(Field::new(kwargs.fit.name.into(), dtype))
}
