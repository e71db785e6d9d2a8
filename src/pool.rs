//! The plugin's own threads: work in parts, side by side.

use std::cmp::Ordering;
use std::sync::LazyLock;

use polars::prelude::{polars_bail, PolarsResult};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::job::{self, WorkingFor};

/// Bounds the plugin's threads, where there should be fewer than Polars has.
const VARIABLE: &str = "POLARS_ANORAND_THREADS";

/// What `work` makes of each item, in the items' order; an error if there is one, or if the call is to stop.
pub fn map<T: Send, U: Send>(items: Vec<T>, work: impl Fn(T) -> PolarsResult<U> + Send + Sync) -> PolarsResult<Vec<U>> {
    let watched = job::watched();
    let work = |item| {
        job::check()?;
        let _working = WorkingFor::begin(watched.clone());
        work(item)
    };
    if items.len() < 2 {
        return items.into_iter().map(work).collect();
    }
    match pool()? {
        // One item at a time, since an item may be long.
        Some(pool) => pool.install(|| items.into_par_iter().with_max_len(1).map(&work).collect()),
        None => items.into_iter().map(work).collect(),
    }
}

/// Sorts on the pool's threads. The order of equal items is not kept. An error if the call is to stop.
pub fn sort_by<T: Send>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Sync) -> PolarsResult<()> {
    sort_on(pool()?, items, compare, job::is_stopped);
    job::check()
}

/// Sorts on a pool's threads, or on this one. Where the call is to stop, a sort can't fail, but the pool's ends soon.
fn sort_on<T: Send>(
    pool: Option<&ThreadPool>,
    items: &mut [T],
    compare: impl Fn(&T, &T) -> Ordering + Sync,
    is_stopped: impl Fn() -> bool + Sync,
) {
    match pool {
        // From then on all items are equal. That is no order, which rayon's sort takes, and std's may panic at.
        Some(pool) => {
            let compare = |a: &T, b: &T| if is_stopped() { Ordering::Equal } else { compare(a, b) };
            pool.install(|| items.par_sort_unstable_by(compare));
        }
        None => items.sort_unstable_by(compare),
    }
}

/// Pool size: `POLARS_ANORAND_THREADS`, else Polars' own. Callers wait for its threads, so that threads at work never exceed the
/// cores. None if they can't be started; the caller's thread then does the work.
fn pool() -> PolarsResult<Option<&'static ThreadPool>> {
    static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
        let builder = ThreadPoolBuilder::new().num_threads(count()).thread_name(|at| format!("anorand-{at}"));
        builder.build().ok()
    });
    check()?;
    Ok(POOL.as_ref())
}

/// The number of threads of the pool, whether or not it has been started.
pub fn count() -> usize {
    WANTED.as_ref().map_or(1, |threads| *threads)
}

/// An error if the environment asks for threads in a way that can't be followed. Each call asks, whether or not it is large enough
/// to use the pool.
pub fn check() -> PolarsResult<()> {
    match &*WANTED {
        Ok(_) => Ok(()),
        Err(reason) => polars_bail!(ComputeError: "anorand: {reason}"),
    }
}

/// Asked once: each small call wants to know.
static WANTED: LazyLock<Result<usize, String>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let variable = |name| std::env::var(name).ok();
    wanted(variable(VARIABLE).as_deref(), variable("POLARS_MAX_THREADS").as_deref(), cores)
});

/// The most threads for each core: more only wait for one another, and take memory.
const MOST_FOR_A_CORE: usize = 4;

/// The number of threads that the variables' values ask for.
fn wanted(ours: Option<&str>, polars: Option<&str>, cores: usize) -> Result<usize, String> {
    let Some(value) = ours else {
        // Polars takes 0 and what is no number for all cores.
        return Ok(polars.and_then(|threads| threads.parse().ok()).filter(|threads| *threads > 0).unwrap_or(cores));
    };
    let most = MOST_FOR_A_CORE * cores;
    match value.parse() {
        Ok(threads) if (1..=most).contains(&threads) => Ok(threads),
        _ => Err(format!(
            "{VARIABLE} must be a whole number from 1 to {most}, {MOST_FOR_A_CORE} times the number of cores, got {value:?}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{self, AtomicUsize};

    use super::*;

    #[test]
    fn a_number_of_threads_is_checked() {
        assert_eq!(wanted(Some("3"), Some("1"), 2), Ok(3));
        for odd in ["0", "-1", "two", "", "9", "65536"] {
            let reason = wanted(Some(odd), None, 2).unwrap_err();
            assert!(reason.contains("from 1 to 8") && reason.contains(&format!("got {odd:?}")), "{reason}");
        }
    }

    #[test]
    fn without_it_there_are_polars_threads_and_none_means_all_cores() {
        assert_eq!(wanted(None, None, 6), Ok(6));
        assert_eq!(wanted(None, Some("2"), 6), Ok(2));
        for all in ["0", "many", ""] {
            assert_eq!(wanted(None, Some(all), 6), Ok(6));
        }
    }

    #[test]
    fn results_are_in_order_and_an_error_is_one() {
        assert_eq!(map((0..100).collect(), |item| Ok(2 * item)).unwrap(), (0..200).step_by(2).collect::<Vec<_>>());
        let fails = |item| if item == 7 { polars_bail!(ComputeError: "seven") } else { Ok(item) };
        assert!(map((0..100).collect(), fails).unwrap_err().to_string().contains("seven"));
    }

    #[test]
    fn a_sort_that_is_stopped_ends_with_a_pool_and_without_one() {
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        for pool in [None, Some(&pool)] {
            let mut items: Vec<u64> = (0..100_000).map(|item| item * 7_919 % 100_003).collect();
            let mut sorted = items.clone();
            sorted.sort_unstable();
            let asked = AtomicUsize::new(0);
            sort_on(pool, &mut items, u64::cmp, || asked.fetch_add(1, atomic::Ordering::Relaxed) > 100_000);
            assert_eq!(items.is_sorted(), pool.is_none());
            items.sort_unstable();
            assert_eq!(items, sorted);
        }
    }
}
