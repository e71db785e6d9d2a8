//! Rows → heads → score, in blocks that fit the cache, on as many threads as Polars has.

use ndarray::{ArrayView2, Axis};
use polars::prelude::*;
use tch::{Device, TchError};

use crate::columns::Columns;
use crate::combination::Heads;
use crate::fused::{self, FusedNetwork};
use crate::libtorch::{self, torch_error, SingleThread};
use crate::model::Model;
use crate::network::Network;
use crate::options::Missing;
use crate::threads;

/// Rows that go through libtorch at a time on the CPU: their activations stay in the cache.
const CPU_BLOCK: usize = 1_024;
/// Rows that one thread takes at a time on the CPU: few enough for the cache to keep them from column to score. On a GPU the
/// threads' chunks follow each other, so that one is scaled while another is computed.
const CHUNK: usize = 4_096;

/// What computes the heads. Both take scaled rows in tiles, `[tiles, features, tile]`; libtorch's tiles are single rows.
enum Engine<'a> {
    Fused { network: &'a FusedNetwork, tile: usize },
    Libtorch(&'a Network),
}

impl<'a> Engine<'a> {
    /// For the network's device, from the network and the same one laid out for the CPU.
    fn of(network: &'a Network, fused: &'a FusedNetwork) -> Self {
        match (network.device(), fused::tile_rows()) {
            (Device::Cpu, Some(tile)) => Self::Fused { network: fused, tile },
            _ => Self::Libtorch(network),
        }
    }

    fn tile(&self) -> usize {
        match self {
            Self::Fused { tile, .. } => *tile,
            Self::Libtorch(_) => 1,
        }
    }

    fn heads_into(
        &self,
        tiles: &[f32],
        features: usize,
        logits: &mut [f32],
        errors: &mut [f32],
    ) -> Result<(), TchError> {
        match self {
            Self::Fused { network, .. } => {
                fused::heads_into(network, tiles, features, logits, errors);
                Ok(())
            }
            Self::Libtorch(network) => libtorch_heads_into(network, tiles, features, logits, errors),
        }
    }
}

/// Both heads of scaled rows, from a network and the same one laid out for the CPU.
pub fn heads(network: &Network, fused: &FusedNetwork, rows: ArrayView2<f32>) -> PolarsResult<Heads> {
    let engine = Engine::of(network, fused);
    let mut heads = Heads { logit: vec![0.0; rows.nrows()], error: vec![0.0; rows.nrows()] };
    let chunk = network.rows_at_a_time(CHUNK);
    let outputs = heads.logit.chunks_mut(chunk).zip(heads.error.chunks_mut(chunk));
    let chunks = rows.axis_chunks_iter(Axis(0), chunk).zip(outputs).collect();
    threads::map(chunks, |(rows, (logit, error))| {
        engine.heads_into(&fused::tiled(rows, engine.tile()), rows.ncols(), logit, error).map_err(torch_error)
    })?;
    Ok(heads)
}

/// The same on the caller's thread, for a few rows: to the bit what a score is made of.
pub fn heads_of_few(
    network: &Network,
    fused: &FusedNetwork,
    rows: ArrayView2<f32>,
) -> Result<Vec<(f32, f32)>, TchError> {
    let engine = Engine::of(network, fused);
    let (mut logits, mut errors) = (vec![0.0; rows.nrows()], vec![0.0; rows.nrows()]);
    engine.heads_into(&fused::tiled(rows, engine.tile()), rows.ncols(), &mut logits, &mut errors)?;
    Ok(logits.into_iter().zip(errors).collect())
}

/// The anomaly score of every row; null for a row with a missing value, unless the model imputes or refuses such rows.
pub fn score(model: &Model, columns: &Columns, device: Device) -> PolarsResult<Float32Chunked> {
    let columns = model.matched(columns)?;
    let mut scores = vec![0f32; columns.rows()];
    let mut incomplete = vec![false; columns.rows()];
    let on_gpu;
    let network = match device {
        Device::Cpu => model.network(),
        gpu => {
            on_gpu = model.network().to_device(gpu)?;
            &on_gpu
        }
    };
    let engine = Engine::of(network, model.fused());
    let chunk = network.rows_at_a_time(CHUNK);
    let chunks = scores.chunks_mut(chunk).zip(incomplete.chunks_mut(chunk)).enumerate().collect();
    threads::map(chunks, |(at, (scores, incomplete))| {
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
    let mut tiles = vec![0f32; columns.rows().div_ceil(tile) * tile * features];
    model.scale_into(columns, tile, &mut tiles, incomplete)?;
    let mut errors = vec![0f32; columns.rows()];
    engine.heads_into(&tiles, features, scores, &mut errors).map_err(torch_error)?;
    let combiner = &model.metadata().combiner;
    for (score, error) in scores.iter_mut().zip(&errors) {
        *score = combiner.score(*score, *error);
    }
    Ok(())
}

/// Both heads of scaled rows (`rows`, row by row), block by block.
fn libtorch_heads_into(
    network: &Network,
    rows: &[f32],
    features: usize,
    logits: &mut [f32],
    errors: &mut [f32],
) -> Result<(), TchError> {
    let _one = SingleThread::enter();
    libtorch::in_blocks(logits.len(), network.rows_at_a_time(CPU_BLOCK), |range| {
        let (logit, error) = network.heads(&libtorch::rows_on(network.device(), rows, features, range.clone())?)?;
        libtorch::numbers_into(&logit, &mut logits[range.clone()])?;
        libtorch::numbers_into(&error, &mut errors[range])
    })
}
