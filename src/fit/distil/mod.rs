//! Distillation: one network learns the heads of an ensemble, with several draws of kept rows, and
//! takes the ensemble's place.
//!
//! The student is an ordinary network that sees all inputs. It learns from rows that the teacher
//! scores for it (see [`student_rows`]). Its loss are the squared differences of both heads, in
//! units of their spreads over the training rows. Far from the training rows, where heads are
//! large, their relative differences count: such rows are anomalies anyway.

use ndarray::ArrayView2;
use polars::prelude::{polars_ensure, polars_err, PolarsResult};
use rand::seq::index;

use crate::combiner::{Combiner, Heads, Weighting};
use crate::engine::{self, Device, Matching, Shape, Target, Weights};
use crate::memory::collected;
use crate::model::Distilled;
use crate::neighbours::{Kept, KeptRows};
use crate::options::{Combination, Options};
use crate::robust::{spread_of, upper_median};
use crate::scoring;

use super::streams::Stream;

mod student_rows;

/// The student's widths. On the sets of docs/quality.md, which have 5 to 166 inputs, a student with the widths 64, 32
/// and 16 is no better: it was trained with 2,400 steps, since each of its steps takes twice as long.
const HIDDEN: [usize; 2] = [48, 16];
const LATENT: usize = 8;

/// The number of rows that the student learns from, and of the training rows whose heads are
/// compared.
const ROWS: usize = 16_384;

/// The student's training.
const MATCHING: Matching = Matching { steps: 4_800, batch_size: 128, learning_rate: 5e-3 };

/// The number of spreads from the median beyond which differences count relatively.
const FAR: f64 = 6.0;

/// An ensemble, and its heads of training rows.
pub struct Teacher<'a> {
    pub weights: &'a Weights,
    /// The heads of the judged rows, by the networks alone.
    pub heads: Heads,
    /// The kept rows, with the distances of the judged rows from them.
    pub kept: Option<Kept>,
    /// Training rows `[rows, inputs]`: those of [`judged_rows`] if the student takes the place of
    /// the kept rows too, else all rows that are scored.
    pub judged: ArrayView2<'a, f32>,
    pub device: Device,
}

/// The network that takes an ensemble's place.
pub struct Student {
    pub weights: Weights,
    /// The heads of the judged rows, with the distances from kept rows.
    pub heads: Heads,
    /// The kept rows whose place the student does not take.
    pub kept: Option<KeptRows>,
    /// The factor of the weight of all kept rows.
    pub kept_odds: Option<f64>,
    pub distilled: Distilled,
}

/// Draws the training rows whose heads a distillation compares, by their numbers in the order of
/// the rows' contents; None for all rows.
pub fn judged_rows(rows: usize, seed: u64) -> PolarsResult<Option<Vec<usize>>> {
    if rows <= ROWS {
        return Ok(None);
    }
    let sample = index::sample(&mut Stream::Judged.generator(seed), rows, ROWS);
    let mut judged = collected(sample.iter(), "the rows of a distillation")?;
    judged.sort_unstable();
    Ok(Some(judged))
}

impl Teacher<'_> {
    /// Trains a network, on the CPU, to have the teacher's heads, from the training rows `[n,
    /// inputs]`.
    pub fn distil(self, rows: ArrayView2<f32>, options: &Options) -> PolarsResult<Student> {
        let Self { weights: teacher, heads: mut wanted, kept, judged, device } = self;
        let (learned, stays) = if options.distils_kept_rows() { (kept, None) } else { (None, kept) };
        let weigh =
            |kept: Option<Kept>, errors: &mut [f32]| kept.map(|kept| kept.weighed(options.kept_weight, errors)).unzip();
        let (learned, learned_odds) = weigh(learned, &mut wanted.error);
        // The seed has no part in this: students of similar ensembles then make similar errors,
        // and flag the same rows.
        let mut rng = Stream::Student.generator(0);
        let drawn = student_rows::draw(rows, ROWS, &mut rng)?;
        let targets = targets(&scoring::heads_with(teacher, learned.as_ref(), drawn.view(), device)?, &wanted);
        // A teacher that reconstructs nothing has no error to learn.
        let latent = if teacher.shape().has_autoencoder() || learned.is_some() { LATENT } else { 0 };
        let shape = Shape { inputs: rows.ncols(), hidden: HIDDEN.to_vec(), latent };
        let mut weights = Weights::draw(shape, (0..rows.ncols()).collect(), &mut [&mut rng])?;
        let drawn =
            drawn.as_slice().ok_or_else(|| polars_err!(ComputeError: "anorand: rows are not in their order"))?;
        engine::train_to_match(&mut weights, drawn, &targets, &MATCHING, rng)?;
        polars_ensure!(weights.all_finite(), ComputeError:
            "anorand: the distillation diverged: a weight is no longer a number; fit without distil=True");
        let mut heads = scoring::heads(&weights, judged, device)?;
        weigh(stays.clone(), &mut wanted.error);
        let (kept, odds_that_stay) = weigh(stays, &mut heads.error);
        let kept_odds: Option<f64> = learned_odds.or(odds_that_stay);
        let weight = kept_odds.map_or(1.0, |odds| odds * options.kept_weight);
        let both = [&wanted, &heads].map(|heads| scores(heads, options.combination, weight));
        let correlation = rank_correlation(&both[0], &both[1]);
        let distilled = Distilled { members: teacher.members(), hidden: HIDDEN.to_vec(), latent, correlation };
        Ok(Student { weights, heads, kept, kept_odds, distilled })
    }
}

/// The heads that rows should have, and the weights of differences from them; `usual` are the heads
/// of training rows.
fn targets(heads: &Heads, usual: &Heads) -> Vec<Target> {
    let [logit, error] = [&usual.logit, &usual.error].map(|head| Unit::from_head(head));
    let target = |(wanted_logit, wanted_error): (&f32, &f32)| {
        if !(wanted_logit.is_finite() && wanted_error.is_finite()) {
            // A teacher that overflows at this row has nothing to teach.
            return Target::default();
        }
        let [logit_weight, error_weight] = [logit.weight(*wanted_logit), error.weight(*wanted_error)];
        Target { logit: *wanted_logit, error: *wanted_error, logit_weight, error_weight }
    };
    heads.logit.iter().zip(&heads.error).map(target).collect()
}

/// The unit of a head's differences.
struct Unit {
    median: f64,
    spread: f64,
}

impl Unit {
    fn from_head(head: &[f32]) -> Self {
        let median = upper_median(&mut head.to_vec());
        // The square of the inverse of this bound is far from overflow. Two rows may have heads that
        // hardly differ.
        Self { median: f64::from(median), spread: spread_of(head).max(1e-3) }
    }

    /// The weight of a squared difference from a target.
    fn weight(&self, target: f32) -> f32 {
        let away = (f64::from(target) - self.median) / self.spread / FAR;
        (1.0 / (self.spread * self.spread * (1.0 + away * away))) as f32
    }
}

/// The scores by both heads, without the cells, which are the same in both models.
fn scores(heads: &Heads, combination: Combination, weight: f64) -> Vec<f32> {
    let combination = match combination {
        Combination::Probability | Combination::Novelties => Combination::Probability,
        Combination::Robust | Combination::Cells => Combination::Robust,
    };
    let weighting = Weighting { error: weight, ..Weighting::default() };
    Combiner::fit(heads, &[], combination, weighting).scores(heads, None)
}

/// Spearman's rank correlation: Pearson's correlation of the ranks, where equal numbers have their
/// mean rank. It is 1 if all numbers are equal on both sides.
fn rank_correlation(one: &[f32], other: &[f32]) -> f64 {
    let (one, other) = (ranks(one), ranks(other));
    let middle = (one.len() as f64 - 1.0) / 2.0;
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>();
    let [square, other_square] = [sum(&one, &one), sum(&other, &other)];
    match (square > 0.0, other_square > 0.0) {
        (true, true) => (sum(&one, &other) / (square * other_square).sqrt()).clamp(-1.0, 1.0),
        (false, false) => 1.0,
        _ => 0.0,
    }
}

fn ranks(numbers: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_unstable_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut first = 0;
    for equal in order.chunk_by(|a, b| numbers[*a] == numbers[*b]) {
        let rank = first as f64 + (equal.len() as f64 - 1.0) / 2.0;
        equal.iter().for_each(|at| ranks[*at] = rank);
        first += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::batches::tests::random_rows;
    use crate::neighbours::keep;
    use crate::options::Preset;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn rank_correlation_is_spearmans() {
        assert_eq!(rank_correlation(&[1.0, 5.0, 9.0], &[0.1, 0.2, 7.0]), 1.0);
        assert_eq!(rank_correlation(&[1.0, 5.0, 9.0], &[3.0, 2.0, 1.0]), -1.0);
        // Ranks 0.5, 0.5, 2 and 0, 1, 2.
        assert!((rank_correlation(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0]) - 1.5 / (1.5f64 * 2.0).sqrt()).abs() < 1e-12);
        assert_eq!([rank_correlation(&[1.0; 4], &[2.0; 4]), rank_correlation(&[1.0, 2.0], &[2.0; 2])], [1.0, 0.0]);
    }

    #[test]
    fn differences_count_in_spreads_and_relatively_far_out() {
        let usual = Heads { logit: (0..101).map(|at| at as f32).collect(), error: vec![2.0; 101] };
        let heads = Heads { logit: vec![50.0, 5_000.0, f32::INFINITY], error: vec![2.0; 3] };
        let found = targets(&heads, &usual);
        assert!((found[0].logit_weight - 1.0 / 625.0).abs() < 1e-5, "{found:?}");
        let relative = found[1].logit_weight * 4_950.0 * 4_950.0;
        assert!((relative - 36.0).abs() < 1.0, "{relative}");
        assert_eq!(found[2], Target::default());
        assert!(found.iter().all(|target| target.error_weight.is_finite()));
    }

    #[test]
    fn the_student_of_an_ensemble_has_its_heads() {
        let rows = random_rows(2_000, 4);
        let mut rngs = [1, 2, 3].map(ChaCha8Rng::seed_from_u64);
        let shape = Shape { inputs: 3, hidden: vec![16, 8], latent: 4 };
        let weights = Weights::draw(shape, vec![0, 1, 2, 1, 2, 3, 0, 2, 3], &mut rngs).unwrap();
        let heads = scoring::heads(&weights, rows.view(), Device::Cpu).unwrap();
        let teach = |options: &Options| {
            let heads = scoring::heads(&weights, rows.view(), Device::Cpu).unwrap();
            let kept =
                keep(&rows, &[0, 1, 2, 3], None, rows.view(), options, &mut ChaCha8Rng::seed_from_u64(0)).unwrap();
            let teacher = Teacher { weights: &weights, heads, kept, judged: rows.view(), device: Device::Cpu };
            teacher.distil(rows.view(), options).unwrap()
        };
        let options = Options { kept_rows: 0, ..Options::preset(Preset::Default) };
        let student = teach(&options);
        assert_eq!((student.weights.members(), student.distilled.members, &student.kept), (1, 3, &None));
        assert!(student.distilled.correlation > 0.97, "{:?}", student.distilled);
        for (ours, theirs) in [(&student.heads.logit, &heads.logit), (&student.heads.error, &heads.error)] {
            let apart = ours.iter().zip(theirs).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / 2_000.0;
            assert!(apart < 0.3 * spread_of(theirs), "{apart} of {}", spread_of(theirs));
        }
        assert_eq!(teach(&options).weights, student.weights);
        // Several draws are learned, one stays.
        let (several, one) =
            (teach(&Options { kept_rows: 32, ..options.clone() }), teach(&Options::preset(Preset::Novelty)));
        assert_eq!((several.kept.is_none(), one.kept.is_some()), (true, true));
        assert!(several.distilled.correlation > 0.9 && one.distilled.correlation > 0.99, "{:?}", several.distilled);
    }

    #[test]
    fn some_of_many_rows_are_looked_at() {
        assert_eq!(judged_rows(ROWS, 1).unwrap(), None);
        let judged = judged_rows(100_000, 1).unwrap().unwrap();
        assert_eq!((judged.len(), judged.is_sorted()), (ROWS, true));
        assert_ne!(judged_rows(100_000, 2).unwrap().unwrap(), judged);
    }
}
