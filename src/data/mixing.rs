//! An earlier model's curves as values, beside new rows. The model does not know its rows themselves.
//!
//! A curve says which share of its rows is at least as far out as each of its knots. So it stands for as many values, each at a knot,
//! which are mixed with the new ones. Their shares at the knots are exact.

use super::curve::Curve;

/// The most values that are mixed.
const MOST: f64 = 1e6;

/// `rows` values of a curve beside sorted ones that stand for `new_rows` rows, sorted; fewer of both where they are very many.
pub fn mixed(curve: &Curve, constant: Option<f64>, rows: f64, sorted: &[f64], new_rows: f64) -> Vec<f64> {
    let there = if sorted.is_empty() { 1.0 } else { sorted.len() as f64 / new_rows.max(1.0) };
    let share = (MOST / (rows + new_rows)).min(there).min(1.0);
    let mut values = match constant {
        Some(constant) if curve.knots().is_empty() => vec![constant; (rows * share).round() as usize],
        _ => curve.values((rows * share).round() as usize),
    };
    let taken = ((new_rows * share).round() as usize).min(sorted.len());
    values.extend((0..taken).map(|at| sorted[(at * sorted.len() + sorted.len() / 2) / taken]));
    values.sort_unstable_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }

    #[test]
    fn a_curve_and_new_values_come_to_the_curve_of_all() {
        let old = sorted((0..8_000).map(|k| f64::from(k * 7_919 % 8_000) / 80.0));
        let new = sorted((0..2_000).map(|k| 50.0 + f64::from(k * 7_919 % 2_000) / 20.0));
        let both = sorted(old.iter().chain(&new).copied());
        let found = mixed(&Curve::of(&old, old.len()), None, 8_000.0, &new, 2_000.0);
        assert_eq!(found.len(), both.len());
        let none = (both.len() as f64 + 1.0).ln();
        let (found, expected) = (Curve::of(&found, found.len()), Curve::of(&both, both.len()));
        for value in [0.0, 0.1, 1.0, 5.0, 50.0, 75.0, 99.0, 120.0, 148.0, 149.0, 149.95] {
            let (found, expected) = (found.surprisal(value, none), expected.surprisal(value, none));
            assert!((found - expected).abs() < 0.3, "{value}: {found} {expected}");
        }
    }

    #[test]
    fn very_many_rows_keep_their_shares() {
        let old = sorted((0..10_000).map(f64::from));
        let found = mixed(&Curve::of(&old, old.len()), None, 9e6, &[-5.0; 100], 1e6);
        let new = found.iter().filter(|value| **value == -5.0).count();
        assert_eq!(new, 100);
        assert!((895..=905).contains(&(found.len() - new)), "{}", found.len());
    }

    #[test]
    fn a_constant_is_a_value_too() {
        assert_eq!(mixed(&Curve::flat(), Some(3.0), 2.0, &[1.0, 5.0], 2.0), [1.0, 3.0, 3.0, 5.0]);
    }
}
