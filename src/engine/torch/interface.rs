//! The C interface between the plugin and its libtorch engine: compiled into both, and all that they share.
//!
//! The engine's library exports one symbol, [`SYMBOL`], a function that returns its [`Functions`]. All memory is the caller's.
//! Every function returns [`OK`], or another status and a message in `failure`: no panic and no C++ exception crosses.

/// The interface's version: the plugin refuses an engine of another one.
pub const VERSION: u32 = 3;
pub const SYMBOL: &[u8] = b"polars_anorand_torch_functions\0";

/// The type of [`SYMBOL`].
pub type Entry = unsafe extern "C" fn() -> *const Functions;

pub const OK: i32 = 0;
pub const FAILED: i32 = 1;
pub const OUT_OF_MEMORY: i32 = 2;

/// The index of the CPU among devices; GPUs count from 0.
pub const CPU: i64 = -1;

/// Numbers to read.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slice<T> {
    pub at: *const T,
    pub len: usize,
}

/// Numbers to write.
#[repr(C)]
pub struct SliceMut<T> {
    pub at: *mut T,
    pub len: usize,
}

impl<T> Slice<T> {
    /// # Safety
    /// The slice that it was made from lives for `'a`, and is not written to.
    pub unsafe fn get<'a>(self) -> &'a [T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: pointer and length are those of a slice, which the caller promises to live.
        unsafe { std::slice::from_raw_parts(self.at, self.len) }
    }
}

impl<T> SliceMut<T> {
    /// # Safety
    /// The slice that it was made from lives for `'a`, and nothing else uses it.
    pub unsafe fn get<'a>(self) -> &'a mut [T] {
        if self.len == 0 {
            return &mut [];
        }
        // SAFETY: pointer and length are those of a slice, which the caller promises to live and to
        // be used by nothing else.
        unsafe { std::slice::from_raw_parts_mut(self.at, self.len) }
    }
}

impl<T> From<&[T]> for Slice<T> {
    fn from(numbers: &[T]) -> Self {
        Self { at: numbers.as_ptr(), len: numbers.len() }
    }
}

impl<T> From<&mut [T]> for SliceMut<T> {
    fn from(numbers: &mut [T]) -> Self {
        Self { at: numbers.as_mut_ptr(), len: numbers.len() }
    }
}

/// Why a call failed: the first `len` bytes of `text`, in UTF-8.
#[repr(C)]
pub struct Failure {
    pub text: [u8; 2_048],
    pub len: usize,
}

impl Failure {
    pub const NONE: Self = Self { text: [0; 2_048], len: 0 };

    pub fn write(&mut self, message: &str) {
        let mut len = message.len().min(self.text.len());
        while !message.is_char_boundary(len) {
            len -= 1;
        }
        self.text[..len].copy_from_slice(&message.as_bytes()[..len]);
        self.len = len;
    }

    pub fn message(&self) -> String {
        String::from_utf8_lossy(&self.text[..self.len.min(self.text.len())]).into_owned()
    }
}

/// An ensemble, as the plugin's `Weights` hold it.
#[repr(C)]
pub struct Ensemble {
    /// Features that each member sees
    pub width: usize,
    pub hidden: Slice<usize>,
    pub latent: usize,
    /// `[m × width]`
    pub inputs: Slice<usize>,
    /// Layer by layer, weight then bias, each `[m, …]`
    pub flat: Slice<f32>,
    /// [`CPU`], or a GPU's index
    pub device: i64,
}

/// Scaled rows, row by row.
#[repr(C)]
pub struct Rows {
    pub numbers: Slice<f32>,
    pub features: usize,
}

/// What the members are trained on. It stays on the device while the training lasts.
#[repr(C)]
pub struct Material {
    /// Parts of one table of scaled rows, `[rows, features]` each
    pub table: Slice<Slice<f32>>,
    pub features: usize,
    /// Each member's noise lies between low and low + width, `[m, width]` each; both are empty if there is none.
    pub noise_low: Slice<f32>,
    pub noise_width: Slice<f32>,
    /// The ChaCha8 generator of each member, `[m, GENERATOR]`: the words of its key, and those of its stream, the low one first
    pub generators: Slice<u32>,
}

/// Words of a generator.
pub const GENERATOR: usize = 10;

/// The rows of a batch: the table's, then noise.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRows {
    pub given: usize,
    pub noise: usize,
}

/// An epoch of all members, whose batches are of equal sizes.
#[repr(C)]
pub struct Epoch {
    pub batches: Slice<BatchRows>,
    /// Numbers of rows of the table, batch by batch, `[m, given rows]`
    pub rows: Slice<i64>,
    /// The word of the member's generator at which a batch's noise begins, `[m, batches]`
    pub noise_at: Slice<i64>,
    /// y of each row, 0 or 1, `[m, rows]`
    pub synthetic: Slice<f32>,
    /// What each row's reconstruction counts in the loss, `[m, rows]`: (1 − w) / normal rows of its batch (eq. 2 and 4), or 0
    pub ae_weights: Slice<f32>,
    /// What the cross-entropy of each row of a batch counts, `[m, batches]`: w / rows (eq. 3 and 4)
    pub ce_weights: Slice<f32>,
    /// The learning rate of each batch's step
    pub rates: Slice<f64>,
}

/// An ensemble on its device.
pub enum Handle {}

/// All that the engine can do.
///
/// # Safety
/// A handle is one that `open` wrote, and that `close` was not called with yet. Several threads
/// may use a `*const Handle` at a time; a `*mut Handle` needs the handle alone, in any thread.
/// Pointers and slices, and the slices within a structure, live until the call returns; nothing
/// else uses what is written to.
#[repr(C)]
pub struct Functions {
    pub version: u32,
    /// The number of GPUs that libtorch can use; its CUDA part must have been loaded.
    pub gpus: unsafe extern "C" fn() -> usize,
    /// Matrix products on a GPU are in TF32 or in float32 until `leave_precision` is called; each call of this function needs
    /// one of that. Fails while another call holds the other precision.
    pub enter_precision: unsafe extern "C" fn(tf32: bool, failure: *mut Failure) -> i32,
    pub leave_precision: unsafe extern "C" fn(),
    pub open: unsafe extern "C" fn(ensemble: *const Ensemble, handle: *mut *mut Handle, failure: *mut Failure) -> i32,
    pub close: unsafe extern "C" fn(handle: *mut Handle),
    /// Both heads, means over the members.
    pub heads: unsafe extern "C" fn(
        handle: *const Handle,
        rows: *const Rows,
        logits: SliceMut<f32>,
        errors: SliceMut<f32>,
        failure: *mut Failure,
    ) -> i32,
    /// Both heads of each member, `[rows, m, 2]`: logit, then error.
    pub member_heads: unsafe extern "C" fn(
        handle: *const Handle,
        rows: *const Rows,
        out: SliceMut<f32>,
        failure: *mut Failure,
    ) -> i32,
    /// `[rows, m × latent width]`
    pub latents: unsafe extern "C" fn(
        handle: *const Handle,
        rows: *const Rows,
        out: SliceMut<f32>,
        failure: *mut Failure,
    ) -> i32,
    /// The gradient of `logit_weights` · logit + `error_weights` · error with respect to the rows, added to `out`.
    pub add_input_gradients: unsafe extern "C" fn(
        handle: *const Handle,
        rows: *const Rows,
        logit_weights: Slice<f32>,
        error_weights: Slice<f32>,
        out: SliceMut<f32>,
        failure: *mut Failure,
    ) -> i32,
    /// Puts what the members are trained on beside them; Adam begins anew.
    pub begin: unsafe extern "C" fn(handle: *mut Handle, material: *const Material, failure: *mut Failure) -> i32,
    /// The gradient of eq. 4 on an epoch of one batch, laid out as `flat`. It, and the next two, need a training that has begun.
    pub gradient: unsafe extern "C" fn(
        handle: *const Handle,
        epoch: *const Epoch,
        out: SliceMut<f32>,
        failure: *mut Failure,
    ) -> i32,
    /// A step of Adam for each batch.
    pub train: unsafe extern "C" fn(handle: *mut Handle, epoch: *const Epoch, failure: *mut Failure) -> i32,
    /// Sums over an epoch, `[m, 2]`: eq. 3, and eq. 2 over the normal rows.
    pub losses: unsafe extern "C" fn(
        handle: *const Handle,
        epoch: *const Epoch,
        sums: SliceMut<f64>,
        failure: *mut Failure,
    ) -> i32,
    /// The numbers as they are now, laid out as `flat`.
    pub flat: unsafe extern "C" fn(handle: *const Handle, out: SliceMut<f32>, failure: *mut Failure) -> i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_too_long_ends_at_a_character() {
        let mut failure = Failure::NONE;
        failure.write(&"é".repeat(5_000));
        assert_eq!(failure.message(), "é".repeat(1_024));
        failure.write("short");
        assert_eq!(failure.message(), "short");
    }
}
