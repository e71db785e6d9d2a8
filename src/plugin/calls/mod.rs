//! All that Polars can call: kwargs → checked options → one call → a named column. No maths here.
//!
//! Each verb has a schema function, which Polars calls when a plan is built: it refuses a bad dtype
//! or option there, before any row is read.

mod apply;
mod drift;
mod findings;
mod fit;
mod models;
mod scan;

use polars_arrow::ffi::ArrowSchema;
use polars_ffi::version_0::{CallerContext, SeriesExport};

use super::ffi::{compute, resolve, Kwargs};

/// The functions by which Polars finds expressions: for each of ours, the one that computes it, and
/// the one that resolves its field.
macro_rules! exported {
    ($($computes:ident => $compute:path, $resolves:ident => $resolve:path;)+) => {$(
        /// # Safety
        /// As Polars' plugin ABI says; see [`compute`].
        #[no_mangle]
        unsafe extern "C" fn $computes(
            inputs: *mut SeriesExport,
            count: usize,
            kwargs: *const u8,
            kwargs_len: usize,
            output: *mut SeriesExport,
            _context: *mut CallerContext,
        ) {
            // SAFETY: Polars' promise.
            unsafe { compute(inputs, count, Kwargs::new(kwargs, kwargs_len), output, $compute) }
        }

        /// # Safety
        /// As Polars' plugin ABI says; see [`resolve`].
        #[no_mangle]
        unsafe extern "C" fn $resolves(
            inputs: *mut ArrowSchema,
            count: usize,
            output: *mut ArrowSchema,
            kwargs: *const u8,
            kwargs_len: usize,
        ) {
            // SAFETY: Polars' promise.
            unsafe { resolve(inputs, count, Kwargs::new(kwargs, kwargs_len), output, $resolve) }
        }
    )+};
}

exported! {
    _polars_plugin_anorand_fit => fit::fit, _polars_plugin_field_anorand_fit => fit::fit_field;
    _polars_plugin_anorand_score => apply::score, _polars_plugin_field_anorand_score => apply::score_field;
    _polars_plugin_anorand_detect => apply::detect, _polars_plugin_field_anorand_detect => apply::detect_field;
    _polars_plugin_anorand_drift => drift::drift, _polars_plugin_field_anorand_drift => drift::drift_field;
    _polars_plugin_anorand_explain => apply::explain, _polars_plugin_field_anorand_explain => apply::explain_field;
    _polars_plugin_anorand_cells => apply::cells, _polars_plugin_field_anorand_cells => apply::cells_field;
    _polars_plugin_anorand_embed => apply::embed, _polars_plugin_field_anorand_embed => apply::embed_field;
    _polars_plugin_anorand_findings => findings::findings, _polars_plugin_field_anorand_findings => findings::findings_field;
    _polars_plugin_anorand_check_scan => scan::check_scan, _polars_plugin_field_anorand_check_scan => scan::check_scan_field;
    _polars_plugin_anorand_observe => scan::observe, _polars_plugin_field_anorand_observe => scan::rows_field;
    _polars_plugin_anorand_observe_scores => scan::observe_scores, _polars_plugin_field_anorand_observe_scores => scan::scores_field;
    _polars_plugin_anorand_fit_scan => scan::fit_scan, _polars_plugin_field_anorand_fit_scan => scan::fit_scan_field;
}
