//! How precise a GPU's products are: float32, or TF32, which rounds the factors to 10 bits.
//!
//! libtorch's setting is the process's, and the user may run torch too: jobs of one precision share it, a job of another one
//! is refused while they run, and the last to go puts back what the first one found. A job can't wait: it may hold one of
//! Polars' threads, and the job that it would wait for may need that thread. tch has no wrapper for the setting, so libtorch's
//! own functions are called, by the names that they have in the versions that the engine was tested with.

use std::ffi::{c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

struct Setting {
    jobs: usize,
    tf32: bool,
    before: bool,
}

static SETTING: Mutex<Setting> = Mutex::new(Setting { jobs: 0, tf32: false, before: false });

fn setting() -> MutexGuard<'static, Setting> {
    // A poisoned lock holds a valid setting still: no code between lock and unlock leaves it half changed.
    SETTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The precision of a job, until [`leave`]; an error while jobs of another one run.
pub fn enter(tf32: bool) -> Result<(), String> {
    let mut setting = setting();
    if setting.jobs > 0 && setting.tf32 != tf32 {
        let name = |tf32| if tf32 { "tf32" } else { "float32" };
        return Err(format!(
            "precision={:?} can't be had while another call runs on a GPU with precision={:?}, since it is a setting of the \
             whole process: run one after the other, or give both the same precision",
            name(tf32),
            name(setting.tf32)
        ));
    }
    if setting.jobs == 0 {
        *setting = Setting { jobs: 0, tf32, before: current() };
        set(tf32);
    }
    setting.jobs += 1;
    Ok(())
}

/// The end of a job.
pub fn leave() {
    let mut setting = setting();
    setting.jobs = setting.jobs.saturating_sub(1);
    if setting.jobs == 0 {
        set(setting.before);
    }
}

// at::Float32Backend::CUDA, at::Float32Op::MATMUL and at::Float32Precision::TF32
const CUDA: c_int = 1;
const MATMUL: c_int = 3;
const TF32: c_int = 2;

extern "C-unwind" {
    // at::Context &at::globalContext()
    #[link_name = "_ZN2at13globalContextEv"]
    fn global_context() -> *mut c_void;
    // at::Float32Precision at::Context::float32Precision(at::Float32Backend, at::Float32Op) const
    #[link_name = "_ZNK2at7Context16float32PrecisionENS_14Float32BackendENS_9Float32OpE"]
    fn float32_precision(context: *const c_void, backend: c_int, op: c_int) -> c_int;
    // void at::Context::setAllowTF32CuBLAS(bool), which sets what older and newer callers ask for
    #[link_name = "_ZN2at7Context18setAllowTF32CuBLASEb"]
    fn set_allow_tf32(context: *mut c_void, allow: bool);
}

/// Whether products are in TF32 now.
fn current() -> bool {
    // SAFETY: these are libtorch's own functions, with the types that it declares, its one context
    // and values of its enumerations.
    unsafe { float32_precision(global_context(), CUDA, MATMUL) == TF32 }
}

/// Only where it differs: the user's own choice may be finer than ours.
fn set(tf32: bool) {
    if current() != tf32 {
        // SAFETY: these are libtorch's own functions, with the types that it declares. The lock is
        // held, so that no other thread of ours changes the setting at the same time.
        unsafe { set_allow_tf32(global_context(), tf32) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_the_jobs_and_then_the_processes_again_and_another_one_is_refused() {
        assert!(!current());
        enter(true).unwrap();
        enter(true).unwrap();
        assert!(current());
        // At once: a job that waited here could hold the thread that the others need.
        let refused = enter(false).unwrap_err();
        assert!(refused.contains("precision=\"float32\" can't be had while"), "{refused}");
        leave();
        assert!(current() && enter(false).is_err());
        leave();
        assert!(!current());
        enter(false).unwrap();
        leave();
        // What the process has allowed is set aside for a job, and comes back.
        set(true);
        enter(false).unwrap();
        assert!(!current());
        leave();
        assert!(current());
        set(false);
    }
}
