//! libtorch as an engine, for GPUs: in a library of its own, which is opened when a call needs it.
//!
//! The plugin has no link to libtorch. The engine's library (the crate in `torch-engine/`) has, and is reached over the C functions of
//! [`interface`]. Scaled rows, weights and gradients go over it as plain numbers.

mod epoch;
#[allow(dead_code, reason = "the engine uses the other half")]
mod interface;
mod library;
mod material;
mod network;
mod precision;
mod train;

#[cfg(test)]
mod tests;

pub use library::{set_locator, start_cuda, Location};
pub use network::Network;
pub use precision::Precision;
pub use train::{train, train_together};
