//! One model per group: says which rows belong to which key, and a fit of each.

use polars::prelude::*;

use crate::data::value_text;
use crate::engine::Device;
use crate::job::{self, Unit};
use crate::options::{Range, Whole};
use crate::pool;

use super::warn::warn;

/// Says which groups are too small for a model, and what they get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmallGroups {
    /// A group needs this number of rows that a fit can use.
    min_rows: usize,
    /// Whether a group without a model is an error that names it, rather than a null and a warning.
    /// That is for a group whose fit fails as well.
    refused: bool,
}

impl SmallGroups {
    pub fn parse(name: Option<&str>, min_rows: Option<i64>) -> PolarsResult<Self> {
        let refused = match name {
            None | Some("null") => false,
            Some("error") => true,
            Some(other) => {
                polars_bail!(ComputeError: "anorand: small_groups must be \"null\" or \"error\", got {other:?}")
            }
        };
        // The default: with contamination=0.01, a group of five rows has an outlier as any other,
        // which is 20 % of it.
        let min_rows = Whole(2, i64::MAX).check("min_group_rows", min_rows, 20)?;
        Ok(Self { min_rows, refused })
    }

    /// `NoData` for a group of `rows` rows, `usable` by a fit, if these are too few.
    pub fn check(&self, usable: usize, rows: usize) -> PolarsResult<()> {
        let skipped = if usable < rows {
            format!(" without a null, NaN or infinity in a feature, of {rows} rows")
        } else {
            String::new()
        };
        polars_ensure!(usable >= self.min_rows, NoData:
            "anorand: the fit of a group needs at least {0} rows (min_group_rows={0}), got {usable}{skipped}", self.min_rows);
        Ok(())
    }
}

/// The rows of each key, in the order in which the keys appear.
pub struct Groups {
    /// One row a group
    keys: Vec<Column>,
    rows: Vec<Vec<IdxSize>>,
    small: SmallGroups,
}

impl Groups {
    /// Groups rows by key columns of equal length; a null is a key like any other.
    pub fn from_keys(keys: Vec<Series>, small: SmallGroups) -> PolarsResult<Self> {
        let rows = keys.first().map_or(0, |key| key.len());
        let keys: Vec<Column> = keys.into_iter().map(Series::into_column).collect();
        let frame = DataFrame::new(rows, keys.clone())?;
        let grouped = frame.group_by_with_series(keys, true, true)?;
        let rows = grouped.get_groups().iter().map(|group| match group {
            GroupsIndicator::Idx((_, rows)) => rows.iter().copied().collect(),
            GroupsIndicator::Slice([first, len]) => (first..first + len).collect(),
        });
        Ok(Self { rows: rows.collect(), keys: grouped.keys(), small })
    }

    /// Takes groups whose rows are known, with their key columns, one row per group.
    pub fn known(keys: Vec<Series>, rows: Vec<Vec<IdxSize>>, small: SmallGroups) -> Self {
        Self { keys: keys.into_iter().map(Series::into_column).collect(), rows, small }
    }

    /// The key columns, one row a group.
    pub fn keys(&self) -> &[Column] {
        &self.keys
    }

    /// The rows of each group.
    pub fn rows(&self) -> &[Vec<IdxSize>] {
        &self.rows
    }

    /// Which of them are too small.
    pub fn small(&self) -> SmallGroups {
        self.small
    }

    /// Gives `fit` the numbers of groups and returns what it makes of each; None where one has too
    /// few rows. On the CPU it gets one group at a time, on each of the plugin's threads; for a GPU
    /// all groups that `at_a_time` rows have room for.
    pub fn each<T: Send>(
        &self,
        device: Device,
        at_a_time: usize,
        fit: impl Fn(&[usize]) -> PolarsResult<Vec<PolarsResult<T>>> + Send + Sync,
    ) -> PolarsResult<Vec<Option<T>>> {
        job::expect(Unit::Groups, self.rows.len());
        let numbers: Vec<usize> = (0..self.rows.len()).collect();
        let fit_some = |numbers: &[usize]| {
            let fitted = fit(numbers)?.into_iter().zip(numbers).map(|(fitted, group)| match fitted {
                Ok(fitted) => Ok(Ok(fitted)),
                Err(error) if self.small.refused => Err(self.named(error, *group)),
                // Stopped by an interrupt, which is for the whole call.
                Err(error) if job::is_stopped() => Err(error),
                Err(error) => Ok(Err(error)),
            });
            let fitted = fitted.collect::<PolarsResult<Vec<PolarsResult<T>>>>()?;
            job::advance(Unit::Groups, numbers.len());
            Ok(fitted)
        };
        let fitted: Vec<Vec<_>> = match device {
            Device::Cpu => pool::map(numbers.chunks(1).collect(), fit_some)?,
            Device::Cuda(_) => {
                self.in_parts(&numbers, at_a_time).into_iter().map(fit_some).collect::<PolarsResult<_>>()?
            }
        };
        let fitted: Vec<PolarsResult<T>> = fitted.into_iter().flatten().collect();
        self.warn_of_nulls(&fitted);
        Ok(fitted.into_iter().map(Result::ok).collect())
    }

    /// The groups in parts, each of which has `most` rows unless a single group has more.
    fn in_parts<'a>(&self, mut groups: &'a [usize], most: usize) -> Vec<&'a [usize]> {
        let mut parts = vec![];
        while !groups.is_empty() {
            let mut rows = 0;
            let fits = groups.iter().take_while(|group| {
                rows += self.rows[**group].len();
                rows <= most
            });
            let (part, others) = groups.split_at(fits.count().max(1));
            parts.push(part);
            groups = others;
        }
        parts
    }

    /// An error of one group, with the group's name.
    pub fn named(&self, error: PolarsError, group: usize) -> PolarsError {
        error.wrap_msg(|message| format!("{message} (in the group {})", self.key(group)))
    }

    /// Says which groups get a null, and why: those that are too small, and those whose fit failed.
    fn warn_of_nulls<T>(&self, fitted: &[PolarsResult<T>]) {
        let failed = fitted.iter().enumerate().filter_map(|(group, fitted)| Some((group, fitted.as_ref().err()?)));
        let (small, other): (Vec<_>, Vec<_>) = failed.partition(|(_, error)| matches!(error, PolarsError::NoData(_)));
        self.warn("are too small for a model and get a null", &small);
        self.warn("have no model and get a null, since their fit failed", &other);
    }

    fn warn(&self, what: &str, groups: &[(usize, &PolarsError)]) {
        const SHOWN: usize = 3;
        let Some((_, error)) = groups.first() else { return };
        let reason = match error {
            PolarsError::NoData(reason) => reason.to_string(),
            error => error.to_string(),
        };
        let reason = reason.trim_start_matches("anorand: ");
        let mut keys: Vec<String> = groups.iter().take(SHOWN).map(|(group, _)| self.key(*group)).collect();
        if groups.len() > SHOWN {
            keys.push("…".to_string());
        }
        let (count, all, keys) = (groups.len(), self.rows.len(), keys.join(", "));
        warn(&format!(
            "anorand: {count} of {all} groups {what}: {keys} ({reason}); small_groups=\"error\" makes it an error"
        ));
    }

    /// A group's key, for people to read.
    fn key(&self, group: usize) -> String {
        let values = self.keys.iter().map(|key| value_text(key.as_materialized_series(), group));
        values.collect::<Vec<_>>().join(", ")
    }
}
