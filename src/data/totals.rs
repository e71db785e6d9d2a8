//! What is known of all rows of a table of which a fit has a sample: counts and extremes, so that what is rare is not taken for what
//! was never seen.

use polars::prelude::*;

use super::categories::Frequencies;
use super::columns::Columns;
use super::feature::{Feature, Kind};
use super::statistics::{FeatureStatistics, QUANTILES};

/// Of all rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Totals {
    pub rows: usize,
    /// Of each feature
    pub features: Vec<FeatureTotals>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FeatureTotals {
    pub missing: usize,
    /// The lowest and the highest value; None for a category, and where there is no value
    pub range: Option<[f64; 2]>,
    /// Of a category
    pub frequencies: Option<Frequencies>,
}

impl Totals {
    /// With the rows of another table with the same features.
    pub fn plus(&self, other: &Self) -> Self {
        let both = |(a, b): (&FeatureTotals, &FeatureTotals)| FeatureTotals {
            missing: a.missing + b.missing,
            range: match (a.range, b.range) {
                (Some(a), Some(b)) => Some([a[0].min(b[0]), a[1].max(b[1])]),
                (a, b) => a.or(b),
            },
            frequencies: match (&a.frequencies, &b.frequencies) {
                (Some(a), Some(b)) => Some(a.plus(b)),
                (a, b) => a.clone().or_else(|| b.clone()),
            },
        };
        Self { rows: self.rows + other.rows, features: self.features.iter().zip(&other.features).map(both).collect() }
    }

    pub fn frequencies(&self) -> Vec<Option<Frequencies>> {
        self.features.iter().map(|feature| feature.frequencies.clone()).collect()
    }

    /// Statistics of a sample, with the counts and the extremes of all rows.
    pub fn complete(&self, statistics: &mut [FeatureStatistics]) {
        for (of, total) in statistics.iter_mut().zip(&self.features) {
            let known = self.rows - total.missing;
            // The sample's shares of all rows.
            let of_all = |count: u64| (count as f64 / of.known.max(1) as f64 * known as f64).round() as u64;
            of.at_most = of.at_most.map(of_all);
            (of.known, of.missing) = (known, total.missing);
            if let Some([low, high]) = total.range {
                (of.low, of.high) = (low, high);
                if low < of.quantiles[0] {
                    of.at_most[0] = 1;
                }
                of.at_most[QUANTILES - 1] = known as u64;
                (of.quantiles[0], of.quantiles[QUANTILES - 1]) = (low, high);
            }
        }
    }
}

/// Totals in the making, batch by batch, in any order and of any size.
pub struct Counting {
    features: Vec<Feature>,
    rows: usize,
    counted: Vec<Counted>,
}

struct Counted {
    missing: usize,
    range: [f64; 2],
    /// Of a category: each value and its rows
    values: PlHashMap<String, u64>,
}

impl Counted {
    fn add_text(&mut self, value: Option<&str>) {
        let Some(value) = value else {
            self.missing += 1;
            return;
        };
        match self.values.get_mut(value) {
            Some(count) => *count += 1,
            None => drop(self.values.insert(value.to_string(), 1)),
        }
    }

    fn add_number(&mut self, number: f64) {
        if number.is_nan() {
            self.missing += 1;
        } else {
            self.range = [self.range[0].min(number), self.range[1].max(number)];
        }
    }
}

impl Counting {
    pub fn new(features: &[Feature]) -> Self {
        let none = || Counted { missing: 0, range: [f64::INFINITY, f64::NEG_INFINITY], values: PlHashMap::new() };
        Self { features: features.to_vec(), rows: 0, counted: features.iter().map(|_| none()).collect() }
    }

    /// Counts the rows of a batch, whose columns are the features in their order.
    pub fn add(&mut self, batch: &Columns) -> PolarsResult<()> {
        Self::add_each(std::slice::from_mut(self), |_| 0, batch)
    }

    /// Counts each row of a batch where `place` says.
    pub fn add_each(all: &mut [Self], place: impl Fn(usize) -> usize, batch: &Columns) -> PolarsResult<()> {
        let mut numbers = vec![];
        for j in 0..batch.features().len() {
            if let Some(text) = batch.text(j)? {
                for (row, value) in text.str()?.iter().enumerate() {
                    all[place(row)].counted[j].add_text(value);
                }
                continue;
            }
            batch.read(j, &mut numbers)?;
            for (row, number) in numbers.iter().enumerate() {
                all[place(row)].counted[j].add_number(*number);
            }
        }
        (0..batch.rows()).for_each(|row| all[place(row)].rows += 1);
        Ok(())
    }

    pub fn totals(self) -> Totals {
        let of = |(feature, counted): (&Feature, Counted)| FeatureTotals {
            missing: counted.missing,
            range: (counted.range[0] <= counted.range[1]).then_some(counted.range),
            frequencies: (feature.kind == Kind::Category).then(|| Frequencies::of_counts(counted.values)),
        };
        let features = self.features.iter().zip(self.counted).map(of).collect();
        Totals { rows: self.rows, features }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_come_to_what_the_whole_table_has() {
        let frame = df!(
            "x" => [Some(3.0), None, Some(-1.0), Some(f64::NAN), Some(7.5)],
            "c" => [Some("a"), Some("b"), None, Some("a"), Some("c")],
            "none" => [None::<f64>; 5]
        )
        .unwrap();
        let whole = Columns::from_frame(&frame).unwrap();
        for cuts in [vec![0, 5], vec![0, 1, 1, 4, 5], vec![0, 1, 2, 3, 4, 5]] {
            let mut counting = Counting::new(whole.features());
            cuts.windows(2).for_each(|cut| counting.add(&whole.slice(cut[0], cut[1] - cut[0])).unwrap());
            let Totals { rows, features } = counting.totals();
            assert_eq!(rows, 5);
            assert_eq!(features.iter().map(|feature| feature.missing).collect::<Vec<_>>(), [2, 1, 5]);
            assert_eq!(features[0].range, Some([-1.0, 7.5]));
            assert_eq!(features[1].frequencies, whole.frequencies().unwrap()[1]);
            assert_eq!((features[1].range, features[2].range), (None, None));
        }
    }

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
            counting.totals()
        };
        for cut in 0..=4 {
            assert_eq!(totals(0, cut).plus(&totals(cut, 4 - cut)), totals(0, 4));
        }
    }
}
