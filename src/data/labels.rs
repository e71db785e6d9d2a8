//! Known labels of the training rows: 1 is an anomaly, 0 is normal, null is unlabelled.
//!
//! Labelled anomalies take the place of the synthetic ones (§6, table 2). An unlabelled row counts
//! as normal, as every row does in a fit without labels.

use polars::prelude::*;

/// The least number of anomalies of a fit: one alone says nothing about others.
pub const LEAST_ANOMALIES: usize = 2;

/// The labels of all rows.
pub struct Labels(Vec<Option<bool>>);

impl Labels {
    /// An error unless the dtype can hold labels.
    pub fn check_dtype(field: &Field) -> PolarsResult<()> {
        let dtype = field.dtype();
        let fits = matches!(dtype, DataType::Boolean | DataType::Null) || dtype.is_primitive_numeric();
        polars_ensure!(fits, SchemaMismatch:
            "anorand: the labels {:?} have dtype {dtype}, expected Boolean, or numbers that are 0 or 1; null is unlabelled",
            field.name());
        Ok(())
    }

    /// Reads a Boolean column, or one of 0 and 1.
    pub fn from_series(column: &Series) -> PolarsResult<Self> {
        Self::check_dtype(&column.field())?;
        let numbers = column.cast(&DataType::Float64)?;
        let label = |(row, number): (usize, Option<f64>)| match number {
            None => Ok(None),
            Some(1.0) => Ok(Some(true)),
            Some(0.0) => Ok(Some(false)),
            Some(other) => polars_bail!(ComputeError:
                "anorand: the labels {:?} have {other} in row {row}, expected 1 for an anomaly, 0 for a normal row, or null for \
                 an unlabelled one", column.name()),
        };
        numbers.f64()?.iter().enumerate().map(label).collect::<PolarsResult<_>>().map(Self)
    }

    /// Whether a row is a known anomaly.
    pub fn is_anomaly(&self, row: usize) -> bool {
        self.0[row] == Some(true)
    }

    /// The labels of the rows at `index`, in that order.
    pub fn gather(&self, index: &[IdxSize]) -> Self {
        Self(index.iter().map(|row| self.0[*row as usize]).collect())
    }

    /// The labels of the rows for which `kept` holds, in their order; an error unless there is one
    /// for each row.
    pub fn filter(&self, kept: &[bool]) -> PolarsResult<Self> {
        polars_ensure!(self.0.len() == kept.len(), ShapeMismatch:
            "anorand: there are {} labels for {} rows, expected one label for each row", self.0.len(), kept.len());
        Ok(Self(self.0.iter().zip(kept).filter(|(_, kept)| **kept).map(|(label, _)| *label).collect()))
    }

    /// An error if a fit can't learn from them.
    pub fn check_classes(&self) -> PolarsResult<()> {
        let [anomalies, normal, unlabelled] = [Some(true), Some(false), None].map(|label| self.count(label));
        polars_ensure!(anomalies >= LEAST_ANOMALIES, NoData:
            "anorand: a fit with labels needs at least {LEAST_ANOMALIES} anomalies (label 1) among the rows without a missing \
             value, got {anomalies}, beside {normal} normal rows and {unlabelled} unlabelled ones: label more, or fit without \
             labels");
        polars_ensure!(normal + unlabelled >= 2, NoData:
            "anorand: a fit with labels needs at least 2 rows that are normal (label 0) or unlabelled (null), got {}, beside \
             {anomalies} anomalies", normal + unlabelled);
        Ok(())
    }

    /// Which rows are known anomalies.
    pub fn anomalies(&self) -> Vec<bool> {
        self.0.iter().map(|label| *label == Some(true)).collect()
    }

    /// The number of rows with a label: `Some(true)` is an anomaly, `Some(false)` normal, and
    /// `None` unlabelled.
    pub fn count(&self, label: Option<bool>) -> usize {
        self.0.iter().filter(|known| **known == label).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T>(result: PolarsResult<T>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn booleans_and_numbers_are_the_same_labels() {
        let boolean = Series::new("y".into(), [Some(true), None, Some(false)]);
        for dtype in [DataType::Boolean, DataType::UInt8, DataType::Float32] {
            let labels = Labels::from_series(&boolean.cast(&dtype).unwrap()).unwrap();
            assert_eq!(labels.0, [Some(true), None, Some(false)]);
        }
    }

    #[test]
    fn another_number_is_named_with_its_row() {
        for odd in [2.0, -1.0, 0.5, f64::NAN] {
            let message = message(Labels::from_series(&Series::new("y".into(), [0.0, odd])));
            assert!(message.contains("\"y\"") && message.contains(&format!("{odd} in row 1")), "{message}");
        }
        assert!(Labels::from_series(&Series::new("y".into(), ["1"])).is_err());
    }

    #[test]
    fn a_single_class_teaches_nothing() {
        let known = |labels: &[Option<bool>]| Labels(labels.to_vec()).check_classes();
        assert!(message(known(&[Some(true); 5])).contains("2 rows that are normal"));
        assert!(message(known(&[Some(false), None, Some(true)])).contains("at least 2 anomalies"));
        assert!(known(&[Some(true), Some(true), None, None]).is_ok());
    }

    #[test]
    fn there_is_a_label_for_each_row() {
        let labels = Labels(vec![Some(true), None]);
        let message = message(labels.filter(&[true; 3]));
        assert!(message.contains("2 labels for 3 rows"), "{message}");
    }

    #[test]
    fn a_row_that_is_not_used_has_no_label() {
        let labels = Labels(vec![Some(true), Some(true), Some(true), None, Some(false)]);
        let known = labels.filter(&[false, true, true, true, true]).unwrap();
        assert_eq!([Some(true), Some(false), None].map(|label| known.count(label)), [2, 1, 1]);
    }
}
