//! The verbs that apply a model: what each makes of the rows of one model.

use ndarray::Array2;
use polars::prelude::*;
use tch::Device;

use crate::columns::{Columns, Feature};
use crate::cost::Cost;
use crate::explanation::explain;
use crate::model::{check_contamination, Model};
use crate::{embedding, scoring};

/// What a verb makes of the rows of one model: a series of as many.
pub trait Verb: Sync {
    fn apply(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series>;

    /// What that takes for so many rows.
    fn cost(&self, model: &Model, rows: usize) -> Cost {
        Cost::of_heads(model.network(), model.metadata().features.len(), rows)
    }

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

/// What each feature adds to the score.
pub struct Explain {
    /// The names of the features as they are given, which is the order of the result.
    names: Vec<PlSmallStr>,
    /// So many of the largest contributions, by name; all of them, in the features' order, if None.
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
        Cost::of_explanations(model.network(), model.metadata().features.len(), rows)
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

/// The latent of a row, (z0, z1) of each member in turn.
pub struct Embed {
    width: usize,
}

impl Embed {
    /// The width must be that of the models; see [`Model::embedding_width`].
    pub fn new(width: i64) -> PolarsResult<Self> {
        polars_ensure!((1..=1 << 31).contains(&width), ComputeError:
            "anorand: width must be a whole number from 1 on, got {width}");
        Ok(Self { width: width as usize })
    }
}

impl Verb for Embed {
    fn apply(&self, model: &Model, columns: &Columns, device: Device) -> PolarsResult<Series> {
        let width = model.embedding_width();
        polars_ensure!(width == self.width, ShapeMismatch:
            "anorand: the model's embedding has {width} numbers ({} members), but width={} was given or found when the \
             expression was built", model.metadata().members, self.width);
        if columns.rows() == 0 {
            return Ok(Series::new_empty("embedding".into(), &self.dtype()));
        }
        let embedded = embedding::embed(model, columns, device)?;
        let numbers = Float32Chunked::from_vec("embedding".into(), embedded.numbers).into_series();
        let arrays = numbers
            .reshape_array(&[ReshapeDimension::new(columns.rows() as i64), ReshapeDimension::new(width as i64)])?;
        with_nulls(arrays, embedded.missing.as_ref())
    }

    fn cost(&self, model: &Model, rows: usize) -> Cost {
        Cost::of_latents(model.network(), model.metadata().features.len(), rows)
    }

    fn dtype(&self) -> DataType {
        DataType::Array(Box::new(DataType::Float32), self.width)
    }
}

/// The series with nulls where `missing` holds.
fn with_nulls(series: Series, missing: Option<&BooleanChunked>) -> PolarsResult<Series> {
    match missing {
        Some(missing) => {
            let nulls = Series::full_null(series.name().clone(), series.len(), series.dtype());
            nulls.zip_with(missing, &series)
        }
        None => Ok(series),
    }
}
