//! AnoRand anomaly detection for Polars: an autoencoder (AE) and a noise-detection MLP (ND), trained jointly on rows that
//! are taken as normal plus synthetic anomalies made from a few of them.
//!
//! ```text
//! expressions → apply ─┬→ fit → columns → scaling → synthetic → training → network
//!                      └→ store → model → scoring → columns
//! ```
//!
//! Rust programs use it without Python:
//!
//! ```
//! use polars::prelude::*;
//! use polars_anorand::{fit, score, Columns, Device, Options, Preset};
//!
//! # fn main() -> PolarsResult<()> {
//! let frame = df!("x" => [1.0, 1.1, 0.9, 1.0, 9.0], "y" => [2.0, 2.1, 1.9, 2.0, 7.0])?;
//! let columns = Columns::from_frame(&frame)?;
//! let options = Options { epochs: 1, min_steps: 0, ..Options::preset(Preset::Default) };
//! let model = fit(&columns, &options, Device::Cpu)?;
//! let scores = score(&model, &columns, Device::Cpu)?;
//! assert_eq!(scores.len(), 5);
//! # Ok(())
//! # }
//! ```

// User data reaches every path: a panic would be an error without its reason.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable, clippy::todo)
)]

pub mod adam;
pub mod categories;
pub mod columns;
pub mod combination;
pub mod cost;
pub mod cuda;
pub mod device;
pub mod embedding;
pub mod explanation;
pub mod fit;
pub mod fused;
pub mod groups;
pub mod labels;
pub mod libtorch;
pub mod model;
pub mod network;
pub mod options;
pub mod precision;
pub mod rows;
pub mod scaling;
pub mod scoring;
pub mod selection;
pub mod shape;
pub mod sketch;
pub mod store;
pub mod summary;
pub mod synthetic;
pub mod threads;
pub mod training;
pub mod verbs;

pub mod apply;
#[cfg(feature = "python")]
mod plugin;

pub use columns::Columns;
pub use fit::{fit, fit_with_labels};
pub use labels::Labels;
pub use model::Model;
pub use options::{Encode, Missing, Options, Preset, UncheckedOptions};
pub use scoring::score;
pub use selection::fit_best;
pub use tch::Device;

/// Polars and the plugin share one allocator, so that either can free what the other made.
#[cfg(feature = "python")]
#[global_allocator]
static ALLOCATOR: pyo3_polars::PolarsAllocator = pyo3_polars::PolarsAllocator::new();
