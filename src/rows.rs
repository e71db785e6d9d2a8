//! Rows as a model's networks take them, chunk by chunk: for the verbs that ask libtorch.

use polars::prelude::*;
use tch::{Device, Kind, TchError, Tensor};

use crate::columns::Columns;
use crate::model::Model;
use crate::options::Missing;
use crate::threads;

/// Some rows of a model's features, in its order.
pub struct ScaledRows {
    /// `[rows, features]`
    pub numbers: Vec<f32>,
    pub count: usize,
    /// Which rows have a missing value
    pub incomplete: Vec<bool>,
}

impl ScaledRows {
    fn of(model: &Model, columns: &Columns) -> PolarsResult<Self> {
        let count = columns.rows();
        let mut rows =
            Self { numbers: vec![0.0; count * columns.features().len()], count, incomplete: vec![false; count] };
        model.scale_into(columns, 1, &mut rows.numbers, &mut rows.incomplete)?;
        Ok(rows)
    }

    /// `[rows, features]`, on a device.
    pub fn tensor(&self, device: Device) -> Result<Tensor, TchError> {
        let size = [self.count as i64, (self.numbers.len() / self.count.max(1)) as i64];
        Tensor::f_from_slice(&self.numbers)?.f_view(size)?.f_to_device(device)
    }
}

/// What `work` makes of the rows, and which rows are to be null, if any.
pub struct Worked<T> {
    pub chunks: Vec<T>,
    pub missing: Option<BooleanChunked>,
}

/// `work` on every `chunk` rows, on the plugin's threads, unless the device is a GPU.
///
/// A row with a missing value has the training medians in its place, and is to be null unless the model imputes.
pub fn by_chunk<T: Send>(
    model: &Model,
    columns: &Columns,
    chunk: usize,
    device: Device,
    work: impl Fn(&ScaledRows) -> PolarsResult<T> + Sync,
) -> PolarsResult<Worked<T>> {
    let columns = model.matched(columns)?;
    let of_chunk = |start: usize| {
        let rows = ScaledRows::of(model, &columns.slice(start, chunk.min(columns.rows() - start)))?;
        Ok((work(&rows)?, rows.incomplete))
    };
    let starts: Vec<usize> = (0..columns.rows()).step_by(chunk).collect();
    let worked: Vec<(T, Vec<bool>)> = threads::map_on(device, starts, of_chunk)?;
    let (chunks, incomplete): (Vec<T>, Vec<Vec<bool>>) = worked.into_iter().unzip();
    let nulls =
        model.metadata().options.missing == Missing::Null && incomplete.iter().flatten().any(|incomplete| *incomplete);
    let missing = nulls.then(|| incomplete.into_iter().flatten().map(Some).collect());
    Ok(Worked { chunks, missing })
}

/// A tensor's numbers, row by row.
pub fn numbers(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let tensor = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut numbers = vec![0f32; tensor.numel()];
    let count = numbers.len();
    tensor.f_copy_data(&mut numbers, count)?;
    Ok(numbers)
}
