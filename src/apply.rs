//! A model, or a column of models, applied to columns: which rows go to which model.

use std::borrow::Cow;
use std::path::Path;

use polars::prelude::*;
use tch::Device;

use crate::columns::Columns;
use crate::fit::fit;
use crate::model::{check_contamination, Model};
use crate::options::Options;
use crate::{scoring, store};

/// Where the model of a call comes from.
pub enum Source<'a> {
    /// One for all rows, from a file.
    File(&'a Path),
    /// A Binary column: one for all rows, or one a row. A null model gives nulls.
    Column(&'a Series),
    /// Fitted on the rows themselves.
    Rows(Options),
}

/// What a verb makes of the rows of one model: a series of as many.
pub trait Verb {
    fn apply(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series>;

    /// The dtype of that series.
    fn dtype(&self) -> DataType;
}

/// The anomaly score.
pub struct Score;

impl Verb for Score {
    fn apply(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series> {
        Ok(scoring::score(model, columns, device)?.into_series())
    }

    fn dtype(&self) -> DataType {
        DataType::Float32
    }
}

/// The score, the share of the training rows below it, and whether it is above the threshold.
pub enum Detect {
    /// A share of the training rows to call outliers: the threshold is each model's own.
    Contamination(f64),
    /// A score.
    Threshold(f64),
}

impl Detect {
    /// By a checked contamination.
    pub fn contamination(share: f64) -> PolarsResult<Self> {
        check_contamination(share)?;
        Ok(Self::Contamination(share))
    }
}

impl Verb for Detect {
    fn apply(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series> {
        let threshold = match self {
            Self::Contamination(share) => model.threshold(*share)?,
            Self::Threshold(score) => *score,
        };
        let sketch = &model.statistics().sketch;
        let score = scoring::score(model, columns, device)?.with_name("score".into());
        let percentile = score.apply_values(|score| sketch.share_below(score)).with_name("percentile".into());
        let outlier: BooleanChunked = score.iter().map(|score| Some(f64::from(score?) > threshold)).collect();
        let outlier = outlier.with_name("outlier".into());
        let rows = score.len();
        let fields = [score.into_series(), percentile.into_series(), outlier.into_series()];
        Ok(StructChunked::from_series("anomaly".into(), rows, fields.iter())?.into_series())
    }

    fn dtype(&self) -> DataType {
        DataType::Struct(vec![
            Field::new("score".into(), DataType::Float32),
            Field::new("percentile".into(), DataType::Float32),
            Field::new("outlier".into(), DataType::Boolean),
        ])
    }
}

/// Apply a verb to every row, with the row's model.
pub fn apply(verb: &impl Verb, columns: &Columns, source: Source, device: Device) -> PolarsResult<Series> {
    match source {
        Source::File(path) => verb.apply(&*store::from_path(path)?, columns, device),
        // No row has no score, rather than no model.
        Source::Rows(_) if columns.rows() == 0 => Ok(nulls(verb, 0)),
        Source::Rows(options) => verb.apply(&fit(columns, &options, device)?, columns, device),
        Source::Column(models) => by_row(verb, columns, models, device),
    }
}

fn nulls(verb: &impl Verb, rows: usize) -> Series {
    Series::full_null(PlSmallStr::EMPTY, rows, &verb.dtype())
}

fn by_row(verb: &impl Verb, columns: &Columns, models: &Series, device: Device) -> PolarsResult<Series> {
    let columns = broadcast(columns, models.len())?;
    let rows = columns.rows();
    if models.null_count() == models.len() {
        return Ok(nulls(verb, rows));
    }
    let groups = Groups::of(models.binary()?);
    if let ([only], 0) = (groups.models.as_slice(), groups.null_rows) {
        return verb.apply(&*store::from_bytes(only)?, &columns, device);
    }
    // The groups' outputs one after the other, then every row's from its place among them.
    let mut place: Vec<Option<IdxSize>> = vec![None; rows];
    let mut done = 0;
    let mut parts = nulls(verb, 0);
    for (model, rows) in groups.models.iter().zip(groups.rows) {
        for (at, row) in rows.iter().enumerate() {
            place[*row as usize] = Some((done + at) as IdxSize);
        }
        done += rows.len();
        let part = columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, rows))?;
        parts.append_owned(verb.apply(&*store::from_bytes(model)?, &part, device)?)?;
    }
    parts.take(&IdxCa::from_iter_options(PlSmallStr::EMPTY, place.into_iter()))
}

/// One row of features stands for all, if there are more models.
fn broadcast(columns: &Columns, models: usize) -> PolarsResult<Cow<'_, Columns>> {
    match (columns.rows(), models) {
        (rows, models) if rows == models || models == 1 => Ok(Cow::Borrowed(columns)),
        (1, models) => columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, vec![0; models])).map(Cow::Owned),
        (rows, models) => polars_bail!(ShapeMismatch:
            "anorand: there are {models} models for {rows} rows, expected one model, or one a row"),
    }
}

/// The distinct models of a column, and the rows of each.
struct Groups<'a> {
    models: Vec<&'a [u8]>,
    rows: Vec<Vec<IdxSize>>,
    null_rows: usize,
}

impl<'a> Groups<'a> {
    fn of(models: &'a BinaryChunked) -> Self {
        let mut groups = Self { models: vec![], rows: vec![], null_rows: 0 };
        let mut by_content: PlHashMap<&[u8], usize> = PlHashMap::new();
        // A model that was joined or broadcast to many rows is the same memory in all of them: no need to read it again.
        let mut by_address: PlHashMap<(*const u8, usize), usize> = PlHashMap::new();
        for (row, model) in models.iter().enumerate() {
            let Some(model) = model else {
                groups.null_rows += 1;
                continue;
            };
            let group = *by_address.entry((model.as_ptr(), model.len())).or_insert_with(|| {
                *by_content.entry(model).or_insert_with(|| {
                    groups.models.push(model);
                    groups.rows.push(vec![]);
                    groups.models.len() - 1
                })
            });
            groups.rows[group].push(row as IdxSize);
        }
        groups
    }
}
