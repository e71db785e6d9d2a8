//! The training rows that a model keeps, and how far a row is from the nearest of them.

mod asinh;
mod codes;
mod draws;
mod fit;
mod index;
mod index_search;
mod kept_rows;
mod log_odds;
mod nearest;
mod partition;
mod tensors;
mod view;

pub use asinh::Asinh;
pub use fit::{keep, Kept};
pub use kept_rows::{Comparison, KeptRows, Placed};
pub use log_odds::{LogOdds, LOG_ODDS_KNOTS};
pub use view::{Transform, ViewKind};
