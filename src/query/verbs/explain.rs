//! `explain`: says what each feature adds to the score.

use ndarray::Array2;
use polars::prelude::*;

use crate::data::{Columns, Feature};
use crate::device::Cost;
use crate::engine::Device;
use crate::model::Model;
use crate::scoring::{explain, Explanation};

use super::reasons::{contributions, contributions_dtype};
use super::{with_nulls, Verb};

/// The verb `explain`.
pub struct Explain {
    /// The names of the features as they are given, which is the order of the result.
    names: Vec<PlSmallStr>,
    /// The number of largest contributions to give, by name; all of them, in the features' order,
    /// if None.
    top: Option<usize>,
}

impl Explain {
    pub fn new<'a>(features: impl Iterator<Item = &'a Feature>, top: Option<i64>) -> PolarsResult<Self> {
        let names: Vec<PlSmallStr> = features.map(|feature| feature.name.as_str().into()).collect();
        let top = match top {
            Some(top @ ..=0) => polars_bail!(ComputeError: "anorand: top must be a whole number from 1 on, got {top}"),
            Some(top) => Some((top as usize).min(names.len())),
            None => None,
        };
        Ok(Self { names, top })
    }
}

/// A struct of one number for each feature, in the order of the names.
pub fn wide(
    name: &'static str,
    names: &[PlSmallStr],
    model: &Model,
    numbers: &Array2<f32>,
    missing: Option<&BooleanChunked>,
) -> PolarsResult<Series> {
    let features = model.metadata().features.iter().enumerate();
    let places: PlHashMap<&str, usize> = features.map(|(at, feature)| (feature.name.as_str(), at)).collect();
    let fields = names.iter().map(|name| {
        let numbers = match places.get(name.as_str()) {
            Some(at) => numbers.column(*at).to_vec(),
            None => polars_bail!(ColumnNotFound: "anorand: the model does not know {name:?}"),
        };
        with_nulls(Float32Chunked::from_vec(name.clone(), numbers).into_series(), missing)
    });
    let fields = fields.collect::<PolarsResult<Vec<_>>>()?;
    Ok(StructChunked::from_series(name.into(), numbers.nrows(), fields.iter())?.into_series())
}

/// The dtype of [`wide`].
pub fn wide_dtype(names: &[PlSmallStr]) -> DataType {
    DataType::Struct(names.iter().map(|name| Field::new(name.clone(), DataType::Float32)).collect())
}

impl Verb for Explain {
    fn apply(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series> {
        if columns.rows() == 0 {
            return Ok(Series::new_empty("explanation".into(), &self.dtype()));
        }
        let Some(top) = self.top else {
            let explained = explain(model, columns, device)?;
            let Explanation { contributions, missing } = explained;
            return wide("explanation", &self.names, model, &contributions, missing.as_ref());
        };
        contributions(model, columns, top, device)
    }

    fn cost(&self, model: &Model, rows: usize) -> Cost {
        Cost::of_explanations(model.weights(), model.inputs().count(), rows)
    }

    fn dtype(&self) -> DataType {
        match self.top {
            None => wide_dtype(&self.names),
            Some(_) => contributions_dtype(),
        }
    }
}
