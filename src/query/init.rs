//! The models that fits start from.

use std::path::PathBuf;
use std::sync::Arc;

use polars::prelude::*;

use crate::model::{self, Model};

/// Where a fit gets its model to start from.
pub enum Init {
    File(PathBuf),
    /// Binary, a model for each row
    Column(BinaryChunked),
}

impl Init {
    /// From a column of models, as `fit` returns them, or of nulls.
    pub fn column(models: &Series) -> PolarsResult<Self> {
        Self::check_dtype(models.dtype())?;
        Ok(Self::Column(models.cast(&DataType::Binary)?.binary()?.clone()))
    }

    /// An error unless a column can hold models.
    pub fn check_dtype(dtype: &DataType) -> PolarsResult<()> {
        polars_ensure!(matches!(dtype, DataType::Binary | DataType::Null), SchemaMismatch:
            "anorand: init has dtype {dtype}, expected Binary, as fit() returns it");
        Ok(())
    }

    /// The model of some rows, or of all; None where it is null in all of them, as for a group that is new.
    pub fn model(&self, rows: Option<&[IdxSize]>) -> PolarsResult<Option<Arc<Model>>> {
        let models = match self {
            Self::File(path) => return model::from_path(path).map(Some),
            Self::Column(models) => models,
        };
        let mut found: Option<&[u8]> = None;
        let rows: &mut dyn Iterator<Item = usize> = match rows {
            Some(rows) => &mut rows.iter().map(|row| *row as usize),
            None => &mut (0..models.len()),
        };
        for model in rows.filter_map(|row| models.get(row)) {
            // One that was joined or broadcast to many rows is the same memory in all of them: no need to read it again.
            let is_other = found.is_some_and(|found| !std::ptr::eq(found, model) && found != model);
            polars_ensure!(!is_other, ComputeError:
                "anorand: init has more than one model for the rows of a fit, expected the same one in each of them: fit with by= or in a \
                 group_by, and join each group's model to its rows");
            found = Some(model);
        }
        found.map(model::from_bytes).transpose()
    }
}
