//! How to fit: the options, labels and groups that a call brings.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use polars::prelude::*;

use crate::data::{Columns, Labels, Totals};
use crate::device::{Cost, Request};
use crate::engine::Device;
use crate::fit::{fit_best_sample, fit_sample, warnings_of_table, Fitted, Start, Subject, Warning};
use crate::model::Model;
use crate::options::{Candidates, UncheckedOptions};

use super::groups::Groups;
use super::init::Init;
use super::scan::Sampled;

/// How a model is fitted on rows: all of them, or those of each group.
pub struct Training {
    /// One, or those to choose from
    pub candidates: Candidates,
    pub labels: Option<Labels>,
    pub groups: Option<Groups>,
    /// Where the fits start, and the options that were given beside it
    pub init: Option<(Init, UncheckedOptions)>,
    /// Which rows the model of `init` has seen
    pub replayed: Option<Vec<bool>>,
}

impl Training {
    /// The model of all rows.
    pub fn fit(&self, columns: &Columns, request: Request) -> PolarsResult<Model> {
        self.fit_sample(columns, None, request)
    }

    /// The same where the rows are a sample of a table whose totals are known.
    pub fn fit_sample(&self, columns: &Columns, totals: Option<&Totals>, request: Request) -> PolarsResult<Model> {
        let features = columns.features().len();
        let candidates = self.candidates.of(knows_few(self.labels.as_ref()));
        let cost = candidates.iter().map(|options| Cost::of_fit(options, features, columns.rows())).sum();
        let all = Rows { columns, labels: self.labels.as_ref(), replayed: self.replayed.as_deref(), totals };
        let fitted = request.run(cost, |device| self.fit_rows(None, &all, device))?;
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
                let replayed = self.replayed.as_ref().map(|all| rows.iter().map(|row| all[*row as usize]).collect());
                let replayed: Option<Vec<bool>> = replayed;
                let of_group =
                    Rows { columns: &columns, labels: labels.as_ref(), replayed: replayed.as_deref(), totals };
                let Fitted { model, warnings } = self.fit_rows(Some(rows), &of_group, device)?;
                warned.add(warnings);
                then(&model, &columns, device)
            })
        })?;
        // Of all rows, not of each group: rows that are sorted within each group are not numbered by that.
        warnings_of_table(columns)?.iter().for_each(|warning| polars_warn!("{warning}"));
        warned.say(groups.rows().len());
        Ok(models)
    }

    /// The model of rows, which have these numbers among all of the call if they are not all.
    fn fit_rows(&self, numbers: Option<&[IdxSize]>, rows: &Rows, device: Device) -> PolarsResult<Fitted> {
        let Rows { columns, labels, replayed, totals } = *rows;
        let init = self.init.as_ref().map(|(init, given)| Ok::<_, PolarsError>(init.model(numbers)?.zip(Some(given))));
        let Some((model, given)) = init.transpose()?.flatten() else {
            return fit_best_sample(columns, labels, totals, self.candidates.of(knows_few(labels)), device);
        };
        let options = given.clone().check_from(&model.metadata().options)?;
        fit_sample(columns, labels, totals, Some(&Start { model: &model, replayed }), &options, device)
    }

    /// How many rows a fit can use.
    fn usable_rows(&self, columns: &Columns) -> PolarsResult<usize> {
        Ok(columns.usable_rows(self.candidates.missing())?.into_iter().filter(|usable| *usable).count())
    }
}

/// Below this number of known anomalies among unlabelled rows, a network that learns from them alone would miss anomalies of other
/// kinds: those are then found as without labels, and the known ones only help.
const FEW: usize = 10;

/// Whether few anomalies are known, and most of the other rows have no label. Where they are labelled as normal, there are no others
/// to be found.
fn knows_few(labels: Option<&Labels>) -> bool {
    labels.is_some_and(|labels| labels.count(Some(true)) < FEW && labels.count(None) > labels.count(Some(false)))
}

/// Rows to fit on, and what is known of them.
struct Rows<'a> {
    columns: &'a Columns,
    labels: Option<&'a Labels>,
    replayed: Option<&'a [bool]>,
    totals: Option<&'a Totals>,
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
