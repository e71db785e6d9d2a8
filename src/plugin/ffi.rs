//! The C interface between Polars and the plugin: Polars' plugin ABI, version 0.1.
//!
//! Polars looks up two functions for each expression: `_polars_plugin_<name>` computes a series,
//! and `_polars_plugin_field_<name>` resolves its name and dtype when a plan is built. Both leave
//! the return value empty when they fail, and Polars then asks for the message. `pyo3-polars`
//! generates the same functions with a macro, whose crate compiles Polars' planner, IO, Parquet and
//! time crates, and Polars' core a second time for the macro itself.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::{c_char, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};

use polars::prelude::{polars_bail, polars_err, Field, PolarsResult, Series};
use polars_arrow::datatypes::{ArrowDataType, Field as ArrowField};
use polars_arrow::ffi::{export_field_to_c, import_field_from_c, ArrowSchema};
use polars_core::prelude::CompatLevel;
use polars_ffi::version_0::{export_series, import_series_buffer, SeriesExport};
use serde::de::DeserializeOwned;

use super::interrupt::{expect_calls, give_way, Listening};
use crate::query::{plan, Expression};

thread_local! {
    /// The expression that this thread computes.
    static EXPRESSION: Cell<Expression> = const { Cell::new(Expression(0)) };
    /// The message of this thread's last failed call.
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// The ABI's version: Polars refuses a plugin of another one.
#[no_mangle]
pub extern "C" fn _polars_plugin_get_version() -> u32 {
    let (major, minor) = polars_ffi::get_version();
    (u32::from(major) << 16) + u32::from(minor)
}

/// The message of this thread's last failed call. It lives until the thread's next failed call.
#[no_mangle]
pub extern "C" fn _polars_plugin_get_last_error_message() -> *const c_char {
    LAST_ERROR.with_borrow(|message| message.as_ptr())
}

/// The expression that this thread's call is of.
pub fn expression() -> Expression {
    EXPRESSION.get()
}

/// A call's keyword arguments, as Polars hands them on: pickled bytes.
#[derive(Clone, Copy)]
pub struct Kwargs {
    bytes: *const u8,
    len: usize,
}

impl Kwargs {
    pub fn new(bytes: *const u8, len: usize) -> Self {
        Self { bytes, len }
    }

    /// The expression that the arguments are of: all its calls get them at one address.
    fn expression(self) -> Expression {
        Expression(self.bytes as usize)
    }

    /// # Safety
    /// The pointer reaches `len` bytes.
    unsafe fn parse<K: DeserializeOwned>(self) -> PolarsResult<K> {
        // SAFETY: the caller promises that the pointer reaches `len` bytes. Where there are none,
        // it may be null, which a slice's pointer can't be.
        let bytes = if self.len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.bytes, self.len) } };
        serde_pickle::from_slice(bytes, serde_pickle::DeOptions::default()).map_err(
            |error| polars_err!(InvalidOperation: "anorand: the call's arguments can't be read: {error}; is the plugin's library of the same version as its Python package?"),
        )
    }
}

/// Computes an expression: reads its inputs and arguments, and writes the series, or keeps the
/// error's message.
///
/// # Safety
/// `inputs` points to `count` exported series that are the callee's to release, and `output` to an
/// empty one. The pointer of `kwargs` reaches its bytes.
pub unsafe fn compute<K: DeserializeOwned>(
    inputs: *mut SeriesExport,
    count: usize,
    kwargs: Kwargs,
    output: *mut SeriesExport,
    expression: impl FnOnce(&[Series], K) -> PolarsResult<Series>,
) {
    guarded(|| {
        let _listening = Listening::begin();
        EXPRESSION.set(kwargs.expression());
        // SAFETY: the caller gives `count` exported series, which are ours to release.
        let inputs = unsafe { import_series_buffer(inputs, count) }?;
        // SAFETY: the caller promises that the pointer of `kwargs` reaches its bytes.
        let series = expression(&inputs, unsafe { kwargs.parse() }?).inspect_err(|_| give_way())?;
        // SAFETY: the caller gives room for a series at `output`; the empty one there holds
        // nothing.
        unsafe { *output = export_series(&series) };
        Ok(())
    });
}

/// Resolves an expression's name and dtype from those of its inputs, or keeps the error's message.
///
/// # Safety
/// `inputs` points to `count` exported fields, and `output` to an empty one. The pointer of
/// `kwargs` reaches its bytes.
pub unsafe fn resolve<K: DeserializeOwned>(
    inputs: *mut ArrowSchema,
    count: usize,
    kwargs: Kwargs,
    output: *mut ArrowSchema,
    schema: impl FnOnce(&[Field], K) -> PolarsResult<Field>,
) {
    guarded(|| {
        expect_calls();
        plan(kwargs.expression());
        // SAFETY: the caller gives `count` fields. Where there are none, the pointer may be null.
        let inputs = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(inputs, count) } };
        // SAFETY: each is a field that the caller has exported.
        let fields = inputs.iter().map(|field| unsafe { import_field_from_c(field) });
        let fields =
            fields.map(|field| field.and_then(|field| refuse_extensions(&field).map(|()| Field::from(&field))));
        // SAFETY: the caller promises that the pointer of `kwargs` reaches its bytes.
        let field = schema(&fields.collect::<PolarsResult<Vec<_>>>()?, unsafe { kwargs.parse() }?)?;
        // SAFETY: the caller gives room for a field at `output`; the empty one there holds nothing.
        unsafe { *output = export_field_to_c(&field.to_arrow(CompatLevel::newest())) };
        Ok(())
    });
}

/// Returns an error that names a column of an Arrow extension type, also within others: Polars of
/// this build knows none, and would panic.
fn refuse_extensions(field: &ArrowField) -> PolarsResult<()> {
    match field.dtype() {
        ArrowDataType::Extension(extension) => polars_bail!(SchemaMismatch:
            "anorand: the column {:?} has the Arrow extension type {:?}: take its values, \
             pl.col({:?}).ext.storage(), or leave it out", field.name, extension.name, field.name),
        ArrowDataType::Struct(fields) => fields.iter().try_for_each(refuse_extensions),
        ArrowDataType::List(inner) | ArrowDataType::LargeList(inner) | ArrowDataType::FixedSizeList(inner, _) => {
            refuse_extensions(inner)
        }
        _ => Ok(()),
    }
}

/// No panic may cross into Polars: it becomes an error that says what happened.
fn guarded(work: impl FnOnce() -> PolarsResult<()>) {
    let message = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(panic) => format!("anorand: a bug in polars-anorand, please report it: {}", panic_message(&*panic)),
    };
    // A C string ends at a zero byte, and column names may have one.
    let message = CString::new(message.replace('\0', "\\0")).unwrap_or_default();
    LAST_ERROR.set(message);
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn last_error() -> String {
        // SAFETY: the message lives until this thread's next failed call.
        unsafe { CStr::from_ptr(_polars_plugin_get_last_error_message()) }.to_str().unwrap().to_string()
    }

    #[test]
    fn an_error_keeps_its_message_and_a_zero_byte_does_not_end_it() {
        guarded(|| polars_bail!(ComputeError: "a\0b"));
        assert_eq!(last_error(), "a\\0b");
    }

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        guarded(|| panic!("row {}", 7));
        assert!(last_error().contains("row 7"), "{}", last_error());
    }
}
