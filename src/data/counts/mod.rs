//! Counts and extremes of all rows of a table, where a fit sees a sample of them.

mod counting;
mod spilled;
mod totals;

pub use counting::Counting;
pub use totals::{FeatureTotals, Totals, MOST_ROWS};
