//! What maps a number to a score between 0 and 1, and the slopes of that.

pub fn sigmoid(number: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-number))
}

/// Computes σ(asinh(u) / 2), so that large numbers of either sign keep their digits.
#[inline(always)]
pub fn squash(u: f64) -> f64 {
    let root = (u.abs() + (u * u + 1.0).sqrt()).sqrt();
    let numerator = if u < 0.0 { 1.0 } else { root };
    numerator / (1.0 + root)
}

/// Returns the u whose [`squash`] is a score inside (0, 1).
pub fn unsquash(score: f64) -> f64 {
    let odds = score / (1.0 - score);
    // sinh(2·ln(odds)), without the rounding of a logarithm.
    (odds * odds - 1.0 / (odds * odds)) / 2.0
}

/// Returns the slope of a smooth function between two numbers. Where they are too near each other, it
/// is the derivative.
pub fn secant(function: fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let least = 1e-4 * (1.0 + from.abs().max(to.abs()));
    let (from, to) =
        if (to - from).abs() < least { ((from + to - least) / 2.0, (from + to + least) / 2.0) } else { (from, to) };
    (function(to) - function(from)) / (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_squash_is_what_it_says_and_keeps_order() {
        let mut before = 0.0;
        for u in [-1e12, -1e4, -7.0, -0.5, 0.0, 0.5, 7.0, 1e4, 1e12] {
            assert!((squash(u) - sigmoid(u.asinh() / 2.0)).abs() < 1e-4);
            assert!(squash(u) > before);
            before = squash(u);
        }
        assert_eq!(squash(0.0), 0.5);
    }

    #[test]
    fn the_squash_can_be_undone() {
        for u in [-1e6, -7.0, -0.5, 0.0, 0.5, 7.0, 1e6] {
            assert!((unsquash(squash(u)) - u).abs() <= 1e-6 * (1.0 + u.abs()), "{u} {}", unsquash(squash(u)));
        }
    }
}
