//! Data as the networks take it: which columns are features, what is missing, labels, and scaled
//! rows.

mod columns;
mod content_order;
mod counts;
mod encode;
mod feature;
mod ids;
mod labels;
mod matching;
mod missing_values;
mod row_text;

pub use columns::Columns;
pub use counts::{Counting, FeatureTotals, Totals, MOST_ROWS};
#[cfg(test)]
pub use encode::Cycle;
pub use encode::{
    encoders, Encoder, Encoding, FeatureStatistics, Frequencies, Input, Inputs, Rare, Scaling, NORMAL_IQR, QUANTILES,
};
pub use feature::{feature_fields, Feature, Kind};
pub use ids::{words_are_ids, Counted, Numbering};
pub use labels::Labels;
pub use row_text::value_text;
