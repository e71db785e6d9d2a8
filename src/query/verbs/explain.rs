//! What each feature adds to the score.

use ndarray::Array2;
use polars::prelude::*;

use crate::data::{Columns, Feature};
use crate::device::Cost;
use crate::engine::Device;
use crate::model::Model;
use crate::scoring::explain;

use super::{with_nulls, Verb};

/// What each feature adds to the score.
pub struct Explain {
    /// The names of the features as they are given, which is the order of the result.
    names: Vec<PlSmallStr>,
    /// The number of largest contributions to give, by name; all of them, in the features' order, if None.
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

    fn item() -> Vec<Field> {
        vec![Field::new("feature".into(), DataType::String), Field::new("contribution".into(), DataType::Float32)]
    }

    /// The contributions in the order of the names, one series each.
    fn wide(
        &self,
        model: &Model,
        contributions: &Array2<f32>,
        missing: Option<&BooleanChunked>,
    ) -> PolarsResult<Series> {
        let fields = self.names.iter().map(|name| {
            let at = model.metadata().features.iter().position(|feature| feature.name == name.as_str());
            let numbers = match at {
                Some(at) => contributions.column(at).to_vec(),
                None => polars_bail!(ColumnNotFound: "anorand: the model does not know {name:?}"),
            };
            with_nulls(Float32Chunked::from_vec(name.clone(), numbers).into_series(), missing)
        });
        let fields = fields.collect::<PolarsResult<Vec<_>>>()?;
        Ok(StructChunked::from_series("explanation".into(), contributions.nrows(), fields.iter())?.into_series())
    }

    /// The `top` largest contributions of each row, largest first; equal ones in the model's order.
    fn largest(
        model: &Model,
        top: usize,
        contributions: &Array2<f32>,
        missing: Option<&BooleanChunked>,
    ) -> PolarsResult<Series> {
        let (mut names, mut largest) = (vec![], vec![]);
        for row in contributions.rows() {
            let mut order: Vec<usize> = (0..row.len()).collect();
            order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
            for at in &order[..top] {
                names.push(model.metadata().features[*at].name.as_str());
                largest.push(row[*at]);
            }
        }
        let fields = [Series::new("feature".into(), names), Series::new("contribution".into(), largest)];
        let items = StructChunked::from_series("explanation".into(), fields[0].len(), fields.iter())?.into_series();
        let lists = items
            .reshape_list(&[ReshapeDimension::new(contributions.nrows() as i64), ReshapeDimension::new(top as i64)])?;
        with_nulls(lists, missing)
    }
}

impl Verb for Explain {
    fn apply(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series> {
        let explained = explain(model, columns, device)?;
        let missing = explained.missing.as_ref();
        match self.top {
            _ if columns.rows() == 0 => Ok(Series::new_empty("explanation".into(), &self.dtype())),
            None => self.wide(model, &explained.contributions, missing),
            Some(top) => Self::largest(model, top, &explained.contributions, missing),
        }
    }

    fn cost(&self, model: &Model, rows: usize) -> Cost {
        Cost::of_explanations(model.weights(), model.inputs().count(), rows)
    }

    fn dtype(&self) -> DataType {
        match self.top {
            None => {
                DataType::Struct(self.names.iter().map(|name| Field::new(name.clone(), DataType::Float32)).collect())
            }
            Some(_) => DataType::List(Box::new(DataType::Struct(Self::item()))),
        }
    }
}
