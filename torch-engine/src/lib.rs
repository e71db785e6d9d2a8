//! The libtorch engine of polars-anorand: networks on a GPU, behind a small C interface.
//!
//! The plugin opens this library when a call needs it, after libtorch itself, so that nothing else needs libtorch. Here are only
//! the functions of the interface; each is one call.

#[path = "../../src/engine/adam.rs"]
mod adam;
mod chacha;
#[path = "../../src/engine/torch/interface.rs"]
#[allow(dead_code, reason = "the plugin uses the other half")]
mod interface;
mod libtorch;
mod material;
mod network;
mod precision;
#[path = "../../src/engine/shape.rs"]
#[allow(dead_code, reason = "the plugin uses more of it")]
mod shape;
mod train;

use std::panic::{catch_unwind, AssertUnwindSafe};

use tch::{no_grad_guard, TchError, Tensor};

use interface::{Ensemble, Epoch, Failure, Functions, Rows, Slice, SliceMut, FAILED, OK, OUT_OF_MEMORY, VERSION};
use libtorch::{in_blocks, is_out_of_memory, numbers_into, rows_on, SingleThread};
use material::Material;
use network::{Network, TorchResult};
use train::Training;

/// An ensemble on its device, and its training once that has begun.
struct Opened {
    network: Network,
    training: Option<Training>,
}

// SAFETY: several threads only read an opened network at a time, which libtorch allows; a training
// has it alone.
unsafe impl Sync for Opened {}

static FUNCTIONS: Functions = Functions {
    version: VERSION,
    gpus,
    enter_precision,
    leave_precision,
    open,
    close,
    heads,
    member_heads,
    latents,
    add_input_gradients,
    begin,
    gradient,
    train,
    losses,
    flat,
};

/// The interface; see [`interface::Entry`].
#[no_mangle]
pub extern "C" fn polars_anorand_torch_functions() -> *const Functions {
    &FUNCTIONS
}

/// No panic may cross: it is a failure as any other.
///
/// # Safety
/// `failure` points to a failure that nothing else uses.
unsafe fn guarded(failure: *mut Failure, work: impl FnOnce() -> TorchResult<()>) -> i32 {
    let done = catch_unwind(AssertUnwindSafe(|| {
        let _one = SingleThread::enter();
        let _no_grad = no_grad_guard();
        work()
    }));
    let (status, message) = match done {
        Ok(Ok(())) => return OK,
        Ok(Err(error)) if is_out_of_memory(&error) => (OUT_OF_MEMORY, libtorch::message(&error)),
        Ok(Err(error)) => (FAILED, libtorch::message(&error)),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            (FAILED, format!("a bug in its engine, please report it: {}", text.unwrap_or_default()))
        }
    };
    // SAFETY: the caller gives a failure that nothing else uses.
    unsafe { (*failure).write(&message) };
    status
}

extern "C" fn gpus() -> usize {
    catch_unwind(|| tch::Cuda::device_count().max(0) as usize).unwrap_or(0)
}

unsafe extern "C" fn enter_precision(tf32: bool, failure: *mut Failure) -> i32 {
    // SAFETY: the interface gives a failure that nothing else uses.
    unsafe { guarded(failure, || precision::enter(tf32).map_err(TchError::Torch)) }
}

extern "C" fn leave_precision() {
    precision::leave();
}

unsafe extern "C" fn open(
    ensemble: *const Ensemble,
    handle: *mut *mut interface::Handle,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: by the interface, the ensemble and its slices live, and nothing else uses `handle`.
    unsafe {
        guarded(failure, || {
            let network = Network::open(&*ensemble)?;
            *handle = Box::into_raw(Box::new(Opened { network, training: None })).cast();
            Ok(())
        })
    }
}

unsafe extern "C" fn close(handle: *mut interface::Handle) {
    // A failure to free has nobody to go to.
    // SAFETY: `open` made the handle of a box, and by the interface nobody uses it after this.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(handle.cast::<Opened>()) })));
}

/// The network of a handle.
///
/// # Safety
/// `open` made the handle, and it lives for `'a`.
unsafe fn network<'a>(handle: *const interface::Handle) -> &'a Network {
    // SAFETY: the caller gives a handle that `open` made, and that lives for `'a`.
    unsafe { &(*handle.cast::<Opened>()).network }
}

/// `work` on one block of rows after the other, with the rows' range.
///
/// # Safety
/// The numbers of the rows live until this returns.
unsafe fn for_each_block(
    network: &Network,
    rows: &Rows,
    mut work: impl FnMut(std::ops::Range<usize>, Tensor) -> TorchResult<()>,
) -> TorchResult<()> {
    /// On the CPU, where activations should stay in the cache; a GPU gets all rows of a call.
    const CPU_BLOCK: usize = 1_024;
    // SAFETY: the caller gives rows whose numbers live until this returns.
    let numbers = unsafe { rows.numbers.get() };
    let count = numbers.len() / rows.features.max(1);
    let block = if network.device() == tch::Device::Cpu { CPU_BLOCK } else { count };
    in_blocks(count, block, |range| work(range.clone(), rows_on(network.device(), numbers, rows.features, range)?))
}

unsafe extern "C" fn heads(
    handle: *const interface::Handle,
    rows: *const Rows,
    logits: SliceMut<f32>,
    errors: SliceMut<f32>,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: by the interface, the handle is open, the slices live, and nothing else uses those
    // that are written to.
    unsafe {
        guarded(failure, || {
            let (network, logits, errors) = (network(handle), logits.get(), errors.get());
            for_each_block(network, &*rows, |range, x| {
                let (logit, error) = network.heads(&x)?;
                numbers_into(&logit, &mut logits[range.clone()])?;
                numbers_into(&error, &mut errors[range])
            })
        })
    }
}

/// What `of` makes of the rows, `width` numbers for each, into `out`.
///
/// # Safety
/// As of [`Functions`].
unsafe fn row_by_row(
    handle: *const interface::Handle,
    rows: *const Rows,
    out: SliceMut<f32>,
    failure: *mut Failure,
    width: fn(&Network) -> usize,
    of: fn(&Network, &Tensor) -> TorchResult<Tensor>,
) -> i32 {
    // SAFETY: the caller promises what the interface does: the handle is open, the rows live, and
    // nothing else uses `out`.
    unsafe {
        guarded(failure, || {
            let (network, out) = (network(handle), out.get());
            let width = width(network);
            for_each_block(network, &*rows, |range, x| {
                numbers_into(&of(network, &x)?, &mut out[range.start * width..range.end * width])
            })
        })
    }
}

unsafe extern "C" fn member_heads(
    handle: *const interface::Handle,
    rows: *const Rows,
    out: SliceMut<f32>,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: `row_by_row` needs what the interface promises.
    unsafe { row_by_row(handle, rows, out, failure, |network| 2 * network.members(), Network::heads_by_row) }
}

unsafe extern "C" fn latents(
    handle: *const interface::Handle,
    rows: *const Rows,
    out: SliceMut<f32>,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: `row_by_row` needs what the interface promises.
    unsafe { row_by_row(handle, rows, out, failure, Network::latent_width, Network::latent) }
}

unsafe extern "C" fn add_input_gradients(
    handle: *const interface::Handle,
    rows: *const Rows,
    logit_weights: Slice<f32>,
    error_weights: Slice<f32>,
    out: SliceMut<f32>,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: by the interface, the handle is open, the slices live, and nothing else uses those
    // that are written to.
    unsafe {
        guarded(failure, || {
            let (network, out) = (network(handle), out.get());
            let (logit_weights, error_weights) = (logit_weights.get(), error_weights.get());
            let features = (*rows).features;
            let mut gradient = Vec::new();
            for_each_block(network, &*rows, |range, x| {
                let column = |weights: &[f32]| rows_on(network.device(), weights, 1, range.clone());
                let d_x = network.input_gradient(&x, &column(logit_weights)?, &column(error_weights)?)?;
                gradient.resize(range.len() * features, 0f32);
                numbers_into(&d_x, &mut gradient)?;
                let out = &mut out[range.start * features..range.end * features];
                out.iter_mut().zip(&gradient).for_each(|(out, gradient)| *out += gradient);
                Ok(())
            })
        })
    }
}

/// The epoch's slices.
///
/// # Safety
/// The epoch and its slices live for `'a`, and are not written to.
unsafe fn borrowed<'a>(epoch: *const Epoch) -> train::Epoch<'a> {
    // SAFETY: the caller gives an epoch that lives for `'a`, with all of its slices.
    unsafe {
        let Epoch { batches, rows, noise_at, synthetic, ae_weights, ce_weights, rates } = &*epoch;
        train::Epoch {
            batches: batches.get(),
            rows: rows.get(),
            noise_at: noise_at.get(),
            synthetic: synthetic.get(),
            ae_weights: ae_weights.get(),
            ce_weights: ce_weights.get(),
            rates: rates.get(),
        }
    }
}

/// A handle's training.
fn begun<T>(training: Option<T>) -> TorchResult<T> {
    training.ok_or_else(|| TchError::Torch("no training has begun".to_string()))
}

unsafe extern "C" fn begin(
    handle: *mut interface::Handle,
    material: *const interface::Material,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: by the interface, the handle is open and ours alone, and the material's slices live.
    unsafe {
        guarded(failure, || {
            let Opened { network, training } = &mut *handle.cast::<Opened>();
            *training = Some(Training::new(Material::open(&*material, network)?, network)?);
            Ok(())
        })
    }
}

unsafe extern "C" fn gradient(
    handle: *const interface::Handle,
    epoch: *const Epoch,
    out: SliceMut<f32>,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: by the interface, the handle is open, the epoch's slices live, and nothing else uses
    // `out`.
    unsafe {
        guarded(failure, || {
            let Opened { network, training } = &*handle.cast::<Opened>();
            numbers_into(&begun(training.as_ref())?.gradient(network, &borrowed(epoch))?, out.get())
        })
    }
}

unsafe extern "C" fn train(handle: *mut interface::Handle, epoch: *const Epoch, failure: *mut Failure) -> i32 {
    // SAFETY: by the interface, the handle is open and ours alone, and the epoch's slices live.
    unsafe {
        guarded(failure, || {
            let Opened { network, training } = &mut *handle.cast::<Opened>();
            begun(training.as_mut())?.train(network, &borrowed(epoch))
        })
    }
}

unsafe extern "C" fn losses(
    handle: *const interface::Handle,
    epoch: *const Epoch,
    sums: SliceMut<f64>,
    failure: *mut Failure,
) -> i32 {
    // SAFETY: by the interface, the handle is open, the epoch's slices live, and nothing else uses
    // `sums`.
    unsafe {
        guarded(failure, || {
            let Opened { network, training } = &*handle.cast::<Opened>();
            let (found, sums) = (begun(training.as_ref())?.losses(network, &borrowed(epoch))?, sums.get());
            found.f_copy_data(sums, sums.len())
        })
    }
}

unsafe extern "C" fn flat(handle: *const interface::Handle, out: SliceMut<f32>, failure: *mut Failure) -> i32 {
    // SAFETY: by the interface, the handle is open, and nothing else uses `out`.
    unsafe { guarded(failure, || numbers_into(network(handle).flat(), out.get())) }
}
