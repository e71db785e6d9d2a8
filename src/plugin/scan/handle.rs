//! Tables that come in batches: each call of the plugin adds one to what Python holds as a `Scan`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use polars::prelude::{polars_err, PolarsError, PolarsResult};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::model::{self, ScoreCounts};
use crate::query::Scan;

/// What is gathered over the batches.
pub struct Gathered {
    pub rows: Scan,
    /// Of each group that is calibrated, by its number; 0 without groups
    pub scores: HashMap<u32, ScoreCounts>,
}

static ALL: LazyLock<Mutex<HashMap<u64, Arc<Mutex<Gathered>>>>> = LazyLock::new(Mutex::default);

fn all() -> MutexGuard<'static, HashMap<u64, Arc<Mutex<Gathered>>>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Uses what is gathered under an id.
pub fn with<T>(id: u64, work: impl FnOnce(&mut Gathered) -> PolarsResult<T>) -> PolarsResult<T> {
    let found = all().get(&id).cloned();
    let found = found.ok_or_else(|| polars_err!(ComputeError: "anorand: there is no scan {id} in this process"))?;
    let mut gathered = found.lock().unwrap_or_else(PoisonError::into_inner);
    work(&mut gathered)
}

/// What is gathered, as long as Python holds it.
#[pyclass(frozen, name = "Scan", module = "polars_anorand._polars_anorand")]
pub struct PyScan(u64);

#[pymethods]
impl PyScan {
    #[new]
    fn new(sample: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let gathered = Gathered { rows: Scan::new(sample), scores: HashMap::new() };
        all().insert(id, Arc::new(Mutex::new(gathered)));
        Self(id)
    }

    /// By which a call of the plugin knows it.
    #[getter]
    fn id(&self) -> u64 {
        self.0
    }

    /// The model with the quantiles of the scores that were counted, of a group of this number.
    #[pyo3(signature = (bytes, group=0))]
    fn calibrated(&self, py: Python<'_>, bytes: &[u8], group: u32) -> PyResult<Vec<u8>> {
        let refused = |error: PolarsError| PyValueError::new_err(error.to_string());
        py.detach(|| {
            let scores = with(self.0, |gathered| Ok(gathered.scores.remove(&group)))?;
            let mut scores = scores.unwrap_or_default();
            model::with_quantiles(bytes, scores.quantiles()?, scores.rows() as usize)?.to_bytes()
        })
        .map_err(refused)
    }

    /// See [`Scan::larger`].
    fn larger(&self) -> PyResult<Vec<u32>> {
        self.on_gathered(|gathered| Ok(gathered.rows.larger()))
    }

    /// The number of rows so far, those that a fit can't use among them.
    fn rows(&self) -> PyResult<usize> {
        self.on_gathered(|gathered| Ok(gathered.rows.given()))
    }

    /// The number of scores so far.
    fn scored(&self) -> PyResult<u64> {
        self.on_gathered(|gathered| Ok(gathered.scores.get(&0).map_or(0, ScoreCounts::rows)))
    }

    /// What was counted of rows, or of scores, for another process: parts, each with its number. Nothing is counted afterwards.
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

    /// See [`Scan::forget_rare`].
    fn forget_rare(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.on_gathered(|gathered| gathered.rows.forget_rare()))
    }
}

impl PyScan {
    fn on_gathered<T>(&self, work: impl FnOnce(&mut Gathered) -> PolarsResult<T>) -> PyResult<T> {
        with(self.0, work).map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

impl Drop for PyScan {
    fn drop(&mut self) {
        all().remove(&self.0);
    }
}
