//! Data as the networks take it: which columns are features, what is missing, labels, and scaled rows.

mod calendar;
mod categories;
mod classes;
mod columns;
mod content_order;
mod counting;
mod curve;
mod drift;
mod feature;
mod ids;
mod inputs;
mod labels;
mod missing_values;
mod mixing;
mod novelties;
mod row_text;
mod scaling;
mod statistics;
mod surprisal;
mod tail;
mod totals;
mod within;

#[cfg(test)]
pub use calendar::Cycle;
pub use calendar::CLASSES as CALENDAR_CLASSES;
pub use categories::{encoders, Encoder, Frequencies, Rare};
pub use columns::{Columns, Encoding};
pub use counting::Counting;
pub use curve::Curve;
pub use drift::{FeatureDrift, TrainingValues};
pub use feature::{feature_fields, Feature, Kind};
pub use ids::{words_are_ids, Counted, Numbering};
#[cfg(test)]
pub use inputs::Input;
pub use inputs::Inputs;
pub use labels::Labels;
pub use row_text::value_text;
pub use scaling::Scaling;
pub use statistics::{FeatureStatistics, NORMAL_IQR, QUANTILES};
pub use surprisal::{Earlier, OfValue, Surprisal, Surprisals, Surprise};
pub use tail::Tail;
pub use totals::{FeatureTotals, Totals, MOST_ROWS};
pub use within::Within;
