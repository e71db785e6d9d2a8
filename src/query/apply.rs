//! Applies a model, or a column of models, to columns: decides which rows go to which model.

use std::borrow::Cow;

use polars::prelude::*;

use crate::data::Columns;
use crate::device::Request;
use crate::job::{self, Unit};
use crate::model::{self, Model};

use super::opened::ModelFile;
use super::request::Training;
use super::verbs::Verb;

/// Where the model of a call comes from.
pub enum Source<'a> {
    /// One for all rows, from a file.
    File(ModelFile),
    /// A Binary column: one for all rows, or one for each row. A null model gives nulls.
    Column(&'a Series),
    /// Fitted on the rows themselves, or one on the rows of each group.
    Rows(Box<Training>),
}

/// Applies a verb to every row, with the row's model.
pub fn apply(verb: &impl Verb, columns: &Columns, source: Source, request: Request) -> PolarsResult<Series> {
    match source {
        Source::File(file) => with_model(verb, &*file.open()?, columns, request),
        // No row has no score, rather than no model.
        Source::Rows(_) if columns.rows() == 0 => Ok(nulls(verb, 0)),
        Source::Rows(training) => fit_and_apply(verb, columns, &training, request),
        Source::Column(models) => by_row(verb, columns, models, request),
    }
}

fn with_model(verb: &impl Verb, model: &Model, columns: &Columns, request: Request) -> PolarsResult<Series> {
    request.run(verb.cost(model, columns.rows()), |device| verb.apply(model, columns, device))
}

fn fit_and_apply(verb: &impl Verb, columns: &Columns, training: &Training, request: Request) -> PolarsResult<Series> {
    job::expect(Unit::Rows, columns.rows());
    let Some(groups) = &training.groups else {
        return with_model(verb, &training.fit(columns, request)?, columns, request);
    };
    let outputs =
        training.fit_each(groups, columns, request, |model, columns, device| verb.apply(model, columns, device))?;
    let parts = groups.rows().iter().zip(outputs).filter_map(|(rows, output)| Some((rows.as_slice(), output?)));
    in_place(verb, columns.rows(), parts.map(Ok))
}

fn nulls(verb: &impl Verb, rows: usize) -> Series {
    Series::full_null(PlSmallStr::EMPTY, rows, &verb.dtype())
}

fn by_row(verb: &impl Verb, columns: &Columns, models: &Series, request: Request) -> PolarsResult<Series> {
    let columns = broadcast(columns, models.len())?;
    let rows = columns.rows();
    if models.null_count() == models.len() {
        return Ok(nulls(verb, rows));
    }
    let groups = ModelRows::from_column(models.binary()?);
    if let ([only], 0) = (groups.models.as_slice(), groups.null_rows) {
        return with_model(verb, &*model::from_bytes(only)?, &columns, request);
    }
    let parts = groups.models.iter().zip(&groups.rows).map(|(model, rows)| {
        let part = columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, rows.clone()))?;
        Ok((rows.as_slice(), with_model(verb, &*model::from_bytes(model)?, &part, request)?))
    });
    in_place(verb, rows, parts)
}

/// Puts outputs in the places of their rows; null elsewhere. Each part comes with its rows.
fn in_place<'a>(
    verb: &impl Verb,
    rows: usize,
    parts: impl Iterator<Item = PolarsResult<(&'a [IdxSize], Series)>>,
) -> PolarsResult<Series> {
    // The parts one after the other, then every row's from its place among them.
    let mut place: Vec<Option<IdxSize>> = vec![None; rows];
    let mut done = 0;
    let mut all = nulls(verb, 0);
    for part in parts {
        let (rows, output) = part?;
        for (at, row) in rows.iter().enumerate() {
            place[*row as usize] = Some((done + at) as IdxSize);
        }
        done += rows.len();
        all.append_owned(output)?;
    }
    all.take(&IdxCa::from_iter_options(PlSmallStr::EMPTY, place.into_iter()))
}

/// Repeats a single row of features if there are more models.
fn broadcast(columns: &Columns, models: usize) -> PolarsResult<Cow<'_, Columns>> {
    match (columns.rows(), models) {
        (rows, models) if rows == models || models == 1 => Ok(Cow::Borrowed(columns)),
        (1, models) => columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, vec![0; models])).map(Cow::Owned),
        (rows, models) => polars_bail!(ShapeMismatch:
            "anorand: there are {models} models for {rows} rows, expected one model, or one for each row"),
    }
}

/// The distinct models of a column, and the rows of each.
struct ModelRows<'a> {
    models: Vec<&'a [u8]>,
    rows: Vec<Vec<IdxSize>>,
    null_rows: usize,
}

impl<'a> ModelRows<'a> {
    fn from_column(models: &'a BinaryChunked) -> Self {
        let mut groups = Self { models: vec![], rows: vec![], null_rows: 0 };
        let mut by_content: PlHashMap<&[u8], usize> = PlHashMap::new();
        // A model that was joined or broadcast to many rows is the same memory in all of them: no
        // need to read it again.
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
