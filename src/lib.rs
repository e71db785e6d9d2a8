//! AnoRand anomaly detection for Polars: an autoencoder (AE) and a noise-detection MLP (ND),
//! trained jointly on rows that are taken as normal plus synthetic anomalies made from a few of
//! them.
//!
//! ```text
//! plugin → query → {fit, device} → scoring → model → {neighbours, combiner} → {data, engine}
//!   → pool → {job, memory, options, robust, simd, tensors}
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
//! let model = fit(&columns, None, &options, Device::Cpu)?.model;
//! let scores = score(&model, &columns, Device::Cpu)?;
//! assert_eq!(scores.len(), 5);
//! # Ok(())
//! # }
//! ```

// What a Rust program can reach, it can also name. PyO3 makes classes reachable that are no part of
// that.
#![cfg_attr(not(feature = "python"), warn(unnameable_types))]
// User data reaches every path: a panic would be an error without its reason.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable, clippy::todo)
)]
// A Rust program uses only some of what the plugin's border does.
#![cfg_attr(not(feature = "python"), allow(dead_code, unused_imports))]

mod cells;
mod combiner;
mod data;
mod device;
mod engine;
mod fit;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod job;
mod memory;
mod model;
mod neighbours;
mod options;
mod pool;
mod query;
mod robust;
mod scoring;
mod simd;
mod tensors;

#[cfg(feature = "python")]
mod plugin;

pub use data::{Columns, Feature, Kind, Labels, Numbering};
pub use engine::{Checkpoint, Device, Losses};
pub use fit::{fit_with_labels as fit, Fitted, Subject, Warning};
pub use model::{Distilled, LabelCounts, Metadata, Model, Report};
pub use options::{
    Combination, Encode, Missing, Noise, Options, Preset, ScalingKind, Schedule, Temporal, UncheckedOptions,
};
pub use scoring::score;

/// Polars and the plugin share one allocator, so that either can free what the other made.
#[cfg(feature = "python")]
#[global_allocator]
static ALLOCATOR: pyo3_polars::PolarsAllocator = pyo3_polars::PolarsAllocator::new();
