//! Series in and out: named feature columns, their rows, and their values as numbers.
//!
//! The one idea: every feature value is read as an f64, and NaN stands for a missing value (null,
//! NaN or infinite). Categories become codes first, see [`Columns::coded`].

use std::sync::Arc;

use polars::prelude::*;

use super::encode::calendar::{local, zone};
use super::feature::Feature;
use super::ids::{numbering, Numbering};
use super::row_text::value_text;
use crate::memory::reserve;

/// Named feature columns of equal length, each of a dtype that can be a feature.
#[derive(Clone)]
pub struct Columns {
    pub(super) features: Arc<[Feature]>,
    pub(super) columns: Vec<Series>,
    pub(super) rows: usize,
}

impl Columns {
    /// Reads the features of one input: the fields of a struct, or the column itself.
    pub fn from_series(input: &Series) -> PolarsResult<Self> {
        let Ok(fields) = input.struct_() else {
            return Self::new(vec![input.clone()], input.len());
        };
        // A null struct is a row whose every field is null.
        let pushed_down = fields.propagate_nulls();
        let fields = match &pushed_down {
            Some(fields) => fields.fields_as_series(),
            None => fields.fields_as_series(),
        };
        match fields.as_slice() {
            [only] if only.struct_().is_ok() => Self::from_series(only),
            _ => Self::new(fields, input.len()),
        }
    }

    /// Reads the features of a frame: all its columns.
    pub fn from_frame(frame: &DataFrame) -> PolarsResult<Self> {
        let columns = frame.columns().iter().map(|c| c.as_materialized_series().clone()).collect();
        Self::new(columns, frame.height())
    }

    fn new(columns: Vec<Series>, rows: usize) -> PolarsResult<Self> {
        polars_ensure!(!columns.is_empty(), ComputeError:
            "anorand: there is no feature: the expression selects no column");
        let features = columns.iter().map(|c| Feature::from_field(&c.field())).collect::<PolarsResult<Vec<_>>>()?;
        check_distinct(&features)?;
        Ok(Self { features: features.into(), columns, rows })
    }

    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns rows `start .. start + len`, without a copy.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let columns = self.columns.iter().map(|column| column.slice(start as i64, len)).collect();
        Self { features: self.features.clone(), columns, rows: len }
    }

    /// Returns the rows at `index`, in that order.
    pub fn gather(&self, index: &IdxCa) -> PolarsResult<Self> {
        let columns = self.columns.iter().map(|column| column.take(index)).collect::<PolarsResult<_>>()?;
        Ok(Self { features: self.features.clone(), columns, rows: index.len() })
    }

    /// Returns the rows for which `kept` holds, in their order.
    pub fn filter(&self, kept: &[bool]) -> PolarsResult<Self> {
        if !kept.contains(&false) {
            return Ok(self.clone());
        }
        let mask: BooleanChunked = kept.iter().copied().collect();
        let columns = self.columns.iter().map(|column| column.filter(&mask)).collect::<PolarsResult<_>>()?;
        let rows = kept.iter().filter(|kept| **kept).count();
        Ok(Self { features: self.features.clone(), columns, rows })
    }

    /// Finds the integer features that number the rows, in the order in which these stand, by name.
    pub fn numberings(&self) -> PolarsResult<Vec<(String, Numbering)>> {
        let columns = self.features.iter().zip(&self.columns);
        let numberings = columns.map(|(feature, column)| Ok(numbering(column)?.map(|how| (feature.name.clone(), how))));
        numberings.filter_map(Result::transpose).collect()
    }

    /// Returns the text of feature `j` if it is a category that is not coded yet.
    pub(crate) fn text(&self, j: usize) -> PolarsResult<Option<Series>> {
        match self.columns[j].dtype() {
            DataType::String | DataType::Categorical(_, _) | DataType::Enum(_, _) => {
                self.columns[j].cast(&DataType::String).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Reads the values of feature `j` from the first row to the last, into `values`; NaN where one
    /// is missing.
    pub(crate) fn value_text(&self, j: usize, row: usize) -> Option<String> {
        let column = &self.columns[j];
        (!column.is_null().get(row).unwrap_or(true)).then(|| value_text(column, row))
    }

    pub(crate) fn read(&self, j: usize, values: &mut Vec<f64>) -> PolarsResult<()> {
        values.clear();
        reserve(values, self.rows, "a feature's values")?;
        let column = &self.columns[j];
        let unit = microseconds(column.dtype());
        let physical = match column.dtype() {
            // A Decimal's physical integers lack its scale.
            DataType::Decimal(_, _) => column.cast(&DataType::Float64)?,
            // Not coded yet: all that is known is whether there is a value.
            DataType::String | DataType::Categorical(_, _) | DataType::Enum(_, _) => {
                values.extend(column.is_null().iter().map(|null| if null == Some(true) { f64::NAN } else { 0.0 }));
                return Ok(());
            }
            _ => column.to_physical_repr().into_owned(),
        };
        macro_rules! read_chunks {
            ($chunked:expr) => {
                for chunk in $chunked.downcast_iter() {
                    let numbers = chunk.values().iter().map(|value| finite_or_nan(*value as f64 * unit));
                    match chunk.validity().filter(|validity| validity.unset_bits() > 0) {
                        None => values.extend(numbers),
                        Some(validity) => {
                            let valid = numbers.zip(validity.iter());
                            values.extend(valid.map(|(number, valid)| if valid { number } else { f64::NAN }));
                        }
                    }
                }
            };
        }
        match physical.dtype() {
            DataType::Float64 => read_chunks!(physical.f64()?),
            DataType::Float32 => read_chunks!(physical.f32()?),
            DataType::Int64 => read_chunks!(physical.i64()?),
            DataType::Int32 => read_chunks!(physical.i32()?),
            _ => read_chunks!(physical.cast(&DataType::Float64)?.f64()?),
        }
        Ok(())
    }

    /// Reads them too; with `as_clock`, a time with a zone as its clocks show it.
    pub(crate) fn read_as(&self, j: usize, as_clock: bool, values: &mut Vec<f64>) -> PolarsResult<()> {
        self.read(j, values)?;
        if as_clock {
            if let Some(zone) = zone(self.columns[j].dtype())? {
                values.iter_mut().for_each(|value| *value = local(*value, zone));
            }
        }
        Ok(())
    }
}

/// Returns an error that names two features of one name, if there are such.
fn check_distinct(features: &[Feature]) -> PolarsResult<()> {
    let mut names = PlHashSet::with_capacity(features.len());
    for feature in features {
        polars_ensure!(names.insert(feature.name.as_str()), Duplicate:
            "anorand: two features are named {:?}: rename one with .alias()", feature.name);
    }
    Ok(())
}

/// −0.0 becomes 0.0, the same value: which of two equal rows has it must not matter to a model.
#[inline]
fn finite_or_nan(value: f64) -> f64 {
    if value.is_finite() {
        value + 0.0
    } else {
        f64::NAN
    }
}

/// Returns the multiplier of a column's physical numbers, so that all time units of a kind agree.
fn microseconds(dtype: &DataType) -> f64 {
    match dtype {
        DataType::Datetime(unit, _) | DataType::Duration(unit) => match unit {
            TimeUnit::Milliseconds => 1e3,
            TimeUnit::Microseconds => 1.0,
            TimeUnit::Nanoseconds => 1e-3,
        },
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(frame: DataFrame) -> Columns {
        Columns::from_frame(&frame).unwrap()
    }

    fn read(columns: &Columns) -> Vec<f64> {
        let mut values = vec![];
        columns.read(0, &mut values).unwrap();
        values
    }

    #[test]
    fn a_filter_keeps_the_order_of_the_rows() {
        let columns = columns(df!("a" => [3.0, 1.0, 2.0]).unwrap());
        for (kept, expected) in [([true; 3], vec![3.0, 1.0, 2.0]), ([true, false, true], vec![3.0, 2.0])] {
            let filtered = columns.filter(&kept).unwrap();
            assert_eq!(filtered.rows(), expected.len());
            assert_eq!(read(&filtered), expected);
        }
    }

    #[test]
    fn time_units_agree() {
        let milliseconds =
            Series::new("t".into(), [1_500i64]).cast(&DataType::Duration(TimeUnit::Milliseconds)).unwrap();
        let nanoseconds = milliseconds.cast(&DataType::Duration(TimeUnit::Nanoseconds)).unwrap();
        for series in [milliseconds, nanoseconds] {
            assert_eq!(read(&Columns::from_series(&series).unwrap()), [1_500_000.0]);
        }
    }

    #[test]
    fn a_decimal_keeps_its_scale() {
        let decimal = Series::new("d".into(), [1.25f64]).cast(&DataType::Decimal(9, 2)).unwrap();
        assert_eq!(read(&Columns::from_series(&decimal).unwrap()), [1.25]);
    }

    #[test]
    fn chunks_do_not_matter() {
        let mut frame = df!("a" => [1.0f32, 2.0]).unwrap();
        frame.vstack_mut(&df!("a" => [Some(3.0f32), None]).unwrap()).unwrap();
        let seen = read(&columns(frame));
        assert_eq!(seen[..3], [1.0, 2.0, 3.0]);
        assert!(seen[3].is_nan());
    }
}
