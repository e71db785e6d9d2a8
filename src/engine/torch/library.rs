//! Finds libtorch and the engine's library, and opens both, once a process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use polars::prelude::{polars_err, PolarsError, PolarsResult};

use super::interface::{Entry, Failure, Functions, OUT_OF_MEMORY, SYMBOL, VERSION};

/// The engine's library, where the environment names it; for Rust programs and tests.
const VARIABLE: &str = "POLARS_ANORAND_TORCH";

/// Where the libraries are.
pub struct Location {
    /// The engine's own library
    pub engine: PathBuf,
    /// The folder of libtorch's libraries
    pub libtorch: PathBuf,
}

type Locator = fn() -> Result<Location, String>;

static LOCATOR: OnceLock<Locator> = OnceLock::new();

/// How to find the libraries; the Python module asks the installed torch package. The first one counts.
pub fn set_locator(locator: Locator) {
    let _ = LOCATOR.set(locator);
}

fn locate() -> Result<Location, String> {
    match LOCATOR.get() {
        Some(locator) => locator(),
        None => from_environment(),
    }
}

fn from_environment() -> Result<Location, String> {
    let path = |name| std::env::var_os(name).map(PathBuf::from).ok_or(format!("the variable {name} is not set"));
    Ok(Location { engine: path(VARIABLE)?, libtorch: path("LIBTORCH")?.join("lib") })
}

/// The engine's functions. What fails is tried again by the next call: the user may install what is missing.
pub fn functions() -> Result<&'static Functions, String> {
    static OPENED: OnceLock<&'static Functions> = OnceLock::new();
    static OPENING: Mutex<()> = Mutex::new(());
    if let Some(functions) = OPENED.get() {
        return Ok(functions);
    }
    let _one = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(functions) = OPENED.get() {
        return Ok(functions);
    }
    let functions = open(&locate()?)?;
    Ok(OPENED.get_or_init(|| functions))
}

fn open(location: &Location) -> Result<&'static Functions, String> {
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    for name in ["c10", "torch_cpu"] {
        keep(&location.libtorch.join(format!("{prefix}{name}{suffix}")))?;
    }
    let library = keep(&location.engine)?;
    // SAFETY: the engine's library exports the symbol with this type.
    let entry = unsafe { library.get::<Entry>(SYMBOL) };
    let entry = entry.map_err(|error| format!("{} is not the engine ({error})", location.engine.display()))?;
    // SAFETY: it returns a pointer to a constant of a library that stays open. Of an engine of
    // another version, only the first field is read, which is the version in all of them.
    let functions = unsafe { &*entry() };
    if functions.version != VERSION {
        return Err(format!(
            "{} has version {} of the engine's interface, the plugin needs {VERSION}: install polars-anorand again",
            location.engine.display(),
            functions.version
        ));
    }
    Ok(functions)
}

/// A library that stays open for good, with its symbols for those that come after it.
fn keep(path: &Path) -> Result<&'static Dynamic, String> {
    // SAFETY: these are libtorch's libraries and the engine's, whose initialisers only register
    // their own kernels.
    let library =
        unsafe { open_global(path) }.map_err(|error| format!("{} can't be loaded ({error})", path.display()))?;
    Ok(Box::leak(Box::new(library)))
}

#[cfg(unix)]
type Dynamic = libloading::os::unix::Library;
#[cfg(not(unix))]
type Dynamic = libloading::Library;

/// # Safety
/// The library's initialisers do nothing that this process must not do.
#[cfg(unix)]
unsafe fn open_global(path: &Path) -> Result<Dynamic, libloading::Error> {
    use libloading::os::unix::{RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the caller knows what the library's initialisers do.
    unsafe { Dynamic::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }
}

/// # Safety
/// The library's initialisers do nothing that this process must not do.
#[cfg(not(unix))]
unsafe fn open_global(path: &Path) -> Result<Dynamic, libloading::Error> {
    // SAFETY: the caller knows what the library's initialisers do.
    unsafe { Dynamic::new(path) }
}

/// Loads libtorch's CUDA part, and asks it for the number of GPUs that it can use; or says what is missing.
///
/// libtorch remembers what it finds, so that its CUDA part must be loaded before it is first asked.
pub fn start_cuda() -> Result<usize, String> {
    let needed = |reason| format!("libtorch is needed for it: {reason}");
    let functions = functions().map_err(needed)?;
    let library = locate().map_err(needed)?.libtorch.join("libtorch_cuda.so");
    if !library.exists() {
        return Err(format!("this libtorch is one without CUDA ({} does not exist)", library.display()));
    }
    keep(&library).map_err(|reason| {
        format!("libtorch's CUDA part needs libraries that are missing: {reason}; `pip install torch` brings them")
    })?;
    // SAFETY: the function needs libtorch's CUDA part, which has just been loaded.
    Ok(unsafe { (functions.gpus)() })
}

/// A call of one of the engine's functions, with its failure as an error.
pub fn call(function: impl FnOnce(&Functions, *mut Failure) -> i32) -> PolarsResult<()> {
    let functions = functions().map_err(|reason| polars_err!(ComputeError: "anorand: libtorch is needed: {reason}"))?;
    let mut failure = Failure::NONE;
    match function(functions, &mut failure) {
        super::interface::OK => Ok(()),
        status => Err(error(status, &failure.message())),
    }
}

fn error(status: i32, message: &str) -> PolarsError {
    if status == OUT_OF_MEMORY {
        return polars_err!(ComputeError:
            "anorand: the GPU has too little free memory ({message}); free some, ask for fewer members or narrower layers, or \
             use device=\"cpu\"");
    }
    polars_err!(ComputeError: "anorand: libtorch: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_named() {
        let location = Location { engine: "/none/engine.so".into(), libtorch: "/none/lib".into() };
        let reason = open(&location).err().unwrap();
        assert!(reason.contains("/none/lib") && reason.contains("can't be loaded"), "{reason}");
    }

    #[test]
    fn an_error_says_what_to_do_about_memory() {
        let message = error(OUT_OF_MEMORY, "CUDA out of memory").to_string();
        assert!(message.contains("too little free memory (CUDA out of memory)"), "{message}");
        assert!(message.contains("device=\"cpu\""), "{message}");
    }
}
