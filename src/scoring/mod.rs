//! Rows → heads → score, latents and explanations, in blocks that fit the cache, on the plugin's threads.

mod batches;
mod embedding;
mod explanation;

pub use embedding::embed;
pub use explanation::{explain, STEPS};

use ndarray::{ArrayView2, Axis};
use polars::prelude::*;

use crate::data::Columns;
use crate::engine::{tiled, Device, Engine, Weights};
use crate::memory::zeros;
use crate::model::{Heads, Model};
use crate::options::Missing;
use crate::pool;

/// Rows that one thread takes at a time on the CPU: few enough for the cache to keep them from column to score. On a GPU the
/// threads' chunks follow each other, so that one is scaled while another is computed.
const CHUNK: usize = 4_096;

/// Both heads of scaled rows.
pub fn heads(weights: &Weights, rows: ArrayView2<f32>, device: Device) -> PolarsResult<Heads> {
    let engine = Engine::open(weights, device)?;
    let room = || zeros(rows.nrows(), "the heads");
    let mut heads = Heads { logit: room()?, error: room()? };
    let chunk = engine.rows_at_a_time(CHUNK);
    let outputs = heads.logit.chunks_mut(chunk).zip(heads.error.chunks_mut(chunk));
    let chunks = rows.axis_chunks_iter(Axis(0), chunk).zip(outputs).collect();
    pool::map(chunks, |(rows, (logit, error))| {
        engine.heads_into(&tiled(rows, engine.tile())?, rows.ncols(), logit, error)
    })?;
    Ok(heads)
}

/// The anomaly score of every row; null for a row with a missing value, unless the model imputes or refuses such rows.
pub fn score(model: &Model, columns: &Columns, device: Device) -> PolarsResult<Float32Chunked> {
    let columns = model.align(columns)?;
    let mut scores: Vec<f32> = zeros(columns.rows(), "the scores")?;
    let mut incomplete = vec![false; columns.rows()];
    let engine = Engine::open(model.weights(), device)?;
    let chunk = engine.rows_at_a_time(CHUNK);
    let chunks = scores.chunks_mut(chunk).zip(incomplete.chunks_mut(chunk)).enumerate().collect();
    pool::map(chunks, |(at, (scores, incomplete))| {
        score_chunk(model, &engine, &columns.slice(at * chunk, scores.len()), scores, incomplete)
    })?;
    let nulls = model.metadata().options.missing == Missing::Null && incomplete.contains(&true);
    let validity = nulls.then(|| incomplete.iter().map(|incomplete| !incomplete).collect());
    Ok(Float32Chunked::from_vec_validity(PlSmallStr::from_static("score"), scores, validity))
}

fn score_chunk(
    model: &Model,
    engine: &Engine,
    columns: &Columns,
    scores: &mut [f32],
    incomplete: &mut [bool],
) -> PolarsResult<()> {
    let (features, tile) = (model.metadata().features.len(), engine.tile());
    let mut tiles: Vec<f32> = zeros(columns.rows().div_ceil(tile) * tile * features, "the rows")?;
    model.scale_into(columns, tile, &mut tiles, incomplete)?;
    let mut errors = vec![0f32; columns.rows()];
    engine.heads_into(&tiles, features, scores, &mut errors)?;
    let combiner = &model.metadata().combiner;
    for (score, error) in scores.iter_mut().zip(&errors) {
        *score = combiner.score(*score, *error);
    }
    Ok(())
}
