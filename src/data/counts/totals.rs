//! Says what is known of all rows of a table when a fit has a sample: counts and extremes, so that
//! what is rare is not taken for what was never seen.

use polars::prelude::PlHashMap;

use crate::data::encode::categories::Frequencies;
use crate::data::encode::statistics::{FeatureStatistics, QUANTILES};
use crate::data::feature::Feature;

/// More training rows than any table has. Numbers of rows up to here, from a file or from another
/// process, have sums that no integer is too small for.
pub const MOST_ROWS: usize = 1 << 48;

/// Counts and extremes of all rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Totals {
    pub rows: usize,
    /// The totals of each feature
    pub features: Vec<FeatureTotals>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FeatureTotals {
    pub missing: usize,
    /// The lowest and the highest value; None for a category, and where there is no value
    pub range: Option<[f64; 2]>,
    /// The frequencies of a category's values
    pub frequencies: Option<Frequencies>,
}

impl Totals {
    /// Puts the totals, which are of `features`, in the order of `wanted`, matched by name, as
    /// columns are.
    pub fn align_to(&self, features: &[Feature], wanted: &[Feature]) -> Self {
        let names = features.iter().map(|feature| feature.name.as_str());
        let by_name: PlHashMap<&str, &FeatureTotals> = names.zip(&self.features).collect();
        let found = wanted.iter().filter_map(|feature| by_name.get(feature.name.as_str()).copied().cloned());
        Self { rows: self.rows, features: found.collect() }
    }

    /// Adds the rows of another table with the same features. Sums saturate, beyond [`MOST_ROWS`]:
    /// a model with such a number is refused.
    pub fn plus(&self, other: &Self) -> Self {
        let both = |(a, b): (&FeatureTotals, &FeatureTotals)| FeatureTotals {
            missing: a.missing.saturating_add(b.missing),
            range: match (a.range, b.range) {
                (Some(a), Some(b)) => Some([a[0].min(b[0]), a[1].max(b[1])]),
                (a, b) => a.or(b),
            },
            frequencies: match (&a.frequencies, &b.frequencies) {
                (Some(a), Some(b)) => Some(a.plus(b)),
                (a, b) => a.clone().or_else(|| b.clone()),
            },
        };
        let rows = self.rows.saturating_add(other.rows);
        Self { rows, features: self.features.iter().zip(&other.features).map(both).collect() }
    }

    pub fn frequencies(&self) -> Vec<Option<Frequencies>> {
        self.features.iter().map(|feature| feature.frequencies.clone()).collect()
    }

    /// Statistics of a sample, with the counts and the extremes of all rows. Of a feature without a
    /// value in the sample, an earlier model's quantiles are what is known, or else the extremes of
    /// all rows.
    pub fn complete(&self, statistics: &mut [FeatureStatistics], earlier: Option<&[[f64; QUANTILES]]>) {
        for (at, (feature, total)) in statistics.iter_mut().zip(&self.features).enumerate() {
            if let (0, Some(mut range)) = (feature.known, total.range) {
                *feature = match earlier {
                    Some(earlier) => FeatureStatistics::from_values(&mut earlier[at].clone(), true),
                    None => FeatureStatistics::from_values(&mut range, true),
                };
            }
            let known = self.rows.saturating_sub(total.missing);
            // The sample's shares of all rows.
            let scaled_up = |count: u64| (count as f64 / feature.known.max(1) as f64 * known as f64).round() as u64;
            feature.at_most = feature.at_most.map(scaled_up);
            (feature.known, feature.missing) = (known, total.missing);
            if let Some([low, high]) = total.range {
                (feature.low, feature.high) = (low, high);
                if low < feature.quantiles[0] {
                    feature.at_most[0] = 1;
                }
                feature.at_most[QUANTILES - 1] = known as u64;
                (feature.quantiles[0], feature.quantiles[QUANTILES - 1]) = (low, high);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use crate::data::columns::Columns;
    use crate::data::counts::counting::Counting;

    #[test]
    fn two_tables_come_to_what_one_of_all_rows_has() {
        let frame = df!(
            "x" => [Some(3.0), None, Some(-1.0), Some(7.5)],
            "c" => [Some("a"), Some("b"), Some("a"), Some("c")],
            "none" => [None, None, Some(1.0), None]
        )
        .unwrap();
        let whole = Columns::from_frame(&frame).unwrap();
        let totals = |from: usize, rows: usize| {
            let mut counting = Counting::new(whole.features());
            counting.add(&whole.slice(from, rows)).unwrap();
            counting.totals().unwrap()
        };
        for cut in 0..=4 {
            assert_eq!(totals(0, cut).plus(&totals(cut, 4 - cut)), totals(0, 4));
        }
    }

    #[test]
    fn totals_are_matched_by_name() {
        let frame = df!("x" => [Some(3.0), None], "c" => ["a", "b"], "y" => [1, 2]).unwrap();
        let totals = |columns: &Columns| {
            let mut counting = Counting::new(columns.features());
            counting.add(columns).unwrap();
            counting.totals().unwrap()
        };
        let given = Columns::from_frame(&frame).unwrap();
        let other = Columns::from_frame(&frame.select(["y", "x", "c"]).unwrap()).unwrap();
        assert_ne!(totals(&given), totals(&other));
        assert_eq!(totals(&given).align_to(given.features(), other.features()), totals(&other));
    }
}
