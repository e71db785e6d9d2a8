//! Tables that come in batches: each call of the plugin adds one to what Python holds as a `Scan`.

mod gathered;
mod handle;

pub use gathered::gathered;
pub use handle::PyScan;
