//! Rows as a model's networks take them, batch by batch, on the plugin's threads.

use polars::prelude::*;

use crate::data::Columns;
use crate::engine::Engine;
use crate::job::{self, Unit};
use crate::memory::zeros;
use crate::model::Model;
use crate::options::Missing;
use crate::pool;

/// What a verb made of each row.
pub struct Worked<T = f32> {
    /// The rows' items, row by row
    pub numbers: Vec<T>,
    /// Which rows are to be null, if any
    pub missing: Option<BooleanChunked>,
}

/// Rows, coded, and scaled in tiles, `[tiles, inputs, tile]`, the last one padded.
pub struct Batch {
    /// Matched with the model
    pub columns: Columns,
    pub coded: Columns,
    pub tiles: Vec<f32>,
    pub tile: usize,
    pub inputs: usize,
    pub rows: usize,
}

/// What `work` makes of scaled rows on an engine of the model: `width` items for each row, into its
/// part of them.
///
/// The rows come in batches, on the plugin's threads: `on_cpu` rows, or enough to keep a GPU busy.
/// A row with a missing value has the reference in its place, and is to be null where the model
/// says so. `what` names the items in an error.
pub fn by_batch<T: Clone + Default + Send>(
    model: &Model,
    columns: &Columns,
    engine: &Engine,
    on_cpu: usize,
    (width, what): (usize, &str),
    work: impl Fn(&Batch, &mut [T]) -> PolarsResult<()> + Sync,
) -> PolarsResult<Worked<T>> {
    let columns = model.align(columns)?;
    let (rows, inputs) = (columns.rows(), model.inputs().count());
    let mut numbers: Vec<T> = zeros(rows.saturating_mul(width), what)?;
    let mut incomplete = vec![false; rows];
    let (size, tile) = (engine.rows_at_a_time(on_cpu), engine.tile());
    let parts = numbers.chunks_mut(size * width.max(1)).zip(incomplete.chunks_mut(size)).enumerate().collect();
    pool::map(parts, |(at, (numbers, incomplete))| {
        let rows = incomplete.len();
        let mut tiles = zeros(rows.div_ceil(tile) * tile * inputs, "the rows")?;
        let columns = columns.slice(at * size, rows);
        let coded = model.coded(&columns)?;
        model.scale_into(&coded, tile, &mut tiles, incomplete)?;
        work(&Batch { columns, coded, tiles, tile, inputs, rows }, numbers)?;
        job::advance(Unit::Rows, rows);
        Ok(())
    })?;
    let nulls = model.metadata().options.missing == Missing::Null && incomplete.contains(&true);
    let missing = nulls.then(|| incomplete.iter().map(|row| Some(*row)).collect());
    Ok(Worked { numbers, missing })
}
