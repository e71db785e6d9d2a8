//! Counts of a table without groups, for other processes and from them.

use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::gathered::{Gathered, Sampled};
use super::gathering::{Gathering, Group, Scan};
use crate::data::{Counting, Feature};
use crate::options::Missing;

/// The version of this crate.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a process has counted of a table or a part of it, as another process reads it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    version: String,
    given: u64,
    counting: Counting,
}

impl Scan {
    /// What was counted so far, for other processes: in parts, so that a process can hold one of
    /// them where a category has very many values. Parts in which nothing is counted are left out.
    /// The scan is empty afterwards.
    pub fn take_counts(&mut self, parts: usize) -> PolarsResult<Vec<(usize, String)>> {
        let Some((group, counting)) = self.groups.drain(..).zip(self.counting.drain(..)).next() else {
            return Ok(vec![]);
        };
        let given = |part| if part == 0 { group.given as u64 } else { 0 };
        let counted = |(part, counting)| Counted { version: VERSION.to_string(), given: given(part), counting };
        let split = counting.split(parts)?.into_iter().enumerate();
        let written = |(part, counting): (usize, Counting)| {
            let text = serde_json::to_string(&counted((part, counting)));
            Ok((part, text.map_err(|error| polars_err!(ComputeError: "anorand: counts can't be written: {error}"))?))
        };
        split.filter(|(part, counting)| *part == 0 || !counting.is_empty()).map(written).collect()
    }

    /// Goes on from what another process counted.
    ///
    /// # Errors
    /// `ComputeError` if the counts are of other features or another version, or damaged.
    pub fn add_counts(&mut self, counts: &str) -> PolarsResult<()> {
        let Counted { version, given, counting } = serde_json::from_str(counts)
            .map_err(|error| polars_err!(ComputeError: "anorand: these are not counts of rows: {error}"))?;
        polars_ensure!(version == VERSION, ComputeError:
            "anorand: rows were counted by polars-anorand {version}, and this is {VERSION}: install the same version everywhere");
        if self.groups.is_empty() {
            // Its rows were gathered there: nothing is asked of them here.
            let how = Gathering { missing: Missing::Indicator, seed: 0, goes_on: false };
            self.groups.push(Group::new(how));
            self.counting.push(Counting::new(counting.features()));
        }
        self.counting[0].add_counted(counting)?;
        let given = self.groups[0].given.checked_add(given as usize);
        self.groups[0].given =
            given.ok_or_else(|| polars_err!(ComputeError: "anorand: more rows than can be counted"))?;
        self.groups[0].usable = self.counting[0].rows();
        Ok(())
    }

    /// Forgets the text of those values of categories that are too rare to be remembered. All rows
    /// with the other values must have been counted here.
    pub fn forget_rare(&mut self) -> PolarsResult<()> {
        self.counting.iter_mut().try_for_each(Counting::forget_rare)
    }

    /// What was counted, of a table whose sample is `rows`.
    ///
    /// # Errors
    /// `ComputeError` if other features were counted, or some of the counts are missing.
    pub fn finish_with(&mut self, rows: Series, features: &[Feature]) -> PolarsResult<Gathered> {
        let counted = self.groups.drain(..).zip(self.counting.drain(..)).next();
        let (group, counting) = counted.ok_or_else(|| polars_err!(NoData: "anorand: no rows were counted"))?;
        let kinds = |features: &[Feature]| -> Vec<_> {
            features.iter().map(|feature| (feature.name.clone(), feature.kind)).collect()
        };
        polars_ensure!(kinds(features) == kinds(counting.features()), ComputeError:
            "anorand: the sample's features are not those that were counted");
        let sampled = (0..rows.len() as IdxSize).collect();
        let totals = Some(counting.totals()?);
        let groups = vec![Sampled { rows: sampled, given: group.given, usable: group.usable, totals }];
        Ok(Gathered { first_rows: rows.clear(), rows, groups })
    }
}
