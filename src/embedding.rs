//! The latent (z0, z1) of eq. 1: where the networks see a row.
//!
//! Members of a fleet know nothing of each other's axes, so that a mean of their latents would mean nothing: they stand one
//! after the other.

use polars::prelude::*;
use tch::Device;

use crate::columns::Columns;
use crate::libtorch::{torch_error, SingleThread};
use crate::model::Model;
use crate::rows;

/// Rows at a time.
const CHUNK: usize = 1_024;

pub struct Embedded {
    /// `[rows, members × (last hidden + latent)]`, row by row
    pub numbers: Vec<f32>,
    /// Which rows are null, if any
    pub missing: Option<BooleanChunked>,
}

/// The latent of every row.
pub fn embed(model: &Model, columns: &Columns, device: Device) -> PolarsResult<Embedded> {
    let network = model.network().to_device(device)?;
    let worked = rows::by_chunk(model, columns, CHUNK, device, |rows| {
        let _one = SingleThread::enter();
        let latent = rows.tensor(device).and_then(|x| network.latent(&x));
        latent.and_then(|latent| rows::numbers(&latent)).map_err(torch_error)
    })?;
    Ok(Embedded { numbers: worked.chunks.concat(), missing: worked.missing })
}
