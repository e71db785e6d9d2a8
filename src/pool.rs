//! The plugin's own threads: work in parts, side by side.

use std::sync::LazyLock;

use polars::prelude::{polars_bail, PolarsResult};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Bounds the plugin's threads, where there should be fewer than Polars has.
const VARIABLE: &str = "POLARS_ANORAND_THREADS";

/// What `work` makes of each item, in the items' order; an error if there is one.
pub fn map<T: Send, U: Send>(items: Vec<T>, work: impl Fn(T) -> PolarsResult<U> + Send + Sync) -> PolarsResult<Vec<U>> {
    if items.len() < 2 {
        return items.into_iter().map(work).collect();
    }
    match pool()? {
        // One item at a time, since an item may be long.
        Some(pool) => pool.install(|| items.into_par_iter().with_max_len(1).map(&work).collect()),
        None => items.into_iter().map(work).collect(),
    }
}

/// Pool size: `POLARS_ANORAND_THREADS`, else Polars' own. Callers wait for its threads, so that threads at work never exceed the
/// cores. None if they can't be started; the caller's thread then does the work.
fn pool() -> PolarsResult<Option<&'static ThreadPool>> {
    static POOL: LazyLock<Result<Option<ThreadPool>, String>> = LazyLock::new(|| {
        let threads = WANTED.clone()?;
        let builder = ThreadPoolBuilder::new().num_threads(threads).thread_name(|at| format!("anorand-{at}"));
        Ok(builder.build().ok())
    });
    match &*POOL {
        Ok(pool) => Ok(pool.as_ref()),
        Err(reason) => polars_bail!(ComputeError: "anorand: {reason}"),
    }
}

/// How many threads there are, or would be.
pub fn count() -> usize {
    WANTED.as_ref().map_or(1, |threads| *threads)
}

/// Asked once: each small call wants to know.
static WANTED: LazyLock<Result<usize, String>> = LazyLock::new(|| {
    let polars = std::env::var("POLARS_MAX_THREADS").ok().and_then(|threads| threads.parse().ok());
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    Ok(asked(std::env::var(VARIABLE).ok())?.or(polars).unwrap_or_else(cores))
});

/// The number of threads that a variable's value asks for.
fn asked(value: Option<String>) -> Result<Option<usize>, String> {
    let Some(value) = value else { return Ok(None) };
    match value.parse() {
        Ok(threads @ 1..=65_536) => Ok(Some(threads)),
        _ => Err(format!("{VARIABLE} must be a whole number from 1 on, got {value:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_threads_is_checked() {
        assert_eq!(asked(None), Ok(None));
        assert_eq!(asked(Some("3".into())), Ok(Some(3)));
        for odd in ["0", "-1", "two", ""] {
            assert!(asked(Some(odd.into())).unwrap_err().contains(&format!("got {odd:?}")));
        }
    }

    #[test]
    fn results_are_in_order_and_an_error_is_one() {
        assert_eq!(map((0..100).collect(), |item| Ok(2 * item)).unwrap(), (0..200).step_by(2).collect::<Vec<_>>());
        let fails = |item| if item == 7 { polars_bail!(ComputeError: "seven") } else { Ok(item) };
        assert!(map((0..100).collect(), fails).unwrap_err().to_string().contains("seven"));
    }
}
