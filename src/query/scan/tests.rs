//! Scans of small tables.

use polars::prelude::*;

use super::counts::VERSION;
use super::{Gathered, Gathering, Scan};
use crate::data::{Columns, Totals};
use crate::options::Missing;

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
    let counts = |from: i64, rows: usize| {
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
    let whole = finished(&counts(0, 1_000)).unwrap();
    assert_eq!((whole.rows.len(), whole.groups[0].rows.len(), whole.groups[0].usable), (10, 10, 1_000));
    let parts = [counts(600, 400), counts(0, 599), counts(599, 1)].concat();
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
    let refitted = scan.finish().unwrap().groups.remove(1);
    assert_eq!((refitted.rows.len(), refitted.usable, refitted.totals.unwrap().rows), (2, 30, 20));

    let refusing = |group| Ok(Gathering { missing: if group == 1 { Missing::Error } else { Missing::Null }, ..PLAIN });
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
            let is_its = |row: &usize| groups[*row] as usize == number;
            let rows: Vec<IdxSize> = (0..1_000).filter(is_its).map(|row| row as IdxSize).collect();
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
