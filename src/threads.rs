//! The plugin's own threads: work in parts, side by side.

use std::sync::LazyLock;

use polars::prelude::PolarsResult;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// What `work` makes of each item, in the items' order; an error if there is one.
pub fn map<T: Send, U: Send>(items: Vec<T>, work: impl Fn(T) -> PolarsResult<U> + Send + Sync) -> PolarsResult<Vec<U>> {
    match pool() {
        // One item at a time, since an item may be long.
        Some(pool) if items.len() > 1 => pool.install(|| items.into_par_iter().with_max_len(1).map(&work).collect()),
        _ => items.into_iter().map(work).collect(),
    }
}

/// As many threads as Polars has: callers wait for them, so that threads at work never exceed the cores.
/// None if they can't be started; the caller's thread then does the work.
fn pool() -> Option<&'static ThreadPool> {
    static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
        let asked = std::env::var("POLARS_MAX_THREADS").ok().and_then(|threads| threads.parse().ok());
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        ThreadPoolBuilder::new()
            .num_threads(asked.unwrap_or_else(cores))
            .thread_name(|at| format!("anorand-{at}"))
            .build()
            .ok()
    });
    POOL.as_ref()
}
