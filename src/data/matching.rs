//! Matches the features of a call with those of a model, by name.

use polars::prelude::*;

use super::columns::Columns;
use super::feature::Feature;

impl Columns {
    /// Puts the features in the order of `wanted`, matched by name.
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
            if given.is_untyped() {
                continue;
            }
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
            let mut given = self.features[*at].clone();
            if given.is_untyped() {
                let dtype = feature.typical_dtype()?;
                columns.push(Series::full_null(feature.name.as_str().into(), self.rows, &dtype));
                features.push(feature.clone());
                continue;
            }
            let moved = in_zone(&self.columns[*at], feature.zone())?;
            if let Some(moved) = &moved {
                // What a fit from a model writes is then read by the same clock again.
                given.dtype = moved.dtype().to_string();
            }
            columns.push(moved.unwrap_or_else(|| self.columns[*at].clone()));
            features.push(given);
        }
        Ok(Self { columns, features: features.into(), rows: self.rows })
    }
}

/// Moves a time to the clocks of another zone; None where it is there already, or has no zone.
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

fn names<'a>(features: impl Iterator<Item = &'a Feature>) -> String {
    const SHOWN: usize = 8;
    let all: Vec<String> = features.map(|feature| format!("{:?}", feature.name)).collect();
    match all.len() {
        0..=SHOWN => all.join(", "),
        many => format!("{} and {} more", all[..SHOWN].join(", "), many - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(frame: DataFrame) -> Columns {
        Columns::from_frame(&frame).unwrap()
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
    fn a_column_without_a_dtype_has_missing_values_of_the_models_kind() {
        let frame = df!("n" => [1.5], "s" => ["a"], "t" => [0i64], "z" => [0i64]).unwrap();
        let zone = TimeZone::opt_try_new(Some("Europe/Berlin")).unwrap();
        let dtypes = [("t", DataType::Date), ("z", DataType::Datetime(TimeUnit::Nanoseconds, zone))];
        let mut typed = frame.clone();
        for (name, dtype) in dtypes {
            typed.with_column(frame.column(name).unwrap().cast(&dtype).unwrap()).unwrap();
        }
        let fitted = columns(typed);
        let nulls = ["z", "t", "s", "n"].map(|name| Column::full_null(name.into(), 3, &DataType::Null));
        let given = columns(DataFrame::new(3, nulls.to_vec()).unwrap());
        assert!(given.features().iter().all(|feature| feature.check_typed().is_err()));
        let aligned = given.align_to(fitted.features()).unwrap();
        assert_eq!((aligned.features(), aligned.rows()), (fitted.features(), 3));
        assert_eq!(aligned.missing_values().unwrap(), [3; 4]);
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
}
