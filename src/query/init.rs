//! The models that fits start from.

use std::sync::Arc;

use polars::prelude::*;

use crate::data::Columns;
use crate::fit::Start;
use crate::model::{self, Model};
use crate::options::UncheckedOptions;

use super::opened::ModelFile;

/// Where a fit gets its model to start from.
pub enum Init {
    File(ModelFile),
    /// Binary, a model for each row
    Column(BinaryChunked),
    /// Binary, a model for each group by its number, or one for all of them
    Groups(BinaryChunked),
}

impl Init {
    /// Reads a column of models, as `fit` returns them, or of nulls.
    pub fn column(models: &Series) -> PolarsResult<Self> {
        Self::read(models).map(Self::Column)
    }

    /// Reads one model, or those of groups: null where a group is new.
    pub fn groups(models: &Series) -> PolarsResult<Self> {
        Self::read(models).map(Self::Groups)
    }

    fn read(models: &Series) -> PolarsResult<BinaryChunked> {
        Self::check_dtype(models.dtype())?;
        Ok(models.cast(&DataType::Binary)?.binary()?.clone())
    }

    /// Returns an error unless a column can hold models.
    pub fn check_dtype(dtype: &DataType) -> PolarsResult<()> {
        polars_ensure!(matches!(dtype, DataType::Binary | DataType::Null), SchemaMismatch:
            "anorand: init has dtype {dtype}, expected Binary, as fit() returns it");
        Ok(())
    }

    /// Returns an error if a fit of these features and options could not go on from one of the
    /// models, which names its row where there are more.
    pub fn check(models: &Series, features: &Columns, given: &UncheckedOptions) -> PolarsResult<()> {
        let models = Self::read(models)?;
        for (row, bytes) in models.iter().enumerate() {
            let Some(bytes) = bytes else { continue };
            let which = match models.len() {
                1 => "the model of init".to_string(),
                _ => format!("the model in row {row} of init"),
            };
            let named = |error: PolarsError| error.wrap_msg(|message| format!("{message} ({which})"));
            let model = model::from_bytes(bytes).map_err(named)?;
            let check = Start { model: &model, replayed: None }.check();
            let checked = check.and_then(|()| given.clone().check_from(&model.metadata().options).map(drop));
            // These errors name the model of init= themselves.
            checked.map_err(|error| if models.len() == 1 { error } else { named(error) })?;
            model.align(features).map_err(named)?;
        }
        Ok(())
    }

    /// The model of a group, which has some of the rows or all; None where it is null, as for a
    /// group that is new.
    pub fn model(&self, group: usize, rows: Option<&[IdxSize]>) -> PolarsResult<Option<Arc<Model>>> {
        let models = match self {
            Self::File(file) => return file.open().map(Some),
            Self::Groups(models) => {
                let at = if models.len() == 1 { 0 } else { group };
                let found = (at < models.len()).then(|| models.get(at)).flatten();
                return found.map(model::from_bytes).transpose();
            }
            Self::Column(models) => models,
        };
        let mut found: Option<&[u8]> = None;
        let rows: &mut dyn Iterator<Item = usize> = match rows {
            Some(rows) => &mut rows.iter().map(|row| *row as usize),
            None => &mut (0..models.len()),
        };
        for model in rows.filter_map(|row| models.get(row)) {
            // One that was joined or broadcast to many rows is the same memory in all of them: no
            // need to read it again.
            let is_other = found.is_some_and(|found| !std::ptr::eq(found, model) && found != model);
            polars_ensure!(!is_other, ComputeError:
                "anorand: init has more than one model for the rows of a fit, expected the same one in each of them: fit with by= or in a \
                 group_by, and join each group's model to its rows");
            found = Some(model);
        }
        found.map(model::from_bytes).transpose()
    }
}
