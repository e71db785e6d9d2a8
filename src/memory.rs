//! Memory whose size comes from options, data or a file: an error where there is too little of it, not an abort.

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

fn too_large(bytes: usize, what: &str) -> PolarsError {
    polars_err!(ComputeError:
        "anorand: {what} need {:.1} GiB of memory, which this machine does not have: ask for fewer members or narrower layers \
         (hidden, latent), or take fewer rows at a time", bytes as f64 / f64::from(1 << 30))
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
