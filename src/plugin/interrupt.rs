//! Ctrl-C while a call is under way. Python's own handler only takes note of it until the main thread is back from Polars, which waits
//! for the call. So the call listens too, and stops; and Python's KeyboardInterrupt takes the place of Polars' error.
//!
//! The handler is there only while a call is: it hands each signal on to the handler that it found, and puts that one back. One
//! that is set for good, as signal-hook's, would be lost where a notebook's kernel sets Python's handler anew for each cell.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use crate::job::{is_stopped, Call};

/// A call that listens. Without signals, as on Windows, it ends by itself.
pub struct Listening {
    call: Option<Call>,
}

/// How many calls listen, and with which handler.
static LISTENERS: Mutex<usize> = Mutex::new(0);

impl Listening {
    pub fn begin() -> Self {
        // A poisoned lock holds a count still.
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        let call = Call::begin();
        if *listeners == 0 {
            signals::listen();
        }
        *listeners += 1;
        Self { call: Some(call) }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        *listeners -= 1;
        if *listeners == 0 {
            signals::leave();
        }
        // Under the lock: a call that begins now has a request of its own.
        drop(self.call.take());
    }
}

/// If a call fails since it was stopped, KeyboardInterrupt is to be raised in the place of the error that Polars makes of that. It is
/// pending, but Python would first hand Polars' error to the `except` clauses that are there.
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

/// The next `ComputeError` that the main thread makes runs the handlers of pending signals first, and is theirs if they raise one.
fn replace_next_error(py: Python<'_>) -> PyResult<()> {
    let init = PyCFunction::new_closure(py, None, None, |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
        let py = args.py();
        let threading = py.import("threading")?;
        // Other threads' errors are theirs: signals are handled in the main thread alone.
        if threading.call_method0("current_thread")?.is(&threading.call_method0("main_thread")?) {
            let error = compute_error(py)?;
            if error.getattr("__dict__")?.contains(INIT)? {
                error.delattr(INIT)?;
            }
            py.check_signals()?;
        }
        Ok::<_, PyErr>(py.None())
    })?;
    // Not a Python function, so that it is not bound to the error, whose arguments it has no need to see.
    compute_error(py)?.setattr(INIT, init)
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
                    // SAFETY: what the system had as a handler of this form.
                    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = unsafe { transmute(handler) };
                    handler(signal, info, context);
                }
                (handler, false) => {
                    // SAFETY: what the system had as a handler of this form.
                    let handler: extern "C" fn(c_int) = unsafe { transmute(handler) };
                    handler(signal);
                }
            }
        }
    }

    /// The handler that ours took the place of.
    static FORMER: Former = Former::none();
    /// The one before it, where another library set its handler over ours. That one may call ours, which we then call: this breaks
    /// the circle.
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
        // SAFETY: plain numbers and pointers, for which zeros are valid.
        let mut current: sigaction = unsafe { zeroed() };
        // SAFETY: a null action asks only.
        let asked = unsafe { sigaction(SIGINT, null(), &mut current) };
        (asked == 0).then_some(current)
    }

    /// Sets our handler over a handler of the process. Where there is none, the signal ends the process or is ignored, and does so still.
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
        // SAFETY: our handler has the form that the flags say, and does nothing but atomic operations before it hands on.
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
        // SAFETY: what the system had before.
        unsafe { sigaction(SIGINT, &action, null_mut()) };
    }
}

#[cfg(not(unix))]
mod signals {
    pub fn listen() {}
    pub fn leave() {}
}
