//! The Python module inside the plugin's library: what `polars_anorand.Model`, `devices` and
//! `profile` need of the core.

use std::ffi::CString;
use std::io::ErrorKind;
use std::path::PathBuf;

use polars::error::{set_warning_function, PolarsWarning};
use polars::prelude::PolarsError;
use pyo3::exceptions::{PyOSError, PyUserWarning, PyValueError};
use pyo3::prelude::*;

use crate::data::{self, Counted, Frequencies, Numbering};
use crate::device;
use crate::engine::torch::{set_locator, Location};
use crate::model::{self, Destination, Unwritable};

use super::progress::{leave_calls, watch_calls, Counters};
use super::scan::PyScan;

// Other Python threads run while a model is parsed or a file is written: each function lets go of
// the interpreter for that.

fn value_error(error: PolarsError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A Python OSError with its `errno` and `filename`, of the subclass that Python has for the errno.
fn os_error(py: Python<'_>, error: Unwritable) -> PyErr {
    let errno = || match (error.errno, error.kind) {
        (Some(errno), _) => Ok(errno),
        (None, ErrorKind::NotFound) => py.import("errno")?.getattr("ENOENT")?.extract(),
        (None, ErrorKind::IsADirectory) => py.import("errno")?.getattr("EISDIR")?.extract(),
        (None, ErrorKind::NotADirectory) => py.import("errno")?.getattr("ENOTDIR")?.extract(),
        (None, ErrorKind::InvalidInput) => py.import("errno")?.getattr("EINVAL")?.extract(),
        (None, _) => py.import("errno")?.getattr("EIO")?.extract(),
    };
    match errno() {
        Ok(errno) => PyOSError::new_err((errno, error.message, error.path.into_os_string())),
        Err(failed) => failed,
    }
}

/// A model's metadata, as JSON; a ValueError if the bytes are not a model.
#[pyfunction]
fn model_metadata(py: Python<'_>, bytes: &[u8]) -> PyResult<String> {
    py.detach(|| {
        let model = model::from_bytes(bytes).map_err(value_error)?;
        serde_json::to_string(model.metadata()).map_err(|error| PyValueError::new_err(error.to_string()))
    })
}

/// All options of a model, as JSON; a ValueError if the bytes are not a model.
#[pyfunction]
fn model_options(py: Python<'_>, bytes: &[u8]) -> PyResult<String> {
    py.detach(|| {
        let model = model::from_bytes(bytes).map_err(value_error)?;
        serde_json::to_string(&model.metadata().options).map_err(|error| PyValueError::new_err(error.to_string()))
    })
}

/// The score above which a share of the training rows lies.
#[pyfunction]
fn model_threshold(py: Python<'_>, bytes: &[u8], contamination: f64) -> PyResult<f64> {
    py.detach(|| model::from_bytes(bytes).and_then(|model| model.threshold(contamination))).map_err(value_error)
}

/// The share of the training rows with a lower score.
#[pyfunction]
fn model_share_below(py: Python<'_>, bytes: &[u8], score: f64) -> PyResult<f64> {
    let share = py.detach(|| Ok(model::from_bytes(bytes)?.statistics().quantiles.share_below(score as f32)));
    share.map(f64::from).map_err(value_error)
}

/// Each feature's number in the reference row, in its own unit, and of a category the
/// log-frequency; None where it has none.
#[pyfunction]
fn model_medians(py: Python<'_>, bytes: &[u8]) -> PyResult<Vec<Option<f64>>> {
    let medians = py.detach(|| {
        let model = model::from_bytes(bytes)?;
        let coded = model.coded_medians();
        let medians = coded.iter().zip(&model.statistics().medians);
        Ok(medians.map(|(coded, median)| (!coded.is_nan()).then_some(*median)).collect())
    });
    medians.map_err(value_error)
}

/// The quantiles of each feature, the number of values up to each, and the number of training rows
/// without a value.
#[pyfunction]
#[allow(clippy::type_complexity)] // A tuple, as Python sees it.
fn model_quantiles(py: Python<'_>, bytes: &[u8]) -> PyResult<(Vec<Vec<f64>>, Vec<Vec<u64>>, Vec<u64>)> {
    let found = py.detach(|| {
        let model = model::from_bytes(bytes)?;
        let all = &model.statistics().feature_quantiles;
        let values = all.values.iter().map(|values| values.to_vec());
        let at_most = all.at_most.iter().map(|counts| counts.to_vec());
        Ok((values.collect(), at_most.collect(), all.missing.clone()))
    });
    found.map_err(value_error)
}

/// Of each feature that is a category, its values, the number of training rows with each, and with
/// a value beyond those.
#[pyfunction]
#[allow(clippy::type_complexity)] // A tuple, as Python sees it.
fn model_categories(py: Python<'_>, bytes: &[u8]) -> PyResult<Vec<Option<(Vec<String>, Vec<u64>, u64)>>> {
    let part = |of: &Frequencies| (of.values.clone(), of.counts.clone(), of.rare.rows);
    let categories = py.detach(|| {
        let model = model::from_bytes(bytes)?;
        Ok(model.frequencies().iter().map(|of| of.as_ref().map(part)).collect())
    });
    categories.map_err(value_error)
}

/// What its cells found in each feature, as JSON; None of a model without cells.
#[pyfunction]
fn model_findings(py: Python<'_>, bytes: &[u8]) -> PyResult<Option<String>> {
    py.detach(|| {
        let model = model::from_bytes(bytes).map_err(value_error)?;
        let found = model.findings().map(|found| serde_json::to_string(&found));
        found.transpose().map_err(|error| PyValueError::new_err(error.to_string()))
    })
}

/// Write a file whole, or leave what is there; an OSError if it can't be written.
#[pyfunction]
fn write_file(py: Python<'_>, path: PathBuf, bytes: &[u8]) -> PyResult<()> {
    let written = py.detach(|| Destination::claim(&path).and_then(|destination| destination.write(bytes)));
    written.map_err(|error| os_error(py, error))
}

/// Whether integers number the rows: they rise, they fall, or they are ids; None if they do not.
/// See [`Counted::numbering`].
#[pyfunction]
fn numbering(
    known: u64,
    rises: u64,
    falls: u64,
    span: f64,
    deviation: f64,
    distinct: usize,
) -> PyResult<Option<&'static str>> {
    let counted = Counted { known, rises, falls, span };
    let found = counted.numbering(|| deviation, || Ok(distinct)).map_err(value_error)?;
    Ok(found.map(|numbering| match numbering {
        Numbering::Rises => "rises",
        Numbering::Falls => "falls",
        Numbering::Ids => "ids",
    }))
}

/// See [`data::words_are_ids`].
#[pyfunction]
fn words_are_ids(distinct: u64, rows: u64) -> bool {
    data::words_are_ids(distinct, rows)
}

/// What most of some distinct texts mean: `number`, `date`, `clock` (times of the day) or `category`.
#[pyfunction]
fn meaning(texts: Vec<String>) -> &'static str {
    crate::cells::meaning_of(&texts)
}

/// See [`device::all`].
#[pyfunction]
fn devices(py: Python<'_>) -> Vec<(String, bool, String)> {
    py.detach(device::all)
}

/// A warning as Python's, from whichever thread Polars works on. Where warnings are errors, it is
/// reported as one that can't be raised, which is all that a query under way allows.
fn warn(message: &str, _: PolarsWarning) {
    Python::attach(|py| {
        let warned = CString::new(message)
            .map_err(PyErr::from)
            .and_then(|message| PyErr::warn(py, &py.get_type::<PyUserWarning>(), &message, 1));
        if let Err(error) = warned {
            error.write_unraisable(py, None);
        }
    });
}

/// Where the installed torch package and the engine's library are, or what is missing.
fn locate_libtorch() -> Result<Location, String> {
    Python::attach(|py| {
        let found = py.import("polars_anorand._libtorch")?.call_method0("locate")?;
        let (engine, libtorch): (PathBuf, PathBuf) = found.extract()?;
        Ok(Location { engine, libtorch })
    })
    .map_err(|error: PyErr| Python::attach(|py| error.value(py).to_string()))
}

#[pymodule]
fn _polars_anorand(module: &Bound<'_, PyModule>) -> PyResult<()> {
    set_warning_function(warn);
    set_locator(locate_libtorch);
    module.add("MODEL_FORMAT", model::FORMAT)?;
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(model_metadata, module)?)?;
    module.add_function(wrap_pyfunction!(model_options, module)?)?;
    module.add_function(wrap_pyfunction!(model_threshold, module)?)?;
    module.add_function(wrap_pyfunction!(model_share_below, module)?)?;
    module.add_function(wrap_pyfunction!(model_medians, module)?)?;
    module.add_function(wrap_pyfunction!(model_quantiles, module)?)?;
    module.add_function(wrap_pyfunction!(model_categories, module)?)?;
    module.add_function(wrap_pyfunction!(model_findings, module)?)?;
    module.add_function(wrap_pyfunction!(write_file, module)?)?;
    module.add_function(wrap_pyfunction!(numbering, module)?)?;
    module.add_function(wrap_pyfunction!(words_are_ids, module)?)?;
    module.add_function(wrap_pyfunction!(meaning, module)?)?;
    module.add_function(wrap_pyfunction!(devices, module)?)?;
    module.add_function(wrap_pyfunction!(leave_calls, module)?)?;
    module.add_function(wrap_pyfunction!(watch_calls, module)?)?;
    module.add_class::<Counters>()?;
    module.add_class::<PyScan>()?;
    Ok(())
}
