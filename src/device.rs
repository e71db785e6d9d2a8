//! Which device a call runs on: the one that was asked for, or the one that pays.

use polars::prelude::{polars_bail, polars_ensure, polars_err, polars_warn, PolarsResult};
use tch::Device;

use crate::cost::Cost;
use crate::cuda;
use crate::fused::instruction_set;
use crate::threads;

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// CUDA where it is there and pays, else the CPU.
    Auto,
    Cpu,
    Cuda(usize),
}

impl Request {
    /// From `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"`, without a look at what there is.
    pub fn parse(name: Option<&str>) -> PolarsResult<Self> {
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

    /// The job on the device. Where it is our choice, a GPU that fails costs time and a warning, and the CPU does the job.
    pub fn run<T>(self, cost: Cost, job: impl Fn(Device) -> PolarsResult<T>) -> PolarsResult<T> {
        match self {
            Self::Cpu => job(Device::Cpu),
            Self::Cuda(index) => job(cuda(index)?),
            Self::Auto if cost.pays_on_gpu() && cuda::gpus().is_ok() => job(Device::Cuda(0)).or_else(|error| {
                let done = job(Device::Cpu)?;
                // An error of the call's own would have come back here too.
                polars_warn!(
                    "anorand: the GPU failed, the CPU did its work instead: {error}; device=\"cpu\" leaves it out"
                );
                Ok(done)
            }),
            Self::Auto => job(Device::Cpu),
        }
    }
}

/// The CPU, for people to read.
pub fn describe_cpu() -> String {
    let threads = threads::count();
    let kernels = instruction_set().unwrap_or("libtorch, since it lacks AVX2 or FMA");
    format!("{threads} {}, {kernels}", if threads == 1 { "thread" } else { "threads" })
}

fn cuda(index: usize) -> PolarsResult<Device> {
    let gpus = cuda::gpus().map_err(
        |reason| polars_err!(ComputeError: "anorand: device \"cuda\" can't be used: {reason}; use device=\"cpu\""),
    )?;
    polars_ensure!(index < gpus.len(), ComputeError:
        "anorand: device \"cuda:{index}\" does not exist: {} are there, from \"cuda:0\" on", gpus.len());
    Ok(Device::Cuda(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let of = |name| Request::parse(Some(name)).unwrap();
        assert_eq!(Request::parse(None).unwrap(), Request::Auto);
        assert_eq!([of("auto"), of("cpu"), of("cuda")], [Request::Auto, Request::Cpu, Request::Cuda(0)]);
        assert_eq!(of("cuda:3"), Request::Cuda(3));
        for name in ["gpu", "cuda:", "cuda:x", "cuda:-1", "CUDA", ""] {
            let message = Request::parse(Some(name)).unwrap_err().to_string();
            assert!(message.contains(&format!("got {name:?}")), "{message}");
        }
    }

    #[test]
    fn a_small_job_runs_on_the_cpu() {
        for request in [Request::Auto, Request::Cpu] {
            assert_eq!(request.run(Cost::default(), Ok).unwrap(), Device::Cpu);
        }
    }

    #[test]
    fn an_error_of_the_job_is_the_calls() {
        let fails = |_| -> PolarsResult<()> { polars_bail!(ComputeError: "no") };
        assert!(Request::Auto.run(Cost::default(), fails).is_err());
    }
}
