//! All that Polars and Python can call.

mod expressions;
mod ffi;
mod kwargs;
mod module;
