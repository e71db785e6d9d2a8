//! Which device a call runs on: the one that was asked for, or the one that pays.

mod cost;
mod cuda;

pub use cost::Cost;

use polars::prelude::{polars_bail, polars_ensure, polars_err, polars_warn, PolarsResult};

use crate::engine::torch::Precision;
use crate::engine::Device;
use crate::pool;
use crate::simd::{self, Simd};

/// Where a caller wants a job done, and how precisely on a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    device: Wanted,
    precision: Precision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// CUDA where it is there and pays, else the CPU.
    Auto,
    Cpu,
    Cuda(usize),
}

impl Request {
    /// From names, without a look at what there is; see [`Precision::parse`] for that of the precision.
    pub fn parse(device: Option<&str>, precision: Option<&str>) -> PolarsResult<Self> {
        pool::check()?;
        simd::check()?;
        Ok(Self { device: Wanted::parse(device)?, precision: Precision::parse(precision)? })
    }

    /// The job on the device. Where it is our choice, a GPU that fails costs time and a warning, and the CPU does the job.
    pub fn run<T>(self, cost: Cost, job: impl Fn(Device) -> PolarsResult<T>) -> PolarsResult<T> {
        let on_gpu = |index| {
            let _precision = self.precision.enter()?;
            job(Device::Cuda(index))
        };
        match self.device {
            Wanted::Cpu => job(Device::Cpu),
            Wanted::Cuda(index) => on_gpu(usable(index)?),
            Wanted::Auto if cost.pays_on_gpu() && cuda::gpus().is_ok() => on_gpu(0).or_else(|error| {
                let done = job(Device::Cpu)?;
                // An error of the call's own would have come back here too.
                polars_warn!(
                    "anorand: the GPU failed, the CPU did its work instead: {error}; device=\"cpu\" leaves it out"
                );
                Ok(done)
            }),
            Wanted::Auto => job(Device::Cpu),
        }
    }
}

impl Wanted {
    /// From `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"`.
    fn parse(name: Option<&str>) -> PolarsResult<Self> {
        match name {
            None | Some("auto") => Ok(Self::Auto),
            Some("cpu") => Ok(Self::Cpu),
            Some("cuda") => Ok(Self::Cuda(0)),
            Some(other) => match other.strip_prefix("cuda:").and_then(|index| index.parse().ok()) {
                Some(index) => Ok(Self::Cuda(index)),
                None => polars_bail!(ComputeError:
                    "anorand: device must be \"auto\", \"cpu\", \"cuda\" or \"cuda:N\", got {other:?}"),
            },
        }
    }
}

/// All devices: the name, whether it can be used, and what it is, or why it can't. Starts CUDA where there is a GPU.
pub fn all() -> Vec<(String, bool, String)> {
    let mut devices = vec![("cpu".to_string(), true, describe_cpu())];
    match cuda::gpus() {
        Ok(gpus) => devices.extend(gpus.iter().enumerate().map(|(at, gpu)| {
            let gib = gpu.memory as f64 / f64::from(1 << 30);
            (format!("cuda:{at}"), true, format!("{}, {gib:.0} GiB", gpu.name))
        })),
        Err(reason) => devices.push(("cuda".to_string(), false, reason)),
    }
    devices
}

fn describe_cpu() -> String {
    let threads = pool::count();
    format!("{threads} {}, {}", if threads == 1 { "thread" } else { "threads" }, Simd::chosen().name())
}

/// The index of a GPU, if it can be used.
fn usable(index: usize) -> PolarsResult<usize> {
    let gpus = cuda::gpus().map_err(
        |reason| polars_err!(ComputeError: "anorand: device \"cuda\" can't be used: {reason}; use device=\"cpu\""),
    )?;
    polars_ensure!(index < gpus.len(), ComputeError:
        "anorand: device \"cuda:{index}\" does not exist: {} are there, from \"cuda:0\" on", gpus.len());
    Ok(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let of = |name| Wanted::parse(Some(name)).unwrap();
        assert_eq!(Wanted::parse(None).unwrap(), Wanted::Auto);
        assert_eq!([of("auto"), of("cpu"), of("cuda")], [Wanted::Auto, Wanted::Cpu, Wanted::Cuda(0)]);
        assert_eq!(of("cuda:3"), Wanted::Cuda(3));
        for name in ["gpu", "cuda:", "cuda:x", "cuda:-1", "CUDA", ""] {
            let message = Request::parse(Some(name), None).unwrap_err().to_string();
            assert!(message.contains(&format!("got {name:?}")), "{message}");
        }
    }

    #[test]
    fn a_small_job_runs_on_the_cpu() {
        for device in ["auto", "cpu"] {
            let request = Request::parse(Some(device), Some("tf32")).unwrap();
            assert_eq!(request.run(Cost::default(), Ok).unwrap(), Device::Cpu);
        }
    }

    #[test]
    fn an_error_of_the_job_is_the_calls() {
        let fails = |_| -> PolarsResult<()> { polars_bail!(ComputeError: "no") };
        assert!(Request::parse(None, None).unwrap().run(Cost::default(), fails).is_err());
    }
}
