//! Another value beside a constant, judged by all columns of a table.
//!
//! By its own column it is all but impossible. But where some columns are constant but for one training row, other columns will
//! have such a row: of hundreds of columns that are nearly constant, the next row is likely to be the first to differ in one. So
//! the rows that are alone are counted over all columns, as Good and Turing (1953) estimate the share of what was not seen.

use super::classes::Classes;

/// The number of sorted values that differ from the middle one: of a nearly constant column, from its constant.
pub fn exceptions(sorted: &[f64]) -> Option<usize> {
    let middle = sorted.get(sorted.len() / 2)?;
    let below = sorted.partition_point(|value| value < middle);
    let above = sorted.len() - sorted.partition_point(|value| value <= middle);
    Some(below + above)
}

/// The surprisal of another value beside a constant, from the exceptions of each feature; None if they say no more than a
/// constant column does by itself.
pub fn surprisal(exceptions: &[Option<usize>], rows: usize) -> Option<f64> {
    let alone = exceptions.iter().filter(|count| **count == Some(1)).count();
    (alone > 0).then(|| Classes::novelty(alone, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_the_values_beside_the_middle_one() {
        assert_eq!(exceptions(&[]), None);
        assert_eq!(exceptions(&[2.0; 5]), Some(0));
        assert_eq!(exceptions(&[1.0, 2.0, 2.0, 2.0, 7.0]), Some(2));
    }

    #[test]
    fn another_value_beside_a_constant_is_the_more_usual_the_more_columns_have_one_exception() {
        let nats = |alone: usize| surprisal(&[vec![None, Some(0), Some(9)], vec![Some(1); alone]].concat(), 1_000);
        assert_eq!(nats(0), None);
        assert!(nats(1) > nats(3) && nats(3) > nats(5));
        assert!((nats(5).unwrap() - f64::ln(200.0)).abs() < 1e-12);
    }
}
