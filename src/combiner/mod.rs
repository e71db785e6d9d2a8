//! Two heads → one anomaly score (eq. 6 to 8).
//!
//! `probability`, the paper's: both heads become probabilities by the sigmoid, and are averaged with the weight α of eq. 7.
//! Clear anomalies all have probabilities that round to 1, and can't be told apart.
//!
//! `robust`: the same eq. 7 and 8 on the heads before their sigmoids, each from its training median on; Q3 is then the
//! distance from the median to the third quartile. With u the combination in units of its own third quartiles, the score is
//! σ(asinh(u) / 2), which keeps the order of all rows, near and far.
//!
//! `surprisal`: u, and the sum of the row's surprisals (see `data::surprisal`), both in nats: ln 2 at their training medians, and
//! ln 10 where a tenth of the training rows is above. Their weighted mean says how unusual the row is as a whole. Beside it
//! stands the highest surprisal of a single value, less what is typical for a row; the larger of the two is U, and the score
//! σ(asinh(U) / 2).
//!
//! `novelties`: as `probability`, but for a value far more surprising than any of the training rows': the row's score is then within
//! 10⁻⁶ of 1.

use serde::{Deserialize, Serialize};

use crate::data::Surprise;
use crate::options::Combination;

use crate::robust::{least_spread, quantile_of_sorted, sorted};

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
    Probability {
        alpha: f32,
    },
    Robust {
        alpha: f32,
        median: [f32; 2],
        spread: [f32; 2],
    },
    Novelties {
        alpha: f32,
        /// The nats beyond which a value is a novelty
        beyond: f64,
    },
    Surprisal {
        alpha: f32,
        median: [f32; 2],
        spread: [f32; 2],
        joint: Line,
        sum: Line,
        typical: f64,
        /// The share of a row's U from which on its most surprising value explains it
        #[serde(default = "explains_of_format_4", skip_serializing_if = "is_of_format_4")]
        explains: f64,
    },
}

/// What makes nats of a number: ln 2 + (number − median) / unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub median: f64,
    pub unit: f64,
}

/// The share of a row's U from which on its most surprising value explains it.
const EXPLAINS: f64 = 0.35;

fn explains_of_format_4() -> f64 {
    0.5
}

/// It is not written then, so that a model of format 4 stays the same bytes.
fn is_of_format_4(explains: &f64) -> bool {
    *explains == explains_of_format_4()
}

/// The nats that a novelty has beyond all values of the training rows.
const BEYOND: f64 = 3.0;
/// How far a novelty's score is from 1 at most.
const NOVELTY: f64 = 1e-6;

/// The weight of the AE head beyond which it outweighs the surprisals of single values too.
const OUTWEIGHS: f64 = 2.0;

/// The weight of the sum of the surprisals beside the networks.
const SHARE: f64 = 0.3;

impl Line {
    /// From the numbers of at least one training row: an exponential tail through their median and their 90 % quantile.
    fn of(mut numbers: Vec<f64>) -> Self {
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
        std::f64::consts::LN_2 + (number - self.median) / self.unit
    }

    fn is_usable(&self) -> bool {
        self.median.is_finite() && self.unit.is_normal() && self.unit > 0.0
    }
}

/// What explains a row's score.
pub enum Decision {
    /// The row as a whole: the slopes of the score with respect to both heads, and to the sum of the surprisals
    Whole([f64; 3]),
    /// A single value: the most surprising one
    Value,
}

impl Combiner {
    /// From the heads of at least one training row, and their surprises where the combination takes them.
    ///
    /// `weight` is that of the AE head beside the ND head and beside the sum of the surprisals, where their spreads decide.
    pub fn of(heads: &Heads, surprises: &[Surprise], combination: Combination, weight: f64) -> Self {
        let both = [sorted(&heads.logit), sorted(&heads.error)];
        let quantiles = |share| both.each_ref().map(|head| quantile_of_sorted(head, share));
        match combination {
            // The sigmoid keeps order, so the quartile of the probabilities is the probability of the quartile; but for
            // the interpolation between two rows.
            Combination::Probability => Self::Probability { alpha: alpha(quantiles(0.75).map(sigmoid)) },
            Combination::Novelties => {
                let of_none = libm::log(surprises.len() as f64 + 1.0);
                let highest = surprises.iter().fold(of_none, |highest, of_row| highest.max(of_row.deciding));
                Self::Novelties { alpha: alpha(quantiles(0.75).map(sigmoid)), beyond: highest + BEYOND }
            }
            Combination::Robust | Combination::Surprisal => {
                let (median, q3) = (quantiles(0.5), quantiles(0.75));
                let spread = [0, 1].map(|at| (q3[at] - median[at]).max(least_spread(&both[at])));
                let spread = [spread[0] * weight, spread[1]];
                let f32s = |pair: [f64; 2]| pair.map(|number| number as f32);
                let (alpha, median, spread) = (alpha(spread), f32s(median), f32s(spread));
                if combination == Combination::Robust {
                    return Self::Robust { alpha, median, spread };
                }
                let rows = heads.logit.iter().copied().zip(heads.error.iter().copied());
                let joint = Line::of(rows.map(|row| combined(&median, &spread, finite(row))).collect());
                let outweighs = (weight / OUTWEIGHS).max(1.0);
                let sum = Line::of(surprises.iter().map(|of_row| of_row.sum).collect());
                let sum = Line { unit: (sum.unit * outweighs).min(f64::MAX), ..sum };
                let mut highest: Vec<f64> = surprises.iter().map(|of_row| of_row.highest).collect();
                let middle = highest.len() / 2;
                let typical = *highest.select_nth_unstable_by(middle, f64::total_cmp).1 - std::f64::consts::LN_2;
                // Where the AE head outweighs all others, it takes more for a single value to decide.
                let typical = typical + 3.0 * libm::log(outweighs);
                Self::Surprisal { alpha, median, spread, joint, sum, typical, explains: EXPLAINS }
            }
        }
    }

    /// What is wrong with it, if it was not made by [`Combiner::of`] for such a combination.
    pub fn fault(&self, combination: Combination) -> Option<String> {
        let alpha = self.alpha();
        if !(0.0..=1.0).contains(&alpha) {
            return Some(format!("its alpha is {alpha}, expected a number from 0 to 1"));
        }
        let of_heads = |median: &[f32; 2], spread: &[f32; 2]| {
            if median.iter().any(|number| !number.is_finite()) {
                return Some(format!("the medians of its heads are {median:?}, expected finite numbers"));
            }
            let usable = |spread: &f32| spread.is_normal() && *spread > 0.0;
            let fault = format!("the spreads of its heads are {spread:?}, expected finite numbers above 0");
            (!spread.iter().all(usable)).then_some(fault)
        };
        match (self, combination) {
            (Self::Probability { .. }, Combination::Probability) => None,
            (Self::Novelties { beyond, .. }, Combination::Novelties) => (!(beyond.is_finite() && *beyond > 0.0))
                .then(|| format!("its novelties begin at {beyond} nats, expected a finite number above 0")),
            (Self::Robust { median, spread, .. }, Combination::Robust) => of_heads(median, spread),
            (Self::Surprisal { median, spread, joint, sum, typical, explains, .. }, Combination::Surprisal) => {
                let fault = || format!("its nats are {joint:?}, {sum:?} and {typical}, which can't be");
                let usable = joint.is_usable() && sum.is_usable() && typical.is_finite() && explains.is_finite();
                of_heads(median, spread).or_else(|| (!usable).then(fault))
            }
            _ => Some(format!("its heads are not combined as its option combination={combination:?} says")),
        }
    }

    /// α of eq. 7: the weight of the ND head.
    pub fn alpha(&self) -> f32 {
        match self {
            Self::Probability { alpha }
            | Self::Novelties { alpha, .. }
            | Self::Robust { alpha, .. }
            | Self::Surprisal { alpha, .. } => *alpha,
        }
    }

    /// Eq. 8 for one row, and its surprise if the combination takes one; the highest score where a head overflowed, see
    /// [`finite`].
    #[inline]
    pub fn score(&self, logit: f32, error: f32, surprise: Surprise) -> f32 {
        if overflowed(logit) || overflowed(error) {
            return HIGHEST;
        }
        let score = match self {
            Self::Probability { alpha } => probability(*alpha, logit, error),
            Self::Novelties { alpha, beyond } => {
                let of_networks = probability(*alpha, logit, error);
                if surprise.deciding > *beyond {
                    of_networks.max((1.0 - NOVELTY * beyond / surprise.deciding) as f32)
                } else {
                    of_networks
                }
            }
            Self::Robust { median, spread, .. } => {
                squash(combined(median, spread, [f64::from(logit), f64::from(error)])) as f32
            }
            Self::Surprisal { .. } => {
                let [whole, value] = self.nats([f64::from(logit), f64::from(error)], surprise);
                squash(whole.max(value)) as f32
            }
        };
        score.clamp(LOWEST, HIGHEST)
    }

    /// [`Combiner::score`] of some rows, in loops that the compiler makes vectors of.
    #[inline(always)]
    pub fn scores_into(&self, logits: &[f32], errors: &[f32], surprises: &[Surprise], out: &mut [f32]) {
        let rows = out.len();
        let (logits, errors, surprises) = (&logits[..rows], &errors[..rows], &surprises[..rows]);
        let [median, spread] = match self {
            Self::Probability { .. } | Self::Novelties { .. } => {
                for row in 0..rows {
                    out[row] = self.score(logits[row], errors[row], surprises[row]);
                }
                return;
            }
            Self::Robust { median, spread, .. } | Self::Surprisal { median, spread, .. } => [median, spread],
        };
        for row in 0..rows {
            let (logit, error) = (logits[row], errors[row]);
            let heads = [f64::from(logit), f64::from(error)];
            let u = match self {
                Self::Surprisal { .. } => {
                    let [whole, value] = self.nats(heads, surprises[row]);
                    whole.max(value)
                }
                _ => combined(median, spread, heads),
            };
            let score = (squash(u) as f32).clamp(LOWEST, HIGHEST);
            out[row] = if logit < f32::INFINITY && error < f32::INFINITY { score } else { HIGHEST };
        }
    }

    /// Of the networks alone, for rows that have no values of their own, as noise in the scaled space.
    pub fn scores_of_networks(&self, heads: &Heads) -> Vec<f32> {
        let networks = match self {
            Self::Surprisal { alpha, median, spread, .. } => {
                &Self::Robust { alpha: *alpha, median: *median, spread: *spread }
            }
            other => other,
        };
        networks.scores(heads, None)
    }

    /// How unusual a row is as a whole, and by its most surprising value, in nats; of the combination `surprisal`.
    #[inline(always)]
    fn nats(&self, heads: [f64; 2], surprise: Surprise) -> [f64; 2] {
        let Self::Surprisal { median, spread, joint, sum, typical, .. } = self else { return [f64::NEG_INFINITY; 2] };
        let networks = joint.nats(combined(median, spread, heads));
        [(1.0 - SHARE) * networks + SHARE * sum.nats(surprise.sum), surprise.deciding - typical]
    }

    /// What explains a row's score, between a reference row and it. Heads are [`finite`].
    pub fn decision(&self, from: ([f64; 2], Surprise), to: ([f64; 2], Surprise)) -> Decision {
        if let Self::Novelties { beyond, .. } = self {
            if to.1.deciding > *beyond {
                return Decision::Value;
            }
        }
        let Self::Surprisal { spread, joint, sum, explains, .. } = self else {
            let [logit, error] = self.secants(from.0, to.0);
            return Decision::Whole([logit, error, 0.0]);
        };
        let ([start, _], [whole, value]) = (self.nats(from.0, from.1), self.nats(to.0, to.1));
        if value > explains * whole && value > 0.0 && to.1.deciding > 0.0 {
            return Decision::Value;
        }
        let slope = secant(squash, start, whole);
        let of_head = |at: usize| slope * (1.0 - SHARE) / joint.unit / f64::from(spread[at]);
        Decision::Whole([of_head(0), of_head(1), slope * SHARE / sum.unit])
    }

    /// The score's slopes between two rows' heads, each a logit and an error that are [`finite`]: the score differs by
    /// `slopes[0]`·Δlogit + `slopes[1]`·Δerror.
    fn secants(&self, from: [f64; 2], to: [f64; 2]) -> [f64; 2] {
        match self {
            Self::Probability { alpha } | Self::Novelties { alpha, .. } => {
                let slope = |at: usize| secant(sigmoid, from[at], to[at]);
                [f64::from(*alpha) * slope(0), f64::from(1.0 - alpha) * slope(1)]
            }
            Self::Robust { median, spread, .. } | Self::Surprisal { median, spread, .. } => {
                let slope = secant(squash, combined(median, spread, from), combined(median, spread, to));
                spread.map(|spread| slope / f64::from(spread))
            }
        }
    }

    /// The scores of some rows, with their surprises if the combination takes them.
    pub fn scores(&self, heads: &Heads, surprises: Option<&[Surprise]>) -> Vec<f32> {
        let of_row = |row: usize| surprises.map_or(Surprise::default(), |surprises| surprises[row]);
        let rows = heads.logit.iter().zip(&heads.error).enumerate();
        rows.map(|(row, (logit, error))| self.score(*logit, *error, of_row(row))).collect()
    }
}

/// Eq. 8 of the heads' probabilities.
fn probability(alpha: f32, logit: f32, error: f32) -> f32 {
    let sigmoid = |number: f32| 1.0 / (1.0 + libm::expf(-number));
    (1.0 - alpha) * sigmoid(error) + alpha * sigmoid(logit)
}

/// Eq. 8 divided by the harmonic sum of the spreads: α/spread of ND and (1 − α)/spread of AE are then 1.
#[inline(always)]
fn combined(median: &[f32; 2], spread: &[f32; 2], heads: [f64; 2]) -> f64 {
    let unit = |at: usize| (heads[at] - f64::from(median[at])) / f64::from(spread[at]);
    unit(0) + unit(1)
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

fn sigmoid(number: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-number))
}

/// σ(asinh(u) / 2), written so that large numbers of either sign keep their digits.
#[inline(always)]
fn squash(u: f64) -> f64 {
    let root = (u.abs() + (u * u + 1.0).sqrt()).sqrt();
    let numerator = if u < 0.0 { 1.0 } else { root };
    numerator / (1.0 + root)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Combination; 4] =
        [Combination::Probability, Combination::Robust, Combination::Surprisal, Combination::Novelties];

    fn heads() -> Heads {
        Heads { logit: vec![-4.0, -3.0, -2.0, -1.0, 0.0], error: vec![0.1, 0.2, 0.3, 0.4, 0.5] }
    }

    fn surprise(sum: f64, deciding: f64) -> Surprise {
        Surprise { sum, highest: deciding + 1.0, deciding }
    }

    fn surprises() -> Vec<Surprise> {
        [1.0, 2.0, 3.0, 4.0, 5.0].map(|sum| surprise(sum, sum / 2.0)).to_vec()
    }

    fn fitted(heads: &Heads, combination: Combination) -> Combiner {
        Combiner::of(heads, &surprises()[..heads.logit.len().min(5)], combination, 1.0)
    }

    #[test]
    fn alpha_is_equation_7() {
        let (nd, ae) = (sigmoid(-1.0), sigmoid(0.4f32.into()));
        let combiner = fitted(&heads(), Combination::Probability);
        assert!((f64::from(combiner.alpha()) - ae / (nd + ae)).abs() < 1e-7);
    }

    #[test]
    fn the_papers_score_is_equation_8() {
        let score = Combiner::Probability { alpha: 0.25 }.score(-1.0, 2.0, Surprise::default());
        assert!((f64::from(score) - (0.75 * sigmoid(2.0) + 0.25 * sigmoid(-1.0))).abs() < 1e-7);
    }

    #[test]
    fn a_novelty_has_a_score_above_the_networks_and_all_others_have_theirs() {
        let novelties = fitted(&heads(), Combination::Novelties);
        let probability = fitted(&heads(), Combination::Probability);
        let Combiner::Novelties { beyond, .. } = novelties else { panic!("{novelties:?}") };
        // The highest of the training rows has 2.5 nats; ln 6 is less.
        assert_eq!(beyond, 5.5);
        let score = |combiner: &Combiner, deciding| combiner.score(1.0, 2.0, surprise(9.0, deciding));
        assert_eq!(score(&novelties, 5.5), score(&probability, 0.0));
        let (new, newer) = (score(&novelties, 5.6), score(&novelties, 50.0));
        assert!(1.0 - 1e-6 < new && new < newer && newer < 1.0, "{new} {newer}");
        assert!(matches!(
            novelties.decision(([0.0; 2], surprise(0.0, 0.0)), ([1.0; 2], surprise(9.0, 5.6))),
            Decision::Value
        ));
    }

    #[test]
    fn the_robust_score_is_equation_8_on_centred_heads() {
        let combiner = fitted(&heads(), Combination::Robust);
        // Spreads are 1 and 0.1; eq. 8 in units of their harmonic sum.
        let (alpha, unit) = (0.1 / 1.1, 0.1 / 1.1);
        assert!((f64::from(combiner.alpha()) - alpha).abs() < 1e-6);
        let combined = (1.0 - alpha) * (0.9 - 0.3) + alpha * (3.0 - -2.0);
        let expected = sigmoid((combined / unit).asinh() / 2.0);
        assert!((f64::from(combiner.score(3.0, 0.9, Surprise::default())) - expected).abs() < 1e-6);
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
    fn slopes_give_the_difference_of_two_scores() {
        for combination in ALL {
            let combiner = fitted(&heads(), combination);
            for to in [(-2.0, 0.3), (-1.9999, 0.3), (4.0, 0.1), (-1e3, 1e5), (1e6, 1e6)] {
                let (from, before, after) = ((-2.0, 0.3), surprise(2.0, -50.0), surprise(3.5, -50.0));
                let [a, b, c] = slopes(&combiner, (from, before), (to, after));
                let expected = difference(&combiner, (from, before), (to, after));
                let sum = a * f64::from(to.0 - from.0) + b * f64::from(to.1 - from.1) + c * 1.5;
                assert!((sum - expected).abs() < 1e-6, "{sum} {expected}");
                assert!(a > 0.0 && b > 0.0 && (c > 0.0) == (combination == Combination::Surprisal));
            }
        }
    }

    fn slopes(combiner: &Combiner, from: ((f32, f32), Surprise), to: ((f32, f32), Surprise)) -> [f64; 3] {
        match combiner.decision((finite(from.0), from.1), (finite(to.0), to.1)) {
            Decision::Whole(slopes) => slopes,
            Decision::Value => panic!("no value is surprising"),
        }
    }

    fn difference(combiner: &Combiner, from: ((f32, f32), Surprise), to: ((f32, f32), Surprise)) -> f64 {
        let score = |((logit, error), of_row): ((f32, f32), Surprise)| f64::from(combiner.score(logit, error, of_row));
        score(to) - score(from)
    }

    #[test]
    fn a_surprising_value_decides_where_the_row_as_a_whole_is_less_unusual() {
        let combiner = fitted(&heads(), Combination::Surprisal);
        let (usual, strange) = (surprise(3.0, 1.0), surprise(3.0, 30.0));
        let score = |of_row| combiner.score(-2.0, 0.3, of_row);
        // Both medians: ln 2 on the whole; the typical row's highest surprisal is 4, and its nats ln 2.
        assert!((f64::from(score(usual)) - squash(std::f64::consts::LN_2)).abs() < 1e-6);
        let expected = squash(30.0 - (4.0 / 2.0 + 1.0) + std::f64::consts::LN_2);
        assert!((f64::from(score(strange)) - expected).abs() < 0.05, "{} {expected}", score(strange));
        let row = finite((-2.0, 0.3));
        assert!(matches!(combiner.decision((row, usual), (row, strange)), Decision::Value));
        assert!(matches!(combiner.decision((row, usual), (row, usual)), Decision::Whole(_)));
    }

    #[test]
    fn scores_stay_inside_zero_and_one() {
        for combination in ALL {
            let combiner = fitted(&heads(), combination);
            for (logit, error) in [(f32::MAX, f32::MAX), (f32::MIN, 0.0), (-1e30, 1e30)] {
                let score = combiner.score(logit, error, Surprise::default());
                assert!(score > 0.0 && score < 1.0, "{score}");
            }
        }
    }

    #[test]
    fn a_head_that_overflows_has_the_highest_score() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        for combination in ALL {
            let combiner = fitted(&heads(), combination);
            for (logit, error) in
                [(inf, inf), (nan, 0.3), (0.0, nan), (nan, nan), (inf, -inf), (-inf, inf), (inf, 0.1), (-9.0, inf)]
            {
                assert_eq!(combiner.score(logit, error, Surprise::default()), HIGHEST, "{logit} {error}");
            }
        }
    }

    #[test]
    fn a_logit_of_minus_infinity_is_a_very_low_logit() {
        for combination in ALL {
            let combiner = fitted(&heads(), combination);
            let score = combiner.score(f32::NEG_INFINITY, 0.3, Surprise::default());
            assert!(score > 0.0 && score <= combiner.score(f32::MIN, 0.3, Surprise::default()), "{score}");
        }
    }

    #[test]
    fn slopes_to_heads_that_overflow_are_finite_and_give_the_difference_of_the_scores() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        // Heads of a training that nearly diverged, too: their medians and spreads are large.
        let wild = Heads { logit: vec![-1e35, 2e35, 3e35, 9e35], error: vec![1e30, 1e33, 1e36, 1e37] };
        for (heads, start) in [(heads(), (-2.0, 0.3)), (wild, (2e35, 1e33))] {
            for combination in ALL {
                let combiner = fitted(&heads, combination);
                for end in [(inf, inf), (nan, 0.3), (0.0, nan), (-inf, inf), (inf, 0.1), (0.0, inf), (-inf, 0.3)] {
                    let (from, to) = (finite(start), finite(end));
                    let (start, end) = ((start, surprise(2.0, -1e300)), (end, surprise(2.0, -1e300)));
                    let [a, b, _] = slopes(&combiner, start, end);
                    assert!(a.is_finite() && b.is_finite(), "{end:?}");
                    let sum = a * (to[0] - from[0]) + b * (to[1] - from[1]);
                    let expected = difference(&combiner, start, end);
                    assert!((sum - expected).abs() < 1e-6, "{end:?}: {sum} {expected}");
                }
            }
        }
    }

    #[test]
    fn heads_that_are_all_the_same_have_a_score() {
        let heads = Heads { logit: vec![1.0; 4], error: vec![0.0; 4] };
        for combination in ALL {
            let scores = fitted(&heads, combination).scores(&heads, Some(&surprises()));
            assert!(scores.iter().all(|score| *score > 0.0 && *score < 1.0));
        }
    }
}
