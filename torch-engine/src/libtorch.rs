//! The surroundings of each use of libtorch: its errors, its threads, bounded, and rows to and from a device, in blocks that
//! its memory has room for.

use std::cell::Cell;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tch::kind::Element;
use tch::{Device, Kind, TchError, Tensor};

/// libtorch's message without its C++ stack.
pub fn message(error: &TchError) -> String {
    let message = match error {
        TchError::Torch(message) => message.clone(),
        other => other.to_string(),
    };
    message.split("\nException raised from").next().unwrap_or(&message).trim().to_string()
}

/// Whether a GPU's memory was too small, as libtorch's allocator and CUDA itself put it.
pub fn is_out_of_memory(error: &TchError) -> bool {
    let TchError::Torch(message) = error else { return false };
    message.contains("CUDA out of memory") || message.contains("CUDA error: out of memory")
}

/// Fewer rows than these are not tried where a GPU's memory is short.
const FEWEST_ROWS: usize = 64;

/// `work` on one block of rows after the other; where a GPU's memory is too small for a block, on halves of it from there on.
pub fn in_blocks(
    rows: usize,
    block: usize,
    work: impl FnMut(Range<usize>) -> Result<(), TchError>,
) -> Result<(), TchError> {
    in_prepared_blocks(rows, block, FEWEST_ROWS, work, |()| Ok(()))
}

/// `prepare`, then `work`, on one block after the other, of `fewest` at least. Only what prepares is tried again, on halves:
/// work that fails may have been half done.
pub fn in_prepared_blocks<T>(
    all: usize,
    block: usize,
    fewest: usize,
    mut prepare: impl FnMut(Range<usize>) -> Result<T, TchError>,
    mut work: impl FnMut(T) -> Result<(), TchError>,
) -> Result<(), TchError> {
    let (mut block, mut at) = (block.max(1), 0);
    while at < all {
        let end = all.min(at + block);
        match prepare(at..end) {
            Ok(prepared) => {
                work(prepared)?;
                at = end;
            }
            Err(error) if is_out_of_memory(&error) && end - at > fewest => block = (end - at).div_ceil(2),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Numbers on a device. To a GPU they go while others are computed: from memory that the GPU can read by itself.
pub fn upload<T: Element>(numbers: &[T], size: &[i64], device: Device) -> Result<Tensor, TchError> {
    let tensor = Tensor::f_from_slice(numbers)?.f_view(size)?;
    match device {
        Device::Cpu => Ok(tensor),
        _ => tensor.f_internal_pin_memory(device)?.f_to_device_(device, T::KIND, true, false),
    }
}

/// Some of the rows (`all`, row by row) as `[rows, features]` on a device.
pub fn rows_on(device: Device, all: &[f32], features: usize, rows: Range<usize>) -> Result<Tensor, TchError> {
    let size = [rows.len() as i64, features as i64];
    upload(&all[rows.start * features..rows.end * features], &size, device)
}

/// A tensor's numbers, row by row, into a slice of the same length.
pub fn numbers_into(tensor: &Tensor, numbers: &mut [f32]) -> Result<(), TchError> {
    let tensor = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let count = numbers.len();
    tensor.f_copy_data(numbers, count)
}

/// While one lives, libtorch uses one thread for what this thread asks of it.
///
/// Polars brings the parallelism: groups, morsels and row blocks run side by side, so that threads never exceed the cores,
/// and sums are in one order, so that a result does not depend on the number of threads. libtorch's setting is the
/// process's and each thread's, and the user may run torch too: the outermost guard of a thread puts back what the first
/// guard of the process found.
pub struct SingleThread(());

struct Setting {
    /// Threads that have a guard
    threads: usize,
    before: i32,
}

static SETTING: Mutex<Setting> = Mutex::new(Setting { threads: 0, before: 1 });

thread_local! {
    /// Guards of this thread
    static GUARDS: Cell<usize> = const { Cell::new(0) };
}

impl SingleThread {
    pub fn enter() -> Self {
        if GUARDS.replace(GUARDS.get() + 1) == 0 {
            let mut setting = setting();
            if setting.threads == 0 {
                setting.before = tch::get_num_threads();
            }
            setting.threads += 1;
            tch::set_num_threads(1);
        }
        Self(())
    }
}

impl Drop for SingleThread {
    fn drop(&mut self) {
        if GUARDS.replace(GUARDS.get() - 1) == 1 {
            let mut setting = setting();
            setting.threads -= 1;
            // For the whole process and this thread; threads that have a guard keep their own setting of one.
            tch::set_num_threads(setting.before);
        }
    }
}

fn setting() -> MutexGuard<'static, Setting> {
    // A poisoned lock holds a valid setting still: no code between lock and unlock leaves it half changed.
    SETTING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_setting_comes_back_when_the_outermost_guard_goes() {
        tch::set_num_threads(2);
        {
            let _outer = SingleThread::enter();
            {
                let _inner = SingleThread::enter();
                assert_eq!(tch::get_num_threads(), 1);
            }
            assert_eq!(tch::get_num_threads(), 1);
        }
        assert_eq!(tch::get_num_threads(), 2);
    }

    #[test]
    fn an_error_has_no_stack() {
        let error = tch::Tensor::from_slice(&[1f32, 2.0]).f_view([3i64]).unwrap_err();
        let message = message(&error);
        assert!(message.contains("shape") && !message.contains("Exception raised from"), "{message}");
    }

    fn out_of_memory() -> TchError {
        TchError::Torch("CUDA out of memory. Tried to allocate 2.00 GiB.\nException raised from malloc".to_string())
    }

    #[test]
    fn a_block_that_finds_no_memory_is_halved_and_no_row_is_lost_or_done_twice() {
        for room in [FEWEST_ROWS, 100, 999, 1_000, 5_000] {
            let mut done = vec![];
            let work = |block: Range<usize>| {
                if block.len() > room {
                    return Err(out_of_memory());
                }
                done.extend(block);
                Ok(())
            };
            in_blocks(2_500, 1_000, work).unwrap();
            assert_eq!(done, (0..2_500).collect::<Vec<_>>());
        }
    }

    #[test]
    fn where_no_block_is_small_enough_the_error_is_the_devices() {
        let mut tries = 0;
        let error = in_blocks(2_500, 1_000, |_| {
            tries += 1;
            Err(out_of_memory())
        });
        let error = error.unwrap_err();
        assert!(is_out_of_memory(&error) && tries < 10, "{error}, {tries}");
        assert_eq!(message(&error), "CUDA out of memory. Tried to allocate 2.00 GiB.");
    }

    #[test]
    fn another_error_is_not_tried_again() {
        let mut tries = 0;
        let work = |_| {
            tries += 1;
            Err(TchError::Torch("CUDA error: an illegal memory access was encountered".to_string()))
        };
        assert!(in_blocks(10_000, 1_000, work).is_err());
        assert_eq!(tries, 1);
    }
}
