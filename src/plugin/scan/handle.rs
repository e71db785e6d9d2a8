//! The `Scan` that Python holds.

use polars::prelude::{PolarsError, PolarsResult};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::gathered::{begin, end, gathered, Gathered};
use crate::model::{self, ScoreCounts};

/// Keeps what is gathered for as long as Python holds it.
#[pyclass(frozen, name = "Scan", module = "polars_anorand._polars_anorand")]
pub struct PyScan(u64);

#[pymethods]
impl PyScan {
    #[new]
    fn new(sample: usize) -> Self {
        Self(begin(sample))
    }

    /// The id by which calls of the plugin know it.
    #[getter]
    fn id(&self) -> u64 {
        self.0
    }

    /// The model with the quantiles of the scores that were counted, of a group of this number.
    #[pyo3(signature = (bytes, group=0))]
    fn calibrated(&self, py: Python<'_>, bytes: &[u8], group: u32) -> PyResult<Vec<u8>> {
        let refused = |error: PolarsError| PyValueError::new_err(error.to_string());
        py.detach(|| {
            let scores = gathered(self.0, |gathered| Ok(gathered.scores.remove(&group)))?;
            let mut scores = scores.unwrap_or_default();
            model::with_quantiles(bytes, scores.quantiles()?, scores.rows() as usize)?.to_bytes()
        })
        .map_err(refused)
    }

    /// See [`Scan::larger`](crate::query::Scan::larger).
    fn larger(&self) -> PyResult<Vec<u32>> {
        self.on_gathered(|gathered| Ok(gathered.rows.larger()))
    }

    /// The number of rows so far, those that a fit can't use among them.
    fn rows(&self) -> PyResult<usize> {
        self.on_gathered(|gathered| Ok(gathered.rows.given()))
    }

    /// The number of rows of a group that a fit can use.
    fn usable(&self, group: usize) -> PyResult<usize> {
        self.on_gathered(|gathered| Ok(gathered.rows.usable(group)))
    }

    /// The number of scores of a group so far.
    #[pyo3(signature = (group=0))]
    fn scored(&self, group: u32) -> PyResult<u64> {
        self.on_gathered(|gathered| Ok(gathered.scores.get(&group).map_or(0, ScoreCounts::rows)))
    }

    /// Takes what was counted of rows or of scores, for another process: parts, each with its
    /// number.
    fn take_counts(&self, py: Python<'_>, of_scores: bool, parts: usize) -> PyResult<Vec<(usize, String)>> {
        py.detach(|| {
            self.on_gathered(|gathered| match of_scores {
                true => gathered.scores.remove(&0).unwrap_or_default().split(parts),
                false => gathered.rows.take_counts(parts),
            })
        })
    }

    /// Goes on from what another process counted of rows, or of scores.
    fn add_counts(&self, py: Python<'_>, of_scores: bool, counts: &str) -> PyResult<()> {
        py.detach(|| {
            self.on_gathered(|gathered| match of_scores {
                true => gathered.scores.entry(0).or_default().add_counted(counts),
                false => gathered.rows.add_counts(counts),
            })
        })
    }

    /// See [`Scan::forget_rare`](crate::query::Scan::forget_rare).
    fn forget_rare(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.on_gathered(|gathered| gathered.rows.forget_rare()))
    }
}

impl PyScan {
    fn on_gathered<T>(&self, work: impl FnOnce(&mut Gathered) -> PolarsResult<T>) -> PyResult<T> {
        gathered(self.0, work).map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

impl Drop for PyScan {
    fn drop(&mut self) {
        end(self.0);
    }
}
