//! Which device a call runs on. CUDA is loaded when it is asked for, never before, and a refusal says why.

use std::path::PathBuf;
use std::sync::OnceLock;

use polars::prelude::{polars_bail, polars_ensure, PolarsResult};
use tch::Device;

/// The device that `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"` stands for.
pub fn parse(name: Option<&str>) -> PolarsResult<Device> {
    match name {
        // CUDA must be asked for: whether it pays depends on the rows, and starting it up costs seconds.
        None | Some("auto" | "cpu") => Ok(Device::Cpu),
        Some("cuda") => cuda(0),
        Some(other) => match other.strip_prefix("cuda:").and_then(|index| index.parse().ok()) {
            Some(index) => cuda(index),
            None => polars_bail!(ComputeError:
                "anorand: device must be \"auto\", \"cpu\", \"cuda\" or \"cuda:N\", got {other:?}"),
        },
    }
}

fn cuda(index: usize) -> PolarsResult<Device> {
    let loaded = load_cuda().as_ref();
    if let Err(reason) = loaded {
        polars_bail!(ComputeError: "anorand: device \"cuda\" can't be used: {reason}; use device=\"cpu\"");
    }
    let devices = tch::Cuda::device_count().max(0) as usize;
    polars_ensure!(devices > 0, ComputeError:
        "anorand: device \"cuda\" can't be used: libtorch finds no GPU (is the NVIDIA driver installed?); use device=\"cpu\"");
    polars_ensure!(index < devices, ComputeError:
        "anorand: device \"cuda:{index}\" does not exist: there are {devices} GPUs, \"cuda:0\" is the first");
    Ok(Device::Cuda(index))
}

/// libtorch's CUDA part, loaded once a process from beside its CPU part; or why it can't be.
///
/// It must happen before libtorch is first asked about CUDA, which remembers the answer.
fn load_cuda() -> &'static Result<(), String> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    LOADED.get_or_init(|| {
        let folder = libtorch_folder().ok_or("the folder of libtorch_cpu is not known")?;
        let library = folder.join("libtorch_cuda.so");
        if !library.exists() {
            return Err(format!("this libtorch has no CUDA part ({} does not exist)", library.display()));
        }
        // SAFETY: libtorch's own library, whose initialisers register its kernels; it stays loaded for good.
        match unsafe { libloading::Library::new(&library) } {
            Ok(library) => {
                std::mem::forget(library);
                Ok(())
            }
            Err(error) => Err(format!(
                "libtorch's CUDA part can't be loaded ({error}); `pip install torch==2.11.0` brings \
                                       the CUDA libraries that it needs"
            )),
        }
    })
}

/// Where this process has libtorch_cpu from.
fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps
        .lines()
        .find_map(|line| line.find('/').map(|at| &line[at..]).filter(|path| path.ends_with("/libtorch_cpu.so")))?;
    PathBuf::from(path).parent().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_is_found() {
        assert!(libtorch_folder().unwrap().join("libtorch_cpu.so").exists());
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(parse(None).unwrap(), Device::Cpu);
        assert_eq!(parse(Some("auto")).unwrap(), Device::Cpu);
        for name in ["gpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            let message = parse(Some(name)).unwrap_err().to_string();
            assert!(message.contains(&format!("got {name:?}")), "{message}");
        }
    }
}
