//! A table that comes in batches: what a fit needs of it, or one of each of its groups, in bounded memory.

use polars::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::data::{Columns, Counting, Feature, Totals};
use crate::options::Missing;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Counts and extremes of all rows, and a sample of them: all, while there are no more than `sample`. Of each group, if there are some.
///
/// A row is in the sample if the hash of its number in its group is among the lowest. So it is uniform and does not depend on the batches.
/// A hash of its contents would take all rows that are equal, or none of them: of a table of a few categories, a sample that is no picture.
pub struct Scan {
    /// 0: rows are only counted
    sample: usize,
    groups: Vec<Group>,
    counting: Vec<Counting>,
    /// Of each group the first row, in the order in which they came
    first_rows: Vec<Series>,
    /// Rows that may be in a sample, in their order; of each its group and its hash
    kept: Vec<Series>,
    hashes: Vec<(u32, u64)>,
    /// The number of rows after they were pruned last
    pruned: usize,
}

/// What the fit of a group asks of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gathering {
    pub missing: Missing,
    /// By which its sample is drawn
    pub seed: u64,
    /// Whether it goes on from a model, which may have seen some of its rows
    pub goes_on: bool,
}

/// What is known of a group beside its counts.
#[derive(Clone, Copy)]
struct Group {
    how: Gathering,
    given: usize,
    usable: usize,
    /// Rows with a higher hash are not in the sample
    highest: u64,
    /// Where its first row is, once there is one
    first_row: Option<usize>,
}

impl Group {
    fn new(how: Gathering) -> Self {
        Self { how, given: 0, usable: 0, highest: u64::MAX, first_row: None }
    }
}

/// What a process has counted of a table without groups, or a part of it, for another process.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    /// Of this crate
    version: String,
    given: u64,
    counting: Counting,
}

/// The samples of all groups, one after the other or mixed.
pub struct Gathered {
    pub rows: Series,
    pub groups: Vec<Sampled>,
    /// The first row of each group, usable or not
    pub first_rows: Series,
}

/// The sample of a group.
pub struct Sampled {
    /// Which of the rows are its
    pub rows: Vec<IdxSize>,
    /// The number of its rows in the table, and of those that a fit can use
    pub given: usize,
    pub usable: usize,
    /// Of all its usable rows but those that are replayed, if the sample is not all of them
    pub totals: Option<Totals>,
}

impl Scan {
    pub fn new(sample: usize) -> Self {
        let (groups, counting, first_rows, kept, hashes) = (vec![], vec![], vec![], vec![], vec![]);
        Self { sample, groups, counting, first_rows, kept, hashes, pruned: 0 }
    }

    /// The number of rows so far that a fit can use.
    pub fn rows(&self) -> usize {
        self.groups.iter().map(|group| group.usable).sum()
    }

    /// Takes a batch: the call's input, the features in it, the number of each row's group, if there are some, and which rows the model that
    /// its fit goes on from has seen. Of rows that a fit can't use, there is no more than their number. `how` is asked for each group that is new.
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
        }

        let usable = self.usable_rows(features, group_of)?;
        let mut new = usable.clone();
        let known: usize = self.first_rows.iter().map(|rows| rows.len()).sum();
        let (mut taken, mut first, mut counted): (Vec<IdxSize>, Vec<IdxSize>, Vec<usize>) = (vec![], vec![], vec![]);
        for (row, usable) in usable.iter().enumerate() {
            let number = group_of(row);
            let group = &mut self.groups[number];
            group.given += 1;
            if group.first_row.is_none() {
                group.first_row = Some(known + first.len());
                first.push(row as IdxSize);
            }
            if !usable {
                continue;
            }
            let hash = xxh3_64_with_seed(&(group.usable as u64).to_le_bytes(), group.how.seed);
            group.usable += 1;
            // The model has counted it.
            new[row] = !(group.how.goes_on && replayed.is_some_and(|replayed| replayed[row]));
            if new[row] {
                counted.push(number);
            }
            if hash <= group.highest && self.sample > 0 {
                taken.push(row as IdxSize);
                self.hashes.push((number as u32, hash));
            }
        }
        Counting::add_each(&mut self.counting, |row| counted[row], &features.filter(&new)?)?;
        for (rows, kept) in [(taken, &mut self.kept), (first, &mut self.first_rows)] {
            if !rows.is_empty() {
                kept.push(input.take(&IdxCa::from_vec(PlSmallStr::EMPTY, rows))?);
            }
        }
        if self.hashes.len() > 2 * self.pruned.max(self.sample) {
            self.prune()?;
        }
        Ok(())
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
                    let of_policy: Vec<bool> = missing.iter().map(|missing| *missing == policy).collect();
                    let found = features.filter(&of_policy)?.usable_rows(policy)?;
                    let rows = usable.iter_mut().zip(&of_policy).filter(|(_, is_one)| **is_one);
                    rows.zip(found).for_each(|((usable, _), found)| *usable = found);
                }
                Ok(usable)
            }
        }
    }

    /// Leaves the `sample` rows of each group with the lowest hashes.
    fn prune(&mut self) -> PolarsResult<()> {
        let mut of_groups: Vec<Vec<u64>> = vec![vec![]; self.groups.len()];
        self.hashes.iter().for_each(|(group, hash)| of_groups[*group as usize].push(*hash));
        let full = of_groups.iter_mut().zip(&mut self.groups).filter(|(hashes, _)| hashes.len() > self.sample);
        full.for_each(|(hashes, group)| group.highest = *hashes.select_nth_unstable(self.sample.max(1) - 1).1);
        let is_kept = |(group, hash): &(u32, u64)| *hash <= self.groups[*group as usize].highest;
        let places = self.hashes.iter().enumerate().filter(|(_, hashed)| is_kept(hashed));
        let rows: Vec<IdxSize> = places.map(|(place, _)| place as IdxSize).collect();
        if rows.len() < self.hashes.len() {
            self.hashes.retain(is_kept);
            let kept = joined(&mut self.kept)?.take(&IdxCa::from_vec(PlSmallStr::EMPTY, rows))?;
            self.kept = vec![kept];
        }
        self.pruned = self.hashes.len();
        Ok(())
    }

    /// The samples, and the totals of those groups of which they are not all rows.
    pub fn finish(&mut self) -> PolarsResult<Gathered> {
        self.prune()?;
        let first_rows = joined(&mut self.first_rows)?;
        // Where no row can be used, there still is a table without rows.
        let rows = if self.kept.is_empty() { first_rows.clear() } else { joined(&mut self.kept)? };
        let mut rows_of: Vec<Vec<IdxSize>> = vec![vec![]; self.groups.len()];
        let groups_of_rows = self.hashes.iter().enumerate();
        groups_of_rows.for_each(|(row, (group, _))| rows_of[*group as usize].push(row as IdxSize));
        let all = self.groups.iter().zip(self.counting.drain(..)).zip(rows_of);
        let groups = all.map(|((group, counting), rows)| {
            let totals = (group.usable > self.sample).then(|| counting.totals()).transpose()?;
            Ok(Sampled { rows, given: group.given, usable: group.usable, totals })
        });
        let groups = groups.collect::<PolarsResult<_>>()?;
        let firsts: Vec<IdxSize> =
            self.groups.iter().filter_map(|group| group.first_row.map(|at| at as IdxSize)).collect();
        let first_rows = first_rows.take(&IdxCa::from_vec(PlSmallStr::EMPTY, firsts))?;
        Ok(Gathered { rows, groups, first_rows })
    }

    /// The groups of which the sample is not all rows, by their numbers.
    pub fn larger(&self) -> Vec<u32> {
        let larger = self.groups.iter().enumerate().filter(|(_, group)| group.usable > self.sample);
        larger.map(|(number, _)| number as u32).collect()
    }

    /// Whether it keeps no rows.
    pub fn only_counts(&self) -> bool {
        self.sample == 0
    }

    /// The number of rows so far, those that a fit can't use among them.
    pub fn given(&self) -> usize {
        self.groups.iter().map(|group| group.given).sum()
    }

    /// What was counted so far without groups, for other processes: in parts, so that a process can hold one of them where there are
    /// very many values of a category. Parts in which nothing is counted are left out. The scan is empty afterwards.
    pub fn take_counts(&mut self, parts: usize) -> PolarsResult<Vec<(usize, String)>> {
        let Some((group, counting)) = self.groups.drain(..).zip(self.counting.drain(..)).next() else {
            return Ok(vec![]);
        };
        let given = |part| if part == 0 { group.given as u64 } else { 0 };
        let counted = |(part, counting)| Counted { version: VERSION.to_string(), given: given(part), counting };
        let split = counting.split(parts).into_iter().enumerate();
        let written = |(part, counting): (usize, Counting)| {
            let text = serde_json::to_string(&counted((part, counting)));
            Ok((part, text.map_err(|error| polars_err!(ComputeError: "anorand: counts can't be written: {error}"))?))
        };
        split.filter(|(part, counting)| *part == 0 || !counting.is_empty()).map(written).collect()
    }

    /// Goes on from what another process counted.
    ///
    /// # Errors
    /// `ComputeError` if that is of other features or of another version, or damaged.
    pub fn add_counts(&mut self, counts: &str) -> PolarsResult<()> {
        let Counted { version, given, counting } = serde_json::from_str(counts)
            .map_err(|error| polars_err!(ComputeError: "anorand: these are not counts of rows: {error}"))?;
        polars_ensure!(version == VERSION, ComputeError:
            "anorand: rows were counted by polars-anorand {version}, and this is {VERSION}: install the same version everywhere");
        if self.groups.is_empty() {
            // Its rows were gathered there: nothing is asked of them here.
            let how = Gathering { missing: Missing::Indicator, seed: 0, goes_on: false };
            self.groups.push(Group::new(how));
            self.counting.push(Counting::new(counting.features()));
        }
        self.counting[0].add_counted(counting)?;
        let given = self.groups[0].given.checked_add(given as usize);
        self.groups[0].given =
            given.ok_or_else(|| polars_err!(ComputeError: "anorand: more rows than can be counted"))?;
        self.groups[0].usable = self.counting[0].rows();
        Ok(())
    }

    /// Leaves the text of those values of categories away that are too rare to be remembered. All rows with the other values must have
    /// been counted here.
    pub fn forget_rare(&mut self) -> PolarsResult<()> {
        self.counting.iter_mut().try_for_each(Counting::forget_rare)
    }

    /// What was counted without groups, of a table of which `rows` are the sample.
    ///
    /// # Errors
    /// `ComputeError` if other features were counted, or some of the counts are missing.
    pub fn finish_with(&mut self, rows: Series, features: &[Feature]) -> PolarsResult<Gathered> {
        let counted = self.groups.drain(..).zip(self.counting.drain(..)).next();
        let (group, counting) = counted.ok_or_else(|| polars_err!(NoData: "anorand: no rows were counted"))?;
        let kinds = |features: &[Feature]| -> Vec<_> {
            features.iter().map(|feature| (feature.name.clone(), feature.kind)).collect()
        };
        polars_ensure!(kinds(features) == kinds(counting.features()), ComputeError:
            "anorand: the sample's features are not those that were counted");
        let sampled = (0..rows.len() as IdxSize).collect();
        let totals = Some(counting.totals()?);
        let groups = vec![Sampled { rows: sampled, given: group.given, usable: group.usable, totals }];
        Ok(Gathered { first_rows: rows.clear(), rows, groups })
    }
}

fn joined(parts: &mut Vec<Series>) -> PolarsResult<Series> {
    let mut parts = std::mem::take(parts).into_iter();
    let no_rows = || polars_err!(NoData: "anorand: the fit needs at least 2 rows, got none");
    let mut all = parts.next().ok_or_else(no_rows)?;
    parts.try_for_each(|part| all.append_owned(part).map(drop))?;
    Ok(all.rechunk())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Series {
        Series::new("x".into(), (0..1_000).map(f64::from).collect::<Vec<_>>())
    }

    const PLAIN: Gathering = Gathering { missing: Missing::Indicator, seed: 0, goes_on: false };

    fn gathered(cuts: &[usize], seed: u64, groups: Option<&[u32]>) -> Gathered {
        let mut scan = Scan::new(100);
        let how = |_| Ok(Gathering { seed, ..PLAIN });
        for cut in cuts.windows(2) {
            let part = input().slice(cut[0] as i64, cut[1] - cut[0]);
            let columns = Columns::from_series(&part).unwrap();
            scan.add(&part, &columns, groups.map(|groups| &groups[cut[0]..cut[1]]), None, how).unwrap();
        }
        scan.finish().unwrap()
    }

    fn sampled(cuts: &[usize], seed: u64) -> (Series, Option<Totals>) {
        let Gathered { rows, mut groups, .. } = gathered(cuts, seed, None);
        (rows, groups.remove(0).totals)
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

    #[test]
    fn what_several_processes_count_is_what_one_counts() {
        let columns = Columns::from_series(&input()).unwrap();
        let counts_of = |from: i64, rows: usize| {
            let mut scan = Scan::new(0);
            let columns = Columns::from_series(&input().slice(from, rows)).unwrap();
            scan.add(&input().slice(from, rows), &columns, None, None, |_| Ok(PLAIN)).unwrap();
            scan.take_counts(3).unwrap()
        };
        let sample = input().head(Some(10));
        let finished = |parts: &[(usize, String)]| {
            let mut scan = Scan::new(0);
            parts.iter().try_for_each(|(_, counts)| scan.add_counts(counts))?;
            scan.forget_rare()?;
            scan.finish_with(sample.clone(), columns.features())
        };
        let whole = finished(&counts_of(0, 1_000)).unwrap();
        assert_eq!((whole.rows.len(), whole.groups[0].rows.len(), whole.groups[0].usable), (10, 10, 1_000));
        let parts = [counts_of(600, 400), counts_of(0, 599), counts_of(599, 1)].concat();
        assert_eq!(finished(&parts).unwrap().groups[0].totals, whole.groups[0].totals);
        for (changed, said) in [
            (parts[0].1.replace(VERSION, "0.0.1"), "counted by polars-anorand 0.0.1"),
            (parts[0].1.replace("given", "taken"), "not counts of rows: unknown field"),
            ("\u{1}".to_string(), "not counts of rows"),
        ] {
            assert_ne!(changed, parts[0].1);
            let refused = finished(&[(0, changed)]).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.contains(said), "{refused}");
        }
        assert!(finished(&[]).is_err() && Scan::new(0).take_counts(2).unwrap().is_empty());
    }

    #[test]
    fn each_group_is_gathered_as_its_fit_asks() {
        let column =
            Series::new("x".into(), (0..40).map(|row| (row % 4 > 0).then_some(f64::from(row))).collect::<Vec<_>>());
        let columns = Columns::from_series(&column).unwrap();
        let groups: Vec<u32> = (0..40).map(|row| row / 4 % 2).collect();
        let replayed: Vec<bool> = (0..40).map(|row| row % 4 == 1).collect();
        let how = |group| {
            let goes_on = group == 1;
            Ok(Gathering { missing: if goes_on { Missing::Null } else { Missing::Indicator }, seed: 0, goes_on })
        };
        let mut scan = Scan::new(16);
        scan.add(&column, &columns, Some(&groups), Some(&replayed), how).unwrap();
        assert_eq!(scan.larger(), [0]);
        let Gathered { groups, .. } = scan.finish().unwrap();
        assert_eq!(groups.iter().map(|group| (group.given, group.usable)).collect::<Vec<_>>(), [(20, 20), (20, 15)]);
        // Group 0 is new: it has no rows that were seen.
        assert_eq!(groups[0].totals.as_ref().unwrap().rows, 20);

        let mut scan = Scan::new(2);
        scan.add(&column, &columns, Some(&[1; 40]), Some(&replayed), how).unwrap();
        let of_model = scan.finish().unwrap().groups.remove(1);
        assert_eq!((of_model.rows.len(), of_model.usable, of_model.totals.unwrap().rows), (2, 30, 20));

        let refusing =
            |group| Ok(Gathering { missing: if group == 1 { Missing::Error } else { Missing::Null }, ..PLAIN });
        let groups: Vec<u32> = (0..40).map(|row| u32::from(row % 4 == 2)).collect();
        Scan::new(2).add(&column, &columns, Some(&groups), None, refusing).unwrap();
        assert!(Scan::new(2).add(&column, &columns, Some(&[1; 40]), None, refusing).is_err());
    }

    #[test]
    fn each_group_has_the_sample_that_it_would_have_alone() {
        // 700 rows, 299 rows, and 1 row.
        let groups: Vec<u32> = (0..1_000).map(|row| if row == 500 { 2 } else { u32::from(row % 10 >= 7) }).collect();
        for cuts in [vec![0, 1_000], (0..=20).map(|cut| 50 * cut).collect()] {
            let found = gathered(&cuts, 1, Some(&groups));
            for (number, group) in found.groups.iter().enumerate() {
                let of_group = |row: &usize| groups[*row] as usize == number;
                let rows: Vec<IdxSize> = (0..1_000).filter(of_group).map(|row| row as IdxSize).collect();
                let alone = input().take(&IdxCa::from_vec(PlSmallStr::EMPTY, rows.clone())).unwrap();
                let mut scan = Scan::new(100);
                let how = |_| Ok(Gathering { seed: 1, ..PLAIN });
                scan.add(&alone, &Columns::from_series(&alone).unwrap(), None, None, how).unwrap();
                let expected = scan.finish().unwrap();
                let sample = IdxCa::from_vec(PlSmallStr::EMPTY, group.rows.clone());
                assert_eq!(found.rows.take(&sample).unwrap(), expected.rows);
                assert_eq!(group.totals, expected.groups[0].totals);
                assert_eq!((group.given, group.usable), (rows.len(), rows.len()));
                assert_eq!(found.first_rows.get(number).unwrap(), alone.get(0).unwrap());
            }
        }
    }
}
