//! The fit of classifiers: networks that learn labels and nothing else (eq. 2 to 4 with w = 1).
//!
//! How much a network must be kept from learning rows by heart depends on the table. [`SETTINGS`] are
//! compared on held-out rows, and each trains the more members, the better it is there.
//!
//! Every second member is plain: it sees no bins, and trains for longer. Bins and plain numbers err on
//! other rows. In a batch, anomalies are more frequent than in the table, and some rows are noise.

mod choice;
mod plain;
mod space;

use ndarray::Axis;
use polars::prelude::PolarsResult;
use rand::seq::index;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::engine::{
    train_classifier, Classifier, Course, Device, LabelledRows, Losses, Mixture, Shape, Trained, Weights,
};
use crate::job::{self, Unit};
use crate::options::Options;
use crate::pool;
use crate::scoring;

use super::batches::by_class;
use super::streams::{member_generators, Stream};
use plain::{is_plain, Seen};
use space::Space;

/// Dropout and weight decay, from the least to the most.
const SETTINGS: [(f64, f64); 3] = [(0.1, 0.01), (0.3, 0.1), (0.5, 0.3)];

/// A training has no more steps than these, unless `min_steps` asks for more: known anomalies are
/// then learned, however many rows there are.
const MOST_STEPS: usize = 1_100;

/// The setting of plain members, which need little to keep them from learning rows by heart, and by how
/// much longer they train, up to [`MOST_STEPS`].
const PLAIN: (f64, f64) = SETTINGS[0];
const PLAIN_STEPS: usize = 7;

/// The most rows over which the losses are taken.
const SHOWN: usize = 16_384;

/// The labelled, scaled rows of a fit.
#[derive(Clone, Copy)]
pub struct Labelled<'a> {
    pub rows: ndarray::ArrayView2<'a, f32>,
    pub anomalies: &'a [bool],
    /// Which inputs are bins
    pub bins: &'a [bool],
}

impl Labelled<'_> {
    /// The same for a shorter time.
    fn borrowed(&self) -> Labelled<'_> {
        Labelled { rows: self.rows.reborrow(), anomalies: self.anomalies, bins: self.bins }
    }

    /// The share of anomalies.
    fn share(&self) -> f64 {
        self.anomalies.iter().filter(|anomaly| **anomaly).count() as f64 / self.anomalies.len() as f64
    }
}

/// Draws new networks on rows with this number of inputs: hidden layers as He et al. (2015) do, and
/// a bias that gives every row the share of anomalies as its probability.
pub fn draw_networks(labelled: &Labelled, inputs: Vec<Vec<usize>>, options: &Options) -> PolarsResult<Weights> {
    let shape = Shape::of(options, inputs[0].len());
    let rngs = member_generators(Stream::Weights, options.members, options.seed);
    let space = Space::around_zero(labelled.rows, options);
    let mut weights = Weights::new(shape.clone(), inputs.concat(), vec![0.0; shape.parameters() * inputs.len()])?;
    for (member, mut rng) in rngs.into_iter().enumerate() {
        let seen = Seen::by(member, weights.inputs_of(member), labelled.bins);
        let shape = Shape::of(options, seen.inputs.len());
        let mut numbers = draw_network(&shape, labelled.share(), &mut rng);
        space.of(&seen.inputs).leave(&mut numbers, shape.hidden[0]);
        weights.set_member(member, &seen.widened(&numbers, shape.hidden[0]));
    }
    Ok(weights)
}

/// The numbers of a network for inputs around 0.
fn draw_network(shape: &Shape, share: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(shape.parameters());
    let layers = shape.layers();
    for (at, layer) in layers.iter().enumerate() {
        let is_last = at + 1 == layers.len();
        // Uniform numbers between ± √3 have the variance 1.
        let mut draw = |deviation: f64| ((2.0 * rng.random::<f64>() - 1.0) * 3f64.sqrt() * deviation) as f32;
        let deviation = (if is_last { 0.01 } else { 2.0 } / layer.inputs as f64).sqrt();
        numbers.extend((0..layer.inputs * layer.outputs).map(|_| draw(deviation)));
        match is_last {
            true => numbers.push(libm::log(share / (1.0 - share)) as f32),
            false => numbers.extend((0..layer.outputs).map(|_| draw(0.3))),
        }
    }
    numbers
}

/// Trains all members of `weights` on labelled rows.
pub fn train(weights: &mut Weights, labelled: &Labelled, options: &Options, device: Device) -> PolarsResult<Trained> {
    let space = Space::around_zero(labelled.rows, options);
    let rows = labelled.anomalies.len();
    let steps = steps(rows, options);
    let members = options.members;
    let settings = choice::of_members(labelled, &space, options)?;
    let before = losses(weights, labelled, device)?;
    let steps_of = |member| if is_plain(member) { plain_steps(steps) } else { steps };
    job::expect(Unit::Steps, (0..members).map(steps_of).sum());
    let rngs = member_generators(Stream::Epochs, members, options.seed);
    let trained = pool::map(rngs.into_iter().enumerate().collect(), |(member, mut rng): (usize, ChaCha8Rng)| {
        let rows = rows_of_member(labelled, options, &mut rng)?;
        let seen = Seen::by(member, weights.inputs_of(member), labelled.bins);
        let shape = Shape::of(options, seen.inputs.len());
        let training = TrainingOf { labelled: labelled.borrowed(), space: &space, rows: &rows, inputs: &seen.inputs };
        // Plain members have the weakest setting, and the others the strongest of those that are shared out.
        let stronger = settings.iter().rev().nth(member / 2).copied();
        let setting = if is_plain(member) { PLAIN } else { stronger.unwrap_or(PLAIN) };
        let numbers = seen.narrowed(&weights.member(member)?, shape.hidden[0]);
        let numbers = training.run(&shape, numbers, setting, steps_of(member), options, rng)?;
        Ok(seen.widened(&numbers, shape.hidden[0]))
    })?;
    trained.iter().enumerate().for_each(|(member, numbers)| weights.set_member(member, numbers));
    let after = losses(weights, labelled, device)?;
    let anomalies = labelled.anomalies.iter().filter(|anomaly| **anomaly).count();
    let epochs = (steps * options.batch_size.min(rows)).div_ceil(rows);
    let course = Course { normal_rows: rows - anomalies, synthetic_rows: anomalies, epochs, steps };
    Ok(Trained { course, before, after, between: vec![] })
}

/// The number of steps of a training on that number of rows.
fn steps(rows: usize, options: &Options) -> usize {
    let wanted = options.epochs.saturating_mul(rows) / options.batch_size;
    wanted.clamp(options.min_steps.max(1), MOST_STEPS.max(options.min_steps))
}

/// The number of steps of a plain member, where the others have `steps`.
fn plain_steps(steps: usize) -> usize {
    steps.saturating_mul(PLAIN_STEPS).min(MOST_STEPS.max(steps))
}

/// The rows that a member is trained on: all anomalies, and `max_samples` of the others.
fn rows_of_member(labelled: &Labelled, options: &Options, rng: &mut ChaCha8Rng) -> PolarsResult<Vec<usize>> {
    let [mut rows, others] = by_class(labelled.anomalies)?;
    match (1..others.len()).contains(&options.max_samples) {
        true => rows.extend(index::sample(rng, others.len(), options.max_samples).iter().map(|at| others[at])),
        false => rows.extend(others),
    }
    Ok(rows)
}

/// The rows of a batch: anomalies and others by the roots of their shares among the rows, and noise.
fn mixture(known: usize, others: usize, options: &Options) -> Mixture {
    let size = options.batch_size.min(known + others).max(2);
    let roots = [known, others].map(|rows| (rows as f64).sqrt());
    let noise = ((size as f64 * options.synthetic_fraction).round() as usize).min(size - 2);
    let anomalies = (size as f64 * roots[0] / (roots[0] + roots[1]).max(1.0)).round() as usize;
    let anomalies = anomalies.clamp(1, size - noise - 1);
    Mixture { anomalies, others: size - noise - anomalies, noise }
}

/// What a network is trained on.
struct TrainingOf<'a> {
    labelled: Labelled<'a>,
    space: &'a Space,
    rows: &'a [usize],
    inputs: &'a [usize],
}

impl TrainingOf<'_> {
    /// Trains a network, whose numbers are for the table's rows.
    fn run(
        &self,
        shape: &Shape,
        mut numbers: Vec<f32>,
        (dropout, weight_decay): (f64, f64),
        steps: usize,
        options: &Options,
        rng: ChaCha8Rng,
    ) -> PolarsResult<Vec<f32>> {
        let space = self.space.of(self.inputs);
        let set = LabelledRows {
            table: self.labelled.rows.reborrow(),
            anomalies: self.labelled.anomalies,
            rows: self.rows,
            inputs: self.inputs,
            centres: &space.centres,
            factors: &space.factors,
            noise: &space.noise,
        };
        let known = self.rows.iter().filter(|row| self.labelled.anomalies[**row]).count();
        let others = self.rows.len() - known;
        let batch = mixture(known, others, options);
        let how = Classifier { steps, batch, learning_rate: options.learning_rate, dropout, weight_decay };
        // Anomalies are more frequent in a batch than in the table, which the bias of the logit makes up for.
        let odds = |anomalies: usize, others: usize| libm::log(anomalies.max(1) as f64 / others.max(1) as f64);
        let more_frequent = odds(batch.anomalies, batch.others) - odds(known, others);
        let shift = |numbers: &mut [f32], by: f64| {
            numbers.iter_mut().rev().take(1).for_each(|bias| *bias = (f64::from(*bias) + by) as f32);
        };
        space.enter(&mut numbers, shape.hidden[0]);
        shift(&mut numbers, more_frequent);
        let mut numbers = train_classifier(shape, &numbers, &set, &how, rng)?;
        shift(&mut numbers, -more_frequent);
        space.leave(&mut numbers, shape.hidden[0]);
        Ok(numbers)
    }
}

/// Eq. 3 over rows that are evenly taken from all.
fn losses(weights: &Weights, labelled: &Labelled, device: Device) -> PolarsResult<Losses> {
    let rows = labelled.anomalies.len();
    let shown: Vec<usize> = (0..rows.min(SHOWN)).map(|at| at * rows / rows.min(SHOWN)).collect();
    let heads = scoring::heads(weights, labelled.rows.select(Axis(0), &shown).view(), device)?;
    let loss = |(row, logit): (&usize, &f32)| cross_entropy(f64::from(*logit), labelled.anomalies[*row]);
    let sum: f64 = shown.iter().zip(&heads.logit).map(loss).sum();
    Ok(Losses { cross_entropy: (sum / shown.len() as f64) as f32, reconstruction: 0.0 })
}

/// −y·ln σ(l) − (1 − y)·ln(1 − σ(l)).
fn cross_entropy(logit: f64, anomaly: bool) -> f64 {
    let softplus = logit.max(0.0) + libm::log1p(libm::exp(-logit.abs()));
    if anomaly {
        softplus - logit
    } else {
        softplus
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;
    use ndarray::Array2;

    /// Rows of two inputs that are anomalies within a ring; one of them is far from 0.
    fn ring(rows: usize) -> (Array2<f32>, Vec<bool>) {
        let angle = |row: usize| row as f64 * 2.4;
        let radius = |row: usize| if row.is_multiple_of(5) { 1.0 } else { 2.0 + (row % 7) as f64 / 7.0 };
        let table = Array2::from_shape_fn((rows, 2), |(row, input)| match input {
            0 => (radius(row) * libm::cos(angle(row)) + 50.0) as f32,
            _ => (radius(row) * libm::sin(angle(row))) as f32,
        });
        (table, (0..rows).map(|row| row.is_multiple_of(5)).collect())
    }

    fn fitted(rows: usize, options: &Options) -> (Weights, Trained) {
        let (table, anomalies) = ring(rows);
        let labelled = Labelled { rows: table.view(), anomalies: &anomalies, bins: &[false; 2] };
        let mut weights = draw_networks(&labelled, vec![vec![0, 1]; options.members], options).unwrap();
        let trained = train(&mut weights, &labelled, options, Device::Cpu).unwrap();
        (weights, trained)
    }

    fn options() -> Options {
        Options { members: 3, ..Options::with_labels(Preset::Default) }
    }

    #[test]
    fn a_fit_learns_a_ring_and_says_by_how_much_its_loss_fell() {
        let (weights, trained) = fitted(400, &options());
        let (table, anomalies) = ring(400);
        let logits = scoring::heads(&weights, table.view(), Device::Cpu).unwrap().logit;
        let right = logits.iter().zip(anomalies).filter(|(logit, anomaly)| (**logit > 0.0) == *anomaly).count();
        assert!(right > 392, "{right}");
        assert!(trained.after.cross_entropy < 0.3 * trained.before.cross_entropy);
        assert_eq!(trained.course, Course { normal_rows: 320, synthetic_rows: 80, epochs: 96, steps: 150 });
    }

    #[test]
    fn a_new_network_gives_each_row_about_the_share_of_anomalies() {
        let (table, anomalies) = ring(400);
        let labelled = Labelled { rows: table.view(), anomalies: &anomalies, bins: &[false; 2] };
        let weights = draw_networks(&labelled, vec![vec![0, 1]; 3], &options()).unwrap();
        let logits = scoring::heads(&weights, table.view(), Device::Cpu).unwrap().logit;
        let mean = logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).sum::<f32>() / 400.0;
        assert!((0.15..0.25).contains(&mean), "{mean}");
    }

    #[test]
    fn the_seed_decides() {
        let weights = |seed| fitted(100, &Options { seed, min_steps: 20, epochs: 1, ..options() }).0;
        assert_eq!(weights(5), weights(5));
        assert_ne!(weights(5), weights(6));
    }

    #[test]
    fn steps_grow_with_the_rows_up_to_a_bound() {
        let steps = |rows| super::steps(rows, &options());
        assert_eq!([steps(10), steps(2_560), steps(1_000_000)], [150, 400, MOST_STEPS]);
        let asked = Options { min_steps: 5_000, ..options() };
        assert_eq!(super::steps(10, &asked), 5_000);
    }

    #[test]
    fn max_samples_takes_all_anomalies_and_some_of_the_others() {
        let (table, anomalies) = ring(100);
        let labelled = Labelled { rows: table.view(), anomalies: &anomalies, bins: &[false; 2] };
        let options = Options { max_samples: 30, ..options() };
        let rows = rows_of_member(&labelled, &options, &mut Stream::Epochs(0).generator(1)).unwrap();
        assert_eq!((rows.len(), rows.iter().filter(|row| anomalies[**row]).count()), (50, 20));
    }
}
