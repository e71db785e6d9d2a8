//! What a job that is under way hears: that it is to stop.

mod stop;

pub use stop::{check, is_stopped, request_stop, Call};
