//! A fit that starts from the model of another one: what it takes over.
//!
//! Its networks, and what they see: the inputs of each feature and their scaling, without which the weights mean nothing. Its counts
//! and extremes, to which those of the new rows are added, so that a value which only the earlier rows had is not taken for one that was
//! never seen. And how usual each number was, in the same way. All else, as α and the quantiles of the scores, is of the rows that the fit is
//! given.

use polars::prelude::{polars_bail, polars_ensure, polars_err, PolarsResult};

use crate::data::{Columns, Earlier, Encoder, Inputs, Totals, QUANTILES};
use crate::model::Model;
use crate::options::Missing;

/// Where a fit starts.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    pub model: &'a Model,
    /// Which of the rows that are given the model has seen; None for none of them
    pub replayed: Option<&'a [bool]>,
}

impl Start<'_> {
    /// An error if its networks are not those that a fit trains.
    pub fn check(&self) -> PolarsResult<()> {
        if let Some(distilled) = &self.model.metadata().distilled {
            polars_bail!(ComputeError:
                "anorand: the model of init= is one network that was distilled from an ensemble of {}, expected the ensemble itself: \
                 fit it without distil=True and keep it for later fits, each of which may have distil=True", distilled.members);
        }
        Ok(())
    }

    /// Which of the rows that a fit can use the model has seen.
    pub fn replayed_of(&self, given: &Columns, missing: Missing) -> PolarsResult<Option<Vec<bool>>> {
        let Some(replayed) = self.replayed else { return Ok(None) };
        polars_ensure!(replayed.len() == given.rows(), ShapeMismatch:
            "anorand: replay has {} values for {} rows, expected one for each row", replayed.len(), given.rows());
        let usable = given.training_rows(missing)?;
        let replayed: Vec<bool> =
            replayed.iter().zip(usable).filter(|(_, usable)| *usable).map(|(replayed, _)| *replayed).collect();
        self.check_replayed(replayed.iter().filter(|replayed| **replayed).count())?;
        Ok(Some(replayed))
    }

    /// An error if more rows are replayed than the model has seen.
    pub fn check_replayed(&self, rows: usize) -> PolarsResult<()> {
        let seen = self.model.metadata().training.rows;
        polars_ensure!(rows <= seen, ComputeError:
            "anorand: replay marks {rows} rows, and the model of init= was fitted on {seen}: mark rows that it has seen, each once");
        Ok(())
    }

    /// The totals of the model's rows.
    pub fn totals(&self) -> Totals {
        self.model.totals()
    }

    /// The quantiles of each feature's values.
    pub fn quantiles(&self) -> &[[f64; QUANTILES]] {
        &self.model.statistics().feature_quantiles.values
    }

    /// What the model knows of its rows, of which these are the totals; None if it has no surprisals.
    pub fn earlier<'b>(&'b self, totals: &'b Totals) -> Option<Earlier<'b>> {
        let surprisals = self.model.statistics().surprisals.as_ref()?;
        Some(Earlier { surprisals, totals, frequencies: self.model.frequencies() })
    }

    /// The model's inputs, where the new rows have given categories other codes.
    pub fn inputs(&self, encoders: &[Option<Encoder>]) -> PolarsResult<Inputs> {
        let values = self.model.frequencies().iter().map(|of| of.as_ref().map(|of| of.values.clone()));
        let values: Vec<Option<Vec<String>>> = values.collect();
        let recoded = self.model.inputs().recoded(&values, encoders);
        recoded.ok_or_else(|| {
            polars_err!(ComputeError: "anorand: a frequent value of the model of init= is no longer among the most frequent ones: fit \
                without init")
        })
    }
}
