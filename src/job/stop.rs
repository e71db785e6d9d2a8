//! A request to stop: one flag for all calls that are under way, since an interrupt is for the
//! whole process.
//!
//! Work asks between steps, members, groups and blocks of rows. A query may make several calls,
//! side by side or one after the other: a request that came while one of them was under way is for
//! those that begin later, too. So it is there until no call is under way and no query is known to
//! be ([`hold`]), and is then taken away, so that the next query works.

use std::sync::atomic::{AtomicUsize, Ordering};

use polars::prelude::{polars_bail, PolarsResult};

/// The lowest bit: whether to stop. The next one: whether a query is under way, as far as is known.
/// The others: the number of calls.
static STATE: AtomicUsize = AtomicUsize::new(0);
const STOP: usize = 1;
const QUERY: usize = 2;
const CALL: usize = 4;

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
        update(|state| state - CALL);
    }
}

/// From now on, a query is under way: a request to stop is for all calls until [`release`].
pub fn hold() {
    STATE.fetch_or(QUERY, Ordering::Relaxed);
}

/// The query has ended.
pub fn release() {
    update(|state| state & !QUERY);
}

/// The next state, without the request where nothing is left that is to stop.
fn update(next: impl Fn(usize) -> usize) {
    let next = |state: usize| Some(next(state)).map(|next| if next == STOP { 0 } else { next });
    // It never fails, since there always is a next state.
    let _ = STATE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
}

/// Asks all that is under way to stop. Only atomic operations: a signal handler may do it.
pub fn request_stop() {
    let stop = |state: usize| (state >= QUERY).then_some(state | STOP);
    // It fails where nothing is under way: then there is nothing to stop.
    let _ = STATE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, stop);
}

/// Whether all that is under way is to stop.
pub fn is_stopped() -> bool {
    STATE.load(Ordering::Relaxed) & STOP != 0
}

/// An error if all that is under way is to stop.
pub fn check() -> PolarsResult<()> {
    if is_stopped() {
        polars_bail!(ComputeError: "anorand: stopped by an interrupt (Ctrl-C)");
    }
    Ok(())
}
