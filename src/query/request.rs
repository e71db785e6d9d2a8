//! How to fit: the options, labels and groups that a call brings.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use polars::prelude::*;

use crate::data::{Columns, Labels, Totals};
use crate::device::{Cost, Request};
use crate::engine::Device;
use crate::fit::{fit_best_sample, warnings_of_table, Fitted, Subject, Warning};
use crate::model::Model;
use crate::options::Options;

use super::groups::Groups;
use super::scan::Sampled;

/// How a model is fitted on rows: all of them, or those of each group.
pub struct Training {
    /// One, or those to choose from
    pub candidates: Vec<Options>,
    pub labels: Option<Labels>,
    pub groups: Option<Groups>,
}

impl Training {
    /// The model of all rows.
    pub fn fit(&self, columns: &Columns, request: Request) -> PolarsResult<Model> {
        self.fit_sample(columns, None, request)
    }

    /// The same where the rows are a sample of a table whose totals are known.
    pub fn fit_sample(&self, columns: &Columns, totals: Option<&Totals>, request: Request) -> PolarsResult<Model> {
        let features = columns.features().len();
        let cost = self.candidates.iter().map(|options| Cost::of_fit(options, features, columns.rows())).sum();
        let fitted = request
            .run(cost, |device| fit_best_sample(columns, self.labels.as_ref(), totals, &self.candidates, device))?;
        warnings_of_table(columns)?.iter().chain(&fitted.warnings).for_each(|warning| polars_warn!("{warning}"));
        Ok(fitted.model)
    }

    /// A model of each group and what `then` makes of it and its rows; None for a group too small for one.
    ///
    /// A group's model is the one that a fit of its rows alone would give. Where we choose, it is the CPU that fits them, all
    /// its threads side by side: a GPU would fit one after the other.
    pub fn fit_each<T: Send>(
        &self,
        groups: &Groups,
        columns: &Columns,
        request: Request,
        then: impl Fn(&Model, &Columns, Device) -> PolarsResult<T> + Sync,
    ) -> PolarsResult<Vec<Option<T>>> {
        self.fit_each_sample(groups, None, columns, request, then)
    }

    /// The same where the rows are samples of the groups, of which this is known.
    pub fn fit_each_sample<T: Send>(
        &self,
        groups: &Groups,
        samples: Option<&[Sampled]>,
        columns: &Columns,
        request: Request,
        then: impl Fn(&Model, &Columns, Device) -> PolarsResult<T> + Sync,
    ) -> PolarsResult<Vec<Option<T>>> {
        let warned = Warned::default();
        let models = request.run(Cost::default(), |device| {
            groups.each(device, |group, rows| {
                let columns = columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, rows.to_vec()))?;
                let sampled = samples.map(|samples| &samples[group]);
                match sampled {
                    Some(sampled) => groups.small().check(sampled.usable, sampled.given)?,
                    None => groups.small().check(self.usable_rows(&columns)?, rows.len())?,
                }
                let labels = self.labels.as_ref().map(|labels| labels.gather(rows));
                let totals = sampled.and_then(|sampled| sampled.totals.as_ref());
                let Fitted { model, warnings } =
                    fit_best_sample(&columns, labels.as_ref(), totals, &self.candidates, device)?;
                warned.add(warnings);
                then(&model, &columns, device)
            })
        })?;
        // Of all rows, not of each group: rows that are sorted within each group are not numbered by that.
        warnings_of_table(columns)?.iter().for_each(|warning| polars_warn!("{warning}"));
        warned.say(groups.rows().len());
        Ok(models)
    }

    /// How many rows a fit can use. The candidates share one policy for missing values, which can't be given as a list.
    fn usable_rows(&self, columns: &Columns) -> PolarsResult<usize> {
        let Some(options) = self.candidates.first() else { return Ok(columns.rows()) };
        Ok(columns.usable_rows(options.missing)?.into_iter().filter(|usable| *usable).count())
    }
}

/// The warnings of all groups, said once for each kind and feature.
#[derive(Default)]
struct Warned(Mutex<BTreeMap<Subject, (usize, Warning)>>);

impl Warned {
    fn add(&self, warnings: Vec<Warning>) {
        // A poisoned lock holds counts still.
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in warnings {
            let subject = warning.subject();
            match warned.get_mut(&subject) {
                Some((groups, all)) => {
                    *groups += 1;
                    all.add(&warning);
                }
                None => {
                    warned.insert(subject, (1, warning));
                }
            }
        }
    }

    fn say(self, groups: usize) {
        for (count, warning) in self.0.into_inner().unwrap_or_else(PoisonError::into_inner).into_values() {
            polars_warn!("{}", warning.in_groups(count, groups));
        }
    }
}
