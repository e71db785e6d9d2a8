//! The files of models that queries have opened: a query opens each once.
//!
//! Polars calls an expression once for each part of a table. If a file is replaced between two of
//! these calls, rows of one query would be scored by two models. Polars hands the same arguments to
//! all calls of an expression, at one address, which tells them from those of another one. And it
//! resolves an expression's dtype when it plans a query, before the first call: then the file is to
//! be looked at again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use polars::prelude::PolarsResult;
use quick_cache::sync::Cache;

use crate::model::{self, Model};

/// The expression of a query that a call is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Expression(pub usize);

/// Expressions whose model is kept open. Those of a query that has ended stay until others take
/// their place.
const MOST_OPEN: usize = 64;

static OPEN: LazyLock<Cache<Expression, (PathBuf, Arc<Model>)>> = LazyLock::new(|| Cache::new(MOST_OPEN));

/// The file of the model that an expression names.
pub struct ModelFile {
    path: PathBuf,
    expression: Expression,
}

impl ModelFile {
    pub fn new(path: &Path, expression: Expression) -> Self {
        Self { path: path.to_path_buf(), expression }
    }

    /// The model as it was when the query opened it first.
    pub fn open(&self) -> PolarsResult<Arc<Model>> {
        let read = || model::from_path(&self.path).map(|model| (self.path.clone(), model));
        let (path, model) = OPEN.get_or_insert_with(&self.expression, read)?;
        if path == self.path {
            return Ok(model);
        }
        // The address was another expression's, which is no more.
        let opened = read()?;
        OPEN.insert(self.expression, opened.clone());
        Ok(opened.1)
    }
}

/// The next query with this expression opens its file anew.
pub fn forget(expression: Expression) {
    OPEN.remove(&expression);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::examples;

    #[test]
    fn a_file_that_is_replaced_is_opened_again_by_the_next_query_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let save = |seed: u64| {
            std::fs::write(folder.path().join("new"), examples::with_seed(seed).to_bytes().unwrap()).unwrap();
            std::fs::rename(folder.path().join("new"), &path).unwrap();
        };
        let seed =
            |expression: usize| ModelFile::new(&path, Expression(expression)).open().unwrap().metadata().options.seed;
        save(1);
        assert_eq!((seed(7), seed(7)), (1, 1));
        save(2);
        assert_eq!((seed(7), seed(8)), (1, 2));
        forget(Expression(7));
        assert_eq!((seed(7), seed(8)), (2, 2));
        let other = folder.path().join("other");
        std::fs::copy(&path, &other).unwrap();
        save(3);
        assert_eq!(ModelFile::new(&other, Expression(7)).open().unwrap().metadata().options.seed, 2);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(seed(8), 2);
        assert!(ModelFile::new(&path, Expression(9)).open().is_err());
    }
}
