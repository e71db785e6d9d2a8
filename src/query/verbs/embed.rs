//! The latent of a row.

use polars::prelude::*;

use crate::data::Columns;
use crate::engine::Device;
use crate::model::Model;
use crate::scoring;

use super::{with_nulls, Verb};

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
        let embedded = scoring::embed(model, columns, device)?;
        let numbers = Float32Chunked::from_vec("embedding".into(), embedded.numbers).into_series();
        let arrays = numbers
            .reshape_array(&[ReshapeDimension::new(columns.rows() as i64), ReshapeDimension::new(width as i64)])?;
        with_nulls(arrays, embedded.missing.as_ref())
    }

    fn dtype(&self) -> DataType {
        DataType::Array(Box::new(DataType::Float32), self.width)
    }
}
