//! The latent (z0, z1) of eq. 1: where the networks see a row.
//!
//! Members of a fleet know nothing of each other's axes, so that a mean of their latents would mean nothing: they stand one
//! after the other.

use polars::prelude::*;
use tch::Device;

use crate::columns::Columns;
use crate::model::Model;
use crate::rows::{self, Worked};

/// Rows at a time on the CPU.
const CHUNK: usize = 1_024;

/// The latent of every row: `members × (last hidden + latent)` numbers.
pub fn embed(model: &Model, columns: &Columns, device: Device) -> PolarsResult<Worked> {
    rows::by_chunk(model, columns, CHUNK, device, |network, x| network.latent(x))
}
