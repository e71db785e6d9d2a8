//! What a feature's values become for the networks: codes, log-frequencies, places in a calendar,
//! and scaled numbers.

mod bins;
pub mod calendar;
pub mod categories;
pub mod coded;
pub mod inputs;
pub mod scaled;
pub mod scaling;
pub mod statistics;

#[cfg(test)]
pub use calendar::Cycle;
pub use categories::{encoders, Encoder, Frequencies, Rare};
pub use inputs::{Input, Inputs};
pub use scaled::Encoding;
pub use scaling::Scaling;
pub use statistics::{FeatureStatistics, NORMAL_IQR, QUANTILES};
