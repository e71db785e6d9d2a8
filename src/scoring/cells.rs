//! The evidence against each cell of some rows.

use ndarray::Array2;
use polars::prelude::*;

use crate::data::Columns;
use crate::job::{self, Unit};
use crate::memory::zeros;
use crate::model::Model;
use crate::options::Missing;
use crate::pool;

/// Rows that one thread takes at a time.
const CHUNK: usize = 4_096;
const WHAT: &str = "the evidence of the cells";

/// For each row and feature, `[rows, features]`, in the model's order: the nats of evidence that the
/// cell is wrong, near 0 where nothing speaks against it; and which rows are null, if any.
///
/// # Errors
/// `ComputeError` for a model without cells, as of `preset="paper"`.
pub fn cells(model: &Model, columns: &Columns) -> PolarsResult<(Array2<f32>, Option<BooleanChunked>)> {
    let Some(cells) = &model.statistics().cells else {
        polars_bail!(ComputeError:
            "anorand: the model has no cells, since preset=\"paper\" is the published method alone: fit it with another preset, or \
             use explain")
    };
    let columns = model.align(columns)?;
    let features = columns.features().len();
    let mut numbers: Vec<f32> = zeros(columns.rows().saturating_mul(features), WHAT)?;
    let parts = numbers.chunks_mut(CHUNK * features.max(1)).enumerate().collect();
    pool::map(parts, |(at, out)| {
        let part = columns.slice(at * CHUNK, out.len() / features.max(1));
        let given = model.given(&part, &model.coded(&part)?)?;
        for (out, nats) in out.iter_mut().zip(cells.evidence(&given.columns())?.cells) {
            *out = libm::log1pf(libm::expf(nats));
        }
        job::advance(Unit::Rows, part.rows());
        Ok(())
    })?;
    let numbers = Array2::from_shape_vec((columns.rows(), features), numbers)
        .map_err(|error| polars_err!(ComputeError: "anorand: the evidence has another shape: {error}"))?;
    let missing = match model.metadata().options.missing {
        Missing::Null => Some(columns.usable_rows(Missing::Null)?.into_iter().map(|usable| Some(!usable)).collect()),
        _ => None,
    };
    Ok((numbers, missing))
}
