//! An ensemble on a device of libtorch's.

use polars::prelude::PolarsResult;

use crate::engine::device::Device;
use crate::engine::weights::Weights;

use super::interface::{Ensemble, Handle, Rows, CPU};
use super::library::{call, functions};

/// Activations that a GPU holds at a time for one thread of ours, in bytes.
const GPU_ACTIVATIONS: usize = 1 << 28;

/// An ensemble on a device of libtorch's.
pub struct Network {
    handle: *mut Handle,
    members: usize,
    /// Numbers that a row has in all layers of all members
    width: usize,
}

// SAFETY: the interface lets any thread use and close a handle.
unsafe impl Send for Network {}
// SAFETY: the interface lets several threads read a handle at a time; training takes `&mut self`.
unsafe impl Sync for Network {}

impl Network {
    pub fn open(weights: &Weights, device: Device) -> PolarsResult<Self> {
        let shape = weights.shape();
        let ensemble = Ensemble {
            width: shape.inputs,
            hidden: shape.hidden.as_slice().into(),
            latent: shape.latent,
            inputs: weights.inputs().into(),
            flat: weights.flat().into(),
            device: match device {
                Device::Cpu => CPU,
                Device::Cuda(index) => index as i64,
            },
        };
        let mut handle = std::ptr::null_mut();
        // SAFETY: all slices are the weights', which outlive the call; it alone writes to `handle`.
        call(|engine, failure| unsafe { (engine.open)(&ensemble, &mut handle, failure) })?;
        let layers: usize = shape.layers().iter().map(|layer| layer.outputs).sum();
        Ok(Self { handle, members: weights.members(), width: (layers + shape.inputs) * weights.members() })
    }

    /// m.
    pub fn members(&self) -> usize {
        self.members
    }

    pub(super) fn handle(&self) -> *const Handle {
        self.handle
    }

    pub(super) fn handle_mut(&mut self) -> *mut Handle {
        self.handle
    }

    /// The number of rows that keep a GPU busy.
    pub fn rows_at_a_time(&self) -> usize {
        (GPU_ACTIVATIONS / (self.width * size_of::<f32>()).max(1)).clamp(1_024, 1 << 20)
    }

    /// Both heads of scaled rows, row by row.
    pub fn heads_into(
        &self,
        rows: &[f32],
        features: usize,
        logits: &mut [f32],
        errors: &mut [f32],
    ) -> PolarsResult<()> {
        let rows = Rows { numbers: rows.into(), features };
        // SAFETY: the handle is open, and the slices outlive the call.
        call(|engine, failure| unsafe { (engine.heads)(self.handle, &rows, logits.into(), errors.into(), failure) })
    }

    /// Both heads, and each member's own, `[rows, m, 2]`.
    pub fn member_heads_into(
        &self,
        rows: &[f32],
        features: usize,
        (logits, errors): (&mut [f32], &mut [f32]),
        members: &mut [f32],
    ) -> PolarsResult<()> {
        self.heads_into(rows, features, logits, errors)?;
        let rows = Rows { numbers: rows.into(), features };
        // SAFETY: the handle is open, and the slices outlive the call.
        call(|engine, failure| unsafe { (engine.member_heads)(self.handle, &rows, members.into(), failure) })
    }

    /// The latents, each member's in turn.
    pub fn latents_into(&self, rows: &[f32], features: usize, out: &mut [f32]) -> PolarsResult<()> {
        let rows = Rows { numbers: rows.into(), features };
        // SAFETY: the handle is open, and the slices outlive the call.
        call(|engine, failure| unsafe { (engine.latents)(self.handle, &rows, out.into(), failure) })
    }

    /// The gradient of `logit_weights` · logit + `error_weights` · error with respect to the rows, added to `out`.
    pub fn add_input_gradients(
        &self,
        rows: &[f32],
        features: usize,
        logit_weights: &[f32],
        error_weights: &[f32],
        out: &mut [f32],
    ) -> PolarsResult<()> {
        let rows = Rows { numbers: rows.into(), features };
        let (logit_weights, error_weights) = (logit_weights.into(), error_weights.into());
        // SAFETY: the handle is open, and the slices outlive the call.
        call(|engine, failure| unsafe {
            (engine.add_input_gradients)(self.handle, &rows, logit_weights, error_weights, out.into(), failure)
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // It was opened, so the functions are there.
        if let Ok(engine) = functions() {
            // SAFETY: the handle is open, and nobody can use it after this.
            unsafe { (engine.close)(self.handle) };
        }
    }
}
