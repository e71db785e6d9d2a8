//! `cells`: the evidence of a model's parts, each in nats, and each calibrated on the training rows.
//!
//! ```text
//! networks = w·ln(1 + exp(damped(0.85·nats(u) + 0.15·nats(tails))))  u as in `robust`, with neighbours
//! cells    = g·ln(1 + exp(damped(nats(evidence)))) + broken + new    Σ ln(1 + 0.02·e), see `crate::cells`
//! broken   = c·(conflict − 4)                                        where conflict > 4, else 0
//! new      = h·(1 − exp(b − v))                                      where v > b, else 0
//! U        = (networksᵖ + cellsᵖ)^(1/p)
//! score    = σ(asinh(U) / 2)
//! ```
//!
//! `nats` is ln 2 at the training rows' median. For u and the tails it is ln 10 where a tenth of the
//! rows is above, for the evidence it is ln 33 where 3 % are. So evidence that a table's ordinary rows
//! never show counts the more, but 0.1 of it counts for a nat at most. `damped` is f + ln(1 + (x − f))
//! from f on, so that no part outweighs the other by orders of magnitude; that of the networks is
//! straight again from 50 nats on, so that absurd rows stay apart. `broken` is for a row that breaks
//! what nearly all rows keep to, such as a total that is not the sum of its parts: no network sees that, and
//! it is not damped. The conflict is the most that the row's other values say against one cell; 4 nats
//! are a value that one row in 55 has. `new` is for evidence v
//! beyond b, the most that there is against any training row: h is the highest U of a training row
//! without it, so that what no training row has ranks above the training rows.
//!
//! With p = 4, U is nearly the larger part: a fault in one cell is as much of an anomaly as a strange
//! row without a fault. In a table of numbers alone the networks see as much as the cells do, and g
//! is 0.8; else it is 2. Where neighbours are most of the score, as in `novelty`, training rows are
//! taken to be clean, and the parts rather add up: p is 2 and g 0.5, and `new` tells what breaks their
//! rules, so that c is 0; else it is 3.

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use crate::cells::RowEvidence;
use crate::simd::{exp, ln_1p};

use super::heads::{finite, Heads};
use super::robust::Robust;
use super::squash::squash;
use super::{Formula, Row, Shares, Weighting};

/// The share of the tails in the networks' part.
const SHARE_OF_TAILS: f64 = 0.15;
/// How the parts are balanced where neighbours are most of the score, else in a table of numbers
/// alone, and else.
const MOSTLY_NEIGHBOURS: Balance = Balance { gain: 0.5, power: 2, damped_from: [8.0, 8.0], conflict: 0.0 };
const ONLY_NUMBERS: Balance = Balance { gain: 0.8, power: 4, damped_from: [8.0, 2.0], conflict: 3.0 };
const OTHERWISE: Balance = Balance { gain: 2.0, power: 4, damped_from: [5.0, 2.0], conflict: 3.0 };
/// From so many nats on, a conflict counts by itself.
const CONFLICT: f64 = 4.0;
/// From so many nats on, the networks' part is damped no more.
const ABSURD: f64 = 50.0;
/// The option `kept_weight` from which on neighbours are most of a score.
const MUCH_KEPT_WEIGHT: f64 = 2.0;
/// The least evidence that counts for a nat, however little there is against the training rows: few
/// rows can't say much against a cell.
const LEAST_UNIT: f64 = 0.1;
/// The same of the tails, of which files keep seven digits.
const LEAST_UNIT_OF_TAILS: f64 = 1e-3;
/// The lowest number that [`exp`] takes. Where `beyond` − v is below it, `new` is h.
const LEAST_EXPONENT: f64 = -700.0;
/// The highest h, far from overflow.
const HIGHEST: f64 = 1e30;

/// The networks and the cells. Pairs are of the ND head, then the AE head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellsFormula {
    pub alpha: f32,
    pub median: [f32; 2],
    pub spread: [f32; 2],
    /// What makes nats of u
    pub networks: Line,
    /// What makes nats of the evidence that values are rare or far out
    pub tails: Line,
    /// What makes nats of all evidence
    pub evidence: Line,
    /// w, the weight of the networks beside the cells
    pub weight: f64,
    /// g, p, and f of both parts
    pub balance: Balance,
    /// b, the most evidence against a training row
    pub beyond: f64,
    /// h, the highest U of a training row
    pub highest: f64,
}

/// How the networks and the cells are put together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    /// g, the weight of the cells
    pub gain: f64,
    /// p, which is 2 or 4
    pub power: u32,
    /// f, from where on the networks' nats and the cells' are damped
    pub damped_from: [f64; 2],
    /// c, the weight of what breaks a rule
    pub conflict: f64,
}

/// The parts of a row's score.
#[derive(Clone, Copy)]
struct Parts {
    /// The nats of u, of the tails and of all evidence
    networks: f64,
    tails: f64,
    evidence: f64,
    /// The most that the row's other values say against one cell
    conflict: f64,
}

impl Balance {
    #[inline(always)]
    fn together(&self, networks: f64, cells: f64) -> f64 {
        let [a, b] = [networks * networks, cells * cells];
        match self.power {
            2 => (a + b).sqrt(),
            _ => (a * a + b * b).sqrt().sqrt(),
        }
    }

    fn is_usable(&self) -> bool {
        let are_weights = [self.gain, self.conflict].iter().all(|weight| (0.0..=100.0).contains(weight));
        are_weights && matches!(self.power, 2 | 4) && self.damped_from.iter().all(|from| (0.0..=1e9).contains(from))
    }
}

/// Makes nats of a number: ln 2 + (number − median) / unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub median: f64,
    pub unit: f64,
}

impl Line {
    /// Lays an exponential tail through the median and a higher quantile of the numbers of at least
    /// one training row; the unit is at least `least`.
    fn fit(numbers: impl Iterator<Item = f64>, high: f64, least: f64) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        let count = numbers.len();
        let mut at = |share: f64| *numbers.select_nth_unstable_by((share * count as f64) as usize, f64::total_cmp).1;
        let (median, highest) = (at(0.5), at(high));
        let mean = numbers.iter().sum::<f64>() / count as f64;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count as f64;
        let unit = ((highest - median) / libm::log(0.5 / (1.0 - high))).max(1e-3 * variance.sqrt() + 1e-9).max(least);
        Self { median, unit: if unit.is_finite() { unit } else { f64::MAX } }
    }

    #[inline(always)]
    fn nats(&self, number: f64) -> f64 {
        LN_2 + (number - self.median) / self.unit
    }

    fn is_usable(&self) -> bool {
        self.median.is_finite() && self.unit.is_normal() && self.unit > 0.0
    }
}

impl CellsFormula {
    /// Takes all of it from the heads of at least one training row, and from the evidence against each
    /// without itself.
    pub fn fit(heads: &Heads, evidence: &[RowEvidence], weighting: Weighting) -> Self {
        let Weighting { error, odds, networks: weight, only_numbers } = weighting;
        let networks = Robust::fit(heads, error);
        let rows = || heads.logit.iter().copied().zip(heads.error.iter().copied()).map(finite);
        let line = Line::fit(rows().map(|row| networks.combined(row)), 0.9, 0.0);
        let tails = Line::fit(evidence.iter().map(|row| row.tails), 0.9, LEAST_UNIT_OF_TAILS);
        let all = Line::fit(evidence.iter().map(|row| row.all), 0.97, LEAST_UNIT);
        let Robust { alpha, median, spread } = networks;
        let mostly_neighbours = odds.is_some_and(|odds| error >= MUCH_KEPT_WEIGHT * odds);
        let balance = match (mostly_neighbours, only_numbers) {
            (true, _) => MOSTLY_NEIGHBOURS,
            (false, true) => ONLY_NUMBERS,
            (false, false) => OTHERWISE,
        };
        let by_odds = || odds.filter(|_| !mostly_neighbours).map_or(1.0, weight_of_networks);
        let weight = weight.unwrap_or_else(by_odds);
        let beyond = evidence.iter().fold(0.0, |most: f64, row| most.max(row.all));
        let mut fitted =
            Self { alpha, median, spread, networks: line, tails, evidence: all, weight, balance, beyond, highest: 0.0 };
        let unusual = rows().zip(evidence).map(|(row, against)| fitted.unusual(fitted.parts(row, *against)));
        let highest = unusual.fold(0.0, f64::max);
        fitted.highest = highest.min(HIGHEST);
        fitted
    }

    /// Returns the formula of the networks alone.
    #[inline(always)]
    pub fn networks(&self) -> Robust {
        Robust { alpha: self.alpha, median: self.median, spread: self.spread }
    }

    #[inline(always)]
    fn parts(&self, heads: [f64; 2], evidence: RowEvidence) -> Parts {
        Parts {
            networks: self.networks.nats(self.networks().combined(heads)),
            tails: self.tails.nats(evidence.tails),
            evidence: self.evidence.nats(evidence.all),
            conflict: evidence.conflict,
        }
    }

    #[inline(always)]
    fn squashed(&self, parts: Parts) -> f64 {
        squash(self.unusual(parts))
    }

    /// U
    #[inline(always)]
    fn unusual(&self, Parts { networks, tails, evidence, conflict }: Parts) -> f64 {
        let [from, from_cells] = self.balance.damped_from;
        let networks = (1.0 - SHARE_OF_TAILS) * networks + SHARE_OF_TAILS * tails;
        let beyond = (networks - ABSURD).max(0.0);
        let networks = self.weight * softplus(damped(networks.min(ABSURD), from) + beyond);
        let all = (evidence - LN_2) * self.evidence.unit + self.evidence.median;
        let new = self.highest * (1.0 - exp((self.beyond - all).clamp(LEAST_EXPONENT, 0.0)));
        let broken = self.balance.conflict * (conflict - CONFLICT).max(0.0);
        let cells = self.balance.gain * softplus(damped(evidence, from_cells)) + broken + new;
        self.balance.together(networks, cells)
    }
}

/// The weight of the networks, the larger the better their distances tell rows of shuffled values: where
/// features do not depend on one another, networks see little that the cells don't see.
fn weight_of_networks(odds: f64) -> f64 {
    let share = odds / (1.0 + odds);
    (0.3 + (2.0 * share - 1.0)).clamp(0.3, 1.0)
}

#[inline(always)]
fn damped(nats: f64, from: f64) -> f64 {
    let beyond = from + ln_1p((nats - from).max(0.0));
    if nats > from {
        beyond
    } else {
        nats
    }
}

/// ln(1 + eˣ), which is above 0 and rises everywhere.
#[inline(always)]
fn softplus(nats: f64) -> f64 {
    // Each case is worked out for each row, so that loops become vectors.
    let between = ln_1p(exp(nats.clamp(-30.0, 30.0)));
    // A slow fall to 0 keeps apart what the exponential would make equal.
    let below = between * (-30.0 / nats);
    if nats > 30.0 {
        nats
    } else if nats < -30.0 {
        below
    } else {
        between
    }
}

impl Formula for CellsFormula {
    fn alpha(&self) -> f32 {
        self.alpha
    }

    #[inline(always)]
    fn score(&self, logit: f32, error: f32, evidence: RowEvidence) -> f32 {
        self.squashed(self.parts([f64::from(logit), f64::from(error)], evidence)) as f32
    }

    /// Shapley values of the three parts: the mean over all orders in which they change from one
    /// row's to the other's.
    fn shares(&self, from: Row, to: Row) -> Shares {
        let ends = [self.parts(from.heads, from.evidence), self.parts(to.heads, to.evidence)];
        let score = |mask: usize| {
            let [Parts { networks, .. }, Parts { tails, .. }, Parts { evidence, conflict, .. }] =
                [0, 1, 2].map(|part| ends[mask >> part & 1]);
            self.squashed(Parts { networks, tails, evidence, conflict })
        };
        let scores: [f64; 8] = std::array::from_fn(score);
        let part = |at: usize| {
            let [a, b] = [(at + 1) % 3, (at + 2) % 3].map(|other| 1 << other);
            let own = 1 << at;
            let gain = |others: usize| scores[others | own] - scores[others];
            (gain(0) + gain(a | b)) / 3.0 + (gain(a) + gain(b)) / 6.0
        };
        let slopes = self.spread.map(|spread| 1.0 / f64::from(spread));
        Shares { slopes, networks: part(0), tails: part(1), evidence: part(2) }
    }

    fn fault(&self) -> Option<String> {
        let Self { networks, tails, evidence, weight, balance, beyond, highest, .. } = self;
        let fault = || {
            format!("its nats are {networks:?}, {tails:?} and {evidence:?}, and they are put together with {weight} and {balance:?}, and with {highest} beyond {beyond}, which can't be")
        };
        let usable = [networks, tails, evidence].into_iter().all(Line::is_usable)
            && (0.0..=1.0).contains(weight)
            && balance.is_usable()
            && [beyond, highest].into_iter().all(|number| number.is_finite() && *number >= 0.0);
        self.networks().fault().or_else(|| (!usable).then(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combiner::examples::{against, evidence, heads};
    use crate::combiner::Combiner;
    use crate::options::Combination;

    #[test]
    fn evidence_against_a_cell_decides_where_the_networks_see_nothing() {
        let combiner = Combiner::fit(&heads(), &evidence(), Combination::Cells, Weighting::default());
        let score = |evidence| f64::from(combiner.score(-2.0, 0.3, evidence));
        // Medians of all three: ln 3 for the networks, and for the cells with their gain.
        let usual = against(3.0, 1.5);
        let cells = 0.8 * 3f64.ln();
        let expected = squash((3f64.ln().powi(4) + cells.powi(4)).powf(0.25));
        assert!((score(usual) - expected).abs() < 1e-6, "{} {expected}", score(usual));
        assert!(score(against(30.0, 1.5)) > score(usual) + 0.1);
        // A conflict counts from 4 nats on, and is not damped.
        let broken = |conflict| score(RowEvidence { conflict, ..usual });
        assert_eq!(broken(4.0), score(usual));
        let expected = squash((3f64.ln().powi(4) + (cells + 3.0 * 3.0).powi(4)).powf(0.25));
        assert!((broken(7.0) - expected).abs() < 1e-6, "{} {expected}", broken(7.0));
        let (from, to) = (Row { heads: finite((-2.0, 0.3)), evidence: usual }, against(30.0, 1.5));
        let shares = combiner.shares(from, Row { evidence: to, ..from });
        assert_eq!((shares.networks, shares.tails), (0.0, 0.0));
        assert!((shares.evidence - (score(to) - score(usual))).abs() < 1e-6);
    }

    #[test]
    fn the_weight_of_the_networks_is_1_where_it_is_given_and_the_balance_follows_from_the_neighbours() {
        let parts = |error, networks, only_numbers| {
            let weighting = Weighting { error, odds: Some(1.5), networks, only_numbers };
            let CellsFormula { weight, balance, .. } = CellsFormula::fit(&heads(), &evidence(), weighting);
            (weight, balance)
        };
        let (usual, by_odds) = (1.5, 0.3 + (2.0 * 1.5 / 2.5 - 1.0));
        assert_eq!(parts(usual, None, false), (by_odds, OTHERWISE));
        assert_eq!(parts(usual, Some(1.0), true), (1.0, ONLY_NUMBERS));
        let mostly = 2.0 * 1.5;
        assert_eq!(parts(mostly, None, false), (1.0, MOSTLY_NEIGHBOURS));
        assert_eq!(parts(mostly, Some(1.0), true), (1.0, MOSTLY_NEIGHBOURS));
    }

    #[test]
    fn softplus_rises_everywhere() {
        let numbers = [-1e9, -100.0, -31.0, -30.0, -5.0, 0.0, 5.0, 29.0, 31.0, 1e9];
        assert!(numbers.windows(2).all(|pair| softplus(pair[0]) < softplus(pair[1])));
        assert!((softplus(0.0) - LN_2).abs() < 1e-12);
    }
}
