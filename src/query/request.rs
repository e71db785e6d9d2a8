//! Says how to fit: the options, labels and groups that a call brings.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use polars::prelude::*;

use crate::data::{Columns, Labels, Totals};
use crate::device::{Cost, Request};
use crate::engine::Device;
use crate::fit::{fit_choices, table_warnings, try_map_ok, Choice, Fitted, Given, Start, Subject, Warning};
use crate::model::Model;
use crate::options::{Known, Options, OptionsByLabels, UncheckedOptions};
use crate::pool;

use super::groups::Groups;
use super::init::Init;
use super::scan::{Gathering, Sampled};
use super::warn::warn;

/// Says how a model is fitted on rows: all of them, or those of each group.
pub struct Training {
    pub options: OptionsByLabels,
    pub labels: Option<Labels>,
    pub groups: Option<Groups>,
    /// Where the fits start, and the options that were given with it
    pub init: Option<(Init, UncheckedOptions)>,
    /// Which rows the model of `init` has seen
    pub replayed: Option<Vec<bool>>,
}

impl Training {
    /// Fits a model on all rows.
    pub fn fit(&self, columns: &Columns, request: Request) -> PolarsResult<Model> {
        self.fit_sample(columns, None, request)
    }

    /// Fits a model on a sample of a table; `sampled` is what is known of the table.
    pub fn fit_sample(&self, columns: &Columns, sampled: Option<&Sampled>, request: Request) -> PolarsResult<Model> {
        let labels = self.labels.as_ref();
        let Resolved { model, options, loss_weights } = self.resolved(0, None, labels)?;
        let start = model.as_ref().map(|model| Start { model, replayed: self.replayed.as_deref() });
        check_replayed(start, sampled)?;
        let totals = sampled.and_then(|sampled| sampled.totals.as_ref());
        let choice = Choice { given: Given { columns, labels, totals, start }, options: &options, loss_weights };
        let one = || Cost::of_fit(&options, columns.features().len(), columns.rows());
        let cost = (0..self.options.compared_fits()).map(|_| one());
        let Fitted { model, warnings } = request.run(cost.sum(), |device| choice.fit(device))?;
        table_warnings(columns)?.iter().chain(&warnings).for_each(|warning| warn(&warning.to_string()));
        Ok(model)
    }

    /// Fits a model on each group, and returns what `then` makes of it and its rows; None for a
    /// group too small for one.
    ///
    /// A group's model is the one that a fit of its rows alone would give.
    pub fn fit_each<T: Send>(
        &self,
        groups: &Groups,
        columns: &Columns,
        request: Request,
        then: impl Fn(&Model, &Columns, Device) -> PolarsResult<T> + Sync,
    ) -> PolarsResult<Vec<Option<T>>> {
        self.fit_each_sample(groups, None, columns, request, then)
    }

    /// Fits models on samples of groups; `samples` is what is known of the groups.
    pub fn fit_each_sample<T: Send>(
        &self,
        groups: &Groups,
        samples: Option<&[Sampled]>,
        columns: &Columns,
        request: Request,
        then: impl Fn(&Model, &Columns, Device) -> PolarsResult<T> + Sync,
    ) -> PolarsResult<Vec<Option<T>>> {
        let warned = Warned::default();
        let features = columns.features().len();
        let rows: Vec<usize> = groups.rows().iter().map(Vec::len).collect();
        let one = || Cost::of_fits(self.options.choose(Known::Many), features, &rows);
        let cost = (0..self.options.compared_fits()).map(|_| one()).sum();
        let at_a_time = BYTES_AT_A_TIME / (features * size_of::<f64>()).max(1);
        let models = request.run(cost, |device| {
            groups.each(device, at_a_time, |numbers| {
                // Too few rows are the group's own matter. Other errors are of what the call asks
                // for: of its model to start from, or its missing="error".
                let gather = |group| match self.gather_group(groups, samples, columns, group) {
                    Err(error) if !matches!(error, PolarsError::NoData(_)) => Err(groups.named(error, group)),
                    gathered => Ok(gathered),
                };
                let rows = pool::map(numbers.to_vec(), gather)?;
                let fitted =
                    try_map_ok(rows, |rows| fit_choices(rows.into_iter().map(GroupFit::choice).collect(), device))?;
                let then = |(rows, Fitted { model, warnings }): (GroupFit, Fitted)| {
                    warned.add(warnings);
                    then(&model, &rows.columns, device)
                };
                pool::map(fitted, |fitted| Ok(fitted.and_then(then)))
            })
        })?;
        // Of all rows, not of each group: rows that are sorted within each group are not numbered
        // by that.
        table_warnings(columns)?.iter().for_each(|warning| warn(&warning.to_string()));
        warned.say(groups.rows().len());
        Ok(models)
    }

    /// Gathers a group's rows, if they are enough for a fit.
    fn gather_group<'a>(
        &'a self,
        groups: &Groups,
        samples: Option<&'a [Sampled]>,
        columns: &Columns,
        group: usize,
    ) -> PolarsResult<GroupFit<'a>> {
        let rows = &groups.rows()[group];
        let columns = columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, rows.clone()))?;
        let labels = self.labels.as_ref().map(|labels| labels.gather(rows));
        let Resolved { model, options, loss_weights } = self.resolved(group, Some(rows), labels.as_ref())?;
        let sampled = samples.map(|samples| &samples[group]);
        match sampled {
            Some(sampled) => groups.small().check(sampled.usable, sampled.given)?,
            None => {
                let usable = columns.usable_rows(options.missing)?.into_iter().filter(|usable| *usable).count();
                groups.small().check(usable, rows.len())?;
            }
        }
        check_replayed(model.as_ref().map(|model| Start { model, replayed: None }), sampled)?;
        let replayed = self.replayed.as_ref().map(|all| rows.iter().map(|row| all[*row as usize]).collect());
        let totals = sampled.and_then(|sampled| sampled.totals.as_ref());
        Ok(GroupFit { columns, labels, replayed, totals, model, options, loss_weights })
    }

    /// Says what the fit of a group will ask of its rows, before they are gathered.
    pub fn gathering(&self, group: usize) -> PolarsResult<Gathering> {
        let Resolved { model, options, .. } = self.resolved(group, None, None)?;
        let Options { missing, seed, .. } = *options;
        Ok(Gathering { missing, seed, goes_on: model.is_some() })
    }

    /// Says where the fit of a group starts, and with which options. `rows` are its rows; None:
    /// all.
    fn resolved(&self, group: usize, rows: Option<&[IdxSize]>, labels: Option<&Labels>) -> PolarsResult<Resolved<'_>> {
        let init =
            self.init.as_ref().map(|(init, given)| Ok::<_, PolarsError>(init.model(group, rows)?.zip(Some(given))));
        Ok(match init.transpose()?.flatten() {
            None => {
                let options = Cow::Borrowed(self.options.choose(known(labels)));
                Resolved { model: None, options, loss_weights: self.options.loss_weights() }
            }
            Some((model, given)) => {
                let options = given.clone().check_from(&model.metadata().options)?;
                Resolved { model: Some(model), options: Cow::Owned(options), loss_weights: &[] }
            }
        })
    }
}

/// Returns an error if more rows of a scan are replayed than the model has seen, of which the
/// sample may have fewer.
fn check_replayed(start: Option<Start>, sampled: Option<&Sampled>) -> PolarsResult<()> {
    let new = sampled.and_then(|sampled| Some((sampled.usable, sampled.totals.as_ref()?.rows)));
    start.zip(new).map_or(Ok(()), |(start, (usable, new))| start.check_replayed(usable.saturating_sub(new)))
}

/// Bytes of the rows of groups that a GPU fits together, as they are before they are scaled.
const BYTES_AT_A_TIME: usize = 1 << 30;

/// The model that a fit goes on from, its options, and the values of `loss_weight` to choose from.
struct Resolved<'a> {
    model: Option<Arc<Model>>,
    options: Cow<'a, Options>,
    loss_weights: &'a [f64],
}

/// What a group's fit is given.
struct GroupFit<'a> {
    columns: Columns,
    labels: Option<Labels>,
    replayed: Option<Vec<bool>>,
    totals: Option<&'a Totals>,
    model: Option<Arc<Model>>,
    options: Cow<'a, Options>,
    loss_weights: &'a [f64],
}

impl GroupFit<'_> {
    fn choice(&self) -> Choice<'_> {
        let start = self.model.as_ref().map(|model| Start { model, replayed: self.replayed.as_deref() });
        let (columns, labels) = (&self.columns, self.labels.as_ref());
        let given = Given { columns, labels, totals: self.totals, start };
        Choice { given, options: &self.options, loss_weights: self.loss_weights }
    }
}

/// Below this number of known anomalies among unlabelled rows, networks that learn labels alone miss
/// too many anomalies of other kinds (docs/quality.md).
const FEW: usize = 10;

/// How many anomalies are known among rows without labels. Where most other rows are labelled as
/// normal, there are no others to be found.
fn known(labels: Option<&Labels>) -> Known {
    let Some(labels) = labels else { return Known::Many };
    let unlabelled = labels.count(None) > labels.count(Some(false));
    match unlabelled && labels.count(Some(true)) < FEW {
        true => Known::Few,
        false => Known::Many,
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
            warn(&warning.in_groups(count, groups).to_string());
        }
    }
}
