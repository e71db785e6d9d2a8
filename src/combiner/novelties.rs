//! `novelties`: the score of `probability`, but for a row with far more evidence against its cells than
//! there is against any training row. With v the evidence against its cells (see `crate::cells`), and b
//! that from which on a row is a novelty:
//!
//! ```text
//! b     = max over the training rows of v, + 1
//! score = max(eq. 8, 1 − 10⁻⁶·b/v)  where v > b, else eq. 8
//! ```

use serde::{Deserialize, Serialize};

use crate::cells::RowEvidence;

use super::heads::Heads;
use super::probability::Probability;
use super::{Formula, Row, Shares};

/// The nats by which a novelty exceeds all values of the training rows.
const BEYOND: f64 = 1.0;
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
    /// Takes α and the bound from the heads of, and the evidence against, the training rows.
    pub fn fit(heads: &Heads, evidence: &[RowEvidence]) -> Self {
        let highest = evidence.iter().fold(0.0, |highest: f64, row| highest.max(row.all));
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
    fn score(&self, logit: f32, error: f32, evidence: RowEvidence) -> f32 {
        let of_networks = self.networks().score(logit, error, evidence);
        if evidence.all > self.beyond {
            of_networks.max((1.0 - NOVELTY * self.beyond / evidence.all) as f32)
        } else {
            of_networks
        }
    }

    fn shares(&self, from: Row, to: Row) -> Shares {
        let shares = self.networks().shares(from, to);
        if to.evidence.all.max(from.evidence.all) <= self.beyond {
            return shares;
        }
        let score = |row: Row| f64::from(self.score(row.heads[0] as f32, row.heads[1] as f32, row.evidence));
        Shares { networks: 0.0, evidence: score(to) - score(from), ..shares }
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
    use crate::combiner::examples::{against, evidence, heads};
    use crate::combiner::{Combiner, Weighting};
    use crate::options::Combination;

    #[test]
    fn a_novelty_has_a_score_above_the_networks_and_all_others_have_theirs() {
        let fit = |combination| Combiner::fit(&heads(), &evidence(), combination, Weighting::default());
        let (novelties, probability) = (fit(Combination::Novelties), fit(Combination::Probability));
        let Combiner::Novelties(Novelties { beyond, .. }) = novelties else { panic!("{novelties:?}") };
        // The highest of the training rows has 5.
        assert_eq!(beyond, 6.0);
        let score = |combiner: &Combiner, all| combiner.score(1.0, 2.0, against(all, 0.0));
        assert_eq!(score(&novelties, 6.0), score(&probability, 0.0));
        let (new, newer) = (score(&novelties, 6.1), score(&novelties, 50.0));
        assert!(1.0 - 1e-5 < new && new < newer && newer < 1.0, "{new} {newer}");
        let [from, to] =
            [(0.0, 0.0), (1.0, 6.1)].map(|(head, all)| Row { heads: [head; 2], evidence: against(all, 0.0) });
        let shares = novelties.shares(from, to);
        assert!(shares.networks == 0.0 && shares.evidence > 0.1, "{shares:?}");
    }
}
