//! The model as a file: what it holds, how it is read and written, and what can be wrong with it.

mod atomic_file;
mod cache;
mod codec;
mod faults;
mod metadata;
mod table;

pub use atomic_file::Destination;
pub(crate) use atomic_file::Unwritable;
pub use cache::{from_bytes, from_path};
pub use metadata::{check_writable, Distilled, LabelCounts, Metadata, Report, VocabularySizes, FORMAT};
