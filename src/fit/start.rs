//! A fit that goes on from an earlier model (`init=`, `replay=`): the one layer in which what the
//! model knows is merged with the new rows.
//!
//! The fit takes over:
//!
//! * the networks, and what they see: the inputs of each feature and their scaling, without which
//!   the weights mean nothing;
//! * the counts and extremes, to which those of the new rows are added, so that a value which only
//!   earlier rows had does not count as unseen;
//! * what its cells know, to which that of the new rows is added: see `crate::cells::Earlier`.
//!
//! All else, such as α and the quantiles of the scores, comes from the rows that the fit is given.

use std::borrow::Cow;

use polars::prelude::{polars_bail, polars_ensure, polars_err, PolarsResult};

use crate::cells::{describe, Earlier};
use crate::data::{Columns, Counting, Encoder, Feature, FeatureStatistics, Inputs, Labels, Scaling, Totals, QUANTILES};
use crate::engine::Weights;
use crate::model::Model;
use crate::options::{Missing, Options};

use super::training_rows::TrainingRows;

/// The model that a fit goes on from.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    pub model: &'a Model,
    /// Marks the given rows that the model has seen; None if it has seen none of them.
    pub replayed: Option<&'a [bool]>,
}

impl Start<'_> {
    /// Refuses a distilled model, whose network no fit trains.
    pub fn check(&self) -> PolarsResult<()> {
        if let Some(distilled) = &self.model.metadata().distilled {
            polars_bail!(ComputeError:
                "anorand: the model of init= is one network that was distilled from an ensemble of {}, expected the ensemble itself: \
                 fit it without distil=True and keep it for later fits, each of which may have distil=True", distilled.members);
        }
        Ok(())
    }

    /// Refuses more replayed rows than the model has seen.
    pub fn check_replayed(&self, rows: usize) -> PolarsResult<()> {
        let seen = self.model.metadata().training.rows;
        polars_ensure!(rows <= seen, ComputeError:
            "anorand: replay marks {rows} rows, and the model of init= was fitted on {seen}: mark rows that it has seen, each once");
        Ok(())
    }

    /// Marks, among the rows that a fit can use, those that the model has seen.
    fn usable_replayed(&self, given: &Columns, missing: Missing) -> PolarsResult<Option<Vec<bool>>> {
        let Some(replayed) = self.replayed else { return Ok(None) };
        polars_ensure!(replayed.len() == given.rows(), ShapeMismatch:
            "anorand: replay has {} values for {} rows, expected one for each row", replayed.len(), given.rows());
        let usable = given.training_rows(missing)?;
        let replayed: Vec<bool> =
            replayed.iter().zip(usable).filter(|(_, usable)| *usable).map(|(replayed, _)| *replayed).collect();
        self.check_replayed(replayed.iter().filter(|replayed| **replayed).count())?;
        Ok(Some(replayed))
    }

    /// The totals of the model's rows.
    fn totals(&self) -> Totals {
        self.model.totals()
    }

    /// The model's inputs, with the codes that the categories' values have now.
    fn inputs(&self, encoders: &[Option<Encoder>]) -> PolarsResult<Inputs> {
        let values =
            self.model.frequencies().iter().map(|counted| counted.as_ref().map(|counted| counted.values.clone()));
        let values: Vec<Option<Vec<String>>> = values.collect();
        let recoded = self.model.inputs().recoded(&values, encoders);
        recoded.ok_or_else(|| {
            polars_err!(ComputeError: "anorand: a frequent value of the model of init= is no longer among the most frequent ones: fit \
                without init")
        })
    }
}

/// Merges what an earlier model knows with what the new rows say.
///
/// Without an earlier model, each method gives what the new rows say.
pub struct Merging<'a> {
    earlier: Option<(Start<'a>, Totals)>,
}

impl<'a> Merging<'a> {
    /// Refuses a model that no fit can go on from.
    pub fn new(start: Option<Start<'a>>) -> PolarsResult<Self> {
        let with_totals = |start: Start<'a>| -> PolarsResult<(Start<'a>, Totals)> {
            start.check()?;
            Ok((start, start.totals()))
        };
        Ok(Self { earlier: start.map(with_totals).transpose()? })
    }

    fn start(&self) -> Option<&Start<'a>> {
        self.earlier.as_ref().map(|(start, _)| start)
    }

    /// Brings the columns into the model's order, by name.
    pub fn align<'b>(&self, columns: &'b Columns) -> PolarsResult<Cow<'b, Columns>> {
        Ok(match self.start() {
            Some(start) => Cow::Owned(start.model.align(columns)?),
            None => Cow::Borrowed(columns),
        })
    }

    /// The rows that the fit can use, with a mark at each that the model has seen.
    pub fn training_rows(
        &self,
        given: &Columns,
        labels: Option<&Labels>,
        missing: Missing,
    ) -> PolarsResult<TrainingRows> {
        let rows = TrainingRows::usable(given, labels, missing)?;
        rows.labels.as_ref().map_or(Ok(()), Labels::check_classes)?;
        let replayed = self.start().map(|start| start.usable_replayed(given, missing)).transpose()?.flatten();
        Ok(TrainingRows { replayed, ..rows })
    }

    /// Counts and extremes of all rows, the model's included; None if `rows` are all there are.
    ///
    /// `table` are the totals of a table that the rows are a sample of, with its features. Without
    /// them, the rows are counted if only a sample of them will be used.
    pub fn totals(
        &self,
        rows: &TrainingRows,
        table: Option<(&Totals, &[Feature])>,
        is_sampled: bool,
    ) -> PolarsResult<Option<Totals>> {
        Ok(match (&self.earlier, table) {
            (Some((_, earlier)), Some((table, features))) => {
                Some(earlier.plus(&table.align_to(features, rows.columns.features())))
            }
            (Some((_, earlier)), None) => Some(earlier.plus(&count(&rows.new_columns()?)?)),
            (None, Some((table, _))) => Some(table.clone()),
            (None, None) if is_sampled => Some(count(&rows.columns)?),
            (None, None) => None,
        })
    }

    /// The quantiles of each feature's values in the model's rows, if the model knows them.
    pub fn quantiles(&self) -> Option<&'a [[f64; QUANTILES]]> {
        Some(self.start()?.model.statistics().feature_quantiles.values.as_slice())
    }

    /// The inputs of each feature: those that the model's networks see, or new ones. `edges` are those of new bins.
    pub fn inputs(
        &self,
        features: &[Feature],
        statistics: &[FeatureStatistics],
        encoders: &[Option<Encoder>],
        edges: &[Vec<f64>],
        options: &Options,
    ) -> PolarsResult<Inputs> {
        match self.start() {
            Some(start) => start.inputs(encoders),
            None => Ok(Inputs::choose(features, statistics, encoders, edges, options)),
        }
    }

    /// The scaling of the inputs: the model's, or a new one.
    pub fn scaling(
        &self,
        statistics: &[FeatureStatistics],
        inputs: &Inputs,
        edges: &[Vec<f64>],
        options: &Options,
    ) -> Scaling {
        match self.start() {
            Some(start) => start.model.statistics().scaling.clone(),
            None => Scaling::fit(statistics, inputs, edges, options.scaling),
        }
    }

    /// What the model's cells know, if there are any; `replayed` marks the training rows that the
    /// model has seen.
    pub fn cells<'b>(&self, replayed: Option<&'b [bool]>) -> Option<Earlier<'b>>
    where
        'a: 'b,
    {
        let model = self.start()?.model;
        let cells = model.statistics().cells.as_ref()?;
        Some(Earlier { cells, described: describe(&model.metadata().features, model.frequencies()), replayed })
    }

    /// The networks to train: the model's, or new ones.
    pub fn networks(&self, draw: impl FnOnce() -> PolarsResult<Weights>) -> PolarsResult<Weights> {
        match self.start() {
            Some(start) => Ok(start.model.weights().clone()),
            None => draw(),
        }
    }
}

fn count(columns: &Columns) -> PolarsResult<Totals> {
    let mut counting = Counting::new(columns.features());
    counting.add(columns)?;
    counting.totals()
}
