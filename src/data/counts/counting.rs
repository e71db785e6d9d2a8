//! Totals in the making: batch by batch, and of tables whose rows several processes count.

use polars::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::spilled::Spilled;
use super::totals::{FeatureTotals, Totals, MOST_ROWS};
use crate::data::columns::Columns;
use crate::data::encode::categories::{forget_rare, Frequencies, Rare};
use crate::data::feature::{Feature, Kind};

/// Counts and extremes of the rows so far, in any order and in batches of any size.
///
/// Another process can go on with it, as text: counts are integers, and the lowest and the highest
/// value keep their last bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counting {
    features: Vec<Feature>,
    rows: u64,
    /// The counts of each feature
    counted: Vec<Counted>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    missing: u64,
    /// The lowest and the highest number
    range: Option<[f64; 2]>,
    /// Each value of a category and its rows
    values: PlHashMap<String, u64>,
    /// The values that are known to be too rare to be remembered
    rare: Rare,
    /// About the bytes of `values`
    #[serde(skip)]
    bytes: usize,
    /// Values that are counted as well, and may be among `values` again
    #[serde(skip)]
    spilled: Option<Spilled>,
}

/// About the bytes of a value beyond its text, in a map of values.
const BYTES_OF_VALUE: usize = 64;
/// About the bytes of the values that are held in memory, of all groups. Beyond, they go to
/// temporary files.
const MOST_HELD: usize = 64 << 20;

impl Counted {
    fn add_text(&mut self, value: Option<&str>) {
        let Some(value) = value else {
            self.missing += 1;
            return;
        };
        match self.values.get_mut(value) {
            Some(count) => *count += 1,
            None => {
                self.bytes += BYTES_OF_VALUE + value.len();
                self.values.insert(value.to_string(), 1);
            }
        }
    }

    /// Moves the values from memory to a file.
    fn spill(&mut self) -> PolarsResult<()> {
        let spilled = match self.spilled.take() {
            Some(spilled) => spilled,
            None => Spilled::new()?,
        };
        self.bytes = 0;
        self.spilled.insert(spilled).write(std::mem::take(&mut self.values).into_iter())
    }

    /// Brings all values back into memory; `leave` may take some out of each part of them.
    fn bring_back(&mut self, mut leave: impl FnMut(&mut Self) -> PolarsResult<()>) -> PolarsResult<()> {
        if self.spilled.is_none() {
            return Ok(());
        }
        self.spill()?;
        let Some(spilled) = self.spilled.take() else { return Ok(()) };
        for part in 0..Spilled::PARTS {
            self.values.extend(spilled.read(part)?);
            leave(self)?;
        }
        Ok(())
    }

    /// Takes the values out that are too rare to be remembered. All their rows must have been
    /// counted here.
    fn forget_rare(&mut self) -> PolarsResult<()> {
        self.rare = self.rare.plus(forget_rare(&mut self.values)?)?;
        Ok(())
    }

    fn add_number(&mut self, number: f64) {
        if number.is_nan() {
            self.missing += 1;
        } else {
            self.add_range([number; 2]);
        }
    }

    fn add_range(&mut self, other: [f64; 2]) {
        let [low, high] = self.range.unwrap_or(other);
        self.range = Some([low.min(other[0]), high.max(other[1])]);
    }

    fn add(&mut self, other: Self) -> PolarsResult<()> {
        self.missing = sum(self.missing, other.missing)?;
        other.range.into_iter().for_each(|range| self.add_range(range));
        for (value, count) in other.values {
            let known = self.values.entry(value).or_default();
            *known = sum(*known, count)?;
        }
        self.rare = self.rare.plus(other.rare)?;
        Ok(())
    }

    /// Whether it can't come from counting, as it came from another process.
    fn is_damaged(&self, kind: Kind) -> bool {
        let is_category = kind == Kind::Category;
        let has_words = !self.values.is_empty() || self.rare != Rare::default();
        let has_unseen = self.values.values().any(|count| *count == 0);
        let is_range = |[low, high]: [f64; 2]| low.is_finite() && high.is_finite() && low <= high;
        if is_category {
            has_unseen || self.range.is_some() || !self.rare.is_possible()
        } else {
            has_words || !self.range.is_none_or(is_range)
        }
    }
}

impl Counting {
    pub fn new(features: &[Feature]) -> Self {
        let counted = features.iter().map(|_| Counted::default()).collect();
        Self { features: features.to_vec(), rows: 0, counted }
    }

    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    pub fn rows(&self) -> usize {
        self.rows as usize
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
        Self::hold(all, MOST_HELD)
    }

    /// Moves values to files, where there are most of them, until memory holds half of `most`
    /// bytes; nothing while it does not hold more.
    fn hold(all: &mut [Self], most: usize) -> PolarsResult<()> {
        let mut counted: Vec<&mut Counted> = all.iter_mut().flat_map(|counting| &mut counting.counted).collect();
        let mut held: usize = counted.iter().map(|counted| counted.bytes).sum();
        if held <= most {
            return Ok(());
        }
        counted.sort_unstable_by_key(|counted| std::cmp::Reverse(counted.bytes));
        for counted in counted {
            if held <= most / 2 {
                break;
            }
            held -= counted.bytes;
            counted.spill()?;
        }
        Ok(())
    }

    /// Counts the rows that another process has counted.
    ///
    /// # Errors
    /// `ComputeError` if they can't have come from counting rows with these features.
    pub fn add_counted(&mut self, other: Self) -> PolarsResult<()> {
        let fits = self.features == other.features && self.features.len() == other.counted.len();
        let mut kinds = other.features.iter().map(|feature| feature.kind).zip(&other.counted);
        polars_ensure!(fits && !kinds.any(|(kind, counted)| counted.is_damaged(kind)), ComputeError:
            "anorand: counts of other features, or damaged ones, can't be added");
        self.rows = sum(self.rows, other.rows)?;
        self.counted.iter_mut().zip(other.counted).try_for_each(|(counted, other)| counted.add(other))
    }

    /// Splits the counts into parts: each value of a category is in the part that its text says,
    /// all else in the first.
    pub fn split(mut self, parts: usize) -> PolarsResult<Vec<Self>> {
        self.counted.iter_mut().try_for_each(|counted| counted.bring_back(|_| Ok(())))?;
        let mut split = vec![Self::new(&self.features); parts.max(1)];
        split[0].rows = self.rows;
        for (j, counted) in self.counted.into_iter().enumerate() {
            for (value, count) in counted.values {
                let part = xxh3_64(value.as_bytes()) % split.len() as u64;
                split[part as usize].counted[j].values.insert(value, count);
            }
            let values = std::mem::take(&mut split[0].counted[j].values);
            split[0].counted[j] = Counted { values, bytes: 0, ..counted };
        }
        Ok(split)
    }

    /// Nothing is counted.
    pub fn is_empty(&self) -> bool {
        let nothing = |counted: &Counted| Counted { bytes: 0, ..counted.clone() } == Counted::default();
        self.rows == 0 && self.counted.iter().all(nothing)
    }

    /// Forgets the text of values that are too rare to be remembered. All rows with the values that
    /// are here must have been counted.
    pub fn forget_rare(&mut self) -> PolarsResult<()> {
        for counted in &mut self.counted {
            counted.bring_back(Counted::forget_rare)?;
            counted.forget_rare()?;
        }
        Ok(())
    }

    /// # Errors
    /// `ComputeError` if a part of what was counted elsewhere is missing, or is there twice, or if
    /// there are more rows than a table has.
    pub fn totals(self) -> PolarsResult<Totals> {
        polars_ensure!(self.rows <= MOST_ROWS as u64, ComputeError:
            "anorand: {} rows were counted, expected at most {MOST_ROWS}", self.rows);
        let totals = |(feature, mut counted): (&Feature, Counted)| {
            counted.bring_back(Counted::forget_rare)?;
            let is_category = feature.kind == Kind::Category;
            let known = counted.values.values().try_fold(counted.rare.rows, |all, count| sum(all, *count))?;
            let rows = if is_category { sum(known, counted.missing)? } else { self.rows };
            polars_ensure!(rows == self.rows && counted.missing <= self.rows, ComputeError:
                "anorand: of {} rows, {rows} were counted for the feature {:?}: some counts are missing, or were added twice",
                self.rows, feature.name);
            let mut frequencies = is_category.then(|| Frequencies::from_counts(counted.values));
            if let Some(all) = &mut frequencies {
                all.rare = all.rare.plus(counted.rare)?;
            }
            Ok(FeatureTotals { missing: counted.missing as usize, range: counted.range, frequencies })
        };
        let features = self.features.iter().zip(self.counted).map(totals).collect::<PolarsResult<_>>()?;
        Ok(Totals { rows: self.rows as usize, features })
    }
}

/// A sum of counts that may be another process's.
fn sum(a: u64, b: u64) -> PolarsResult<u64> {
    a.checked_add(b).ok_or_else(|| polars_err!(ComputeError: "anorand: {a} and {b} rows are more than can be counted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> DataFrame {
        df!(
            "x" => [Some(3.0), None, Some(-0.0), Some(f64::NAN), Some(7.1)],
            "c" => [Some("a"), Some("b"), None, Some("a"), Some("c")],
            "none" => [None::<f64>; 5]
        )
        .unwrap()
    }

    fn counted(from: usize, rows: usize) -> Counting {
        let whole = Columns::from_frame(&frame()).unwrap();
        let mut counting = Counting::new(whole.features());
        counting.add(&whole.slice(from, rows)).unwrap();
        counting
    }

    fn sent(counting: &Counting) -> Counting {
        serde_json::from_str(&serde_json::to_string(counting).unwrap()).unwrap()
    }

    #[test]
    fn batches_come_to_what_the_whole_table_has() {
        let whole = Columns::from_frame(&frame()).unwrap();
        for cuts in [vec![0, 5], vec![0, 1, 1, 4, 5], vec![0, 1, 2, 3, 4, 5]] {
            let mut counting = Counting::new(whole.features());
            cuts.windows(2).for_each(|cut| counting.add(&whole.slice(cut[0], cut[1] - cut[0])).unwrap());
            let Totals { rows, features } = counting.totals().unwrap();
            assert_eq!(rows, 5);
            assert_eq!(features.iter().map(|feature| feature.missing).collect::<Vec<_>>(), [2, 1, 5]);
            assert_eq!(features[0].range, Some([0.0, 7.1]));
            assert_eq!(features[1].frequencies, whole.frequencies().unwrap()[1]);
            assert_eq!((features[1].range, features[2].range), (None, None));
        }
    }

    #[test]
    fn what_several_processes_count_comes_to_what_one_counts_in_any_order_and_in_any_parts() {
        let whole = counted(0, 5).totals().unwrap();
        for cut in 0..=5 {
            let mut parts = [counted(0, cut).split(7).unwrap(), counted(cut, 5 - cut).split(7).unwrap()].concat();
            for _ in 0..2 {
                parts.reverse();
                let mut all = counted(0, 0);
                parts.iter().for_each(|part| all.add_counted(sent(part)).unwrap());
                assert_eq!(all.totals().unwrap(), whole);
            }
        }
        let zeros = |numbers: [f64; 2]| {
            let columns = Columns::from_frame(&df!("x" => numbers).unwrap()).unwrap();
            let mut counting = Counting::new(columns.features());
            counting.add(&columns).unwrap();
            serde_json::to_string(&counting).unwrap()
        };
        assert_eq!(zeros([0.0, -0.0]), zeros([-0.0, 0.0]));
    }

    #[test]
    fn values_that_went_to_a_file_count_as_those_in_memory() {
        let words: Vec<String> = (0..200_000u64).map(|number| format!("{}", number * number % 150_001)).collect();
        let columns = Columns::from_frame(&df!("c" => &words, "d" => &words[..]).unwrap()).unwrap();
        let mut counting = [Counting::new(columns.features()), Counting::new(columns.features())];
        for batch in 0..20 {
            let batch = columns.slice(batch * 10_000, 10_000);
            Counting::add_each(&mut counting, |row| row % 2, &batch).unwrap();
            Counting::hold(&mut counting, 1 << 20).unwrap();
        }
        assert!(counting.iter().all(|counting| counting.counted.iter().all(|counted| counted.spilled.is_some())));
        let held: usize =
            counting.iter().flat_map(|counting| &counting.counted).map(|counted| counted.values.len()).sum();
        assert!(held < 20_000, "{held}");
        let mut whole = Counting::new(columns.features());
        whole.add(&columns).unwrap();
        let mut all = Counting::new(columns.features());
        let [one, other] = counting;
        all.add_counted(one.split(1).unwrap().remove(0)).unwrap();
        all.add_counted(other.split(1).unwrap().remove(0)).unwrap();
        assert_eq!(all.totals().unwrap(), whole.clone().totals().unwrap());
        Counting::hold(std::slice::from_mut(&mut whole), 0).unwrap();
        assert!(whole.counted[0].values.is_empty() && !whole.is_empty());
        let mut again = Counting::new(columns.features());
        again.add(&columns).unwrap();
        assert_eq!(whole.totals().unwrap(), again.totals().unwrap());
    }

    #[test]
    fn rare_values_of_parts_are_counted_where_all_of_them_would_be() {
        let words: Vec<String> = (0..100_000).map(|number| format!("{}", number % 90_000)).collect();
        let columns = Columns::from_frame(&df!("c" => words).unwrap()).unwrap();
        let mut counting = Counting::new(columns.features());
        counting.add(&columns).unwrap();
        let mut all = Counting::new(columns.features());
        for mut part in counting.clone().split(1).unwrap().into_iter().chain([Counting::new(columns.features())]) {
            part.forget_rare().unwrap();
            all.add_counted(sent(&part)).unwrap();
        }
        assert!(all.counted[0].values.len() < 66_000);
        assert_eq!(all.totals().unwrap(), counting.totals().unwrap());
    }

    #[test]
    fn counts_that_no_rows_have_are_refused() {
        let two = counted(0, 2);
        assert!(two.split(64).unwrap().into_iter().skip(1).filter(|part| !part.is_empty()).count() <= 2);
        let text = serde_json::to_string(&counted(0, 2)).unwrap();
        let other = |from: &str, to: &str| {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            serde_json::from_str::<Counting>(&changed).map_err(|error| error.to_string()).and_then(|other| {
                let mut all = counted(2, 3);
                all.add_counted(other).map_err(|error| error.to_string())?;
                all.totals().map(drop).map_err(|error| error.to_string())
            })
        };
        for (from, to, said) in [
            ("[3.0,3.0]", "[3.0,2.0]", "damaged"),
            ("[3.0,3.0]", "[3.0]", "invalid length"),
            ("\"x\"", "\"y\"", "other features"),
            ("\"rows\":2,", "\"rows\":18446744073709551615,", "more than can be counted"),
            ("\"rows\":2,", "\"rows\":-2,", "invalid value"),
            ("\"rows\":2,", "\"rows\":1,", "of 4 rows, 5 were counted for the feature \"c\""),
            ("\"a\":1", "\"a\":18446744073709551615", "more than can be counted"),
            ("\"missing\":1", "\"missing\":9", "of 5 rows, 5 were counted for the feature \"x\""),
            ("\"missing\":1", "\"absent\":1", "unknown field"),
            ("\"a\":1", "\"a\":0", "damaged"),
        ] {
            let refused = other(from, to).unwrap_err();
            assert!(refused.contains(said), "{to}: {refused}");
        }
        for rare in [Rare { values: 2, rows: 1 }, Rare { values: 0, rows: 1 }] {
            let mut impossible = counted(0, 2);
            impossible.counted[1].rare = rare;
            assert!(counted(2, 3).add_counted(impossible).unwrap_err().to_string().contains("damaged"));
        }
        let mut most = counted(0, 0);
        most.rows = MOST_ROWS as u64 + 1;
        assert!(most.totals().unwrap_err().to_string().contains("at most 281474976710656"));
    }
}
