//! A uniform sample of the rows of each group, drawn while they come.

use polars::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Keeps `size` rows of each group, or all while there are no more.
///
/// A row is in the sample if the hash of its number in its group is among the lowest. So the sample
/// is uniform and does not depend on the batches. A hash of the row's contents would take all rows
/// that are equal, or none of them: the sample of a table of a few categories would look like no
/// part of it.
pub struct Sample {
    size: usize,
    /// For each group, the hash above which a row is not in the sample
    highest: Vec<u64>,
    /// Rows that may be in a sample, in the order in which they came
    rows: Vec<Series>,
    /// The group and the hash of each of them
    hashes: Vec<(u32, u64)>,
    /// The number of rows after they were pruned last
    pruned: usize,
}

impl Sample {
    /// An empty sample; of size 0, it takes no rows.
    pub fn new(size: usize) -> Self {
        Self { size, highest: vec![], rows: vec![], hashes: vec![], pruned: 0 }
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// Makes room for another group, whose number is the number of groups before it.
    pub fn add_group(&mut self) {
        self.highest.push(u64::MAX);
    }

    /// Decides on the row with this number in its group; a row that is taken must be among those
    /// that [`add`](Self::add) gets next, in the same order.
    pub fn takes(&mut self, group: usize, number: usize, seed: u64) -> bool {
        let hash = xxh3_64_with_seed(&(number as u64).to_le_bytes(), seed);
        let taken = self.size > 0 && hash <= self.highest[group];
        if taken {
            self.hashes.push((group as u32, hash));
        }
        taken
    }

    /// Adds the rows of `input` that were taken.
    pub fn add(&mut self, input: &Series, taken: Vec<IdxSize>) -> PolarsResult<()> {
        if !taken.is_empty() {
            self.rows.push(input.take(&IdxCa::from_vec(PlSmallStr::EMPTY, taken))?);
        }
        if self.hashes.len() > 2 * self.pruned.max(self.size) {
            self.prune()?;
        }
        Ok(())
    }

    /// Leaves the `size` rows of each group with the lowest hashes.
    fn prune(&mut self) -> PolarsResult<()> {
        let mut hashes: Vec<Vec<u64>> = vec![vec![]; self.highest.len()];
        self.hashes.iter().for_each(|(group, hash)| hashes[*group as usize].push(*hash));
        let full = hashes.iter_mut().zip(&mut self.highest).filter(|(hashes, _)| hashes.len() > self.size);
        full.for_each(|(hashes, highest)| *highest = *hashes.select_nth_unstable(self.size.max(1) - 1).1);
        let is_kept = |(group, hash): &(u32, u64)| *hash <= self.highest[*group as usize];
        let places = self.hashes.iter().enumerate().filter(|(_, hashed)| is_kept(hashed));
        let rows: Vec<IdxSize> = places.map(|(place, _)| place as IdxSize).collect();
        if rows.len() < self.hashes.len() {
            self.hashes.retain(is_kept);
            let kept = joined(&mut self.rows)?.take(&IdxCa::from_vec(PlSmallStr::EMPTY, rows))?;
            self.rows = vec![kept];
        }
        self.pruned = self.hashes.len();
        Ok(())
    }

    /// The sampled rows, None if there are none, and the places of each group's rows among them.
    pub fn finish(&mut self) -> PolarsResult<(Option<Series>, Vec<Vec<IdxSize>>)> {
        self.prune()?;
        let rows = if self.rows.is_empty() { None } else { Some(joined(&mut self.rows)?) };
        let mut places: Vec<Vec<IdxSize>> = vec![vec![]; self.highest.len()];
        let groups = self.hashes.iter().enumerate();
        groups.for_each(|(row, (group, _))| places[*group as usize].push(row as IdxSize));
        Ok((rows, places))
    }
}

/// Joins the parts to one series, and leaves none.
///
/// # Errors
/// `NoData` if there are none.
pub fn joined(parts: &mut Vec<Series>) -> PolarsResult<Series> {
    let mut parts = std::mem::take(parts).into_iter();
    let no_rows = || polars_err!(NoData: "anorand: the fit needs at least 2 rows, got none");
    let mut all = parts.next().ok_or_else(no_rows)?;
    parts.try_for_each(|part| all.append_owned(part).map(drop))?;
    Ok(all.rechunk())
}
