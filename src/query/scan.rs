//! A table that comes in batches: what a fit needs of it, in bounded memory.

use polars::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::data::{Columns, Counting, Totals};
use crate::options::Missing;

/// Counts and extremes of all rows, and a sample of them: all, while there are no more than `sample`.
///
/// A row is in the sample if the hash of its number is among the lowest. So it is uniform and does not depend on the batches. A hash
/// of its contents would take all rows that are equal, or none of them: of a table of a few categories, a sample that is no picture.
pub struct Scan {
    sample: usize,
    seed: u64,
    counting: Option<Counting>,
    /// Rows that may be in the sample, in their order, and the hash of each
    kept: Vec<Series>,
    hashes: Vec<u64>,
    /// Rows with a higher hash are not in the sample
    highest: u64,
}

impl Scan {
    pub fn new(sample: usize, seed: u64) -> Self {
        Self { sample, seed, counting: None, kept: vec![], hashes: vec![], highest: u64::MAX }
    }

    /// The number of rows so far.
    pub fn rows(&self) -> usize {
        self.counting.as_ref().map_or(0, Counting::rows)
    }

    /// Takes a batch: the call's input, and the features in it. Rows that a fit can't use are left out.
    pub fn add(&mut self, input: &Series, features: &Columns, missing: Missing) -> PolarsResult<()> {
        let usable = features.usable_rows(missing)?;
        let first = self.rows() as u64;
        let counting = self.counting.get_or_insert_with(|| Counting::new(features.features()));
        counting.add(&features.filter(&usable)?)?;
        let rows = usable.iter().enumerate().filter(|(_, usable)| **usable).map(|(row, _)| row as IdxSize);
        let mut taken: Vec<IdxSize> = vec![];
        for (at, row) in rows.enumerate() {
            let hash = xxh3_64_with_seed(&(first + at as u64).to_le_bytes(), self.seed);
            if hash <= self.highest {
                taken.push(row);
                self.hashes.push(hash);
            }
        }
        if !taken.is_empty() {
            self.kept.push(input.take(&IdxCa::from_vec(PlSmallStr::EMPTY, taken))?);
        }
        if self.hashes.len() > 2 * self.sample {
            self.prune()?;
        }
        Ok(())
    }

    /// Leaves the `sample` rows with the lowest hashes.
    fn prune(&mut self) -> PolarsResult<()> {
        if self.hashes.len() <= self.sample {
            return Ok(());
        }
        let mut sorted = self.hashes.clone();
        self.highest = *sorted.select_nth_unstable(self.sample.max(1) - 1).1;
        let rows: Vec<IdxSize> =
            (0..self.hashes.len()).filter(|row| self.hashes[*row] <= self.highest).map(|row| row as IdxSize).collect();
        self.hashes.retain(|hash| *hash <= self.highest);
        let kept = self.joined()?.take(&IdxCa::from_vec(PlSmallStr::EMPTY, rows))?;
        self.kept = vec![kept];
        Ok(())
    }

    fn joined(&mut self) -> PolarsResult<Series> {
        let mut parts = std::mem::take(&mut self.kept).into_iter();
        let mut all = parts.next().ok_or_else(no_rows)?;
        parts.try_for_each(|part| all.append_owned(part).map(drop))?;
        Ok(all.rechunk())
    }

    /// The sample, and the totals of all rows if it is not all of them.
    pub fn finish(&mut self) -> PolarsResult<(Series, Option<Totals>)> {
        self.prune()?;
        let totals = self.counting.take().ok_or_else(no_rows)?.totals();
        let sample = self.joined()?;
        Ok((sample, (totals.rows > self.sample).then_some(totals)))
    }
}

fn no_rows() -> PolarsError {
    polars_err!(NoData: "anorand: the fit needs at least 2 rows, got none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(cuts: &[usize], seed: u64) -> (Series, Option<Totals>) {
        let input = Series::new("x".into(), (0..1_000).map(f64::from).collect::<Vec<_>>());
        let mut scan = Scan::new(100, seed);
        for cut in cuts.windows(2) {
            let part = input.slice(cut[0] as i64, cut[1] - cut[0]);
            scan.add(&part, &Columns::from_series(&part).unwrap(), Missing::Indicator).unwrap();
        }
        scan.finish().unwrap()
    }

    #[test]
    fn the_sample_does_not_depend_on_the_batches() {
        let (whole, totals) = sampled(&[0, 1_000], 1);
        assert_eq!((whole.len(), totals.as_ref().unwrap().rows), (100, 1_000));
        for cuts in [vec![0, 1, 999, 1_000], (0..=1_000).collect(), vec![0, 500, 500, 1_000]] {
            let (sample, others) = sampled(&cuts, 1);
            assert_eq!((&sample, &others), (&whole, &totals));
        }
        assert_ne!(sampled(&[0, 1_000], 2).0, whole);
    }

    #[test]
    fn a_small_table_is_all_there() {
        let (sample, totals) = sampled(&[0, 30, 100], 1);
        assert_eq!((sample.len(), totals), (100, None));
    }
}
