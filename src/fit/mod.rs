//! Fits: the recipe, what members are trained on, and the choice among options that are given as lists.

mod balanced;
mod deck;
mod distil;
mod feature_bagging;
mod fixed;
mod kept_rows;
mod recipe;
mod selection;
mod smote;
mod start;
mod student_rows;
mod training_rows;
mod training_set;
mod uniform;
mod warnings;

pub use recipe::fit_sample;
pub use recipe::{check_size, fit_with_labels, Fitted};
pub use selection::{fit_best, fit_best_sample};
pub use start::Start;
pub use warnings::{of_table as warnings_of_table, Subject, Warning};

use polars::prelude::PolarsResult;

use crate::engine::Device;
use crate::pool;

/// What `work` makes of each item on a device: side by side on the CPU, in turn on a GPU, which has one queue.
pub fn side_by_side<T: Send, U: Send>(
    device: Device,
    items: Vec<T>,
    work: impl Fn(T) -> PolarsResult<U> + Send + Sync,
) -> PolarsResult<Vec<U>> {
    match device {
        Device::Cpu => pool::map(items, work),
        Device::Cuda(_) => items.into_iter().map(work).collect(),
    }
}
