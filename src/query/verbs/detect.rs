//! `detect`: gives the score, the percentile, the rarity, and whether a row is an outlier; if asked, how far
//! the members agree, and why.

use polars::prelude::*;

use crate::data::Columns;
use crate::device::Cost;
use crate::engine::Device;
use crate::model::{check_contamination, Model};
use crate::options::DEFAULT_CONTAMINATION;
use crate::query::by_expression::Expression;
use crate::scoring;

use super::mostly_outliers::Judged;
use super::reasons::{reasons, reasons_dtype};
use super::Verb;

/// The score, the share of the training rows below it, how rare it is, and whether it is above the
/// threshold.
pub struct Detect {
    limit: Limit,
    spread: bool,
    /// The number of reasons to give of an outlier.
    explain: Option<usize>,
    /// Of the query that is warned where most rows are outliers
    expression: Expression,
}

/// What makes a row an outlier.
pub enum Limit {
    /// A share of the training rows to call outliers: the threshold is each model's own.
    Contamination(f64),
    /// A score.
    Threshold(f64),
}

impl Limit {
    /// Checks a score.
    pub fn threshold(score: f64) -> PolarsResult<Self> {
        polars_ensure!((0.0..=1.0).contains(&score), ComputeError:
            "anorand: threshold must be a score, a number from 0 to 1, got {score}; a share of the rows is contamination=");
        Ok(Self::Threshold(score))
    }

    /// Checks a contamination.
    pub fn contamination(share: f64) -> PolarsResult<Self> {
        check_contamination(share)?;
        Ok(Self::Contamination(share))
    }
}

impl Detect {
    pub fn new(limit: Limit, spread: bool, explain: Option<i64>, expression: Expression) -> PolarsResult<Self> {
        let explain = match explain {
            Some(count @ ..=0) => {
                polars_bail!(ComputeError: "anorand: explain must be a whole number from 1 on, got {count}")
            }
            Some(count) => Some(count as usize),
            None => None,
        };
        Ok(Self { limit, spread, explain, expression })
    }
}

impl Verb for Detect {
    fn apply(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series> {
        let quantiles = &model.statistics().quantiles;
        let (threshold, expected) = match self.limit {
            Limit::Contamination(share) => (model.threshold(share)?, share),
            Limit::Threshold(score) => (score, 1.0 - f64::from(quantiles.share_below(score as f32))),
        };
        let (score, spread) = match self.spread {
            true => scoring::score_and_spread(model, columns, device).map(|(score, spread)| (score, Some(spread)))?,
            false => (scoring::score(model, columns, device)?, None),
        };
        let percentile = score.apply_values(|score| quantiles.share_below(score)).with_name("percentile".into());
        let rarity = score.apply_values(|score| quantiles.rarity(score)).with_name("rarity".into());
        let outlier: BooleanChunked = score.iter().map(|score| Some(f64::from(score?) > threshold)).collect();
        let outlier = outlier.with_name("outlier".into());
        Judged { model, columns, outlier: &outlier, expected }.warn(self.expression, device)?;
        let reasons =
            self.explain.map(|count| explain_outliers(model, columns, count, &outlier, device)).transpose()?;
        let rows = score.len();
        let mut fields =
            vec![score.into_series(), percentile.into_series(), rarity.into_series(), outlier.into_series()];
        fields.extend(spread.map(IntoSeries::into_series));
        fields.extend(reasons.map(|reasons| reasons.with_name("reasons".into())));
        Ok(StructChunked::from_series("anomaly".into(), rows, fields.iter())?.into_series())
    }

    fn cost(&self, model: &Model, rows: usize) -> Cost {
        let (weights, inputs) = (model.weights(), model.inputs().count());
        let share = match (&self.limit, self.explain) {
            (_, None) => 0.0,
            (Limit::Contamination(share), Some(_)) => *share,
            (Limit::Threshold(_), Some(_)) => DEFAULT_CONTAMINATION,
        };
        let explained = Cost::of_explanations(weights, inputs, (share * rows as f64) as usize);
        [Cost::of_heads(weights, inputs, rows), explained].into_iter().sum()
    }

    fn dtype(&self) -> DataType {
        let mut fields = vec![
            Field::new("score".into(), DataType::Float32),
            Field::new("percentile".into(), DataType::Float32),
            Field::new("rarity".into(), DataType::Float32),
            Field::new("outlier".into(), DataType::Boolean),
        ];
        if self.spread {
            fields.push(Field::new("spread".into(), DataType::Float32));
        }
        if self.explain.is_some() {
            fields.push(Field::new("reasons".into(), reasons_dtype()));
        }
        DataType::Struct(fields)
    }
}

/// Explains the outliers; a row that is none gets a null.
fn explain_outliers(
    model: &Model,
    columns: &Columns,
    count: usize,
    outlier: &BooleanChunked,
    device: Device,
) -> PolarsResult<Series> {
    let flagged = outlier.iter().enumerate().filter(|(_, outlier)| *outlier == Some(true));
    let flagged: Vec<IdxSize> = flagged.map(|(row, _)| row as IdxSize).collect();
    if flagged.is_empty() {
        return Ok(Series::full_null(PlSmallStr::EMPTY, outlier.len(), &reasons_dtype()));
    }
    let rows = columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, flagged))?;
    let found = reasons(model, &rows, count, device)?;
    let mut next = 0;
    let places = outlier.iter().map(|outlier| {
        (outlier == Some(true)).then(|| {
            next += 1;
            next - 1
        })
    });
    let places: Vec<Option<IdxSize>> = places.collect();
    found.take(&IdxCa::from_iter_options(PlSmallStr::EMPTY, places.into_iter()))
}
