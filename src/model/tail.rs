//! The tail of the training scores: how rare a score is that few training rows reach, or none.
//!
//! A score s is σ(asinh(U) / 2) of a number U in nats; see `crate::combiner`. Of the k training
//! rows with the highest U, let v be the lowest, and S the sum of their distances from the next
//! lower one. A row reaches U with the probability
//!
//! ```text
//! P(U) = k/n · (1 + (U − v)/S)⁻ᵏ     where U ≥ v
//! ```
//!
//! This is an exponential tail whose scale is known from k distances alone: the mean over all scales,
//! each weighted by how well it explains them (the prior of 1/scale is flat in its logarithm). It is
//! a generalized Pareto tail of the shape 1/k, so that little is claimed where few rows speak.

use std::f64::consts::LN_10;

use crate::combiner::{nats_of_score, score_of_nats};

/// k is this share of the training rows, but within these bounds.
const SHARE: f64 = 0.05;
const FEWEST: usize = 5;
const MOST: usize = 20;

/// The tail of the scores of some training rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// The score at which it begins
    pub start: f32,
    /// v
    lowest: f64,
    /// k
    count: f64,
    /// n
    rows: f64,
    /// S
    distances: f64,
}

impl Tail {
    /// The number of highest scores, of `rows`, that a tail is made of where there are no ties.
    pub fn scores_wanted(rows: usize) -> usize {
        ((SHARE * rows as f64) as usize).clamp(FEWEST, MOST).min(rows)
    }

    /// Takes the highest scores of `rows` training rows, in rising order, and the highest one below
    /// them, if there is one. `count` rows have them: more than are given where the lowest is a tie
    /// that goes on below.
    pub fn fit(scores: &[f32], below: Option<f32>, count: usize, rows: usize) -> Self {
        let start = scores.first().map_or(0.0, |lowest| *lowest);
        let lowest = nats_of_score(start);
        let count = count.max(scores.len()) as f64;
        let distances = match below.map(nats_of_score) {
            Some(next) => {
                let given: f64 = scores.iter().map(|score| nats_of_score(*score) - next).sum();
                given + (count - scores.len() as f64) * (lowest - next)
            }
            // All training rows tie, so that no distance says what is far. The scale is one nat.
            None => count,
        };
        Self { start, lowest, count, rows: rows as f64, distances }
    }

    /// Returns −log₁₀ of P for a score from [`Tail::start`] on.
    pub fn rarity(&self, score: f32) -> f64 {
        let further = (nats_of_score(score) - self.lowest) / self.distances;
        (self.rows / self.count).log10() + self.count * libm::log1p(further) / LN_10
    }

    /// Returns the score whose P is a share of at most k / n.
    pub fn score(&self, share: f64) -> f64 {
        let further = libm::expm1(libm::log(self.count / self.rows / share) / self.count);
        score_of_nats(self.lowest + self.distances * further)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(nats: &[f64]) -> Vec<f32> {
        nats.iter().map(|nats| score_of_nats(*nats) as f32).collect()
    }

    #[test]
    fn it_is_the_predictive_distribution_of_an_exponential_tail() {
        let [below, scores] = [scores(&[1.0]), scores(&[2.0, 2.5, 4.0])];
        let tail = Tail::fit(&scores, Some(below[0]), 3, 100);
        // S = 1 + 1.5 + 3.
        for (nats, expected) in [(2.0, 0.03), (4.0, 0.03 * (1.0 + 2.0 / 5.5_f64).powi(-3)), (51.5, 0.03 * 1e-3)] {
            let score = score_of_nats(nats) as f32;
            assert!((tail.rarity(score) + f64::log10(expected)).abs() < 1e-4, "{nats} {}", tail.rarity(score));
            assert!((tail.score(expected) - f64::from(score)).abs() < 1e-6, "{nats} {}", tail.score(expected));
        }
    }

    #[test]
    fn a_tie_that_goes_on_below_counts_whole() {
        let tied = scores(&[3.0; 4]);
        let below = scores(&[2.0])[0];
        let [part, all] = [&tied[..2], &tied].map(|given| Tail::fit(given, Some(below), 4, 40));
        assert!((part.rarity(0.9) - all.rarity(0.9)).abs() < 1e-9);
        assert!((all.rarity(tied[0]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn where_all_rows_tie_the_scale_is_a_nat() {
        let [tied, further] = [3.0, 6.0].map(|nats| score_of_nats(nats) as f32);
        let tail = Tail::fit(&[tied; 1_000], None, 1_000, 1_000);
        assert!((tail.rarity(further) - 3.0 / LN_10).abs() < 0.01, "{}", tail.rarity(further));
    }

    #[test]
    fn every_share_has_a_finite_score_and_every_score_a_finite_rarity() {
        for tail in [Tail::fit(&[0.3], Some(0.0), 1, 2), Tail::fit(&[1.0; 30], None, 50_000, 50_000)] {
            for share in [f64::MIN_POSITIVE, 1e-100, 1e-6] {
                assert!((0.0..=1.0).contains(&tail.score(share)), "{}", tail.score(share));
            }
            assert!(tail.rarity(1.0).is_finite() && tail.rarity(tail.start) >= 0.0);
        }
    }
}
