//! Memory whose size comes from options, data or a file: an error where there is too little of it, not an abort.
//!
//! Vectors that are no larger than one column of the data, and those that a constant bounds (a tile of rows), are allocated
//! without it: they are small beside what is there already. Polars' own columns are Polars' to allocate.
//!
//! An operating system may promise more memory than it has, as Linux does within limits, and end a process that then uses it.
//! What is asked for in vain here is what exceeds the machine, its container or its `ulimit`.

use ndarray::Array2;
use polars::prelude::{polars_err, PolarsError, PolarsResult};

/// `count` zeros, for `what` as the error calls it.
pub fn zeros<T: Clone + Default>(count: usize, what: &str) -> PolarsResult<Vec<T>> {
    let mut numbers = reserved(count, what)?;
    numbers.resize(count, T::default());
    Ok(numbers)
}

/// An empty vector with room for `count` items.
pub fn reserved<T>(count: usize, what: &str) -> PolarsResult<Vec<T>> {
    let mut items = Vec::new();
    items.try_reserve_exact(count).map_err(|_| too_large(count.saturating_mul(size_of::<T>()), what))?;
    Ok(items)
}

/// The items that an iterator says it has.
pub fn collected<T>(items: impl ExactSizeIterator<Item = T>, what: &str) -> PolarsResult<Vec<T>> {
    let mut all = reserved(items.len(), what)?;
    all.extend(items);
    Ok(all)
}

/// Room for `count` more items; growing step by step stays linear in time.
pub fn reserve<T>(items: &mut Vec<T>, count: usize, what: &str) -> PolarsResult<()> {
    let all = items.len().saturating_add(count).saturating_mul(size_of::<T>());
    items.try_reserve(count).map_err(|_| too_large(all, what))
}

/// An error where there is no room for so many bytes, which are then allocated piece by piece.
pub fn check_room(bytes: usize, what: &str) -> PolarsResult<()> {
    reserved::<u8>(bytes, what).map(drop)
}

/// A matrix of zeros.
pub fn matrix(rows: usize, columns: usize, what: &str) -> PolarsResult<Array2<f32>> {
    let numbers = zeros(rows.saturating_mul(columns), what)?;
    Array2::from_shape_vec((rows, columns), numbers)
        .map_err(|error| polars_err!(ComputeError: "anorand: {what} have another shape: {error}"))
}

fn too_large(bytes: usize, what: &str) -> PolarsError {
    polars_err!(ComputeError:
        "anorand: {what} need {:.1} GiB of memory, which this machine does not have: ask for fewer members, narrower layers \
         (hidden, latent) or smaller batches (batch_size), or take fewer rows at a time", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_can_be_is_an_error() {
        for count in [usize::MAX, usize::MAX / 8, 1 << 55] {
            let message = zeros::<f32>(count, "the embeddings").unwrap_err().to_string();
            assert!(message.contains("the embeddings need") && message.contains("fewer members"), "{message}");
        }
        assert_eq!(zeros::<u8>(3, "a few").unwrap(), [0; 3]);
    }
}
