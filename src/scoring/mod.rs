//! Rows → heads → score, latents and explanations, in blocks that fit the cache, on the plugin's
//! threads.

mod batches;
mod cells;
mod drift;
mod embedding;
mod explanation;
mod member_spread;
mod networks;
mod spread;

pub use cells::cells;
pub use drift::{is_other_share, FeatureDrift, TrainingValues};
pub use embedding::embed;
pub use explanation::{explain, explain_top, Explanation, STEPS};
pub use spread::score_and_spread;

use ndarray::{ArrayView2, Axis};
use polars::prelude::*;

use crate::combiner::Heads;
use crate::data::Columns;
use crate::engine::{tiled, Device, Weights};
use crate::memory::zeros;
use crate::model::Model;
use crate::neighbours::KeptRows;
use crate::pool;

use batches::by_batch;
use networks::Networks;

/// Rows that one thread takes at a time on the CPU: few enough for the cache to keep them from
/// column to score. On a GPU the threads' chunks follow each other, so that one is scaled while
/// another is computed.
const CHUNK: usize = 4_096;

/// Computes both heads of scaled rows by networks alone.
pub fn heads(weights: &Weights, rows: ArrayView2<f32>, device: Device) -> PolarsResult<Heads> {
    heads_with(weights, None, rows, device)
}

/// Computes both heads of scaled rows by networks and kept rows.
pub fn heads_with(
    weights: &Weights,
    kept: Option<&KeptRows>,
    rows: ArrayView2<f32>,
    device: Device,
) -> PolarsResult<Heads> {
    all_heads(&Networks::with_kept(weights, kept, device)?, rows)
}

/// Computes both heads of scaled rows as a model does, kept rows included.
pub fn heads_of_model(model: &Model, rows: ArrayView2<f32>, device: Device) -> PolarsResult<Heads> {
    all_heads(&Networks::open(model, device)?, rows)
}

fn all_heads(networks: &Networks, rows: ArrayView2<f32>) -> PolarsResult<Heads> {
    let room = || zeros(rows.nrows(), "the heads");
    let mut heads = Heads { logit: room()?, error: room()? };
    let chunk = networks.engine.rows_at_a_time(CHUNK);
    let outputs = heads.logit.chunks_mut(chunk).zip(heads.error.chunks_mut(chunk));
    let chunks = rows.axis_chunks_iter(Axis(0), chunk).zip(outputs).collect();
    pool::map(chunks, |(rows, (logit, error))| {
        networks.heads_into(&tiled(rows, networks.tile())?, rows.ncols(), logit, error)
    })?;
    Ok(heads)
}

/// The anomaly score of every row, in (0, 1): the higher, the more anomalous. It is null for a row
/// with a missing value where the model says so.
///
/// # Errors
/// `ColumnNotFound` or `SchemaMismatch` if the columns are not the model's, and `ComputeError` if
/// the device can't be used.
pub fn score(model: &Model, columns: &Columns, device: Device) -> PolarsResult<Float32Chunked> {
    let networks = Networks::open(model, device)?;
    let combiner = &model.metadata().combiner;
    let worked = by_batch(model, columns, &networks.engine, CHUNK, (1, "the scores"), |batch, scores| {
        let mut errors = vec![0f32; batch.rows];
        networks.heads_into(&batch.tiles, batch.inputs, scores, &mut errors)?;
        combiner.combine(scores, &errors, model.evidence(&batch.columns, &batch.coded)?.as_deref());
        Ok(())
    })?;
    Ok(named("score", worked.numbers, worked.missing.as_ref()))
}

/// Makes a column of numbers, with nulls where `missing` holds.
fn named(name: &'static str, numbers: Vec<f32>, missing: Option<&BooleanChunked>) -> Float32Chunked {
    let validity = missing.map(|missing| missing.iter().map(|missing| missing != Some(true)).collect());
    Float32Chunked::from_vec_validity(PlSmallStr::from_static(name), numbers, validity)
}
