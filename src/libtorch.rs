//! What surrounds each use of libtorch: its errors as Polars errors, and its threads, bounded.

use std::sync::{Mutex, MutexGuard, PoisonError};

use polars::prelude::{polars_err, PolarsError};
use tch::TchError;

/// libtorch's message without its C++ stack.
pub fn torch_error(error: TchError) -> PolarsError {
    let message = error.to_string();
    let first = message.split("\nException raised from").next().unwrap_or(&message);
    polars_err!(ComputeError: "anorand: libtorch: {}", first.trim())
}

/// While one lives, libtorch uses one thread for what this thread asks of it.
///
/// Polars brings the parallelism: groups, morsels and row blocks run side by side, so that threads never exceed the cores,
/// and sums are in one order, so that a result does not depend on the number of threads. libtorch's setting is the
/// process's, and the user may run torch too: the last guard to go puts back what the first one found.
pub struct SingleThread(());

struct Setting {
    guards: usize,
    before: i32,
}

static SETTING: Mutex<Setting> = Mutex::new(Setting { guards: 0, before: 1 });

impl SingleThread {
    pub fn enter() -> Self {
        let mut setting = setting();
        if setting.guards == 0 {
            setting.before = tch::get_num_threads();
        }
        setting.guards += 1;
        tch::set_num_threads(1);
        Self(())
    }
}

impl Drop for SingleThread {
    fn drop(&mut self) {
        let mut setting = setting();
        setting.guards -= 1;
        // For the whole process and this thread; threads whose guards live on keep their own setting of one.
        tch::set_num_threads(setting.before);
    }
}

fn setting() -> MutexGuard<'static, Setting> {
    // A poisoned lock holds a valid setting still: no code between lock and unlock leaves it half changed.
    SETTING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_setting_comes_back() {
        tch::set_num_threads(2);
        {
            let _outer = SingleThread::enter();
            let _inner = SingleThread::enter();
            assert_eq!(tch::get_num_threads(), 1);
        }
        assert_eq!(tch::get_num_threads(), 2);
    }

    #[test]
    fn an_error_has_no_stack() {
        let error = tch::Tensor::from_slice(&[1f32, 2.0]).f_view([3i64]).unwrap_err();
        let message = torch_error(error).to_string();
        assert!(message.contains("shape") && !message.contains("Exception raised from"), "{message}");
    }
}
