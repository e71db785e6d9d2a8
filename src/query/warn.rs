//! Warnings of queries.

use polars::prelude::polars_warn;

/// Warns the user. Python's warnings end at a zero byte and refuse text with one, which a key may
/// have.
pub fn warn(message: &str) {
    polars_warn!("{}", message.replace('\0', "\\0"));
}
