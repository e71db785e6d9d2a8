//! All that Polars and Python can call.

mod calls;
mod ffi;
mod interrupt;
mod kwargs;
mod module;
mod progress;
mod scan;
