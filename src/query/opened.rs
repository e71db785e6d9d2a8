//! The files of models that queries have opened: a query opens each once.
//!
//! Polars calls an expression once for each part of a table. If a file is replaced between two of
//! these calls, rows of one query would be scored by two models. So the file is looked at again only
//! when the next query is planned.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::PolarsResult;

use super::by_expression::{ByExpression, Expression};
use crate::model::{self, Model};

static OPEN: ByExpression<Arc<Model>> = ByExpression::new();

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
        OPEN.get(self.expression, &self.path, || model::from_path(&self.path))
    }
}

/// The next query with this expression opens its file anew.
pub fn forget(expression: Expression) {
    OPEN.forget(expression);
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
