//! Series ↔ matrix: which dtypes are features, what is a missing value, matching by name, blocks of rows.
//!
//! The one idea: every feature value is read as an f64, and NaN stands for missing (null, NaN or infinite). Categories become
//! codes first, see [`Columns::coded`].

use std::sync::Arc;

use ndarray::Array2;
use polars::prelude::*;

use crate::memory::{matrix, reserve};
use crate::options::Missing;

use super::encode::calendar::{local, zone};
use super::encode::categories::{with_unseen, Encoder, Frequencies};
use super::encode::inputs::{Input, Inputs};
use super::encode::scaling::{Scaling, Tiles};
use super::encode::statistics::FeatureStatistics;
use super::feature::{Feature, Kind};
use super::ids::{numbering, Numbering};
use super::row_text::row_text;

/// Named feature columns of equal length, each of a dtype that can be a feature.
#[derive(Clone)]
pub struct Columns {
    features: Arc<[Feature]>,
    columns: Vec<Series>,
    rows: usize,
}

impl Columns {
    /// The features of one input: the fields of a struct, or the column itself.
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

    /// The features of a frame: all its columns.
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

    /// The same features in the order of `wanted`, matched by name.
    pub fn align_to(&self, wanted: &[Feature]) -> PolarsResult<Self> {
        let position: PlHashMap<&str, usize> =
            self.features.iter().enumerate().map(|(at, feature)| (feature.name.as_str(), at)).collect();
        let missing = names(wanted.iter().filter(|feature| !position.contains_key(feature.name.as_str())));
        polars_ensure!(missing.is_empty(), ColumnNotFound:
            "anorand: the model needs {missing}, not among the columns given ({})", names(self.features.iter()));
        let known: PlHashSet<&str> = wanted.iter().map(|feature| feature.name.as_str()).collect();
        let unexpected = names(self.features.iter().filter(|feature| !known.contains(feature.name.as_str())));
        polars_ensure!(unexpected.is_empty(), SchemaMismatch:
            "anorand: the model does not know {unexpected}; it was fitted on {}", names(wanted.iter()));

        let order: Vec<usize> = wanted.iter().map(|feature| position[feature.name.as_str()]).collect();
        for (feature, at) in wanted.iter().zip(&order) {
            let given = &self.features[*at];
            polars_ensure!(given.kind == feature.kind, SchemaMismatch:
                "anorand: feature {:?} is a {} ({}), but the model was fitted on a {} ({}): cast the column",
                feature.name, given.kind, given.dtype, feature.kind, feature.dtype);
            polars_ensure!(given.zone().is_some() == feature.zone().is_some(), SchemaMismatch:
                "anorand: feature {:?} is a {}, but the model was fitted on a {}: a time without a time zone can't be told from \
                 one of another zone; give it the zone with .dt.replace_time_zone(…), or take it away with \
                 .dt.replace_time_zone(None)", feature.name, given.dtype, feature.dtype);
        }
        let (mut columns, mut features) = (Vec::with_capacity(order.len()), Vec::with_capacity(order.len()));
        for (feature, at) in wanted.iter().zip(&order) {
            let moved = in_zone(&self.columns[*at], feature.zone())?;
            let mut given = self.features[*at].clone();
            if let Some(moved) = &moved {
                // What a fit from a model writes is then read by the same clock again.
                given.dtype = moved.dtype().to_string();
            }
            columns.push(moved.unwrap_or_else(|| self.columns[*at].clone()));
            features.push(given);
        }
        Ok(Self { columns, features: features.into(), rows: self.rows })
    }

    /// Rows `start .. start + len`, without a copy.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let columns = self.columns.iter().map(|column| column.slice(start as i64, len)).collect();
        Self { features: self.features.clone(), columns, rows: len }
    }

    /// The rows at `index`, in that order.
    pub fn gather(&self, index: &IdxCa) -> PolarsResult<Self> {
        let columns = self.columns.iter().map(|column| column.take(index)).collect::<PolarsResult<_>>()?;
        Ok(Self { features: self.features.clone(), columns, rows: index.len() })
    }

    /// The rows for which `kept` holds, in their order.
    pub fn filter(&self, kept: &[bool]) -> PolarsResult<Self> {
        if !kept.contains(&false) {
            return Ok(self.clone());
        }
        let mask: BooleanChunked = kept.iter().copied().collect();
        let columns = self.columns.iter().map(|column| column.filter(&mask)).collect::<PolarsResult<_>>()?;
        let rows = kept.iter().filter(|kept| **kept).count();
        Ok(Self { features: self.features.clone(), columns, rows })
    }

    /// The integer features that number the rows, in the order in which these stand, by name.
    pub fn numberings(&self) -> PolarsResult<Vec<(String, Numbering)>> {
        let columns = self.features.iter().zip(&self.columns);
        let numberings = columns.map(|(feature, column)| Ok(numbering(column)?.map(|how| (feature.name.clone(), how))));
        numberings.filter_map(Result::transpose).collect()
    }

    /// How often each value of the categories occurs; None for other features.
    pub(crate) fn frequencies(&self) -> PolarsResult<Vec<Option<Frequencies>>> {
        let columns = self.features.iter().zip(&self.columns);
        let frequencies = columns.map(|(feature, column)| match feature.kind {
            Kind::Category => Frequencies::of(column).map(Some),
            _ => Ok(None),
        });
        frequencies.collect()
    }

    /// The same columns with categories as codes. There is an encoder for each feature that is one.
    pub(crate) fn coded(&self, encoders: &[Option<Encoder>]) -> PolarsResult<Self> {
        let columns = self.columns.iter().zip(encoders).map(|(column, encoder)| match encoder {
            Some(encoder) => encoder.encode(column),
            None => Ok(column.clone()),
        });
        Ok(Self { features: self.features.clone(), columns: columns.collect::<PolarsResult<_>>()?, rows: self.rows })
    }

    /// Coded columns with some of the values that a single row has as unseen ones, where new values are to be expected; None if they are to be
    /// expected in no column. `rows` is the number of rows that were counted.
    pub(crate) fn with_unseen(&self, frequencies: &[Option<Frequencies>], rows: usize) -> PolarsResult<Option<Self>> {
        let mut changed = None;
        for (j, frequencies) in frequencies.iter().enumerate() {
            let Some(frequencies) = frequencies else { continue };
            if let Some(codes) = with_unseen(&self.columns[j], frequencies, rows)? {
                changed.get_or_insert_with(|| self.clone()).columns[j] = codes;
            }
        }
        Ok(changed)
    }

    /// The codes of each category of coded columns, with the number of its feature; NaN where one is missing.
    pub(crate) fn categories(&self) -> PolarsResult<Vec<(usize, Vec<f64>)>> {
        let mut found = vec![];
        for (j, feature) in self.features.iter().enumerate() {
            if feature.kind == Kind::Category {
                let mut codes = vec![];
                self.read(j, &mut codes)?;
                found.push((j, codes));
            }
        }
        Ok(found)
    }

    /// The text of feature `j` if it is a category that is not coded yet.
    pub(crate) fn text(&self, j: usize) -> PolarsResult<Option<Series>> {
        match self.columns[j].dtype() {
            DataType::String | DataType::Categorical(_, _) | DataType::Enum(_, _) => {
                self.columns[j].cast(&DataType::String).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The values of feature `j` from the first row to the last, into `values`; NaN where one is missing.
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

    /// The same; `as_clock`: a time with a zone as its clocks show it.
    pub(crate) fn read_as(&self, j: usize, as_clock: bool, values: &mut Vec<f64>) -> PolarsResult<()> {
        self.read(j, values)?;
        if as_clock {
            if let Some(zone) = zone(self.columns[j].dtype())? {
                values.iter_mut().for_each(|value| *value = local(*value, zone));
            }
        }
        Ok(())
    }

    /// Which rows a fit can use, under a policy for missing values.
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

    /// The same rows; at least two, or an error that says why not.
    pub fn training_rows(&self, missing: Missing) -> PolarsResult<Vec<bool>> {
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

    /// Which group the one row may be, for an error: Polars calls a verb with the rows of a group, and without its key.
    fn only_row(&self) -> String {
        match self.rows {
            0 => String::new(),
            _ => format!("this is the group with the row {}: ", row_text(&self.columns, 0)),
        }
    }

    /// An error that names the first missing value, if there is one.
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

    /// Per feature of coded columns, what the values that are not missing are like; of a category, their log-frequencies, whose
    /// median is that of a value.
    pub(crate) fn statistics(
        &self,
        encoders: &[Option<Encoder>],
        missing: Missing,
    ) -> PolarsResult<Vec<FeatureStatistics>> {
        let (mut values, mut known) = (vec![], vec![]);
        let mut statistics = Vec::with_capacity(self.features.len());
        for (j, (feature, encoder)) in self.features.iter().zip(encoders).enumerate() {
            self.read(j, &mut values)?;
            known.clear();
            let numbers = values.iter().filter(|value| !value.is_nan());
            known.extend(numbers.map(|value| Input::Value.number(feature.kind, *value, encoder.as_ref())));
            let of = match known.is_empty() {
                false => FeatureStatistics::of(&mut known, feature.kind == Kind::Category),
                // A constant like any other.
                true if missing == Missing::Indicator => FeatureStatistics::of_none(),
                true => polars_bail!(NoData:
                    "anorand: feature {:?} has no value that is not null, NaN or infinite: leave the column out, or fit with \
                     missing=\"indicator\"", feature.name),
            };
            statistics.push(FeatureStatistics { missing: self.rows - of.known, ..of });
        }
        Ok(statistics)
    }

    /// The scaled rows of coded columns, `[rows, inputs]`.
    pub(crate) fn scaled(&self, encoding: &Encoding) -> PolarsResult<Array2<f32>> {
        let mut matrix = matrix(self.rows, encoding.inputs.count(), "the scaled rows")?;
        let mut values = vec![];
        for (j, (first, inputs)) in encoding.inputs.enumerated().enumerate() {
            self.read_as(j, Inputs::is_calendar(inputs), &mut values)?;
            for (input, at) in inputs.iter().zip(first..) {
                for (target, value) in matrix.column_mut(at).iter_mut().zip(&values) {
                    let number = input.number(self.features[j].kind, *value, encoding.encoders[j].as_ref());
                    let number = if number.is_nan() { encoding.reference[at] } else { number };
                    *target = encoding.scaling.apply(at, number);
                }
            }
        }
        Ok(matrix)
    }

    /// All rows of coded columns scaled into tiles of `tile` rows, `[tiles, inputs, tile]`; a missing value as the reference, and
    /// the rows that have one marked in `incomplete`. Tiles of one row are a matrix, row by row.
    pub(crate) fn scale_into(
        &self,
        encoding: &Encoding,
        tile: usize,
        tiles: &mut [f32],
        incomplete: &mut [bool],
    ) -> PolarsResult<()> {
        let Encoding { inputs, scaling, reference, .. } = encoding;
        let (count, mut values, mut numbers) = (inputs.count(), vec![], vec![]);
        for (j, (first, inputs)) in inputs.enumerated().enumerate() {
            let mut target = Tiles { tile, inputs: count, input: first, tiles: &mut *tiles };
            let is_number = inputs == [Input::Value] && self.features[j].kind != Kind::Category;
            match plain(&self.columns[j]).filter(|_| is_number) {
                Some(Plain::F32(plain)) => {
                    scaling.scale_tiles(first, plain, reference[first], &mut target, incomplete);
                    continue;
                }
                Some(Plain::F64(plain)) => {
                    scaling.scale_tiles(first, plain, reference[first], &mut target, incomplete);
                    continue;
                }
                None => self.read_as(j, Inputs::is_calendar(inputs), &mut values)?,
            }
            incomplete.iter_mut().zip(&values).for_each(|(incomplete, value)| *incomplete |= value.is_nan());
            for (input, at) in inputs.iter().zip(first..) {
                let encoder = encoding.encoders[j].as_ref();
                numbers.clear();
                numbers.extend(values.iter().map(|value| input.number(self.features[j].kind, *value, encoder)));
                target.input = at;
                let marked = &mut vec![false; values.len()];
                scaling.scale_tiles(at, &numbers, reference[at], &mut target, marked);
            }
        }
        Ok(())
    }
}

/// How coded columns become scaled inputs.
#[derive(Clone, Copy)]
pub struct Encoding<'a> {
    pub inputs: &'a Inputs,
    pub encoders: &'a [Option<Encoder>],
    pub scaling: &'a Scaling,
    /// What stands in for each input of a missing value
    pub reference: &'a [f64],
}

/// The numbers of a column, where they can be taken as they are.
enum Plain<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
}

/// A float column in one chunk without nulls: what scoring mostly gets.
fn plain(column: &Series) -> Option<Plain<'_>> {
    match column.dtype() {
        DataType::Float32 => column.f32().ok()?.cont_slice().ok().map(Plain::F32),
        DataType::Float64 => column.f64().ok()?.cont_slice().ok().map(Plain::F64),
        _ => None,
    }
}

/// A time with a zone, on the clocks of another one; None where it is there already, or has none.
fn in_zone(column: &Series, zone: Option<&str>) -> PolarsResult<Option<Series>> {
    match (column.dtype(), zone) {
        (DataType::Datetime(unit, Some(own)), Some(zone)) if own.as_str() != zone => {
            // The same instants: a cast would keep what the clock shows.
            let instants = column.to_physical_repr().i64()?.clone();
            Ok(Some(instants.into_datetime(*unit, TimeZone::opt_try_new(Some(zone))?).into_series()))
        }
        _ => Ok(None),
    }
}

fn check_distinct(features: &[Feature]) -> PolarsResult<()> {
    let mut names = PlHashSet::with_capacity(features.len());
    for feature in features {
        polars_ensure!(names.insert(feature.name.as_str()), Duplicate:
            "anorand: two features are named {:?}: rename one with .alias()", feature.name);
    }
    Ok(())
}

fn names<'a>(features: impl Iterator<Item = &'a Feature>) -> String {
    const SHOWN: usize = 8;
    let all: Vec<String> = features.map(|feature| format!("{:?}", feature.name)).collect();
    match all.len() {
        0..=SHOWN => all.join(", "),
        many => format!("{} and {} more", all[..SHOWN].join(", "), many - SHOWN),
    }
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

/// What a column's physical numbers are multiplied with, so that all time units of a kind agree.
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
    fn null_nan_and_infinity_are_missing() {
        let frame = df!("a" => [Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY), Some(2.0)]).unwrap();
        let usable = columns(frame).training_rows(Missing::Null).unwrap();
        assert_eq!(usable, [true, false, false, false, true]);
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
    fn the_error_policy_names_the_column_and_the_row() {
        let frame = df!("a" => [1, 2], "b" => [Some(1), None]).unwrap();
        let message = columns(frame).training_rows(Missing::Error).unwrap_err().to_string();
        assert!(message.contains("\"b\"") && message.contains("row 1"), "{message}");
    }

    #[test]
    fn features_are_matched_by_name() {
        let fitted = columns(df!("a" => [1], "b" => [2]).unwrap());
        let given = columns(df!("b" => [2], "a" => [1]).unwrap());
        assert_eq!(given.align_to(fitted.features()).unwrap().features(), fitted.features());

        let short = columns(df!("a" => [1]).unwrap());
        assert!(short.align_to(fitted.features()).err().unwrap().to_string().contains("needs \"b\""));
        assert!(fitted.align_to(short.features()).err().unwrap().to_string().contains("does not know \"b\""));
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
    fn a_time_of_another_zone_is_taken_by_the_models_clock() {
        let zone = |name: &str| {
            let instants = Int64Chunked::from_vec("t".into(), vec![0]);
            let zone = TimeZone::opt_try_new(Some(name)).unwrap();
            Columns::from_series(&instants.into_datetime(TimeUnit::Microseconds, zone).into_series()).unwrap()
        };
        let (berlin, utc) = (zone("Europe/Berlin"), zone("UTC"));
        let clock = |columns: &Columns| {
            let mut values = vec![];
            columns.read_as(0, true, &mut values).unwrap();
            values[0]
        };
        assert_eq!((clock(&berlin), clock(&utc)), (3_600e6, 0.0));
        let moved = utc.align_to(berlin.features()).unwrap();
        assert_eq!((clock(&moved), moved.features()), (3_600e6, berlin.features()));
        let naive = Series::new("t".into(), [0i64]).cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
        let message = Columns::from_series(&naive).unwrap().align_to(utc.features()).err().unwrap().to_string();
        assert!(message.contains("replace_time_zone"), "{message}");
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

    #[test]
    fn tiles_hold_the_scaled_matrix() {
        let frame =
            df!("a" => [0.0, 1.0, 2.0, 3.0, 4.0], "b" => [Some(5.0), None, Some(6.0), Some(7.0), Some(9.0)]).unwrap();
        let (columns, scaling) = (columns(frame), Scaling::min_max(&[(0.0, 4.0), (5.0, 9.0)]));
        let expected = [[0.0, 0.0], [0.25, 0.5], [0.5, 0.25], [0.75, 0.5], [1.0, 1.0]];
        for tile in [1, 2, 4, 5, 8] {
            let mut tiles = vec![0f32; 5usize.div_ceil(tile) * tile * 2];
            let mut incomplete = vec![false; 5];
            let (inputs, encoders, reference) = (&Inputs::values(2), &[None, None], &[0.0, 7.0]);
            let encoding = Encoding { inputs, encoders, scaling: &scaling, reference };
            columns.scale_into(&encoding, tile, &mut tiles, &mut incomplete).unwrap();
            assert_eq!(incomplete, [false, true, false, false, false]);
            for (row, numbers) in expected.iter().enumerate() {
                for (j, number) in numbers.iter().enumerate() {
                    assert_eq!(tiles[(row / tile * 2 + j) * tile + row % tile], *number);
                }
            }
        }
    }
}
