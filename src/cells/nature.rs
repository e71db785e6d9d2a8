//! What a column is, and what its values mean.

use serde::{Deserialize, Serialize};

/// What the values of a column mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    Category,
    Number,
    /// Days since 1970-01-01, with a part of a day where there is a time.
    Date,
    /// Hours since midnight.
    Clock,
}

/// What a column is, as a model's metadata say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nature {
    pub meaning: Meaning,
    /// Whether most rows have values that several rows have.
    pub is_discrete: bool,
    /// Whether most rows have a value of their own.
    pub is_free_text: bool,
    /// Whether dates such as 3/5/2021 have the day first.
    pub is_day_first: bool,
    /// Whether the column has several hours of the day.
    pub has_hours: bool,
}
