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
    fn new(sample: usize, seed: u64) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let gathered = Gathered { rows: Scan::new(sample, seed), scores: HashMap::new() };
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
            model::with_quantiles(bytes, scores.unwrap_or_default().quantiles()?)?.to_bytes()
        })
        .map_err(refused)
    }
}

impl Drop for PyScan {
    fn drop(&mut self) {
        all().remove(&self.0);
    }
}
