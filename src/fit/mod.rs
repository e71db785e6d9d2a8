//! Fits a model on rows.
//!
//! `recipe.rs` has the three steps of a fit: `prepared.rs` is all that comes before the training,
//! the engine trains, and `finish.rs` is all that comes after it. `start.rs` merges what an earlier
//! model knows (`init=`, `replay=`), `loss_weight.rs` chooses among several values of
//! `loss_weight`, `classify/` trains networks that learn labels alone, and `streams.rs` numbers the random streams. `findings.rs` fits nothing but the cells.

mod batches;
mod classify;
mod distil;
mod feature_bagging;
mod findings;
mod finish;
mod loss_weight;
mod prepared;
mod recipe;
mod start;
mod streams;
mod task;
mod training_rows;
mod warnings;

pub(crate) use findings::findings;
pub use loss_weight::{fit_choices, Choice};
pub use prepared::check_size;
pub use recipe::fit_with_labels;
pub use start::Start;
pub use task::{Fitted, Given};
pub use warnings::{table_warnings, Subject, Warning};
#[cfg(test)]
pub use {recipe::fit, task::Fit};

use polars::prelude::{polars_bail, PolarsResult};

/// Applies `work` to the Ok items, all of them at once, and pairs each item with its result.
///
/// Each error keeps its place. Returns `Err` only if `work` fails as a whole.
pub fn try_map_ok<T, U>(
    items: Vec<PolarsResult<T>>,
    work: impl FnOnce(Vec<&T>) -> PolarsResult<Vec<PolarsResult<U>>>,
) -> PolarsResult<Vec<PolarsResult<(T, U)>>> {
    let mut results = work(items.iter().flatten().collect())?.into_iter();
    let pair = |item: PolarsResult<T>| {
        let item = item?;
        let Some(result) = results.next() else { polars_bail!(ComputeError: "anorand: nothing was made of an item") };
        Ok((item, result?))
    };
    Ok(items.into_iter().map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stay_in_their_places() {
        let bad = |what: &'static str| -> PolarsResult<i32> { polars_bail!(ComputeError: "{what}") };
        let items = vec![Ok(1), bad("first"), Ok(2), Ok(3)];
        let double = |item: &i32| if *item == 2 { bad("second") } else { Ok(2 * item) };
        let made = try_map_ok(items, |items| Ok(items.into_iter().map(double).collect())).unwrap();
        let made: Vec<_> = made.into_iter().map(|made| made.map_err(|error| error.to_string())).collect();
        assert_eq!(made, [Ok((1, 2)), Err("first".to_string()), Err("second".to_string()), Ok((3, 6))]);
        assert!(try_map_ok(vec![Ok(1)], |_| Ok(Vec::<PolarsResult<i32>>::new())).unwrap()[0].is_err());
    }
}
