//! The scan itself: takes batches, counts all rows, and samples some of them.

use polars::prelude::*;

use super::gathered::{Gathered, Sampled};
use super::sample::{joined, Sample};
use crate::data::{Columns, Counting};
use crate::options::Missing;

/// Counts and extremes of all rows and a sample of them, for the whole table or for each group.
pub struct Scan {
    pub(super) groups: Vec<Group>,
    /// The counts of each group
    pub(super) counting: Vec<Counting>,
    sample: Sample,
    /// The first row of each group, in the order in which they came
    first_rows: Vec<Series>,
}

/// What the fit of a group asks of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gathering {
    pub missing: Missing,
    /// The seed by which its sample is drawn
    pub seed: u64,
    /// Whether it goes on from a model, which may have seen some of its rows
    pub goes_on: bool,
}

/// What is known of a group, apart from its counts.
#[derive(Clone, Copy)]
pub(super) struct Group {
    how: Gathering,
    pub(super) given: usize,
    pub(super) usable: usize,
    /// The place of its first row among all first rows, once there is one
    first_row: Option<usize>,
}

impl Group {
    pub(super) fn new(how: Gathering) -> Self {
        Self { how, given: 0, usable: 0, first_row: None }
    }
}

/// The rows of a batch, by what the scan does with them.
#[derive(Default)]
struct Sorted {
    /// Rows that may be in a sample
    sampled: Vec<IdxSize>,
    /// Rows that are the first of their group
    first: Vec<IdxSize>,
    /// Whether each row is counted
    is_counted: Vec<bool>,
}

impl Scan {
    /// An empty scan with samples of that size; of size 0, rows are only counted.
    pub fn new(sample: usize) -> Self {
        Self { groups: vec![], counting: vec![], sample: Sample::new(sample), first_rows: vec![] }
    }

    /// The number of rows so far that a fit can use.
    pub fn rows(&self) -> usize {
        self.groups.iter().map(|group| group.usable).sum()
    }

    /// The number of rows so far, those that a fit can't use among them.
    pub fn given(&self) -> usize {
        self.groups.iter().map(|group| group.given).sum()
    }

    /// The number of rows of a group so far that a fit can use.
    pub fn usable(&self, group: usize) -> usize {
        self.groups.get(group).map_or(0, |group| group.usable)
    }

    /// Whether it keeps no rows.
    pub fn only_counts(&self) -> bool {
        self.sample.size() == 0
    }

    /// The numbers of the groups whose sample is not all of their rows.
    pub fn larger(&self) -> Vec<u32> {
        let larger = self.groups.iter().enumerate().filter(|(_, group)| self.is_sampled(group));
        larger.map(|(number, _)| number as u32).collect()
    }

    fn is_sampled(&self, group: &Group) -> bool {
        group.usable > self.sample.size()
    }

    /// Takes a batch. `input` is what the call got, `features` the features in it, `group_of` the
    /// number of each row's group if there are groups, and `replayed` says which rows the model
    /// that its fit goes on from has seen. Of rows that a fit can't use, only their number is kept.
    /// `how` is asked once for each group.
    pub fn add(
        &mut self,
        input: &Series,
        features: &Columns,
        group_of: Option<&[u32]>,
        replayed: Option<&[bool]>,
        how: impl Fn(usize) -> PolarsResult<Gathering>,
    ) -> PolarsResult<()> {
        let group_of = |row: usize| group_of.map_or(0, |groups| groups[row]) as usize;
        let groups = (0..features.rows()).map(group_of).max().map_or(0, |last| last + 1);
        for group in self.groups.len()..groups {
            self.groups.push(Group::new(how(group)?));
            self.counting.push(Counting::new(features.features()));
            self.sample.add_group();
        }
        let usable = self.usable_rows(features, group_of)?;
        let Sorted { sampled, first, is_counted } = self.sort(&usable, replayed, group_of);
        let counted: Vec<usize> = (0..is_counted.len()).filter(|row| is_counted[*row]).map(group_of).collect();
        Counting::add_each(&mut self.counting, |row| counted[row], &features.filter(&is_counted)?)?;
        if !first.is_empty() {
            self.first_rows.push(input.take(&IdxCa::from_vec(PlSmallStr::EMPTY, first))?);
        }
        self.sample.add(input, sampled)
    }

    /// Says what is done with each row of a batch.
    fn sort(&mut self, usable: &[bool], replayed: Option<&[bool]>, group_of: impl Fn(usize) -> usize) -> Sorted {
        let known: usize = self.first_rows.iter().map(|rows| rows.len()).sum();
        let mut sorted = Sorted { is_counted: usable.to_vec(), ..Sorted::default() };
        for (row, usable) in usable.iter().enumerate() {
            let number = group_of(row);
            let group = &mut self.groups[number];
            group.given += 1;
            if group.first_row.is_none() {
                group.first_row = Some(known + sorted.first.len());
                sorted.first.push(row as IdxSize);
            }
            if !usable {
                continue;
            }
            if self.sample.takes(number, group.usable, group.how.seed) {
                sorted.sampled.push(row as IdxSize);
            }
            group.usable += 1;
            // The model that the fit goes on from has counted the replayed rows.
            sorted.is_counted[row] = !(group.how.goes_on && replayed.is_some_and(|replayed| replayed[row]));
        }
        sorted
    }

    /// Which rows of a batch the fits of their groups can use.
    fn usable_rows(&self, features: &Columns, group_of: impl Fn(usize) -> usize) -> PolarsResult<Vec<bool>> {
        let missing: Vec<Missing> = (0..features.rows()).map(|row| self.groups[group_of(row)].how.missing).collect();
        match missing.first() {
            None => Ok(vec![]),
            Some(first) if missing.iter().all(|other| other == first) => features.usable_rows(*first),
            Some(_) => {
                let mut usable = vec![true; missing.len()];
                for policy in [Missing::Null, Missing::Error] {
                    let has_policy: Vec<bool> = missing.iter().map(|missing| *missing == policy).collect();
                    let found = features.filter(&has_policy)?.usable_rows(policy)?;
                    let rows = usable.iter_mut().zip(&has_policy).filter(|(_, has_policy)| **has_policy);
                    rows.zip(found).for_each(|((usable, _), found)| *usable = found);
                }
                Ok(usable)
            }
        }
    }

    /// The samples, and the totals of those groups whose sample is not all of their rows.
    pub fn finish(&mut self) -> PolarsResult<Gathered> {
        let (rows, places) = self.sample.finish()?;
        let first_rows = joined(&mut self.first_rows)?;
        // Where no row can be used, there still is a table without rows.
        let rows = rows.unwrap_or_else(|| first_rows.clear());
        let counting = std::mem::take(&mut self.counting);
        let groups = self.groups.iter().zip(counting).zip(places).map(|((group, counting), rows)| {
            let totals = self.is_sampled(group).then(|| counting.totals()).transpose()?;
            Ok(Sampled { rows, given: group.given, usable: group.usable, totals })
        });
        let groups = groups.collect::<PolarsResult<_>>()?;
        let firsts: Vec<IdxSize> =
            self.groups.iter().filter_map(|group| group.first_row.map(|at| at as IdxSize)).collect();
        let first_rows = first_rows.take(&IdxCa::from_vec(PlSmallStr::EMPTY, firsts))?;
        Ok(Gathered { rows, groups, first_rows })
    }
}
