//! Rows → heads → score, in blocks that fit the cache, on as many threads as Polars has.

use ndarray::{ArrayView2, Axis};
use polars::prelude::*;
use tch::{Device, Kind, TchError, Tensor};

use crate::columns::Columns;
use crate::combination::Heads;
use crate::fused::{self, FusedNetwork};
use crate::libtorch::{torch_error, SingleThread};
use crate::model::Model;
use crate::network::Network;
use crate::options::Missing;
use crate::threads;

/// Rows that go through libtorch at a time: their activations stay in the CPU's cache.
const CPU_BLOCK: usize = 1_024;
/// A GPU wants many rows a call.
const GPU_BLOCK: usize = 65_536;
/// Rows that one thread takes at a time: few enough for the cache to keep them from column to score.
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

    fn heads_into(&self, tiles: &[f32], features: usize, logits: &mut [f32], errors: &mut [f32]) -> PolarsResult<()> {
        match self {
            Self::Fused { network, .. } => {
                fused::heads_into(network, tiles, features, logits, errors);
                Ok(())
            }
            Self::Libtorch(network) => {
                libtorch_heads_into(network, tiles, features, logits, errors).map_err(torch_error)
            }
        }
    }
}

/// Both heads of scaled rows, from a network and the same one laid out for the CPU.
pub fn heads(network: &Network, fused: &FusedNetwork, rows: ArrayView2<f32>) -> PolarsResult<Heads> {
    let engine = Engine::of(network, fused);
    let mut heads = Heads { logit: vec![0.0; rows.nrows()], error: vec![0.0; rows.nrows()] };
    let chunk = chunk_rows(network.device(), rows.nrows());
    let outputs = heads.logit.chunks_mut(chunk).zip(heads.error.chunks_mut(chunk));
    let chunks = rows.axis_chunks_iter(Axis(0), chunk).zip(outputs).collect();
    threads::map(chunks, |(rows, (logit, error))| {
        engine.heads_into(&fused::tiled(rows, engine.tile()), rows.ncols(), logit, error)
    })?;
    Ok(heads)
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
    let chunk = chunk_rows(device, columns.rows());
    let chunks = scores.chunks_mut(chunk).zip(incomplete.chunks_mut(chunk)).enumerate().collect();
    threads::map(chunks, |(at, (scores, incomplete))| {
        score_chunk(model, &engine, &columns.slice(at * chunk, scores.len()), scores, incomplete)
    })?;
    let nulls = model.metadata().options.missing == Missing::Null && incomplete.contains(&true);
    let validity = nulls.then(|| incomplete.iter().map(|incomplete| !incomplete).collect());
    Ok(Float32Chunked::from_vec_validity(PlSmallStr::from_static("score"), scores, validity))
}

/// Rows that are one thread's at a time; on a GPU all of them, since it wants many rows a call and has one queue.
fn chunk_rows(device: Device, rows: usize) -> usize {
    if device == Device::Cpu {
        CHUNK
    } else {
        rows.max(1)
    }
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
    engine.heads_into(&tiles, features, scores, &mut errors)?;
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
    let block = if network.device() == Device::Cpu { CPU_BLOCK } else { GPU_BLOCK };
    let blocks = rows.chunks(block * features).zip(logits.chunks_mut(block)).zip(errors.chunks_mut(block));
    for ((rows, logits), errors) in blocks {
        let size = [logits.len() as i64, features as i64];
        // SAFETY: the slice has exactly these numbers, in this layout, and outlives the tensor, which lives in this
        // iteration; the network only reads it.
        let x = unsafe { Tensor::f_from_blob(rows.as_ptr().cast(), &size, &[size[1], 1], Kind::Float, Device::Cpu)? };
        let (logit, error) = network.heads(&x.f_to_device(network.device())?)?;
        for (head, out) in [(logit, logits), (error, errors)] {
            let count = out.len();
            head.f_to_device(Device::Cpu)?.f_copy_data(out, count)?;
        }
    }
    Ok(())
}
