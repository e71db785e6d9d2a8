//! What scans gather, under the id by which calls know them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use polars::prelude::{polars_err, PolarsResult};

use crate::model::ScoreCounts;
use crate::query::Scan;

/// What is gathered over the batches.
pub struct Gathered {
    pub rows: Scan,
    /// The scores of each group that is calibrated, by its number; 0 without groups
    pub scores: HashMap<u32, ScoreCounts>,
}

static ALL: LazyLock<Mutex<HashMap<u64, Arc<Mutex<Gathered>>>>> = LazyLock::new(Mutex::default);

fn all() -> MutexGuard<'static, HashMap<u64, Arc<Mutex<Gathered>>>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins a scan with samples of that size. Returns its id.
pub fn begin(sample: usize) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let gathered = Gathered { rows: Scan::new(sample), scores: HashMap::new() };
    all().insert(id, Arc::new(Mutex::new(gathered)));
    id
}

/// Lets `work` use what is gathered under an id.
pub fn gathered<T>(id: u64, work: impl FnOnce(&mut Gathered) -> PolarsResult<T>) -> PolarsResult<T> {
    let found = all().get(&id).cloned();
    let found = found.ok_or_else(|| polars_err!(ComputeError: "anorand: there is no scan {id} in this process"))?;
    let mut gathered = found.lock().unwrap_or_else(PoisonError::into_inner);
    work(&mut gathered)
}

/// Forgets what is gathered under an id.
pub fn end(id: u64) {
    all().remove(&id);
}
