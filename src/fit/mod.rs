//! Fits: the recipe, what members are trained on, and the choice among options that are given as lists.

mod batches;
mod distil;
mod feature_bagging;
mod finish;
mod prepared;
mod recipe;
mod selection;
mod start;
mod task;
mod training_rows;
mod warnings;

pub use prepared::check_size;
pub use recipe::fit_with_labels;
pub use selection::{fit_best, fit_best_of_each, Choice};
pub use start::Start;
pub use task::{Fitted, Given};
pub use warnings::{of_table as warnings_of_table, Subject, Warning};

use polars::prelude::{polars_bail, PolarsResult};

/// What `work` makes of those items that are no errors, of each its own, beside the item; the others keep their errors.
pub fn beside<T, U>(
    items: Vec<PolarsResult<T>>,
    work: impl FnOnce(Vec<&T>) -> PolarsResult<Vec<PolarsResult<U>>>,
) -> PolarsResult<Vec<PolarsResult<(T, U)>>> {
    let mut made = work(items.iter().flatten().collect())?.into_iter();
    let beside = |item: PolarsResult<T>| {
        let item = item?;
        let Some(made) = made.next() else { polars_bail!(ComputeError: "anorand: nothing was made of an item") };
        Ok((item, made?))
    };
    Ok(items.into_iter().map(beside).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stay_in_their_places() {
        let bad = |what: &'static str| -> PolarsResult<i32> { polars_bail!(ComputeError: "{what}") };
        let items = vec![Ok(1), bad("first"), Ok(2), Ok(3)];
        let double = |item: &i32| if *item == 2 { bad("second") } else { Ok(2 * item) };
        let made = beside(items, |items| Ok(items.into_iter().map(double).collect())).unwrap();
        let made: Vec<_> = made.into_iter().map(|made| made.map_err(|error| error.to_string())).collect();
        assert_eq!(made, [Ok((1, 2)), Err("first".to_string()), Err("second".to_string()), Ok((3, 6))]);
        assert!(beside(vec![Ok(1)], |_| Ok(Vec::<PolarsResult<i32>>::new())).unwrap()[0].is_err());
    }
}
