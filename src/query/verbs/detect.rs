//! The score, the percentile, and whether a row is an outlier.

use polars::prelude::*;

use crate::data::Columns;
use crate::engine::Device;
use crate::model::{check_contamination, Model};
use crate::scoring;

use super::Verb;

/// The score, the share of the training rows below it, and whether it is above the threshold.
pub enum Detect {
    /// A share of the training rows to call outliers: the threshold is each model's own.
    Contamination(f64),
    /// A score.
    Threshold(f64),
}

impl Detect {
    /// By a checked score.
    pub fn threshold(score: f64) -> PolarsResult<Self> {
        polars_ensure!((0.0..=1.0).contains(&score), ComputeError:
            "anorand: threshold must be a score, a number from 0 to 1, got {score}; a share of the rows is contamination=");
        Ok(Self::Threshold(score))
    }

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
        let quantiles = &model.statistics().quantiles;
        let score = scoring::score(model, columns, device)?.with_name("score".into());
        let percentile = score.apply_values(|score| quantiles.share_below(score)).with_name("percentile".into());
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
