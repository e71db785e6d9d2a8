//! Columns whose categories are codes, and what is counted of them.

use polars::prelude::*;

use super::categories::{with_unseen, Encoder, Frequencies};
use super::inputs::Input;
use super::statistics::FeatureStatistics;
use crate::data::columns::Columns;
use crate::data::counts::Totals;
use crate::data::feature::Kind;
use crate::options::Missing;

impl Columns {
    /// Counts how often each value of the categories occurs; None for other features.
    pub(crate) fn frequencies(&self) -> PolarsResult<Vec<Option<Frequencies>>> {
        let columns = self.features.iter().zip(&self.columns);
        let frequencies = columns.map(|(feature, column)| match feature.kind {
            Kind::Category => Frequencies::from_column(column).map(Some),
            _ => Ok(None),
        });
        frequencies.collect()
    }

    /// Makes codes of the categories. There is an encoder for each feature that is one.
    pub(crate) fn coded(&self, encoders: &[Option<Encoder>]) -> PolarsResult<Self> {
        let columns = self.columns.iter().zip(encoders).map(|(column, encoder)| match encoder {
            Some(encoder) => encoder.encode(column),
            None => Ok(column.clone()),
        });
        Ok(Self { features: self.features.clone(), columns: columns.collect::<PolarsResult<_>>()?, rows: self.rows })
    }

    /// Coded columns with some of the values that a single row has as unseen ones, where new values
    /// are to be expected; None if they are to be expected in no column. `rows` is the number of
    /// rows that were counted.
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

    /// Describes, per feature of coded columns, what the values that are not missing are like; of a
    /// category, their log-frequencies, whose median is that of a value.
    pub(crate) fn statistics(
        &self,
        encoders: &[Option<Encoder>],
        missing: Missing,
        totals: Option<&Totals>,
    ) -> PolarsResult<Vec<FeatureStatistics>> {
        let (mut values, mut known) = (vec![], vec![]);
        let mut statistics = Vec::with_capacity(self.features.len());
        for (j, (feature, encoder)) in self.features.iter().zip(encoders).enumerate() {
            self.read(j, &mut values)?;
            known.clear();
            let numbers = values.iter().filter(|value| !value.is_nan());
            known.extend(numbers.map(|value| Input::Value.number(feature.kind, *value, encoder.as_ref())));
            let found = match known.is_empty() {
                false => FeatureStatistics::from_values(&mut known, feature.kind == Kind::Category),
                // A constant like any other.
                true if missing == Missing::Indicator => FeatureStatistics::without_values(),
                // Rows beyond the sample have values.
                true if totals.is_some_and(|totals| totals.features[j].missing < totals.rows) => {
                    FeatureStatistics::without_values()
                }
                true => polars_bail!(ComputeError:
                    "anorand: feature {:?} has no value that is not null, NaN or infinite: leave the column out, or fit with \
                     missing=\"indicator\"", feature.name),
            };
            statistics.push(FeatureStatistics { missing: self.rows - found.known, ..found });
        }
        Ok(statistics)
    }
}
