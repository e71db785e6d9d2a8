//! How far a call is, for Python to draw.

use std::sync::Arc;

use polars::prelude::{polars_err, PolarsResult};
use pyo3::prelude::*;

use crate::job::{leave_all_calls, of_all_calls, watch_all_calls, Progress, Unit, WorkingFor};

/// Counters of one call, or of all.
#[pyclass(frozen, module = "polars_anorand._polars_anorand")]
#[derive(Default)]
pub struct Counters(Arc<Progress>);

#[pymethods]
impl Counters {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Of each unit that is counted, its name, what is done, and what is expected: 0 if that is not
    /// known.
    fn read(&self) -> Vec<(&'static str, u64, u64)> {
        let counted = Unit::ALL.map(|unit| (unit.name(), self.0.read(unit).0, self.0.read(unit).1));
        counted.into_iter().filter(|(_, done, expected)| *done > 0 || *expected > 0).collect()
    }
}

/// Counts all calls that begin from now on and show no progress of their own.
#[pyfunction]
pub fn watch_calls(counters: &Counters) {
    watch_all_calls(counters.0.clone());
}

/// Counts no call that begins from now on. Other counters go on.
#[pyfunction]
pub fn leave_calls(counters: &Counters) {
    leave_all_calls(&counters.0);
}

/// A call whose progress is counted, and drawn by Python if it is asked for.
pub struct Watching {
    drawn: Option<Py<PyAny>>,
    _working: WorkingFor,
}

impl Watching {
    /// `shown`: None, or where a call is drawn, as the Python package's module says. `name` is that
    /// of its result.
    pub fn begin(shown: Option<&str>, name: &str) -> PolarsResult<Self> {
        let Some(shown) = shown else {
            return Ok(Self { drawn: None, _working: WorkingFor::begin(of_all_calls()) });
        };
        let progress = Arc::new(Progress::default());
        let draw = |py: Python<'_>| -> PyResult<Py<PyAny>> {
            let counters = Counters(progress.clone()).into_pyobject(py)?;
            let drawn = py.import("polars_anorand.progress")?.getattr("Drawing")?.call1((counters, shown, name))?;
            drawn.call_method0("begin")?;
            Ok(drawn.unbind())
        };
        let drawn = Python::attach(draw);
        let drawn = drawn.map_err(|error| polars_err!(ComputeError: "anorand: progress can't be shown: {error}"))?;
        Ok(Self { drawn: Some(drawn), _working: WorkingFor::begin(Some(progress)) })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let Some(drawn) = self.drawn.take() else { return };
        Python::attach(|py| {
            if let Err(error) = drawn.call_method0(py, "end") {
                error.write_unraisable(py, None);
            }
        });
    }
}
