//! Ctrl-C while a query is under way. Python's own handler only takes note of it until the main
//! thread is back from Polars, which waits for our calls. So they listen too, and stop; and
//! Python's KeyboardInterrupt takes the place of Polars' error.
//!
//! A query makes several calls: one for each part of a table, for each expression, for each group.
//! A signal may come between two of them, and one that was heard is for those that begin later as
//! well. No call knows its query; but the main thread does not run Python while it waits for one.
//! So a request to stop lasts until the main thread runs Python again, which a pending call of the
//! interpreter tells. Python handles signals before pending calls: the KeyboardInterrupt is raised
//! by then. Where the main thread never runs Python, as in a program that embeds it, the request
//! ends two seconds after the first call that it ended.
//!
//! The handler is there only while it is needed: it hands each signal on to the handler that it
//! found, and puts that one back. One that is set for good, as signal-hook's, would be lost where a
//! notebook's kernel sets Python's handler anew for each cell.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::ffi::Py_AddPendingCall;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use crate::job::{hold, is_stopped, release, Call};

/// A call that listens. Without signals, as on Windows, it ends by itself.
pub struct Listening {
    call: Option<Call>,
}

/// Who needs the handler.
struct Listeners {
    calls: usize,
    /// Whether the main thread may be in a query: it has not run Python since this was set.
    query: bool,
    /// When a call ended first that was to stop
    stopped: Option<Instant>,
}

/// How long after a query was stopped its calls may still begin.
const STOPPING: Duration = Duration::from_secs(2);

static LISTENERS: Mutex<Listeners> = Mutex::new(Listeners { calls: 0, query: false, stopped: None });

impl Listeners {
    /// Never waits for the interpreter while it is locked: who holds the interpreter may wait for
    /// it.
    fn lock() -> MutexGuard<'static, Self> {
        // A poisoned lock holds a count still.
        LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_empty(&self) -> bool {
        self.calls == 0 && !self.query
    }

    /// Takes a request to stop back that the calls of a query have followed a while ago. The main
    /// thread may not have run Python since: in a program that only embeds Python, it never does.
    fn forget_stopped(&mut self) {
        if self.calls == 0 && self.stopped.is_some_and(|stopped| stopped.elapsed() > STOPPING) {
            self.stopped = None;
            release();
            if self.query {
                hold();
            }
        }
    }

    /// Takes the main thread to be in a query, until it runs Python.
    fn begin_query(&mut self) {
        if self.query {
            return;
        }
        // It needs no interpreter. It fails where too much is pending: the request to stop then is
        // for the calls under way alone. SAFETY: the function has the form that is asked for, and
        // lives as long as the process.
        let is_pending = unsafe { Py_AddPendingCall(Some(on_return), null_mut()) } == 0;
        if is_pending {
            hold();
            self.query = true;
        }
    }

    fn leave_if_empty(&self) {
        if self.is_empty() {
            signals::leave();
        }
    }
}

/// The main thread runs Python: it has left the query, if it was in one, and has handled the
/// signals that came until now.
extern "C" fn on_return(_: *mut c_void) -> c_int {
    let mut listeners = Listeners::lock();
    (listeners.query, listeners.stopped) = (false, None);
    listeners.leave_if_empty();
    // Under the lock, as in `drop`.
    release();
    drop(listeners);
    take_back();
    0
}

/// Listens from now on until the main thread runs Python: a plan is being made, and calls will
/// follow.
pub fn expect_calls() {
    let mut listeners = Listeners::lock();
    if listeners.is_empty() {
        signals::listen();
    }
    listeners.begin_query();
    listeners.leave_if_empty();
}

impl Listening {
    pub fn begin() -> Self {
        let mut listeners = Listeners::lock();
        listeners.forget_stopped();
        let call = Call::begin();
        if listeners.is_empty() {
            signals::listen();
        }
        listeners.calls += 1;
        listeners.begin_query();
        Self { call: Some(call) }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listeners = Listeners::lock();
        listeners.calls -= 1;
        if is_stopped() {
            listeners.stopped.get_or_insert_with(Instant::now);
        }
        listeners.leave_if_empty();
        // Under the lock: a call that begins now has a request of its own.
        drop(self.call.take());
    }
}

/// If a call fails since it was stopped, KeyboardInterrupt is to be raised in the place of the
/// error that Polars makes of that. It is pending, but Python would first hand Polars' error to the
/// `except` clauses that are there: those of a loop that goes on after errors.
///
/// A plugin can only return a message, of which Polars makes a `ComputeError`: it can't raise, and
/// a result without values would be written to a sink. Polars raises a KeyboardInterrupt of its own
/// only between its own steps. So the one place that is left is where the main thread makes that
/// error.
pub fn give_way() {
    if !is_stopped() {
        return;
    }
    Python::attach(|py| {
        if let Err(error) = replace_next_error(py) {
            error.write_unraisable(py, None);
        }
    });
}

/// Whether the next error is to give way.
static GIVES_WAY: AtomicBool = AtomicBool::new(false);

/// The next `ComputeError` that the main thread makes runs the handlers of pending signals first,
/// and is theirs if they raise one.
fn replace_next_error(py: Python<'_>) -> PyResult<()> {
    let init = PyCFunction::new_closure(py, None, None, |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
        let py = args.py();
        let threading = py.import("threading")?;
        // Other threads' errors are theirs: signals are handled in the main thread alone.
        if threading.call_method0("current_thread")?.is(&threading.call_method0("main_thread")?) {
            take_back();
            py.check_signals()?;
        }
        Ok::<_, PyErr>(py.None())
    })?;
    GIVES_WAY.store(true, Ordering::Relaxed);
    // Not a Python function, so that it is not bound to the error, whose arguments it has no need
    // to see.
    compute_error(py)?.setattr(INIT, init)
}

/// Errors are themselves again. The interpreter is this thread's.
fn take_back() {
    if !GIVES_WAY.swap(false, Ordering::Relaxed) {
        return;
    }
    Python::attach(|py| {
        let restored = compute_error(py).and_then(|error| {
            let is_there = error.getattr("__dict__")?.contains(INIT)?;
            if is_there {
                error.delattr(INIT)
            } else {
                Ok(())
            }
        });
        if let Err(error) = restored {
            error.write_unraisable(py, None);
        }
    });
}

const INIT: &str = "__init__";

fn compute_error(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import("polars.exceptions")?.getattr("ComputeError")
}

#[cfg(unix)]
mod signals {
    use std::ffi::{c_int, c_void};
    use std::mem::{transmute, zeroed};
    use std::ptr::{null, null_mut};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use libc::{sigaction, siginfo_t, SA_SIGINFO, SIGINT, SIG_DFL, SIG_IGN};

    use crate::job::request_stop;

    /// A handler that was there before ours.
    struct Former {
        handler: AtomicUsize,
        /// Whether it takes three arguments
        takes_info: AtomicBool,
    }

    impl Former {
        const fn none() -> Self {
            Self { handler: AtomicUsize::new(SIG_DFL), takes_info: AtomicBool::new(false) }
        }

        fn set(&self, handler: usize, takes_info: bool) {
            self.handler.store(handler, Ordering::Relaxed);
            self.takes_info.store(takes_info, Ordering::Relaxed);
        }

        fn get(&self) -> (usize, bool) {
            (self.handler.load(Ordering::Relaxed), self.takes_info.load(Ordering::Relaxed))
        }

        fn call(&self, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
            match self.get() {
                (SIG_DFL | SIG_IGN, _) => {}
                (handler, true) => {
                    // SAFETY: the system had it as a handler with SA_SIGINFO, which has this form.
                    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = unsafe { transmute(handler) };
                    handler(signal, info, context);
                }
                (handler, false) => {
                    // SAFETY: the system had it as a handler without SA_SIGINFO, which has this
                    // form.
                    let handler: extern "C" fn(c_int) = unsafe { transmute(handler) };
                    handler(signal);
                }
            }
        }
    }

    /// The handler that ours took the place of.
    static FORMER: Former = Former::none();
    /// The one before it, where another library set its handler over ours. That one may call ours,
    /// which we then call: this breaks the circle.
    static BENEATH: Former = Former::none();
    static IS_HANDING_ON: AtomicBool = AtomicBool::new(false);

    extern "C" fn on_interrupt(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        request_stop();
        if IS_HANDING_ON.swap(true, Ordering::Relaxed) {
            BENEATH.call(signal, info, context);
        } else {
            FORMER.call(signal, info, context);
            IS_HANDING_ON.store(false, Ordering::Relaxed);
        }
    }

    fn ours() -> usize {
        on_interrupt as *const () as usize
    }

    /// The handler that is set; None if the system does not say.
    fn current() -> Option<sigaction> {
        // SAFETY: it is made of plain numbers and pointers, for which zeros are valid.
        let mut current: sigaction = unsafe { zeroed() };
        // SAFETY: a null action changes nothing; the system writes the handler to `current`.
        let asked = unsafe { sigaction(SIGINT, null(), &mut current) };
        (asked == 0).then_some(current)
    }

    /// Sets our handler over a handler of the process. Where there is none, the signal ends the
    /// process or is ignored, and does so still.
    pub fn listen() {
        let Some(former) = current() else { return };
        let handler = former.sa_sigaction;
        if [SIG_DFL, SIG_IGN, ours()].contains(&handler) {
            return;
        }
        FORMER.set(handler, former.sa_flags & SA_SIGINFO != 0);
        // The former's flags and mask: whether a system call that waits is to go on is its to say.
        let mut action = former;
        action.sa_sigaction = ours();
        action.sa_flags |= SA_SIGINFO;
        // SAFETY: our handler has the form that the flags say, and does nothing but atomic
        // operations before it hands on.
        unsafe { sigaction(SIGINT, &action, null_mut()) };
    }

    /// Puts the former handler back, unless another one was set meanwhile.
    pub fn leave() {
        let Some(mut action) = current() else { return };
        let (handler, takes_info) = FORMER.get();
        if action.sa_sigaction != ours() {
            BENEATH.set(handler, takes_info);
            return;
        }
        action.sa_sigaction = handler;
        if !takes_info {
            action.sa_flags &= !SA_SIGINFO;
        }
        // SAFETY: it is the handler that the system had before ours.
        unsafe { sigaction(SIGINT, &action, null_mut()) };
    }
}

#[cfg(not(unix))]
mod signals {
    pub fn listen() {}
    pub fn leave() {}
}
