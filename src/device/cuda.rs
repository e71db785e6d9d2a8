//! NVIDIA GPUs: which there are, and CUDA's start, once a process and only when it is asked for; or why there is none.
//!
//! The driver is asked first, without libtorch: it knows best what is missing, and where there is none nothing large is loaded.

use std::ffi::{c_char, c_int, CStr};
use std::sync::OnceLock;

use libloading::{Library, Symbol};

use crate::engine::torch;

const NO_GPU: &str = "the NVIDIA driver finds no GPU (does CUDA_VISIBLE_DEVICES hide it?)";

/// One GPU, as the driver describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    pub name: String,
    /// Bytes
    pub memory: usize,
}

/// What a process found, and which process it was.
struct Found {
    process: u32,
    gpus: Result<Vec<Gpu>, String>,
}

static FOUND: OnceLock<Found> = OnceLock::new();

/// The GPUs that libtorch can use, `cuda:0` first; or why there is none. The first call starts CUDA, which takes seconds.
pub fn gpus() -> Result<&'static [Gpu], String> {
    let Found { process, gpus } = FOUND.get_or_init(|| Found { process: std::process::id(), gpus: start() });
    let gpus = gpus.as_ref().map_err(String::clone)?;
    if *process != std::process::id() {
        return Err("CUDA was started in the process that this one was forked from, and can't be used in both; start \
                    processes with multiprocessing's \"spawn\" or \"forkserver\""
            .to_string());
    }
    Ok(gpus)
}

/// Whether CUDA has been started, so that a further use costs no start.
pub fn is_started() -> bool {
    FOUND.get().is_some_and(|found| found.gpus.is_ok())
}

fn start() -> Result<Vec<Gpu>, String> {
    let driver = Driver::open()?;
    let gpus = driver.gpus()?;
    match torch::start_cuda()? {
        0 => Err(format!(
            "libtorch finds no GPU, though the driver has {} ({}); the driver supports CUDA {}, which may be older than \
             libtorch needs",
            gpus.len(),
            gpus[0].name,
            driver.cuda_version()
        )),
        usable => Ok(gpus.into_iter().take(usable).collect()),
    }
}

/// The driver's own library, which is installed with the driver and with nothing else.
struct Driver(Library);

impl Driver {
    fn open() -> Result<Self, String> {
        // SAFETY: it is NVIDIA's library, whose initialisers do nothing beyond itself.
        let library = unsafe { Library::new("libcuda.so.1") }
            .map_err(|error| format!("there is no NVIDIA driver: libcuda.so.1 can't be loaded ({error})"))?;
        let driver = Self(library);
        // SAFETY: NVIDIA declares `CUresult cuInit(unsigned)`.
        let status = unsafe { driver.function::<unsafe extern "C" fn(u32) -> c_int>(b"cuInit\0")?(0) };
        driver.check("cuInit", status)?;
        Ok(driver)
    }

    fn gpus(&self) -> Result<Vec<Gpu>, String> {
        let mut count = 0;
        // SAFETY: NVIDIA declares `CUresult cuDeviceGetCount(int *)`, which writes to our variable.
        let status =
            unsafe { self.function::<unsafe extern "C" fn(*mut c_int) -> c_int>(b"cuDeviceGetCount\0")?(&mut count) };
        self.check("cuDeviceGetCount", status)?;
        if count < 1 {
            return Err(NO_GPU.to_string());
        }
        (0..count).map(|at| self.gpu(at)).collect()
    }

    fn gpu(&self, at: c_int) -> Result<Gpu, String> {
        let (mut device, mut memory, mut name) = (0, 0usize, [0 as c_char; 256]);
        // SAFETY: NVIDIA declares `CUresult cuDeviceGet(CUdevice *, int)`; a CUdevice is an int.
        let status = unsafe {
            self.function::<unsafe extern "C" fn(*mut c_int, c_int) -> c_int>(b"cuDeviceGet\0")?(&mut device, at)
        };
        self.check("cuDeviceGet", status)?;
        // SAFETY: NVIDIA declares `CUresult cuDeviceGetName(char *, int, CUdevice)`, which writes
        // no more than the length, and ends the name with a zero.
        let status = unsafe {
            let get: Symbol<unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int> =
                self.function(b"cuDeviceGetName\0")?;
            get(name.as_mut_ptr(), name.len() as c_int - 1, device)
        };
        self.check("cuDeviceGetName", status)?;
        // SAFETY: NVIDIA declares `CUresult cuDeviceTotalMem_v2(size_t *, CUdevice)`, which writes
        // to our variable.
        let status = unsafe {
            let get: Symbol<unsafe extern "C" fn(*mut usize, c_int) -> c_int> =
                self.function(b"cuDeviceTotalMem_v2\0")?;
            get(&mut memory, device)
        };
        self.check("cuDeviceTotalMem", status)?;
        // SAFETY: the array's last element is zero, since the driver may write all but that.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        Ok(Gpu { name, memory })
    }

    /// The newest CUDA that the driver supports, as 13.0.
    fn cuda_version(&self) -> String {
        let mut version = 0;
        let get = self.function::<unsafe extern "C" fn(*mut c_int) -> c_int>(b"cuDriverGetVersion\0");
        // SAFETY: NVIDIA declares `CUresult cuDriverGetVersion(int *)`, which writes to our
        // variable.
        let status = get.map(|get| unsafe { get(&mut version) });
        match status {
            Ok(0) => format!("{}.{}", version / 1_000, version % 1_000 / 10),
            _ => "of an unknown version".to_string(),
        }
    }

    fn check(&self, call: &str, status: c_int) -> Result<(), String> {
        match status {
            0 => Ok(()),
            // CUDA_ERROR_NO_DEVICE
            100 => Err(NO_GPU.to_string()),
            _ => Err(format!("the NVIDIA driver says {} ({call} returned {status})", self.error_text(status))),
        }
    }

    fn error_text(&self, status: c_int) -> String {
        let mut text: *const c_char = std::ptr::null();
        let get = self.function::<unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int>(b"cuGetErrorString\0");
        // SAFETY: NVIDIA declares `CUresult cuGetErrorString(CUresult, const char **)`, which makes
        // our variable point to a constant, or null.
        let found = get.map(|get| unsafe { get(status, &mut text) });
        match (found, text.is_null()) {
            // SAFETY: it is a constant C string of the driver, which stays loaded while `self`
            // lives.
            (Ok(0), false) => format!("{:?}", unsafe { CStr::from_ptr(text) }.to_string_lossy()),
            _ => "an unknown error".to_string(),
        }
    }

    /// A function of the driver's; the caller vouches for its type.
    fn function<T>(&self, name: &[u8]) -> Result<Symbol<'_, T>, String> {
        // SAFETY: each call names the type that NVIDIA documents, which is the same in every
        // driver.
        unsafe { self.0.get(name) }.map_err(|error| format!("the NVIDIA driver is too old ({error})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_gpus_or_a_reason() {
        match gpus() {
            Ok(gpus) => {
                assert!(!gpus.is_empty() && gpus.iter().all(|gpu| !gpu.name.is_empty() && gpu.memory > 1 << 30))
            }
            Err(reason) => assert!(reason.contains("driver") || reason.contains("libtorch"), "{reason}"),
        }
    }
}
