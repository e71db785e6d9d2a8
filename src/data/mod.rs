//! Data as the networks take it: which columns are features, what is missing, labels, and scaled rows.

mod categories;
mod columns;
mod content_order;
mod feature;
mod ids;
mod labels;
mod missing_values;
mod row_text;
mod scaling;
mod statistics;

pub use categories::{encoders, Encoder, Frequencies, Rare};
pub use columns::Columns;
pub use feature::{feature_fields, Feature, Kind};
pub use ids::Numbering;
pub use labels::Labels;
pub use scaling::Scaling;
