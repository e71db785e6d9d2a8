//! A model, or a column of models, applied to columns: which rows go to which model.

use polars::prelude::*;
use tch::Device;

use crate::columns::Columns;
use crate::fit::fit;
use crate::model::Model;
use crate::options::Options;
use crate::{scoring, store};

/// Score every row by one model.
pub fn score_all(columns: &Columns, model: &Model, device: Device) -> PolarsResult<Float32Chunked> {
    scoring::score(model, columns, device)
}

/// Fit a model on the rows, and score them by it. No row at all has no score, rather than no model.
pub fn fit_and_score(columns: &Columns, options: &Options, device: Device) -> PolarsResult<Float32Chunked> {
    if columns.rows() == 0 {
        return Ok(Float32Chunked::full_null(PlSmallStr::from_static("score"), 0));
    }
    scoring::score(&fit(columns, options, device)?, columns, device)
}

/// Score each row by the model in the same row of `models`; one model, or one row, is for all. A null model gives a null.
pub fn score_by_row(columns: &Columns, models: &Series, device: Device) -> PolarsResult<Float32Chunked> {
    if models.dtype() == &DataType::Null {
        let rows = if models.len() == 1 { columns.rows() } else { models.len() };
        return Ok(Float32Chunked::full_null(PlSmallStr::from_static("score"), rows));
    }
    let models = models.binary()?;
    let columns = &broadcast(columns, models.len())?;
    let groups = Groups::of(models);
    match groups.models.as_slice() {
        [only] if groups.null_rows == 0 => scoring::score(&*store::from_bytes(only)?, columns, device),
        _ => groups.score(columns, device),
    }
}

/// One row of features stands for all, if there are more models.
fn broadcast(columns: &Columns, models: usize) -> PolarsResult<Columns> {
    match (columns.rows(), models) {
        (rows, models) if rows == models || models == 1 => Ok(columns.clone()),
        (1, models) => columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, vec![0; models])),
        (rows, models) => polars_bail!(ShapeMismatch:
            "anorand: there are {models} models for {rows} rows, expected one model, or one a row"),
    }
}

/// The distinct models of a column, and the rows of each.
struct Groups<'a> {
    models: Vec<&'a [u8]>,
    rows: Vec<Vec<IdxSize>>,
    null_rows: usize,
    len: usize,
}

impl<'a> Groups<'a> {
    fn of(models: &'a BinaryChunked) -> Self {
        let mut groups = Self { models: vec![], rows: vec![], null_rows: 0, len: models.len() };
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

    fn score(&self, columns: &Columns, device: Device) -> PolarsResult<Float32Chunked> {
        // One model for all rows arrives as one value: every row of the features is its own.
        let mut scores: Vec<Option<f32>> = vec![None; columns.rows()];
        if self.len == 1 {
            return Ok(Float32Chunked::full_null(PlSmallStr::from_static("score"), columns.rows()));
        }
        for (model, rows) in self.models.iter().zip(&self.rows) {
            let index = IdxCa::from_vec(PlSmallStr::EMPTY, rows.clone());
            let part = scoring::score(&*store::from_bytes(model)?, &columns.gather(&index)?, device)?;
            for (row, score) in rows.iter().zip(part.iter()) {
                scores[*row as usize] = score;
            }
        }
        Ok(Float32Chunked::from_iter_options(PlSmallStr::from_static("score"), scores.into_iter()))
    }
}
