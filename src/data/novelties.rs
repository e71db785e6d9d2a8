//! Another value beside a constant, judged by all columns of a table.
//!
//! By its own column it is all but impossible. But where some columns are constant but for one training row, other columns will
//! have such a row: of hundreds of columns that are nearly constant, the next row is likely to be the first to differ in one. So
//! the rows that are alone are counted over all columns, as Good and Turing (1953) estimate the share of what was not seen.

use super::classes::Classes;
use super::surprisal::Surprisal;

/// The number of sorted values that differ from the most frequent one, if that is more than half of them.
pub fn exceptions(sorted: &[f64]) -> Option<usize> {
    let middle = sorted.get(sorted.len() / 2)?;
    let below = sorted.partition_point(|value| value < middle);
    let above = sorted.len() - sorted.partition_point(|value| value <= middle);
    Some(below + above)
}

/// Gives constant features the surprisal of another value that the exceptions of all features let expect.
pub fn pool(surprisals: &mut [Surprisal], exceptions: &[Option<usize>], rows: usize) {
    let alone = exceptions.iter().filter(|count| **count == Some(1)).count();
    if alone == 0 {
        return;
    }
    let nats = Classes::novelty(alone, rows);
    for (surprisal, _) in surprisals.iter_mut().zip(exceptions).filter(|(_, count)| **count == Some(0)) {
        (surprisal.bounds[1], surprisal.bounds[3]) = (nats, nats);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Curve;

    fn constant() -> Surprisal {
        let bounds = [3.0, 30.0, 3.0, 30.0];
        Surprisal { curve: Curve::flat(), within: None, bounds, missing: [0.0; 2], classes: vec![] }
    }

    #[test]
    fn exceptions_are_the_values_beside_the_most_frequent_one() {
        assert_eq!(exceptions(&[]), None);
        assert_eq!(exceptions(&[2.0; 5]), Some(0));
        assert_eq!(exceptions(&[1.0, 2.0, 2.0, 2.0, 7.0]), Some(2));
    }

    #[test]
    fn another_value_beside_a_constant_is_the_more_usual_the_more_columns_have_one_exception() {
        let nats = |alone: usize| {
            let mut surprisals = vec![constant(); alone + 1];
            let exceptions: Vec<_> = (0..=alone).map(|column| Some(usize::from(column > 0))).collect();
            pool(&mut surprisals, &exceptions, 1_000);
            assert!(surprisals[1..].iter().all(|other| *other == constant()));
            surprisals[0].bounds[1]
        };
        assert_eq!(nats(0), 30.0);
        assert!(nats(1) > nats(3) && nats(3) > nats(5));
        assert!((nats(5) - f64::ln(200.0)).abs() < 1e-12);
    }
}
