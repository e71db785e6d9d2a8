//! What is kept for each expression of a query, with the file that it is of.
//!
//! Polars hands the same arguments to all calls of an expression, at one address, which tells them
//! from those of another one. And it resolves an expression's dtype when it plans a query, before the
//! first call: what was kept for it then belongs to an earlier query.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use polars::prelude::PolarsResult;
use quick_cache::sync::Cache;

/// The expression of a query that a call is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Expression(pub usize);

/// Expressions for which something is kept. What is of a query that has ended stays until others
/// take its place.
const MOST: usize = 64;

/// Something for each expression.
pub struct ByExpression<T: Clone>(LazyLock<Cache<Expression, (PathBuf, T)>>);

impl<T: Clone> ByExpression<T> {
    pub const fn new() -> Self {
        Self(LazyLock::new(|| Cache::new(MOST)))
    }

    /// What is kept for an expression and its file, made if there is none.
    pub fn get(
        &self,
        expression: Expression,
        path: &Path,
        mut make: impl FnMut() -> PolarsResult<T>,
    ) -> PolarsResult<T> {
        let mut make = || make().map(|made| (path.to_path_buf(), made));
        let (of, kept) = self.0.get_or_insert_with(&expression, &mut make)?;
        if of == path {
            return Ok(kept);
        }
        // The address was another expression's, which is no more.
        let made = make()?;
        self.0.insert(expression, made.clone());
        Ok(made.1)
    }

    /// The next query with this expression makes it anew.
    pub fn forget(&self, expression: Expression) {
        self.0.remove(&expression);
    }
}
