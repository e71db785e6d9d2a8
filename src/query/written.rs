//! The files that queries have written: one expression writes one model.
//!
//! In a `group_by` or `over`, Polars calls `fit(path=…)` once for each group, without a word on
//! which. So a second model for the same file is known by its bytes.

use std::hash::{DefaultHasher, Hash, Hasher};

use polars::prelude::{polars_bail, PolarsResult};

use super::by_expression::{ByExpression, Expression};
use crate::model::Destination;

/// The hash of the model that an expression has written.
static WRITTEN: ByExpression<u64> = ByExpression::new();

/// Writes the model of an expression to its file.
///
/// # Errors
/// The file can't be written, or the query has written another model to it.
pub fn write_once(expression: Expression, destination: Destination, model: &[u8]) -> PolarsResult<()> {
    let mut hasher = DefaultHasher::new();
    model.hash(&mut hasher);
    let (path, own) = (destination.path().to_path_buf(), hasher.finish());
    let mut destination = Some(destination);
    let write = || {
        if let Some(destination) = destination.take() {
            destination.write(model)?;
        }
        Ok(own)
    };
    if WRITTEN.get(expression, &path, write)? != own {
        polars_bail!(ComputeError: "anorand: this query fits more than one model for the one path {}, as a fit in a \
            group_by or over does; the file has one of them: leave path out, and write the models as a column", path.display());
    }
    Ok(())
}

/// The next query with this expression writes its file anew.
pub fn forget(expression: Expression) {
    WRITTEN.forget(expression);
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
