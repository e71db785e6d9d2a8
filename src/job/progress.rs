//! How far a job is: counters that whoever watches reads, and that cost nothing where nobody does.
//!
//! A thread that works for a watched job knows its counters; [`crate::pool`] hands them on to its
//! threads.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Of each member of an ensemble
    Steps,
    Groups,
    /// Scored, explained or embedded
    Rows,
}

impl Unit {
    pub const ALL: [Self; 3] = [Self::Steps, Self::Groups, Self::Rows];

    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Groups => "groups",
            Self::Rows => "rows",
        }
    }
}

/// The counters of a job.
#[derive(Debug, Default)]
pub struct Progress {
    counters: [Counter; Unit::ALL.len()],
    /// Counters that count the same as well
    also: Vec<Arc<Progress>>,
}

#[derive(Debug, Default)]
struct Counter {
    done: AtomicU64,
    /// What is known to come, done or not; 0 if nothing is
    expected: AtomicU64,
}

impl Progress {
    pub fn expect(&self, unit: Unit, count: usize) {
        self.counters[unit as usize].expected.fetch_add(count as u64, Ordering::Relaxed);
        self.also.iter().for_each(|also| also.expect(unit, count));
    }

    pub fn advance(&self, unit: Unit, count: usize) {
        self.counters[unit as usize].done.fetch_add(count as u64, Ordering::Relaxed);
        self.also.iter().for_each(|also| also.advance(unit, count));
    }

    /// What is done, and what is expected.
    pub fn read(&self, unit: Unit) -> (u64, u64) {
        let Counter { done, expected } = &self.counters[unit as usize];
        (done.load(Ordering::Relaxed), expected.load(Ordering::Relaxed))
    }
}

/// Of the job that this thread works for; None if nobody watches it.
pub type Watched = Option<Arc<Progress>>;

thread_local! {
    static CURRENT: RefCell<Watched> = const { RefCell::new(None) };
}

/// Those who watch all calls that have no counters of their own.
static WATCHERS: RwLock<Vec<Arc<Progress>>> = RwLock::new(vec![]);

/// Watches all calls that begin from now on, until [`leave_all_calls`] gets the same counters.
pub fn watch_all_calls(progress: Arc<Progress>) {
    WATCHERS.write().unwrap_or_else(PoisonError::into_inner).push(progress);
}

/// Watches no call that begins from now on. Others who watch go on.
pub fn leave_all_calls(progress: &Arc<Progress>) {
    WATCHERS.write().unwrap_or_else(PoisonError::into_inner).retain(|watcher| !Arc::ptr_eq(watcher, progress));
}

/// The counters of a call that has none of its own.
pub fn of_all_calls() -> Watched {
    let watchers = WATCHERS.read().unwrap_or_else(PoisonError::into_inner);
    match watchers.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(Arc::new(Progress { also: several.to_vec(), ..Progress::default() })),
    }
}

/// Of the job that this thread works for.
pub fn watched() -> Watched {
    CURRENT.with_borrow(Clone::clone)
}

/// More is to come than is known yet.
pub fn expect(unit: Unit, count: usize) {
    CURRENT.with_borrow(|progress| progress.iter().for_each(|progress| progress.expect(unit, count)));
}

/// More is done.
pub fn advance(unit: Unit, count: usize) {
    CURRENT.with_borrow(|progress| progress.iter().for_each(|progress| progress.advance(unit, count)));
}

/// This thread works for a job while it is there, and then for the one that it worked for before.
pub struct WorkingFor(Watched);

impl WorkingFor {
    pub fn begin(progress: Watched) -> Self {
        Self(CURRENT.replace(progress))
    }
}

impl Drop for WorkingFor {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_counts_for_the_job_that_it_works_for() {
        let progress = Arc::new(Progress::default());
        advance(Unit::Rows, 100);
        {
            let _outer = WorkingFor::begin(Some(progress.clone()));
            expect(Unit::Rows, 10);
            advance(Unit::Rows, 3);
            {
                let _inner = WorkingFor::begin(None);
                advance(Unit::Rows, 100);
            }
            advance(Unit::Rows, 4);
        }
        advance(Unit::Rows, 100);
        assert_eq!(progress.read(Unit::Rows), (7, 10));
        assert_eq!(progress.read(Unit::Steps), (0, 0));
    }

    #[test]
    fn the_pools_threads_count_for_the_job_of_their_caller() {
        let progress = Arc::new(Progress::default());
        let _working = WorkingFor::begin(Some(progress.clone()));
        crate::pool::map((0..100).collect(), |_: usize| {
            advance(Unit::Groups, 1);
            Ok(())
        })
        .unwrap();
        assert_eq!(progress.read(Unit::Groups), (100, 0));
    }
}
