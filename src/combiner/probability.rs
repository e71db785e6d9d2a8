//! `probability`, the paper's formula. Both heads become probabilities by the sigmoid (eq. 6), and
//! are averaged with the weight α of eq. 7:
//!
//! ```text
//! α     = Q3(σ(error)) / (Q3(σ(logit)) + Q3(σ(error)))        (eq. 7, over the training rows)
//! score = (1 − α)·σ(error) + α·σ(logit)                       (eq. 8)
//! ```
//!
//! α is 1 where the errors of all training rows are 0, as they are of networks without an AE.
//! Clear anomalies all have probabilities that round to 1, and can't be told apart.

use serde::{Deserialize, Serialize};

use crate::cells::RowEvidence;
use crate::robust::{quantile_of_sorted, sorted};

use super::heads::Heads;
use super::squash::{secant, sigmoid};
use super::{alpha, Formula, Row, Shares};

/// The paper's formula.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probability {
    pub alpha: f32,
}

impl Probability {
    /// Takes α from the heads of at least one training row.
    pub fn fit(heads: &Heads) -> Self {
        // The sigmoid keeps order, so the quartile of the probabilities is the probability of the
        // quartile; but for the interpolation between two rows.
        if heads.error.iter().all(|error| *error == 0.0) {
            return Self { alpha: 1.0 };
        }
        let quartile = |head: &[f32]| sigmoid(quantile_of_sorted(&sorted(head), 0.75));
        Self { alpha: alpha([quartile(&heads.logit), quartile(&heads.error)]) }
    }

    /// Returns the score's slopes between two rows' heads: the score differs by
    /// `slopes[0]`·Δlogit + `slopes[1]`·Δerror.
    pub fn slopes(&self, from: [f64; 2], to: [f64; 2]) -> [f64; 2] {
        let slope = |at: usize| secant(sigmoid, from[at], to[at]);
        [f64::from(self.alpha) * slope(0), f64::from(1.0 - self.alpha) * slope(1)]
    }
}

impl Formula for Probability {
    fn alpha(&self) -> f32 {
        self.alpha
    }

    #[inline(always)]
    fn score(&self, logit: f32, error: f32, _: RowEvidence) -> f32 {
        let sigmoid = |number: f32| 1.0 / (1.0 + libm::expf(-number));
        (1.0 - self.alpha) * sigmoid(error) + self.alpha * sigmoid(logit)
    }

    fn shares(&self, from: Row, to: Row) -> Shares {
        let slopes = self.slopes(from.heads, to.heads);
        let parts = [0, 1].map(|head| slopes[head] * (to.heads[head] - from.heads[head]));
        Shares::networks(slopes, parts[0] + parts[1])
    }

    fn fault(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combiner::examples::heads;

    #[test]
    fn alpha_is_equation_7() {
        let (nd, ae) = (sigmoid(-1.0), sigmoid(0.4f32.into()));
        assert!((f64::from(Probability::fit(&heads()).alpha) - ae / (nd + ae)).abs() < 1e-7);
    }

    #[test]
    fn the_papers_score_is_equation_8() {
        let score = Probability { alpha: 0.25 }.score(-1.0, 2.0, RowEvidence::default());
        assert!((f64::from(score) - (0.75 * sigmoid(2.0) + 0.25 * sigmoid(-1.0))).abs() < 1e-7);
    }
}
