//! The latent (z0, z1) of eq. 1: where the networks see a row.
//!
//! Members of an ensemble know nothing of each other's axes, so that a mean of their latents would
//! mean nothing: they stand one after the other.

use polars::prelude::*;

use crate::data::Columns;
use crate::engine::{Device, Engine};
use crate::model::Model;

use super::batches::{by_batch, Worked};

/// Rows at a time on the CPU.
const CHUNK: usize = 1_024;

/// The latent of every row: `members × (last hidden + latent)` numbers.
pub fn embed(model: &Model, columns: &Columns, device: Device) -> PolarsResult<Worked> {
    let numbers = (model.embedding_width(), "the embeddings");
    let engine = Engine::open(model.weights(), device)?;
    by_batch(model, columns, &engine, CHUNK, numbers, |batch, out| engine.latents_into(&batch.tiles, batch.inputs, out))
}
