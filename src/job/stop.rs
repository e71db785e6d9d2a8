//! A request to stop: one flag for all calls that are under way, since an interrupt is for the whole process.
//!
//! Work asks between steps, members, groups and blocks of rows. A request outlives none of the calls that it is for: the last one
//! to end takes it away, so that the next call works.

use std::sync::atomic::{AtomicUsize, Ordering};

use polars::prelude::{polars_bail, PolarsResult};

/// The lowest bit: whether to stop. The others: the number of calls under way.
static STATE: AtomicUsize = AtomicUsize::new(0);
const STOP: usize = 1;
const CALL: usize = 2;

/// A call under way.
pub struct Call(());

impl Call {
    pub fn begin() -> Self {
        STATE.fetch_add(CALL, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let end = |state: usize| Some(if state < 2 * CALL { 0 } else { state - CALL });
        // It never fails, since `end` always has a next state.
        let _ = STATE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, end);
    }
}

/// Asks all calls under way to stop. Only atomic operations: a signal handler may do it.
pub fn request_stop() {
    let stop = |state: usize| (state >= CALL).then_some(state | STOP);
    // It fails where no call is under way: then there is nothing to stop.
    let _ = STATE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, stop);
}

/// Whether the calls under way are to stop.
pub fn is_stopped() -> bool {
    STATE.load(Ordering::Relaxed) & STOP != 0
}

/// An error if the calls under way are to stop.
pub fn check() -> PolarsResult<()> {
    if is_stopped() {
        polars_bail!(ComputeError: "anorand: stopped by an interrupt (Ctrl-C)");
    }
    Ok(())
}
