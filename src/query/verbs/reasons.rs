//! The largest contributions to a row's score, by name; and for outliers, in words.

use polars::prelude::*;

use crate::cells::{Reason, Rows, Why};
use crate::data::Columns;
use crate::engine::Device;
use crate::model::Model;
use crate::options::Combination;
use crate::scoring::explain_top;

use super::with_nulls;

/// A reason with a smaller share of the largest contribution than this is none.
const MATTERS: f32 = 0.05;

/// A list for each row: the `top` largest contributions, or all of a model that has fewer features.
pub fn contributions(model: &Model, columns: &Columns, top: usize, device: Device) -> PolarsResult<Series> {
    let features = &model.metadata().features;
    let top = top.min(features.len());
    let explained = explain_top(model, columns, top, device)?;
    let names = explained.numbers.iter().map(|item| features[item.feature as usize].name.as_str());
    let names = StringChunked::from_iter_values("feature".into(), names).into_series();
    let amounts = explained.numbers.iter().map(|item| item.amount).collect();
    let amounts = Float32Chunked::from_vec("contribution".into(), amounts).into_series();
    let items = StructChunked::from_series("explanation".into(), names.len(), [names, amounts].iter())?.into_series();
    let shape = [columns.rows(), top].map(|size| ReshapeDimension::new(size as i64));
    with_nulls(items.reshape_list(&shape)?, explained.missing.as_ref())
}

pub fn contributions_dtype() -> DataType {
    list_of(&[("feature", DataType::String), ("contribution", DataType::Float32)])
}

/// A list for each row: at most `top` reasons in words, the largest first. Each has a contribution
/// above 0, and at least 5 % of the largest one's.
pub fn reasons(model: &Model, columns: &Columns, top: usize, device: Device) -> PolarsResult<Series> {
    let top = top.min(model.metadata().features.len());
    let explained = explain_top(model, columns, top, device)?;
    let found = in_words(model, columns, |words| {
        let mut found = Found::default();
        for (row, items) in explained.numbers.chunks_exact(top.max(1)).enumerate() {
            let least = items.first().map_or(0.0, |first| first.amount * MATTERS);
            for item in items.iter().filter(|item| item.amount > 0.0 && item.amount >= least) {
                let feature = item.feature as usize;
                found.add(&model.metadata().features[feature].name, item.amount, words.reason(feature, row));
            }
            found.ends.push(found.features.len());
        }
        found
    })?;
    with_nulls(found.into_series()?, explained.missing.as_ref())
}

/// Why one value of a row is unusual, as a sentence; None if the model has no cells.
pub fn sentence(model: &Model, columns: &Columns, feature: usize, row: usize) -> PolarsResult<Option<String>> {
    in_words(model, columns, |words| words.reason(feature, row).why)
}

/// Returns what `tell` makes of what is said of the values of some rows.
fn in_words<T>(model: &Model, columns: &Columns, tell: impl FnOnce(&Words) -> T) -> PolarsResult<T> {
    let columns = model.align(columns)?;
    let coded = model.coded(&columns)?;
    let given = model.given(&columns, &coded)?;
    let given = given.columns();
    let rows = model.statistics().cells.as_ref().map(|cells| cells.look_up(&given)).transpose()?;
    Ok(tell(&Words { model, columns: &columns, rows }))
}

pub fn reasons_dtype() -> DataType {
    list_of(&[
        ("feature", DataType::String),
        ("contribution", DataType::Float32),
        ("value", DataType::String),
        ("expected", DataType::String),
        ("why", DataType::String),
    ])
}

fn list_of(fields: &[(&str, DataType)]) -> DataType {
    let field = |(name, dtype): &(&str, DataType)| Field::new((*name).into(), dtype.clone());
    DataType::List(Box::new(DataType::Struct(fields.iter().map(field).collect())))
}

/// What is said of the values of some rows.
struct Words<'a> {
    model: &'a Model,
    columns: &'a Columns,
    rows: Option<Rows<'a>>,
}

impl Words<'_> {
    /// Why a value of a row is unusual; the value alone where the model has no cells.
    fn reason(&self, feature: usize, row: usize) -> Said {
        let Some(rows) = &self.rows else {
            return Said { value: self.columns.value_text(feature, row), expected: None, why: None };
        };
        let Reason { why, value, expected, sentence, .. } = rows.reason(&self.model.described(), feature, row);
        // Networks that learned labels need not find a value unusual.
        let has_labels = self.model.metadata().options.combination == Combination::Novelties;
        let sentence = match why {
            Why::Together if has_labels => {
                let name = &self.model.metadata().features[feature].name;
                format!("{name} is {}, as in the known anomalies", value.as_deref().unwrap_or("missing"))
            }
            _ => sentence,
        };
        Said { value, expected, why: Some(sentence) }
    }
}

/// A reason in words.
struct Said {
    value: Option<String>,
    expected: Option<String>,
    why: Option<String>,
}

/// The reasons of all rows, one after the other.
#[derive(Default)]
struct Found {
    features: Vec<String>,
    amounts: Vec<f32>,
    said: [Vec<Option<String>>; 3],
    /// Where the reasons of each row end.
    ends: Vec<usize>,
}

impl Found {
    fn add(&mut self, feature: &str, amount: f32, Said { value, expected, why }: Said) {
        self.features.push(feature.to_string());
        self.amounts.push(amount);
        for (texts, text) in self.said.iter_mut().zip([value, expected, why]) {
            texts.push(text);
        }
    }

    fn into_series(self) -> PolarsResult<Series> {
        let Self { features, amounts, said: [values, expected, why], ends } = self;
        let fields = [
            Series::new("feature".into(), features),
            Series::new("contribution".into(), amounts),
            Series::new("value".into(), values),
            Series::new("expected".into(), expected),
            Series::new("why".into(), why),
        ];
        let items = StructChunked::from_series("reasons".into(), fields[0].len(), fields.iter())?.into_series();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let rows = starts.zip(&ends).map(|(start, end)| items.slice(start as i64, end - start));
        let lists: ListChunked = rows.collect();
        lists.into_series().cast(&reasons_dtype())
    }
}
