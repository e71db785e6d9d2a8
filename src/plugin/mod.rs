//! All that Polars and Python can call.

mod expressions;
mod ffi;
mod interrupt;
mod kwargs;
mod module;
mod progress;
mod scan;
