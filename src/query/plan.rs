//! What a query forgets of an earlier one with the same expression.

use super::by_expression::Expression;
use super::opened;
use super::{verbs, written};

/// A query with this expression is planned: it opens and writes its files anew, and may be warned
/// again.
pub fn plan(expression: Expression) {
    opened::forget(expression);
    verbs::forget(expression);
    written::forget(expression);
}
