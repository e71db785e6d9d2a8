//! Compares rows with a model's training rows: each feature, and the scores.

use polars::prelude::*;

use crate::data::Columns;
use crate::device::Cost;
use crate::engine::Device;
use crate::model::{check_contamination, Model};
use crate::options::Missing;
use crate::pool;
use crate::scoring;
use crate::scoring::{is_other_share, FeatureDrift, TrainingValues};

/// The ratio of shares of outliers from which on the scores have drifted.
const LEAST_RATIO: f64 = 1.5;

/// The fields of a row of the result that are numbers.
const NUMBERS: [&str; 12] = [
    "psi",
    "training_lower_quartile",
    "lower_quartile",
    "training_median",
    "median",
    "training_upper_quartile",
    "upper_quartile",
    "training_missing",
    "missing",
    "unseen",
    "training_outliers",
    "outliers",
];

/// A row for each feature, and one for the scores, as one list: unlike a verb, which makes a series
/// of the rows' length.
pub struct Drift {
    contamination: f64,
}

/// A row of the result.
struct Row {
    feature: Option<String>,
    drifted: bool,
    numbers: [Option<f64>; NUMBERS.len()],
}

impl Drift {
    pub fn new(contamination: f64) -> PolarsResult<Self> {
        check_contamination(contamination)?;
        Ok(Self { contamination })
    }

    /// Compares the rows with the training rows of the model.
    pub fn compare(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series> {
        let mut rows = compare_features(model, columns)?;
        rows.push(self.compare_scores(model, columns, device)?);
        let features: StringChunked = rows.iter().map(|row| row.feature.as_deref()).collect();
        let drifted: BooleanChunked = rows.iter().map(|row| row.drifted).collect();
        let mut fields =
            vec![features.with_name("feature".into()).into_series(), drifted.with_name("drifted".into()).into_series()];
        for (at, name) in NUMBERS.into_iter().enumerate() {
            let numbers: Float64Chunked = rows.iter().map(|row| row.numbers[at]).collect();
            fields.push(numbers.with_name(name.into()).into_series());
        }
        let all = StructChunked::from_series("drift".into(), rows.len(), fields.iter())?.into_series();
        all.reshape_list(&[ReshapeDimension::new(1), ReshapeDimension::new(rows.len() as i64)])
    }

    pub fn cost(model: &Model, rows: usize) -> Cost {
        Cost::of_heads(model.weights(), model.inputs().count(), rows)
    }

    pub fn dtype() -> DataType {
        let mut fields =
            vec![Field::new("feature".into(), DataType::String), Field::new("drifted".into(), DataType::Boolean)];
        fields.extend(NUMBERS.map(|name| Field::new(name.into(), DataType::Float64)));
        DataType::List(Box::new(DataType::Struct(fields)))
    }

    fn compare_scores(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Row> {
        let threshold = model.threshold(self.contamination)?;
        let quantiles = &model.statistics().quantiles;
        let expected = quantiles.share_above(threshold);
        let trained = quantiles.rows();
        let scores = scoring::score(model, columns, device)?;
        let scored = scores.len() - scores.null_count();
        let above = scores.iter().flatten().filter(|score| f64::from(*score) > threshold).count();
        let share = above as f64 / scored as f64;
        let is_other = share > LEAST_RATIO * expected || share < expected / LEAST_RATIO;
        let before = [(expected * trained as f64).round() as u64, trained as u64];
        let numbers = [("training_outliers", Some(expected)), ("outliers", (scored > 0).then_some(share))];
        Ok(Row {
            feature: None,
            drifted: scored > 0 && is_other && is_other_share(before, [above as u64, scored as u64]),
            numbers: NUMBERS.map(|name| numbers.iter().find(|(of, _)| *of == name).and_then(|(_, number)| *number)),
        })
    }
}

fn compare_features(model: &Model, columns: &Columns) -> PolarsResult<Vec<Row>> {
    let quantiles = &model.statistics().feature_quantiles;
    let coded = model.coded(&model.align(columns)?)?;
    // Rows that the fit would have left out are no part of what it saw.
    let skips = model.metadata().options.missing == Missing::Null;
    let compared = skips.then(|| coded.usable_rows(Missing::Null)).transpose()?;
    let training = &model.metadata().training;
    let trained = training.rows as u64;
    let sampled = training.sampled.unwrap_or(training.rows) as u64;
    pool::map((0..coded.features().len()).collect(), |j| {
        let values = TrainingValues {
            kind: model.metadata().features[j].kind,
            inputs: model.inputs().feature(j),
            rows: trained,
            sampled,
            missing: quantiles.missing[j],
            quantiles: &quantiles.values[j],
            at_most: &quantiles.at_most[j],
            frequencies: model.frequencies()[j].as_ref(),
        };
        let found = FeatureDrift::of(&coded, j, compared.as_deref(), &values)?;
        let before = found.quartiles.map(|(training, _)| training);
        let now = found.quartiles.map(|(_, now)| now);
        let missing_before = (!skips).then(|| quantiles.missing[j] as f64 / trained as f64);
        Ok(Row {
            feature: Some(model.metadata().features[j].name.clone()),
            drifted: found.drifted,
            numbers: NUMBERS.map(|name| match name {
                "psi" => found.stability,
                "training_lower_quartile" => before.map(|of| of[0]),
                "lower_quartile" => now.map(|of| of[0]),
                "training_median" => before.map(|of| of[1]),
                "median" => now.map(|of| of[1]),
                "training_upper_quartile" => before.map(|of| of[2]),
                "upper_quartile" => now.map(|of| of[2]),
                "training_missing" => missing_before,
                "missing" => found.missing,
                "unseen" => found.unseen,
                _ => None,
            }),
        })
    })
}
