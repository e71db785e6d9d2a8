//! Rows as a model's networks take them, chunk by chunk, for all that libtorch does to them.

use polars::prelude::*;
use tch::{Device, TchError, Tensor};

use crate::columns::Columns;
use crate::libtorch::{self, numbers, torch_error, SingleThread};
use crate::model::Model;
use crate::network::Network;
use crate::options::Missing;
use crate::threads;

/// What a verb made of each row.
pub struct Worked {
    /// The rows' numbers, row by row
    pub numbers: Vec<f32>,
    /// Which rows are to be null, if any
    pub missing: Option<BooleanChunked>,
}

/// What `work` makes of scaled rows `[rows, features]` on a device, in the same number of numbers for each row.
///
/// The rows come in chunks, on the plugin's threads: `cpu_chunk` rows, or as many as a GPU likes, whose memory may ask for
/// fewer. A row with a missing value has the training medians in its place, and is to be null unless the model imputes.
pub fn by_chunk(
    model: &Model,
    columns: &Columns,
    cpu_chunk: usize,
    device: Device,
    work: impl Fn(&Network, &Tensor) -> Result<Tensor, TchError> + Sync,
) -> PolarsResult<Worked> {
    let columns = model.matched(columns)?;
    let network = model.network().to_device(device)?;
    let chunk = network.rows_at_a_time(cpu_chunk);
    let of_chunk = |start: usize| {
        let rows = columns.slice(start, chunk.min(columns.rows() - start));
        let mut scaled = vec![0f32; rows.rows() * rows.features().len()];
        let mut incomplete = vec![false; rows.rows()];
        model.scale_into(&rows, 1, &mut scaled, &mut incomplete)?;
        let mut worked = Vec::new();
        let _one = SingleThread::enter();
        libtorch::in_blocks(rows.rows(), chunk, |block| {
            let x = libtorch::rows_on(device, &scaled, rows.features().len(), block)?;
            worked.extend(numbers(&work(&network, &x)?)?);
            Ok(())
        })
        .map_err(torch_error)?;
        Ok((worked, incomplete))
    };
    let starts: Vec<usize> = (0..columns.rows()).step_by(chunk).collect();
    let chunks: Vec<(Vec<f32>, Vec<bool>)> = threads::map(starts, of_chunk)?;
    let nulls = model.metadata().options.missing == Missing::Null
        && chunks.iter().any(|(_, incomplete)| incomplete.contains(&true));
    let missing =
        nulls.then(|| chunks.iter().flat_map(|(_, incomplete)| incomplete.iter().map(|row| Some(*row))).collect());
    Ok(Worked { numbers: chunks.into_iter().flat_map(|(numbers, _)| numbers).collect(), missing })
}
