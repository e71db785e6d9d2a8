//! `cells`: says how strongly each value is taken for wrong.

use polars::prelude::*;

use crate::data::{Columns, Feature};
use crate::device::Cost;
use crate::engine::Device;
use crate::model::Model;
use crate::scoring::cells;

use super::explain::{wide, wide_dtype};
use super::Verb;

/// The verb `cells`.
pub struct Cells {
    /// The names of the features as they are given, which is the order of the result.
    names: Vec<PlSmallStr>,
}

impl Cells {
    pub fn new<'a>(features: impl Iterator<Item = &'a Feature>) -> Self {
        Self { names: features.map(|feature| feature.name.as_str().into()).collect() }
    }
}

impl Verb for Cells {
    fn apply(&self, model: &Model, columns: &Columns, _: Device) -> PolarsResult<Series> {
        if columns.rows() == 0 {
            return Ok(Series::new_empty("cells".into(), &self.dtype()));
        }
        let (numbers, missing) = cells(model, columns)?;
        wide("cells", &self.names, model, &numbers, missing.as_ref())
    }

    /// It is always computed on the CPU.
    fn cost(&self, _: &Model, _: usize) -> Cost {
        Cost::default()
    }

    fn dtype(&self) -> DataType {
        wide_dtype(&self.names)
    }
}
