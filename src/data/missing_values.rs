//! Missing values: how many there are, and which rows a fit can use in spite of them.

use polars::prelude::*;

use super::columns::Columns;
use super::feature::Feature;
use super::row_text::row_text;
use crate::options::Missing;

impl Columns {
    /// Counts, for each feature, the rows with a null, NaN or infinity in it.
    pub fn missing_values(&self) -> PolarsResult<Vec<usize>> {
        let mut values = vec![];
        let counts = (0..self.features().len()).map(|j| {
            self.read(j, &mut values)?;
            Ok(values.iter().filter(|value| value.is_nan()).count())
        });
        counts.collect()
    }

    /// Names the features that have no value in any row.
    pub fn without_values(&self) -> PolarsResult<Vec<String>> {
        /// Nearly every feature has a value among this number of rows, so that no others are read.
        const FIRST: usize = 64;
        let first = self.slice(0, self.rows.min(FIRST));
        let mut values = vec![];
        let mut names = vec![];
        for (j, feature) in self.features.iter().enumerate() {
            first.read(j, &mut values)?;
            if values.iter().all(|value| value.is_nan()) {
                self.read(j, &mut values)?;
                if values.iter().all(|value| value.is_nan()) {
                    names.push(feature.name.clone());
                }
            }
        }
        Ok(names)
    }

    /// Says which rows a fit can use, under a policy for missing values.
    pub fn usable_rows(&self, missing: Missing) -> PolarsResult<Vec<bool>> {
        if missing == Missing::Error {
            self.refuse_missing()?;
        }
        let mut usable = vec![true; self.rows];
        if missing == Missing::Null {
            let mut values = vec![];
            for j in 0..self.features.len() {
                self.read(j, &mut values)?;
                usable.iter_mut().zip(&values).for_each(|(usable, value)| *usable &= !value.is_nan());
            }
        }
        Ok(usable)
    }

    /// Says the same, and returns an error if there are fewer than two, which says why.
    pub fn training_rows(&self, missing: Missing) -> PolarsResult<Vec<bool>> {
        self.features.iter().try_for_each(Feature::check_typed)?;
        let usable = self.usable_rows(missing)?;
        polars_ensure!(self.rows >= 2, NoData:
            "anorand: a fit needs at least 2 rows, got {}; in a group_by or over, {}give by= instead, which gives small groups a \
             null", self.rows, self.only_row());
        let count = usable.iter().filter(|usable| **usable).count();
        polars_ensure!(count >= 2, NoData:
            "anorand: a fit needs at least 2 rows without a null, NaN or infinity in a feature, got {count} of {} rows{}",
            self.rows, if self.rows > count { " (missing=\"impute\" would fill the gaps)" } else { "" });
        Ok(usable)
    }

    /// Names the group that the one row may be, for an error: Polars calls a verb with the rows of
    /// a group, and without its key.
    fn only_row(&self) -> String {
        match self.rows {
            0 => String::new(),
            _ => format!("this is the group with the row {}: ", row_text(&self.columns, 0)),
        }
    }

    /// Returns an error that names the first missing value, if there is one.
    pub fn refuse_missing(&self) -> PolarsResult<()> {
        let mut values = vec![];
        for (j, feature) in self.features.iter().enumerate() {
            self.read(j, &mut values)?;
            if let Some(row) = values.iter().position(|value| value.is_nan()) {
                polars_bail!(ComputeError:
                    "anorand: feature {:?} has a null, NaN or infinity in row {row}, and missing=\"error\": fill or drop such \
                     rows, or fit with missing=\"indicator\", \"impute\" or \"null\"", feature.name);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(frame: DataFrame) -> Columns {
        Columns::from_frame(&frame).unwrap()
    }

    #[test]
    fn null_nan_and_infinity_are_missing() {
        let frame = df!("a" => [Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY), Some(2.0)]).unwrap();
        let usable = columns(frame).training_rows(Missing::Null).unwrap();
        assert_eq!(usable, [true, false, false, false, true]);
    }

    #[test]
    fn the_error_policy_names_the_column_and_the_row() {
        let frame = df!("a" => [1, 2], "b" => [Some(1), None]).unwrap();
        let message = columns(frame).training_rows(Missing::Error).unwrap_err().to_string();
        assert!(message.contains("\"b\"") && message.contains("row 1"), "{message}");
    }

    #[test]
    fn features_without_any_value_are_named() {
        let late: Vec<Option<i32>> = (0..100).map(|row| (row == 99).then_some(1)).collect();
        let frame = df!(
            "late" => late,
            "numbers" => vec![f64::NAN; 100],
            "full" => vec![1; 100],
            "texts" => vec![None::<&str>; 100],
        );
        let found = columns(frame.unwrap()).without_values().unwrap();
        assert_eq!(found, ["numbers", "texts"]);
    }

    #[test]
    fn missing_values_of_all_kinds_are_counted_in_every_dtype() {
        let frame = df!(
            "full" => [1, 2, 3, 4],
            "gaps" => [Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY)],
            "text" => [Some("a"), None, Some(""), None],
        );
        let columns = Columns::from_frame(&frame.unwrap()).unwrap();
        assert_eq!(columns.missing_values().unwrap(), [0, 3, 2]);
    }
}
