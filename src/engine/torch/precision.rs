//! How precise a GPU's products are: float32, or TF32, which rounds the factors to 10 bits.
//!
//! libtorch's setting is the process's, and the user may run torch too: jobs of one precision share it, jobs of another wait,
//! and the last to go puts back what the first one found. tch has no wrapper for it, so libtorch's own functions are called,
//! by the names that they have in the one version that the crate can be linked with.

use std::ffi::{c_int, c_void};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use polars::prelude::{polars_bail, PolarsResult};

/// How precise products on a GPU are. The CPU's are in float32 always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Float32,
    Tf32,
}

impl Precision {
    /// From `"float32"` or `"tf32"`.
    pub fn parse(name: Option<&str>) -> PolarsResult<Self> {
        match name {
            None | Some("float32") => Ok(Self::Float32),
            Some("tf32") => Ok(Self::Tf32),
            Some(other) => {
                polars_bail!(ComputeError: "anorand: precision must be \"float32\" or \"tf32\", got {other:?}")
            }
        }
    }

    /// The setting for as long as the guard lives. Waits for jobs of another precision.
    pub fn enter(self) -> Entered {
        let mut setting = setting();
        while setting.jobs > 0 && setting.precision != self {
            setting = DONE.wait(setting).unwrap_or_else(PoisonError::into_inner);
        }
        if setting.jobs == 0 {
            *setting = Setting { jobs: 0, precision: self, before: current() };
            set(self);
        }
        setting.jobs += 1;
        Entered(())
    }
}

/// While it lives, libtorch's setting is the job's.
pub struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        let mut setting = setting();
        setting.jobs -= 1;
        if setting.jobs == 0 {
            set(setting.before);
            DONE.notify_all();
        }
    }
}

struct Setting {
    jobs: usize,
    precision: Precision,
    before: Precision,
}

static SETTING: Mutex<Setting> =
    Mutex::new(Setting { jobs: 0, precision: Precision::Float32, before: Precision::Float32 });
static DONE: Condvar = Condvar::new();

fn setting() -> MutexGuard<'static, Setting> {
    // A poisoned lock holds a valid setting still: no code between lock and unlock leaves it half changed.
    SETTING.lock().unwrap_or_else(PoisonError::into_inner)
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

fn current() -> Precision {
    // SAFETY: libtorch's own functions, with its one context and with values that its enumerations have.
    match unsafe { float32_precision(global_context(), CUDA, MATMUL) } {
        TF32 => Precision::Tf32,
        _ => Precision::Float32,
    }
}

/// Only where it differs: the user's own choice may be finer than ours.
fn set(precision: Precision) {
    if current() != precision {
        // SAFETY: as above; the lock is held, so that no other thread of ours changes it at the same time.
        unsafe { set_allow_tf32(global_context(), precision == Precision::Tf32) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn names_are_checked() {
        assert_eq!(Precision::parse(None).unwrap(), Precision::Float32);
        assert_eq!(Precision::parse(Some("tf32")).unwrap(), Precision::Tf32);
        let message = Precision::parse(Some("half")).unwrap_err().to_string();
        assert!(message.contains("precision must be \"float32\" or \"tf32\", got \"half\""), "{message}");
    }

    #[test]
    fn the_setting_is_the_jobs_and_then_the_processes_again_and_others_wait() {
        assert_eq!(current(), Precision::Float32);
        let first = Precision::Tf32.enter();
        let second = Precision::Tf32.enter();
        assert_eq!(current(), Precision::Tf32);
        let (entered, waiting) = channel();
        let other = std::thread::spawn(move || {
            let _other = Precision::Float32.enter();
            entered.send(current()).unwrap();
        });
        assert!(waiting.recv_timeout(Duration::from_millis(50)).is_err());
        drop(first);
        assert!(waiting.recv_timeout(Duration::from_millis(50)).is_err());
        drop(second);
        assert_eq!(waiting.recv_timeout(Duration::from_secs(60)).unwrap(), Precision::Float32);
        other.join().unwrap();
        assert_eq!(current(), Precision::Float32);
        // What the process has allowed is set aside for a job, and comes back.
        set(Precision::Tf32);
        let job = Precision::Float32.enter();
        assert_eq!(current(), Precision::Float32);
        drop(job);
        assert_eq!(current(), Precision::Tf32);
        set(Precision::Float32);
    }
}
