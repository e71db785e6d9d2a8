//! How precise a GPU's products are: float32, or TF32, which rounds the factors to 10 bits.

use polars::prelude::{polars_bail, PolarsResult};

use super::library::{call, functions};

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

    /// libtorch's setting for as long as the guard lives; an error while a job of another precision runs.
    pub fn enter(self) -> PolarsResult<Entered> {
        // SAFETY: `call` gives a failure that nothing else uses.
        call(|engine, failure| unsafe { (engine.enter_precision)(self == Self::Tf32, failure) })?;
        Ok(Entered(()))
    }
}

/// While it lives, libtorch's setting is the job's.
pub struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        // It was entered, so the functions are there.
        if let Ok(engine) = functions() {
            // SAFETY: `enter_precision` was called, once for this guard.
            unsafe { (engine.leave_precision)() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(Precision::parse(None).unwrap(), Precision::Float32);
        assert_eq!(Precision::parse(Some("tf32")).unwrap(), Precision::Tf32);
        let message = Precision::parse(Some("half")).unwrap_err().to_string();
        assert!(message.contains("precision must be \"float32\" or \"tf32\", got \"half\""), "{message}");
    }
}
