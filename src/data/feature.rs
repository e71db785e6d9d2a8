//! Which dtypes can be features, and what their numbers mean.

use std::fmt::{Display, Formatter};

use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::options::Encode;

/// What a feature's numbers mean. Features of one kind can be compared, whatever their dtype: an
/// Int8 column scores against a model fitted on Float64, and `Datetime[ms]` against `Datetime[ns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Integers, floats, Decimal; Boolean as 0 and 1.
    Number,
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since 1970-01-01, UTC where there is a time zone; a time with one and a time
    /// without one can't be compared.
    Datetime,
    /// Microseconds.
    Duration,
    /// Nanoseconds since midnight.
    Time,
    /// String, Categorical or Enum: the code of the value, its place in the vocabulary.
    Category,
}

impl Kind {
    /// Whether hours, weekdays or months of it recur.
    pub fn recurs(self) -> bool {
        matches!(self, Kind::Date | Kind::Datetime | Kind::Time)
    }

    /// The kind of a dtype; an error that names the column if it can't be a feature.
    pub fn from_dtype(name: &str, dtype: &DataType) -> PolarsResult<Self> {
        match dtype {
            DataType::Boolean | DataType::Decimal(_, _) => Ok(Kind::Number),
            dtype if dtype.is_primitive_numeric() => Ok(Kind::Number),
            DataType::Date => Ok(Kind::Date),
            DataType::Datetime(_, _) => Ok(Kind::Datetime),
            DataType::Duration(_) => Ok(Kind::Duration),
            DataType::Time => Ok(Kind::Time),
            DataType::String | DataType::Categorical(_, _) | DataType::Enum(_, _) => Ok(Kind::Category),
            other => polars_bail!(SchemaMismatch:
                "anorand: feature {name:?} has dtype {other}; features must be integers, floats, Decimal, Boolean, Date, \
                 Datetime, Duration, Time, String, Categorical or Enum: leave the column out, or cast it"),
        }
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", format!("{self:?}").to_lowercase())
    }
}

/// A feature as a model remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    pub name: String,
    /// The dtype of the training column, for people to read.
    pub dtype: String,
    pub kind: Kind,
}

impl Feature {
    /// A column without any value may have the dtype Null. It is a column of missing values, of any
    /// kind that a model's feature has: see [`Feature::is_untyped`].
    pub fn from_field(field: &Field) -> PolarsResult<Self> {
        let name = field.name().to_string();
        let kind = match field.dtype() {
            DataType::Null => Kind::Number,
            dtype => Kind::from_dtype(&name, dtype)?,
        };
        Ok(Self { name, dtype: field.dtype().to_string(), kind })
    }

    /// Whether it has the dtype Null, which says nothing of its kind.
    pub fn is_untyped(&self) -> bool {
        self.dtype == DataType::Null.to_string()
    }

    /// Returns an error if a fit can't know what the feature is.
    pub fn check_typed(&self) -> PolarsResult<()> {
        polars_ensure!(!self.is_untyped(), SchemaMismatch:
            "anorand: feature {:?} has dtype {}, as a column without any value has, and a fit needs to know its kind: cast it \
             to the dtype that it has elsewhere, or leave the column out", self.name, self.dtype);
        Ok(())
    }

    /// A dtype of its kind.
    pub fn typical_dtype(&self) -> PolarsResult<DataType> {
        Ok(match self.kind {
            Kind::Number => DataType::Float64,
            Kind::Date => DataType::Date,
            Kind::Datetime => DataType::Datetime(TimeUnit::Microseconds, TimeZone::opt_try_new(self.zone())?),
            Kind::Duration => DataType::Duration(TimeUnit::Microseconds),
            Kind::Time => DataType::Time,
            Kind::Category => DataType::String,
        })
    }

    /// The time zone of a Datetime that has one.
    pub fn zone(&self) -> Option<&str> {
        match self.kind {
            Kind::Datetime => self.dtype.split_once(", ").map(|(_, zone)| zone.trim_end_matches(']')),
            _ => None,
        }
    }

    /// An error if it is a category and a fit was asked to refuse those.
    pub fn check_encoding(&self, encode: Encode) -> PolarsResult<()> {
        polars_ensure!(self.kind != Kind::Category || encode != Encode::Error, SchemaMismatch:
            "anorand: feature {:?} has dtype {}, and encode=\"error\" takes numbers and times only: leave the column out, cast \
             it, or fit with encode=\"onehot\"", self.name, self.dtype);
        Ok(())
    }
}

/// The fields that an input column brings as features: a struct's own fields, or the column itself.
pub fn feature_fields(input: &Field) -> PolarsResult<Vec<Field>> {
    let fields = match input.dtype() {
        DataType::Struct(fields) => match fields.as_slice() {
            // `pl.col("s").anorand` on a struct column arrives as a struct of that one struct.
            [only] if matches!(only.dtype(), DataType::Struct(_)) => return feature_fields(only),
            _ => fields.clone(),
        },
        _ => vec![input.clone()],
    };
    polars_ensure!(!fields.is_empty(), ComputeError:
        "anorand: there is no feature: the expression selects no column");
    Ok(fields)
}
