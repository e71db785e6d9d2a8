//! `novelties`: the score of `probability`, but for a row with a value far more surprising than any
//! of the training rows'. With v the nats of its most surprising value, and b those from which on a
//! value is a novelty:
//!
//! ```text
//! b     = max over the training rows of v, and ln(n + 1), + 3
//! score = max(eq. 8, 1 − 10⁻⁶·b/v)  where v > b, else eq. 8
//! ```

use serde::{Deserialize, Serialize};

use crate::data::Surprise;

use super::heads::Heads;
use super::probability::Probability;
use super::{Decision, Formula, Row};

/// The nats by which a novelty exceeds all values of the training rows.
const BEYOND: f64 = 3.0;
/// How far a novelty's score is from 1 at most.
const NOVELTY: f64 = 1e-6;

/// The paper's formula, and a score near 1 for what no training row comes near.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Novelties {
    pub alpha: f32,
    /// The nats beyond which a value is a novelty
    pub beyond: f64,
}

impl Novelties {
    /// Takes α and the bound from the heads and the surprises of the training rows.
    pub fn fit(heads: &Heads, surprises: &[Surprise]) -> Self {
        let of_none = libm::log(surprises.len() as f64 + 1.0);
        let highest = surprises.iter().fold(of_none, |highest, of_row| highest.max(of_row.deciding));
        Self { alpha: Probability::fit(heads).alpha, beyond: highest + BEYOND }
    }

    #[inline(always)]
    fn networks(&self) -> Probability {
        Probability { alpha: self.alpha }
    }
}

impl Formula for Novelties {
    fn alpha(&self) -> f32 {
        self.alpha
    }

    #[inline(always)]
    fn score(&self, logit: f32, error: f32, surprise: Surprise) -> f32 {
        let of_networks = self.networks().score(logit, error, surprise);
        if surprise.deciding > self.beyond {
            of_networks.max((1.0 - NOVELTY * self.beyond / surprise.deciding) as f32)
        } else {
            of_networks
        }
    }

    fn decide(&self, from: Row, to: Row) -> Decision {
        if to.surprise.deciding > self.beyond {
            return Decision::Value;
        }
        self.networks().decide(from, to)
    }

    fn fault(&self) -> Option<String> {
        let Self { beyond, .. } = self;
        let usable = beyond.is_finite() && *beyond > 0.0;
        (!usable).then(|| format!("its novelties begin at {beyond} nats, expected a finite number above 0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combiner::examples::{heads, surprise, surprises};
    use crate::combiner::Combiner;
    use crate::options::Combination;

    #[test]
    fn a_novelty_has_a_score_above_the_networks_and_all_others_have_theirs() {
        let fit = |combination| Combiner::fit(&heads(), &surprises(), combination, 1.0);
        let (novelties, probability) = (fit(Combination::Novelties), fit(Combination::Probability));
        let Combiner::Novelties(Novelties { beyond, .. }) = novelties else { panic!("{novelties:?}") };
        // The highest of the training rows has 2.5 nats; ln 6 is less.
        assert_eq!(beyond, 5.5);
        let score = |combiner: &Combiner, deciding| combiner.score(1.0, 2.0, surprise(9.0, deciding));
        assert_eq!(score(&novelties, 5.5), score(&probability, 0.0));
        let (new, newer) = (score(&novelties, 5.6), score(&novelties, 50.0));
        assert!(1.0 - 1e-6 < new && new < newer && newer < 1.0, "{new} {newer}");
        let [from, to] = [(0.0, 0.0), (1.0, 5.6)]
            .map(|(head, deciding)| Row { heads: [head; 2], surprise: surprise(0.0, deciding) });
        assert!(matches!(novelties.decide(from, to), Decision::Value));
    }
}
