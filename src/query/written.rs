//! The files that queries have written: one expression writes one model.
//!
//! In a `group_by` or `over`, Polars calls `fit(path=…)` once for each group, without a word on
//! which. So a second model for the same file is known by its bytes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::LazyLock;

use polars::prelude::{polars_bail, PolarsResult};
use quick_cache::sync::Cache;

use super::opened::Expression;
use crate::model::Destination;

/// Expressions whose file is remembered, as in `opened.rs`.
const MOST_WRITTEN: usize = 64;

static WRITTEN: LazyLock<Cache<Expression, (PathBuf, u64)>> = LazyLock::new(|| Cache::new(MOST_WRITTEN));

/// Writes the model of an expression to its file.
///
/// # Errors
/// The file can't be written, or the query has written another model to it.
pub fn write_once(expression: Expression, destination: Destination, model: &[u8]) -> PolarsResult<()> {
    let mut hasher = DefaultHasher::new();
    model.hash(&mut hasher);
    let own = (destination.path().to_path_buf(), hasher.finish());
    let mut destination = Some(destination);
    let mut write = || -> PolarsResult<(PathBuf, u64)> {
        if let Some(destination) = destination.take() {
            destination.write(model)?;
        }
        Ok(own.clone())
    };
    let there = WRITTEN.get_or_insert_with(&expression, &mut write)?;
    if there.0 != own.0 {
        // The address was another expression's, which is no more.
        write()?;
        WRITTEN.insert(expression, own);
        return Ok(());
    }
    if there != own {
        polars_bail!(ComputeError: "anorand: this query fits more than one model for the one path {}, as a fit in a \
            group_by or over does; the file has one of them: leave path out, and write the models as a column", own.0.display());
    }
    Ok(())
}

/// The next query with this expression writes its file anew.
pub fn forget(expression: Expression) {
    WRITTEN.remove(&expression);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_expression_writes_one_model_until_it_is_planned_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let write = |expression: usize, name: &str, model: &[u8]| {
            let destination = Destination::claim(&folder.path().join(name)).unwrap();
            write_once(Expression(expression), destination, model)
        };
        write(1, "model", b"first").unwrap();
        write(1, "model", b"first").unwrap();
        let error = write(1, "model", b"second").unwrap_err().to_string();
        assert!(error.contains("leave path out"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        write(2, "model", b"second").unwrap();
        write(1, "other", b"third").unwrap();
        forget(Expression(1));
        write(1, "model", b"fourth").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"fourth");
    }
}
