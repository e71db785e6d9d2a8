//! A table that comes in batches: what a fit needs of it, or of each of its groups, in bounded
//! memory.

mod counts;
mod gathered;
mod gathering;
mod sample;
#[cfg(test)]
mod tests;

pub use gathered::{Gathered, Sampled};
pub use gathering::{Gathering, Scan};
