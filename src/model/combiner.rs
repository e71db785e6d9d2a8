//! Two heads → one anomaly score (eq. 6 to 8).
//!
//! `probability`, the paper's: both heads become probabilities by the sigmoid, and are averaged with the weight α of eq. 7.
//! Clear anomalies all have probabilities that round to 1, and can't be told apart.
//!
//! `robust`: the same eq. 7 and 8 on the heads before their sigmoids, each from its training median on; Q3 is then the
//! distance from the median to the third quartile. With u the combination in units of its own third quartiles, the score is
//! σ(asinh(u) / 2), which keeps the order of all rows, near and far.

use serde::{Deserialize, Serialize};

use crate::options::Combination;

use super::quantiles::quantile_of_sorted;

/// Scores lie inside (0, 1): the nearest floats stand for what rounds to the ends.
const LOWEST: f32 = f32::MIN_POSITIVE;
const HIGHEST: f32 = 1.0 - f32::EPSILON / 2.0;

/// What a head that overflowed counts as in f64: beyond every f32, and its square is still finite.
const OVERFLOWED: f64 = 1e60;

/// Both heads of some rows, means over the members.
pub struct Heads {
    /// ND's output before the sigmoid
    pub logit: Vec<f32>,
    /// ‖x − x̂‖₂
    pub error: Vec<f32>,
}

/// How a model makes a score of its heads. Pairs are of the ND head, then the AE head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Combiner {
    Probability { alpha: f32 },
    Robust { alpha: f32, median: [f32; 2], spread: [f32; 2] },
}

impl Combiner {
    /// From the heads of at least one training row.
    pub fn of(heads: &Heads, combination: Combination) -> Self {
        let both = [sorted(&heads.logit), sorted(&heads.error)];
        let quantiles = |share| both.each_ref().map(|head| quantile_of_sorted(head, share));
        match combination {
            // The sigmoid keeps order, so the quartile of the probabilities is the probability of the quartile; but for
            // the interpolation between two rows.
            Combination::Probability => Self::Probability { alpha: alpha(quantiles(0.75).map(sigmoid)) },
            Combination::Robust => {
                let (median, q3) = (quantiles(0.5), quantiles(0.75));
                let spread = [0, 1].map(|at| (q3[at] - median[at]).max(least_spread(&both[at])));
                let f32s = |pair: [f64; 2]| pair.map(|number| number as f32);
                Self::Robust { alpha: alpha(spread), median: f32s(median), spread: f32s(spread) }
            }
        }
    }

    /// What is wrong with it, if it was not made by [`Combiner::of`] for such a combination.
    pub fn fault(&self, combination: Combination) -> Option<String> {
        let alpha = self.alpha();
        if !(0.0..=1.0).contains(&alpha) {
            return Some(format!("its alpha is {alpha}, expected a number from 0 to 1"));
        }
        match (self, combination) {
            (Self::Probability { .. }, Combination::Probability) => None,
            (Self::Robust { median, .. }, Combination::Robust) if median.iter().any(|number| !number.is_finite()) => {
                Some(format!("the medians of its heads are {median:?}, expected finite numbers"))
            }
            (Self::Robust { spread, .. }, Combination::Robust) => {
                let usable = |spread: &f32| spread.is_normal() && *spread > 0.0;
                let fault = format!("the spreads of its heads are {spread:?}, expected finite numbers above 0");
                (!spread.iter().all(usable)).then_some(fault)
            }
            _ => Some(format!("its heads are not combined as its option combination={combination:?} says")),
        }
    }

    /// α of eq. 7: the weight of the ND head.
    pub fn alpha(&self) -> f32 {
        match self {
            Self::Probability { alpha } | Self::Robust { alpha, .. } => *alpha,
        }
    }

    /// Eq. 8 for one row; the highest score where a head overflowed, see [`finite`].
    #[inline]
    pub fn score(&self, logit: f32, error: f32) -> f32 {
        if overflowed(logit) || overflowed(error) {
            return HIGHEST;
        }
        let score = match self {
            Self::Probability { alpha } => {
                let sigmoid = |number: f32| 1.0 / (1.0 + libm::expf(-number));
                (1.0 - alpha) * sigmoid(error) + alpha * sigmoid(logit)
            }
            Self::Robust { median, spread, .. } => {
                let unit = |head: f32, at: usize| (f64::from(head) - f64::from(median[at])) / f64::from(spread[at]);
                // Eq. 8 divided by the harmonic sum of the spreads: α/spread of ND and (1 − α)/spread of AE are then 1.
                squash(unit(logit, 0) + unit(error, 1)) as f32
            }
        };
        score.clamp(LOWEST, HIGHEST)
    }

    /// The score's slopes between two rows' heads, each a logit and an error that are [`finite`]: the score differs by
    /// `slopes[0]`·Δlogit + `slopes[1]`·Δerror.
    pub fn secants(&self, from: [f64; 2], to: [f64; 2]) -> [f64; 2] {
        match self {
            Self::Probability { alpha } => {
                let slope = |at: usize| secant(sigmoid, from[at], to[at]);
                [f64::from(*alpha) * slope(0), f64::from(1.0 - alpha) * slope(1)]
            }
            Self::Robust { median, spread, .. } => {
                let unit = |head: f64, at: usize| (head - f64::from(median[at])) / f64::from(spread[at]);
                let u = |heads: [f64; 2]| unit(heads[0], 0) + unit(heads[1], 1);
                let slope = secant(squash, u(from), u(to));
                spread.map(|spread| slope / f64::from(spread))
            }
        }
    }

    /// The scores of some rows.
    pub fn scores(&self, heads: &Heads) -> Vec<f32> {
        heads.logit.iter().zip(&heads.error).map(|(logit, error)| self.score(*logit, *error)).collect()
    }
}

/// Whether a head says that the row's activations went beyond the range of f32: no row is further out.
///
/// −∞ is none of these. Only a logit can be −∞, and it then continues what large negative logits mean.
#[inline]
fn overflowed(head: f32) -> bool {
    head.is_nan() || head == f32::INFINITY
}

/// A logit and an error as numbers to calculate with, whose score is that of the heads themselves.
pub fn finite((logit, error): (f32, f32)) -> [f64; 2] {
    if overflowed(logit) || overflowed(error) {
        return [OVERFLOWED; 2];
    }
    [logit, error].map(|head| f64::from(head).max(-OVERFLOWED))
}

/// The slope of a smooth function between two numbers; its derivative where they are too near for that.
fn secant(function: fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let least = 1e-4 * (1.0 + from.abs().max(to.abs()));
    let (from, to) =
        if (to - from).abs() < least { ((from + to - least) / 2.0, (from + to + least) / 2.0) } else { (from, to) };
    (function(to) - function(from)) / (to - from)
}

/// Eq. 7.
fn alpha([nd, ae]: [f64; 2]) -> f32 {
    (ae / (nd + ae)) as f32
}

/// What a spread is at least, so that a head that is the same for most training rows does not outweigh the other.
fn least_spread(head: &[f32]) -> f64 {
    let count = head.len() as f64;
    let mean = head.iter().map(|number| f64::from(*number)).sum::<f64>() / count;
    let variance = head.iter().map(|number| (f64::from(*number) - mean).powi(2)).sum::<f64>() / count;
    1e-3 * variance.sqrt() + 1e-9
}

fn sorted(head: &[f32]) -> Vec<f32> {
    let mut head = head.to_vec();
    head.sort_unstable_by(f32::total_cmp);
    head
}

fn sigmoid(number: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-number))
}

/// σ(asinh(u) / 2), written so that large numbers of either sign keep their digits.
fn squash(u: f64) -> f64 {
    let root = (u.abs() + (u * u + 1.0).sqrt()).sqrt();
    if u < 0.0 {
        1.0 / (1.0 + root)
    } else {
        root / (1.0 + root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads() -> Heads {
        Heads { logit: vec![-4.0, -3.0, -2.0, -1.0, 0.0], error: vec![0.1, 0.2, 0.3, 0.4, 0.5] }
    }

    #[test]
    fn alpha_is_equation_7() {
        let (nd, ae) = (sigmoid(-1.0), sigmoid(0.4f32.into()));
        let combiner = Combiner::of(&heads(), Combination::Probability);
        assert!((f64::from(combiner.alpha()) - ae / (nd + ae)).abs() < 1e-7);
    }

    #[test]
    fn the_papers_score_is_equation_8() {
        let score = Combiner::Probability { alpha: 0.25 }.score(-1.0, 2.0);
        assert!((f64::from(score) - (0.75 * sigmoid(2.0) + 0.25 * sigmoid(-1.0))).abs() < 1e-7);
    }

    #[test]
    fn the_robust_score_is_equation_8_on_centred_heads() {
        let combiner = Combiner::of(&heads(), Combination::Robust);
        // Spreads are 1 and 0.1; eq. 8 in units of their harmonic sum.
        let (alpha, unit) = (0.1 / 1.1, 0.1 / 1.1);
        assert!((f64::from(combiner.alpha()) - alpha).abs() < 1e-6);
        let combined = (1.0 - alpha) * (0.9 - 0.3) + alpha * (3.0 - -2.0);
        let expected = sigmoid((combined / unit).asinh() / 2.0);
        assert!((f64::from(combiner.score(3.0, 0.9)) - expected).abs() < 1e-6);
    }

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
    fn secants_give_the_difference_of_two_scores() {
        for combination in [Combination::Probability, Combination::Robust] {
            let combiner = Combiner::of(&heads(), combination);
            for to in [(-2.0, 0.3), (-1.9999, 0.3), (4.0, 0.1), (-1e3, 1e5), (1e6, 1e6)] {
                let from = (-2.0, 0.3);
                let [a, b] = combiner.secants(finite(from), finite(to));
                let expected = f64::from(combiner.score(to.0, to.1)) - f64::from(combiner.score(from.0, from.1));
                let sum = a * f64::from(to.0 - from.0) + b * f64::from(to.1 - from.1);
                assert!((sum - expected).abs() < 1e-6, "{sum} {expected}");
                assert!(a > 0.0 && b > 0.0);
            }
        }
    }

    #[test]
    fn scores_stay_inside_zero_and_one() {
        for combination in [Combination::Probability, Combination::Robust] {
            let combiner = Combiner::of(&heads(), combination);
            for (logit, error) in [(f32::MAX, f32::MAX), (f32::MIN, 0.0), (-1e30, 1e30)] {
                let score = combiner.score(logit, error);
                assert!(score > 0.0 && score < 1.0, "{score}");
            }
        }
    }

    #[test]
    fn a_head_that_overflows_has_the_highest_score() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        for combination in [Combination::Probability, Combination::Robust] {
            let combiner = Combiner::of(&heads(), combination);
            for (logit, error) in
                [(inf, inf), (nan, 0.3), (0.0, nan), (nan, nan), (inf, -inf), (-inf, inf), (inf, 0.1), (-9.0, inf)]
            {
                assert_eq!(combiner.score(logit, error), HIGHEST, "{logit} {error}");
            }
        }
    }

    #[test]
    fn a_logit_of_minus_infinity_is_a_very_low_logit() {
        for combination in [Combination::Probability, Combination::Robust] {
            let combiner = Combiner::of(&heads(), combination);
            let score = combiner.score(f32::NEG_INFINITY, 0.3);
            assert!(score > 0.0 && score <= combiner.score(f32::MIN, 0.3), "{score}");
        }
    }

    #[test]
    fn slopes_to_heads_that_overflow_are_finite_and_give_the_difference_of_the_scores() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        // Heads of a training that nearly diverged, too: their medians and spreads are large.
        let wild = Heads { logit: vec![-1e35, 2e35, 3e35, 9e35], error: vec![1e30, 1e33, 1e36, 1e37] };
        for (heads, start) in [(heads(), (-2.0, 0.3)), (wild, (2e35, 1e33))] {
            for combination in [Combination::Probability, Combination::Robust] {
                let combiner = Combiner::of(&heads, combination);
                for end in [(inf, inf), (nan, 0.3), (0.0, nan), (-inf, inf), (inf, 0.1), (0.0, inf), (-inf, 0.3)] {
                    let (from, to) = (finite(start), finite(end));
                    let [a, b] = combiner.secants(from, to);
                    assert!(a.is_finite() && b.is_finite(), "{end:?}");
                    let sum = a * (to[0] - from[0]) + b * (to[1] - from[1]);
                    let scores = [start, end].map(|(logit, error)| f64::from(combiner.score(logit, error)));
                    assert!((sum - (scores[1] - scores[0])).abs() < 1e-6, "{end:?}: {sum} {scores:?}");
                }
            }
        }
    }

    #[test]
    fn heads_that_are_all_the_same_have_a_score() {
        let heads = Heads { logit: vec![1.0; 4], error: vec![0.0; 4] };
        for combination in [Combination::Probability, Combination::Robust] {
            let scores = Combiner::of(&heads, combination).scores(&heads);
            assert!(scores.iter().all(|score| *score > 0.0 && *score < 1.0));
        }
    }
}
