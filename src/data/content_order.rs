//! An order of rows that comes from what they hold, not from where they stand: rows that were
//! sorted, joined or partitioned in another way come out in the same order. Rows with equal
//! contents are interchangeable.

use std::cmp::Ordering;

use polars::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::memory::zeros;
use crate::pool;

use super::columns::Columns;
use super::labels::Labels;

/// A feature of all rows, to compare them by.
enum Keys {
    /// NaN is a missing value.
    Numbers(Vec<f64>),
    Text(StringChunked),
}

impl Keys {
    fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Self::Numbers(numbers) => numbers[a].total_cmp(&numbers[b]),
            Self::Text(text) => text.get(a).cmp(&text.get(b)),
        }
    }
}

impl Columns {
    /// The numbers of all rows in the order of their features, the first one first; known anomalies
    /// after others that are equal, and replayed rows after new ones.
    pub fn content_order(&self, labels: Option<&Labels>, replayed: Option<&[bool]>) -> PolarsResult<IdxCa> {
        let mut keys = Vec::with_capacity(self.features().len());
        for j in 0..self.features().len() {
            keys.push(match self.text(j)? {
                // One chunk, so that a row is found at once.
                Some(text) => Keys::Text(text.rechunk().str()?.clone()),
                None => {
                    let mut numbers = vec![];
                    self.read(j, &mut numbers)?;
                    Keys::Numbers(numbers)
                }
            });
        }
        let mut order: Vec<IdxSize> = zeros(self.rows(), "the order of the rows")?;
        order.iter_mut().enumerate().for_each(|(row, place)| *place = row as IdxSize);
        let anomaly = |row: usize| labels.is_some_and(|labels| labels.is_anomaly(row));
        pool::sort_by(&mut order, |a, b| {
            let (a, b) = (*a as usize, *b as usize);
            let features = keys.iter().map(|keys| keys.compare(a, b)).find(|found| *found != Ordering::Equal);
            let is_replayed = |row: usize| replayed.is_some_and(|replayed| replayed[row]);
            let key = |row: usize| (anomaly(row), is_replayed(row));
            features.unwrap_or_else(|| key(a).cmp(&key(b)))
        })?;
        Ok(IdxCa::from_vec(PlSmallStr::EMPTY, order))
    }
}

impl Columns {
    /// The numbers of `count` rows, a uniform sample that does not depend on where the rows stand:
    /// those with the lowest hashes of their contents, of whether they are replayed, and of how
    /// many equal rows came before. With the contents alone, all copies of a row or none would be
    /// taken.
    pub fn content_sample(&self, count: usize, seed: u64, replayed: Option<&[bool]>) -> PolarsResult<IdxCa> {
        let mut hashes: Vec<(u64, IdxSize)> = zeros(self.rows(), "the sample of the rows")?;
        hashes.iter_mut().enumerate().for_each(|(row, hashed)| *hashed = (seed, row as IdxSize));
        let mut numbers = vec![];
        for j in 0..self.features().len() {
            match self.text(j)? {
                Some(text) => {
                    for ((hash, _), text) in hashes.iter_mut().zip(text.str()?.iter()) {
                        *hash = text.map_or(hash.rotate_left(1), |text| xxh3_64_with_seed(text.as_bytes(), *hash));
                    }
                }
                None => {
                    self.read(j, &mut numbers)?;
                    for ((hash, _), number) in hashes.iter_mut().zip(&numbers) {
                        *hash = xxh3_64_with_seed(&number.to_bits().to_le_bytes(), *hash);
                    }
                }
            }
        }
        for ((hash, _), _) in hashes.iter_mut().zip(replayed.unwrap_or_default()).filter(|(_, replayed)| **replayed) {
            *hash = xxh3_64_with_seed(&[1], *hash);
        }
        pool::sort_by(&mut hashes, |a, b| a.0.cmp(&b.0))?;
        let (mut last, mut copy) = (None, 0u64);
        for (hash, _) in &mut hashes {
            copy = if last == Some(*hash) { copy + 1 } else { 0 };
            last = Some(*hash);
            *hash = xxh3_64_with_seed(&copy.to_le_bytes(), *hash);
        }
        if count < hashes.len() {
            hashes.select_nth_unstable(count);
            hashes.truncate(count);
        }
        Ok(IdxCa::from_vec(PlSmallStr::EMPTY, hashes.into_iter().map(|(_, row)| row).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> DataFrame {
        df!(
            "a" => [Some(1.0), Some(0.0), Some(-0.0), None, Some(f64::NAN), Some(1.0)],
            "b" => [Some("x"), Some("x"), Some("y"), Some("u"), Some("v"), None]
        )
        .unwrap()
    }

    fn in_order(frame: &DataFrame) -> Vec<Option<String>> {
        let order = Columns::from_frame(frame).unwrap().content_order(None, None).unwrap();
        let texts = frame.take(&order).unwrap();
        texts.column("b").unwrap().str().unwrap().iter().map(|text| text.map(str::to_string)).collect()
    }

    #[test]
    fn any_order_of_the_rows_gives_the_same_one() {
        let order = |rows: &[IdxSize]| frame().take(&IdxCa::from_vec("".into(), rows.to_vec())).unwrap();
        let expected = ["x", "y", "", "x", "u", "v"].map(|text| (!text.is_empty()).then(|| text.to_string()));
        for rows in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 1, 5, 3, 4], [3, 5, 0, 4, 2, 1]] {
            assert_eq!(in_order(&order(&rows)), expected);
        }
    }

    #[test]
    fn known_anomalies_come_after_rows_that_are_equal() {
        let frame = df!("a" => [1.0; 4]).unwrap();
        let labels = Series::new("y".into(), [Some(true), None, Some(true), Some(false)]);
        let labels = Labels::from_series(&labels).unwrap();
        let order = Columns::from_frame(&frame).unwrap().content_order(Some(&labels), None).unwrap();
        let anomalies: Vec<bool> = order.iter().flatten().map(|row| labels.is_anomaly(row as usize)).collect();
        assert_eq!(anomalies, [false, false, true, true]);
    }

    #[test]
    fn a_sample_does_not_depend_on_the_order_of_the_rows_and_takes_its_share_of_copies() {
        // 40 % of the rows are one row, and the others are all different.
        let numbers: Vec<f64> = (0..5_000).map(|row| if row % 5 < 2 { 7.0 } else { f64::from(row) + 0.5 }).collect();
        let sampled = |numbers: Vec<f64>| {
            let columns = Columns::from_frame(&df!("x" => numbers).unwrap()).unwrap();
            let mut values = vec![];
            columns.gather(&columns.content_sample(1_000, 3, None).unwrap()).unwrap().read(0, &mut values).unwrap();
            values.sort_by(f64::total_cmp);
            values
        };
        let sample = sampled(numbers.clone());
        assert_eq!(sample, sampled(numbers.into_iter().rev().collect()));
        let copies = sample.iter().filter(|number| **number == 7.0).count();
        assert!(sample.len() == 1_000 && (350..450).contains(&copies), "{copies}");
    }

    #[test]
    fn equal_rows_that_differ_in_being_replayed_are_sampled_in_any_order_alike() {
        let replayed: Vec<bool> = (0..5_000).map(|row| row % 3 == 0).collect();
        let columns = Columns::from_frame(&df!("x" => vec![7.0; 5_000]).unwrap()).unwrap();
        let sampled = |replayed: &[bool]| {
            let sample = columns.content_sample(1_000, 3, Some(replayed)).unwrap();
            sample.iter().flatten().filter(|row| replayed[*row as usize]).count()
        };
        let expected = sampled(&replayed);
        assert!((280..390).contains(&expected), "{expected}");
        let sorted = |first: bool| [vec![first; 1_667], vec![!first; 3_333]].concat();
        let mut last = replayed.clone();
        last.sort_unstable();
        assert_eq!(replayed.iter().filter(|replayed| **replayed).count(), 1_667);
        assert_eq!([sampled(&sorted(true)), sampled(&last)], [expected; 2]);
    }
}
