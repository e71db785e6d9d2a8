//! What a job that is under way hears and says: that it is to stop, and how far it is.

mod progress;
mod stop;

pub use progress::{
    advance, expect, leave_all_calls, of_all_calls, watch_all_calls, watched, Progress, Unit, WorkingFor,
};
pub use stop::{check, hold, is_stopped, release, request_stop, Call};
