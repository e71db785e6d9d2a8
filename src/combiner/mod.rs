//! Two heads, and the evidence against a row's cells, combined into one anomaly score (eq. 6 to 8).
//!
//! Each formula has a file of its own, which states it: [`probability`], the paper's; [`robust`],
//! [`cells`] and [`novelties`]. This file has what all of them share.

mod cells;
mod heads;
mod novelties;
mod probability;
mod robust;
mod squash;

pub use cells::CellsFormula;
#[cfg(test)]
pub use cells::{Balance, Line};
pub use heads::{finite, Heads};
#[cfg(test)]
pub use probability::Probability;
#[cfg(test)]
pub use robust::Robust;

use serde::{Deserialize, Serialize};

use crate::cells::RowEvidence;
use crate::options::Combination;
use crate::simd::{Simd, Task, Vector};

/// Scores lie inside (0, 1): the nearest floats stand for what rounds to the ends.
const LOWEST: f32 = f32::MIN_POSITIVE;
const HIGHEST: f32 = 1.0 - f32::EPSILON / 2.0;

/// Returns the number in nats whose score this is: U of [`cells`], u of [`robust`]. The scores of the
/// other formulas are taken as if they came from such a number.
pub fn nats_of_score(score: f32) -> f64 {
    squash::unsquash(f64::from(score.clamp(LOWEST, HIGHEST)))
}

/// Returns the score of a number in nats; the inverse of [`nats_of_score`].
pub fn score_of_nats(nats: f64) -> f64 {
    // Beyond, its square is not finite.
    squash::squash(nats.min(1e150))
}

/// A model makes a score of its heads by one of these formulas, with numbers from the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Combiner {
    Probability(probability::Probability),
    Robust(robust::Robust),
    Cells(CellsFormula),
    Novelties(novelties::Novelties),
}

/// What decides how much each part of a score counts.
#[derive(Clone, Copy, Debug)]
pub struct Weighting {
    /// The weight of the AE head beside the ND head, where their spreads decide
    pub error: f64,
    /// How much better than chance the neighbours tell rows of shuffled values, if there are
    /// neighbours
    pub odds: Option<f64>,
    /// The weight of the networks beside the cells, where it does not follow from the odds
    pub networks: Option<f64>,
    /// Whether all features are numbers, of which the networks see as much as the cells do
    pub only_numbers: bool,
}

impl Default for Weighting {
    /// That of a model without neighbours.
    fn default() -> Self {
        Self { error: 1.0, odds: None, networks: None, only_numbers: true }
    }
}

/// A formula makes a score of these: both heads, which are [`finite`], and the evidence
/// against the cells.
#[derive(Clone, Copy)]
pub struct Row {
    pub heads: [f64; 2],
    pub evidence: RowEvidence,
}

/// What each part of the score adds to the difference of two rows' scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// By how much the networks' part rises with each head
    pub slopes: [f64; 2],
    /// What the networks add, neighbours included
    pub networks: f64,
    /// What values add that are rare or far out
    pub tails: f64,
    /// What all evidence against cells adds
    pub evidence: f64,
}

impl Shares {
    /// The networks explain all of a difference.
    fn networks(slopes: [f64; 2], difference: f64) -> Self {
        Self { slopes, networks: difference, tails: 0.0, evidence: 0.0 }
    }
}

/// One way to combine heads and evidence into a score.
trait Formula {
    /// α of eq. 7: the weight of the ND head.
    fn alpha(&self) -> f32;

    /// Computes eq. 8 for one row, neither of whose heads overflowed; see [`bounded`].
    fn score(&self, logit: f32, error: f32, evidence: RowEvidence) -> f32;

    /// Shares out the difference of two rows' scores.
    fn shares(&self, from: Row, to: Row) -> Shares;

    /// Says what is wrong with its numbers other than α, if anything is.
    fn fault(&self) -> Option<String>;
}

impl Combiner {
    /// Takes the numbers of a formula from the heads of at least one training row, and from their
    /// evidence where the combination takes them.
    pub fn fit(heads: &Heads, evidence: &[RowEvidence], combination: Combination, weighting: Weighting) -> Self {
        match combination {
            Combination::Probability => Self::Probability(probability::Probability::fit(heads)),
            Combination::Robust => Self::Robust(robust::Robust::fit(heads, weighting.error)),
            Combination::Cells => Self::Cells(CellsFormula::fit(heads, evidence, weighting)),
            Combination::Novelties => Self::Novelties(novelties::Novelties::fit(heads, evidence)),
        }
    }

    fn combination(&self) -> Combination {
        match self {
            Self::Probability(_) => Combination::Probability,
            Self::Robust(_) => Combination::Robust,
            Self::Cells(_) => Combination::Cells,
            Self::Novelties(_) => Combination::Novelties,
        }
    }

    fn formula(&self) -> &dyn Formula {
        match self {
            Self::Probability(formula) => formula,
            Self::Robust(formula) => formula,
            Self::Cells(formula) => formula,
            Self::Novelties(formula) => formula,
        }
    }

    /// Says what is wrong with it, if [`Combiner::fit`] can't have made it for such a combination.
    pub fn fault(&self, combination: Combination) -> Option<String> {
        let alpha = self.alpha();
        if !(0.0..=1.0).contains(&alpha) {
            return Some(format!("its alpha is {alpha}, expected a number from 0 to 1"));
        }
        if self.combination() != combination {
            return Some(format!("its heads are not combined as its option combination={combination:?} says"));
        }
        self.formula().fault()
    }

    /// α of eq. 7: the weight of the ND head.
    pub fn alpha(&self) -> f32 {
        self.formula().alpha()
    }

    /// Computes eq. 8 for one row. Where a head overflowed, it is the highest score.
    pub fn score(&self, logit: f32, error: f32, evidence: RowEvidence) -> f32 {
        bounded(self.formula(), logit, error, evidence)
    }

    /// Puts [`Combiner::score`] of some rows into the place of their logits. `evidence` are those
    /// of the rows, if the combination takes them.
    pub fn combine(&self, logits: &mut [f32], errors: &[f32], evidence: Option<&[RowEvidence]>) {
        match self {
            Self::Probability(formula) => combine(formula, logits, errors, evidence),
            Self::Robust(formula) => combine(formula, logits, errors, evidence),
            Self::Cells(formula) => combine(formula, logits, errors, evidence),
            Self::Novelties(formula) => combine(formula, logits, errors, evidence),
        }
    }

    /// Returns the scores of some rows; see [`Combiner::combine`].
    pub fn scores(&self, heads: &Heads, evidence: Option<&[RowEvidence]>) -> Vec<f32> {
        let mut scores = heads.logit.clone();
        self.combine(&mut scores, &heads.error, evidence);
        scores
    }

    /// Scores rows by the networks alone. Noise in the scaled space has no values of its own.
    pub fn scores_of_networks(&self, heads: &Heads) -> Vec<f32> {
        match self {
            Self::Cells(formula) => Self::Robust(formula.networks()).scores(heads, None),
            other => other.scores(heads, None),
        }
    }

    /// Shares out the difference of two rows' scores between the parts of the score.
    pub fn shares(&self, from: Row, to: Row) -> Shares {
        self.formula().shares(from, to)
    }
}

/// Makes all scores, in strips.
fn combine(formula: &impl Formula, scores: &mut [f32], errors: &[f32], evidence: Option<&[RowEvidence]>) {
    for (strip, scores) in scores.chunks_mut(STRIP).enumerate() {
        let rows = strip * STRIP..strip * STRIP + scores.len();
        let evidence = evidence.map(|evidence| &evidence[rows.clone()]);
        Simd::chosen().run(Combine { formula, scores, errors: &errors[rows], evidence });
    }
}

/// Rows whose evidence is laid out anew at a time.
const STRIP: usize = 128;

/// Makes the scores of up to [`STRIP`] rows. The loops are plain, so that the compiler makes vectors of them.
struct Combine<'a, F> {
    formula: &'a F,
    scores: &'a mut [f32],
    errors: &'a [f32],
    evidence: Option<&'a [RowEvidence]>,
}

impl<F: Formula> Task for Combine<'_, F> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [mut all, mut tails, mut conflict] = [[0.0; STRIP]; 3];
        let of_rows = all.iter_mut().zip(tails.iter_mut().zip(&mut conflict));
        for ((all, (tails, conflict)), row) in of_rows.zip(self.evidence.unwrap_or(&[])) {
            (*all, *tails, *conflict) = (row.all, row.tails, row.conflict);
        }
        let of_rows = all.iter().zip(tails.iter().zip(&conflict));
        for ((score, error), (all, (tails, conflict))) in self.scores.iter_mut().zip(self.errors).zip(of_rows) {
            let evidence = RowEvidence { all: *all, tails: *tails, conflict: *conflict };
            *score = bounded(self.formula, *score, *error, evidence);
        }
    }
}

/// Holds a formula's score inside (0, 1). Where a head overflowed, it is the highest score, since no
/// row is further out.
#[inline(always)]
fn bounded(formula: &(impl Formula + ?Sized), logit: f32, error: f32, evidence: RowEvidence) -> f32 {
    let score = formula.score(logit, error, evidence).clamp(LOWEST, HIGHEST);
    // NaN is not below infinity either.
    if logit < f32::INFINITY && error < f32::INFINITY {
        score
    } else {
        HIGHEST
    }
}

/// Computes eq. 7.
fn alpha([nd, ae]: [f64; 2]) -> f32 {
    (ae / (nd + ae)) as f32
}

/// Heads and evidence of five training rows.
#[cfg(test)]
mod examples {
    use super::*;

    pub fn heads() -> Heads {
        Heads { logit: vec![-4.0, -3.0, -2.0, -1.0, 0.0], error: vec![0.1, 0.2, 0.3, 0.4, 0.5] }
    }

    pub fn against(all: f64, tails: f64) -> RowEvidence {
        RowEvidence { all, tails, conflict: 0.0 }
    }

    pub fn evidence() -> Vec<RowEvidence> {
        [1.0, 2.0, 3.0, 4.0, 5.0].map(|all| against(all, all / 2.0)).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::examples::{against, evidence, heads};
    use super::*;

    const ALL: [Combination; 4] =
        [Combination::Probability, Combination::Robust, Combination::Cells, Combination::Novelties];

    fn fitted(heads: &Heads, combination: Combination) -> Combiner {
        Combiner::fit(heads, &evidence()[..heads.logit.len().min(5)], combination, Weighting::default())
    }

    #[test]
    fn a_combiner_is_an_object_of_its_kind_and_its_numbers() {
        let written = |combination| serde_json::to_value(fitted(&heads(), combination)).unwrap();
        let novelties = written(Combination::Novelties);
        assert_eq!((&novelties["kind"], &novelties["beyond"]), (&"novelties".into(), &6.0.into()));
        for combination in ALL {
            let mut value = written(combination);
            let read: Combiner = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(read, fitted(&heads(), combination));
            value["new"] = 1.into();
            let refused = serde_json::from_value::<Combiner>(value).unwrap_err().to_string();
            assert!(refused.contains("unknown field `new`"), "{refused}");
        }
    }

    #[test]
    fn rows_together_have_the_scores_that_each_has_alone() {
        let logits: Vec<f32> = [-9.0, -1.5, 0.0, 7.0, 1e30, f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into();
        let errors: Vec<f32> = [0.0, 0.2, 0.45, 1e4, 3e38, 0.1, 0.2, 0.3].into();
        let surprising: Vec<RowEvidence> = (0..8).map(|row| against(2.0 * f64::from(row), f64::from(row))).collect();
        for combination in ALL {
            let combiner = fitted(&heads(), combination);
            for evidence in [Some(surprising.as_slice()), None] {
                let mut scores = logits.clone();
                combiner.combine(&mut scores, &errors, evidence);
                for (row, score) in scores.iter().enumerate() {
                    let evidence = evidence.map_or(RowEvidence::default(), |all| all[row]);
                    assert_eq!(*score, combiner.score(logits[row], errors[row], evidence));
                }
            }
        }
    }

    #[test]
    fn shares_give_the_difference_of_two_scores() {
        let row = |heads, evidence| Row { heads: finite(heads), evidence };
        for combination in ALL {
            let combiner = fitted(&heads(), combination);
            for to in [(-2.0, 0.3), (-1.9999, 0.3), (4.0, 0.1), (-1e3, 1e5), (1e6, 1e6)] {
                for (before, after) in [(against(2.0, 1.0), against(3.5, 1.2)), (against(9.0, 0.5), against(0.1, 0.1))]
                {
                    let shares = combiner.shares(row((-2.0, 0.3), before), row(to, after));
                    let expected = difference(&combiner, ((-2.0, 0.3), before), (to, after));
                    let sum = shares.networks + shares.tails + shares.evidence;
                    assert!((sum - expected).abs() < 1e-6, "{sum} {expected}");
                    assert!(shares.slopes.iter().all(|slope| *slope > 0.0), "{shares:?}");
                }
            }
        }
    }

    fn difference(combiner: &Combiner, from: ((f32, f32), RowEvidence), to: ((f32, f32), RowEvidence)) -> f64 {
        let score = |((logit, error), row): ((f32, f32), RowEvidence)| f64::from(combiner.score(logit, error, row));
        score(to) - score(from)
    }

    #[test]
    fn scores_stay_inside_zero_and_one() {
        for combination in ALL {
            let combiner = fitted(&heads(), combination);
            for (logit, error) in [(f32::MAX, f32::MAX), (f32::MIN, 0.0), (-1e30, 1e30)] {
                let score = combiner.score(logit, error, RowEvidence::default());
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
                assert_eq!(combiner.score(logit, error, RowEvidence::default()), HIGHEST, "{logit} {error}");
            }
        }
    }

    #[test]
    fn a_logit_of_minus_infinity_is_a_very_low_logit() {
        for combination in ALL {
            let combiner = fitted(&heads(), combination);
            let score = combiner.score(f32::NEG_INFINITY, 0.3, RowEvidence::default());
            assert!(score > 0.0 && score <= combiner.score(f32::MIN, 0.3, RowEvidence::default()), "{score}");
        }
    }

    #[test]
    fn shares_of_heads_that_overflow_are_finite_and_give_the_difference_of_the_scores() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        // Heads of a training that nearly diverged, too: their medians and spreads are large.
        let wild = Heads { logit: vec![-1e35, 2e35, 3e35, 9e35], error: vec![1e30, 1e33, 1e36, 1e37] };
        for (heads, start) in [(heads(), (-2.0, 0.3)), (wild, (2e35, 1e33))] {
            for combination in ALL {
                let combiner = fitted(&heads, combination);
                for end in [(inf, inf), (nan, 0.3), (0.0, nan), (-inf, inf), (inf, 0.1), (0.0, inf), (-inf, 0.3)] {
                    let usual = against(2.0, 1.0);
                    let [from, to] = [start, end].map(|heads| Row { heads: finite(heads), evidence: usual });
                    let shares = combiner.shares(from, to);
                    assert!(shares.slopes.iter().all(|slope| slope.is_finite()), "{end:?}");
                    let expected = difference(&combiner, (start, usual), (end, usual));
                    let sum = shares.networks + shares.tails + shares.evidence;
                    assert!((sum - expected).abs() < 1e-6, "{end:?}: {sum} {expected}");
                }
            }
        }
    }

    #[test]
    fn heads_that_are_all_the_same_have_a_score() {
        let heads = Heads { logit: vec![1.0; 4], error: vec![0.0; 4] };
        for combination in ALL {
            let scores = fitted(&heads, combination).scores(&heads, Some(&evidence()));
            assert!(scores.iter().all(|score| *score > 0.0 && *score < 1.0));
        }
    }
}
