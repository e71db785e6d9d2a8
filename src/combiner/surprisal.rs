//! `surprisal`: the networks and the surprisals of the row's values (see `data::surprisal`), in
//! nats.
//!
//! ```text
//! whole = 0.7·nats(u) + 0.3·nats(sum of the surprisals)      u as in `robust`
//! value = the most surprising value − what is typical for a row
//! U     = max(whole, value)
//! score = σ(asinh(U) / 2)
//! ```
//!
//! `nats` is ln 2 at the training rows' median, and ln 10 where a tenth of them is above.

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use crate::data::Surprise;

use super::heads::{finite, Heads};
use super::robust::Robust;
use super::squash::{secant, squash};
use super::{Decision, Formula, Row};

/// The share of a row's U from which on its most surprising value explains it.
const EXPLAINS: f64 = 0.35;

/// The weight of the AE head beyond which it outweighs the surprisals of single values too.
const OUTWEIGHS: f64 = 2.0;

/// The weight of the sum of the surprisals beside the networks.
const SHARE: f64 = 0.3;

/// The networks and the surprisals. Pairs are of the ND head, then the AE head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surprisal {
    pub alpha: f32,
    pub median: [f32; 2],
    pub spread: [f32; 2],
    /// What makes nats of u
    pub joint: Line,
    /// What makes nats of the sum of the surprisals
    pub sum: Line,
    /// The median row's highest surprisal, less ln 2
    pub typical: f64,
    /// The share of a row's U from which on its most surprising value explains it
    pub explains: f64,
}

/// Makes nats of a number: ln 2 + (number − median) / unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub median: f64,
    pub unit: f64,
}

impl Line {
    /// Lays an exponential tail through the median and the 90 % quantile of the numbers of at least one
    /// training row.
    fn fit(mut numbers: Vec<f64>) -> Self {
        let count = numbers.len();
        let mut at = |share: f64| *numbers.select_nth_unstable_by((share * count as f64) as usize, f64::total_cmp).1;
        let (median, high) = (at(0.5), at(0.9));
        let mean = numbers.iter().sum::<f64>() / count as f64;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count as f64;
        let unit = ((high - median) / libm::log(5.0)).max(1e-3 * variance.sqrt() + 1e-9);
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

impl Surprisal {
    /// Takes all of it from the heads and the surprises of at least one training row. `weight` is
    /// that of the AE head beside the ND head and beside the sum of the surprisals.
    pub fn fit(heads: &Heads, surprises: &[Surprise], weight: f64) -> Self {
        let networks = Robust::fit(heads, weight);
        let rows = heads.logit.iter().copied().zip(heads.error.iter().copied());
        let joint = Line::fit(rows.map(|row| networks.combined(finite(row))).collect());
        let outweighs = (weight / OUTWEIGHS).max(1.0);
        let sum = Line::fit(surprises.iter().map(|of_row| of_row.sum).collect());
        let sum = Line { unit: (sum.unit * outweighs).min(f64::MAX), ..sum };
        let mut highest: Vec<f64> = surprises.iter().map(|of_row| of_row.highest).collect();
        let middle = highest.len() / 2;
        let typical = *highest.select_nth_unstable_by(middle, f64::total_cmp).1 - LN_2;
        // Where the AE head outweighs all others, it takes more for a single value to decide.
        let typical = typical + 3.0 * libm::log(outweighs);
        let Robust { alpha, median, spread } = networks;
        Self { alpha, median, spread, joint, sum, typical, explains: EXPLAINS }
    }

    /// Returns the formula of the networks alone.
    #[inline(always)]
    pub fn networks(&self) -> Robust {
        Robust { alpha: self.alpha, median: self.median, spread: self.spread }
    }

    /// Measures how unusual a row is as a whole, and by its most surprising value, in nats.
    #[inline(always)]
    fn nats(&self, heads: [f64; 2], surprise: Surprise) -> [f64; 2] {
        let networks = self.joint.nats(self.networks().combined(heads));
        [(1.0 - SHARE) * networks + SHARE * self.sum.nats(surprise.sum), surprise.deciding - self.typical]
    }
}

impl Formula for Surprisal {
    fn alpha(&self) -> f32 {
        self.alpha
    }

    #[inline(always)]
    fn score(&self, logit: f32, error: f32, surprise: Surprise) -> f32 {
        let [whole, value] = self.nats([f64::from(logit), f64::from(error)], surprise);
        squash(whole.max(value)) as f32
    }

    fn decide(&self, from: Row, to: Row) -> Decision {
        let [start, _] = self.nats(from.heads, from.surprise);
        let [whole, value] = self.nats(to.heads, to.surprise);
        if value > self.explains * whole && value > 0.0 && to.surprise.deciding > 0.0 {
            return Decision::Value;
        }
        let slope = secant(squash, start, whole);
        let of_head = |at: usize| slope * (1.0 - SHARE) / self.joint.unit / f64::from(self.spread[at]);
        Decision::Whole([of_head(0), of_head(1), slope * SHARE / self.sum.unit])
    }

    fn fault(&self) -> Option<String> {
        let Self { joint, sum, typical, explains, .. } = self;
        let fault = || format!("its nats are {joint:?}, {sum:?} and {typical}, which can't be");
        let usable = joint.is_usable() && sum.is_usable() && typical.is_finite() && explains.is_finite();
        self.networks().fault().or_else(|| (!usable).then(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combiner::examples::{heads, surprise, surprises};
    use crate::combiner::Combiner;
    use crate::options::Combination;

    #[test]
    fn a_surprising_value_decides_where_the_row_as_a_whole_is_less_unusual() {
        let combiner = Combiner::fit(&heads(), &surprises(), Combination::Surprisal, 1.0);
        let (usual, strange) = (surprise(3.0, 1.0), surprise(3.0, 30.0));
        let score = |of_row| combiner.score(-2.0, 0.3, of_row);
        // Both medians: ln 2 on the whole; the typical row's highest surprisal is 4, and its nats
        // ln 2.
        assert!((f64::from(score(usual)) - squash(LN_2)).abs() < 1e-6);
        let expected = squash(30.0 - (4.0 / 2.0 + 1.0) + LN_2);
        assert!((f64::from(score(strange)) - expected).abs() < 0.05, "{} {expected}", score(strange));
        let row = |surprise| Row { heads: finite((-2.0, 0.3)), surprise };
        assert!(matches!(combiner.decide(row(usual), row(strange)), Decision::Value));
        assert!(matches!(combiner.decide(row(usual), row(usual)), Decision::Whole(_)));
    }
}
