//! Warns where one feature makes outliers of most rows, once for each query.
//!
//! The training rows are then no measure for that feature: it numbers the rows or names their file,
//! it had one value in the training rows, or its values have changed since.

use std::sync::{Arc, LazyLock, Mutex};

use polars::prelude::*;
use quick_cache::sync::Cache;

use crate::cells::percent;
use crate::data::Columns;
use crate::engine::Device;
use crate::model::Model;
use crate::query::by_expression::Expression;
use crate::query::warn::warn;
use crate::scoring::explain;

use super::reasons::sentence;

/// A batch of fewer rows says little about the others.
const FEW_ROWS: usize = 50;
/// Where more than this share of outliers is asked for, many are no surprise.
const MANY_ASKED_FOR: f64 = 0.25;
/// The number of outliers that are explained.
const EXPLAINED: usize = 32;
/// The number of batches of a query whose outliers are explained.
const BATCHES: usize = 8;
/// A feature is a reason from this share of a row's largest contribution on: of two features that
/// number the rows, both are.
const REASON: f32 = 0.5;
/// Queries that are kept in mind. Those that have ended stay until others take their place.
const QUERIES: usize = 64;

/// The number of batches of a query that may still be looked at.
static LEFT: LazyLock<Cache<Expression, Arc<Mutex<usize>>>> = LazyLock::new(|| Cache::new(QUERIES));

/// A query with this expression is planned: it may be warned again.
pub fn forget(expression: Expression) {
    LEFT.remove(&expression);
}

/// A batch of rows that a model has judged.
pub struct Judged<'a> {
    pub model: &'a Model,
    pub columns: &'a Columns,
    pub outlier: &'a BooleanChunked,
    /// The share of outliers among the training rows
    pub expected: f64,
}

impl Judged<'_> {
    /// Warns if most rows are outliers because of one feature, and the query was not warned yet.
    pub fn warn(&self, expression: Expression, device: Device) -> PolarsResult<()> {
        let outliers = self.outlier.sum().unwrap_or(0) as usize;
        if self.scored() < FEW_ROWS || 2 * outliers <= self.scored() || self.expected > MANY_ASKED_FOR {
            return Ok(());
        }
        let left = LEFT.get_or_insert_with(&expression, || Ok::<_, PolarsError>(Arc::new(Mutex::new(BATCHES))))?;
        // While another batch of the query is looked at, this one need not wait.
        let Ok(mut left) = left.try_lock() else { return Ok(()) };
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        if let Some(message) = self.message(outliers, device)? {
            *left = 0;
            warn(&message);
        }
        Ok(())
    }

    /// The number of rows that have a score.
    fn scored(&self) -> usize {
        self.outlier.len() - self.outlier.null_count()
    }

    /// What is to be said, if one feature is a reason of most rows.
    fn message(&self, outliers: usize, device: Device) -> PolarsResult<Option<String>> {
        let flagged = self.outlier.iter().enumerate().filter(|(_, outlier)| *outlier == Some(true));
        let flagged = flagged.map(|(row, _)| row as IdxSize).step_by(outliers.div_ceil(EXPLAINED));
        let sample = self.columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, flagged.collect()))?;
        let contributions = explain(self.model, &sample, device)?.contributions;
        let is_reason = |row: usize, feature: usize| {
            let largest = contributions.row(row).fold(0f32, |largest, amount| largest.max(*amount));
            largest > 0.0 && contributions[[row, feature]] >= REASON * largest
        };
        let rows_of = |feature: &usize| (0..sample.rows()).filter(|row| is_reason(*row, *feature)).count();
        // The first of those that are a reason of the most rows.
        let Some(feature) = (0..contributions.ncols()).rev().max_by_key(rows_of) else { return Ok(None) };
        let share = outliers as f64 / self.scored() as f64;
        if 2.0 * share * rows_of(&feature) as f64 <= sample.rows() as f64 {
            return Ok(None);
        }
        let largest = |a: &usize, b: &usize| contributions[[*a, feature]].total_cmp(&contributions[[*b, feature]]);
        let row = (0..sample.rows()).max_by(largest).unwrap_or(0);
        let name = &self.model.metadata().features[feature].name;
        let example = sentence(self.model, &sample, feature, row)?;
        let example = example.map_or(String::new(), |example| format!(" ({example})"));
        let (shares, rows) = ([share, self.expected].map(percent), self.scored());
        Ok(Some(format!(
            "anorand: {} of a batch of {rows} rows are outliers, where {} were expected, and {name:?} is a reason of most of \
             them{example}: if {name:?} numbers the rows or names their file, or had one value in the training rows, \
             leave it out of the features; if its values have changed for good, fit a model on newer rows",
            shares[0], shares[1]
        )))
    }
}
