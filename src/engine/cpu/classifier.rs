//! The training of a classifier: a network that is ND alone learns which rows are labelled as anomalies, by cross-entropy (eq. 3)
//! on batches in which they are more frequent than in the table.
//!
//! Some rows of a batch are uniform noise, which counts as an anomaly too: what is far from all normal rows is then one, though
//! no labelled row is like it, and a few anomalies are not learnt by heart.
//! Dropout and AdamW (Loshchilov and Hutter, 2019) keep it from learning rows by heart. Each input is multiplied with a learnt
//! factor, so that an input that tells nothing is soon left out; the factors become a part of the first layer's weights.

use ndarray::ArrayView2;
use polars::prelude::PolarsResult;
use rand::seq::SliceRandom;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::engine::shape::Shape;
use crate::engine::training_set::NoiseBox;
use crate::job::{self, Unit};
use crate::memory::{collected, reserved, zeros};
use crate::simd::{Simd, Task, Vector};

use super::dropout::Dropout;
use super::step::{Aim, Batch, Differentiate, State};
use super::trainer::Trainer;

/// AdamW's running means. The second one forgets ten times sooner than Adam's usual one, since a training has few steps.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;
const EPSILON: f32 = 1e-8;

/// How a classifier is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Classifier {
    pub steps: usize,
    pub batch: Mixture,
    /// AdamW's step size, which falls to nothing along a cosine
    pub learning_rate: f64,
    /// The share of the hidden units that a step leaves out
    pub dropout: f64,
    /// The share of each weight that a step of size 1 takes away; biases have none
    pub weight_decay: f64,
}

/// The numbers of rows of each kind in a batch. A kind of which the training has no rows is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixture {
    pub anomalies: usize,
    pub others: usize,
    /// Rows of uniform noise, which count as anomalies
    pub noise: usize,
}

/// What a classifier is trained on.
#[derive(Clone, Copy)]
pub struct LabelledRows<'a> {
    /// Scaled rows `[n, inputs of the table]`
    pub table: ArrayView2<'a, f32>,
    /// Which of them are anomalies
    pub anomalies: &'a [bool],
    /// The rows of the training
    pub rows: &'a [usize],
    /// The inputs that the network sees
    pub inputs: &'a [usize],
    /// What is taken away from each of them, and what the rest is then multiplied with: the network learns from numbers around 0
    pub centres: &'a [f32],
    pub factors: &'a [f32],
    /// Where noise is, among numbers around 0
    pub noise: &'a NoiseBox,
}

impl LabelledRows<'_> {
    fn push(&self, row: usize, x: &mut Vec<f32>) {
        let row = self.table.row(row);
        let shifts = self.inputs.iter().zip(self.centres).zip(self.factors);
        x.extend(shifts.map(|((input, centre), factor)| (row[*input] - centre) * factor));
    }
}

/// Trains a network, `numbers`, in the order of an ensemble of one, for rows as [`LabelledRows`] gives them.
pub fn train_classifier(
    simd: Simd,
    shape: &Shape,
    numbers: &[f32],
    set: &LabelledRows,
    how: &Classifier,
    mut rng: ChaCha8Rng,
) -> PolarsResult<Vec<f32>> {
    const WHAT: &str = "the rows of a batch";
    let mut trainer = Trainer::new(simd, shape, numbers)?;
    let mut adam = AdamW::new(&trainer.state, shape)?;
    if how.dropout > 0.0 {
        let own = ChaCha8Rng::from_rng(&mut rng);
        trainer.state.buffers.masks = zeros(trainer.state.buffers.activations.len(), "the activations")?;
        trainer.state.dropout = Some(Dropout::new(how.dropout, own));
    }
    let (mut known, mut others) = (Turns::new(set.rows.len())?, Turns::new(set.rows.len())?);
    for row in set.rows {
        let turns = if set.anomalies[*row] { &mut known } else { &mut others };
        turns.rows.push(*row);
    }
    let most = how.batch.anomalies + how.batch.others + how.batch.noise;
    let (mut x, mut anomalies) = (reserved(most * shape.inputs, WHAT)?, reserved(most, WHAT)?);
    for step in 0..how.steps {
        job::check()?;
        x.clear();
        anomalies.clear();
        for (rows, count) in [(&mut known, how.batch.anomalies), (&mut others, how.batch.others)] {
            for row in (0..count).map_while(|_| rows.next(&mut rng)) {
                set.push(row, &mut x);
                anomalies.push(set.anomalies[row]);
            }
        }
        set.noise.draw_into(&mut x, how.batch.noise, &mut rng);
        anomalies.resize(anomalies.len() + how.batch.noise, true);
        let aim = Aim::Detect { synthetic: &anomalies, ce_weight: 1.0 / anomalies.len() as f32, ae_weight: 0.0 };
        let batch = Batch { x: &x, aim };
        simd.run(Differentiate { state: &mut trainer.state, batch: &batch });
        let done = step as f64 / how.steps as f64;
        let rate = how.learning_rate * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * done));
        simd.run(adam.step(&mut trainer.state, step as i32 + 1, rate, how.weight_decay));
        job::advance(Unit::Steps, 1);
    }
    Ok(trainer.into_parameters())
}

/// Rows in a random order, again and again: each has its turn as often as any other.
struct Turns {
    rows: Vec<usize>,
    coming: Vec<usize>,
}

impl Turns {
    /// Of no rows yet, with room for this number of them.
    fn new(rows: usize) -> PolarsResult<Self> {
        const WHAT: &str = "the rows of a batch";
        Ok(Self { rows: reserved(rows, WHAT)?, coming: reserved(rows, WHAT)? })
    }

    /// The next row; None if there are no rows.
    fn next(&mut self, rng: &mut ChaCha8Rng) -> Option<usize> {
        if self.coming.is_empty() {
            self.coming.extend_from_slice(&self.rows);
            self.coming.shuffle(rng);
        }
        self.coming.pop()
    }
}

/// The optimiser. The first layer's weights are a product: its own weights, and a factor for each input.
struct AdamW {
    /// Which parameters decay: the weights of each layer, as ranges
    decaying: Vec<std::ops::Range<usize>>,
    /// The first layer's own weights, `[inputs, outputs]`
    own: Vec<f32>,
    outputs: usize,
    /// Of each input
    factors: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl AdamW {
    fn new(state: &State, shape: &Shape) -> PolarsResult<Self> {
        let (inputs, outputs) = (shape.inputs, shape.hidden[0]);
        let decaying = state.plan.layers.iter().skip(1);
        let decaying = decaying.map(|layer| layer.weight..layer.weight + layer.inputs * layer.outputs).collect();
        let own = collected(state.parameters[..inputs * outputs].iter().copied(), "the networks in training")?;
        let moments = || vec![0.0; inputs];
        Ok(Self { decaying, own, outputs, factors: vec![1.0; inputs], mean: moments(), square: moments() })
    }

    fn step<'a>(&'a mut self, state: &'a mut State, step: i32, rate: f64, decay: f64) -> Step<'a> {
        let how = How {
            rate: (rate / (1.0 - BETA1.powi(step))) as f32,
            scale: (1.0 / (1.0 - BETA2.powi(step)).sqrt()) as f32,
            decay: (rate * decay) as f32,
        };
        Step { adam: self, state, how }
    }
}

/// The numbers of a step.
#[derive(Clone, Copy)]
struct How {
    rate: f32,
    scale: f32,
    decay: f32,
}

impl How {
    /// Adam's step from a gradient, which moves both means.
    #[inline(always)]
    fn change(self, gradient: f32, mean: &mut f32, square: &mut f32) -> f32 {
        *mean += (1.0 - BETA1) as f32 * (gradient - *mean);
        *square += (1.0 - BETA2) as f32 * (gradient * gradient - *square);
        self.rate * *mean / (square.sqrt() * self.scale + EPSILON)
    }
}

/// A step on every parameter. Each number is computed alike whatever the vectors: nothing is summed over them.
struct Step<'a> {
    adam: &'a mut AdamW,
    state: &'a mut State,
    how: How,
}

impl Task for Step<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { adam, state: State { parameters, gradient, mean, square, .. }, how } = self;
        let AdamW { decaying, own, outputs, factors, mean: factor_mean, square: factor_square } = adam;
        for range in decaying {
            parameters[range.clone()].iter_mut().for_each(|weight| *weight -= how.decay * *weight);
        }
        let rest = own.len()..parameters.len();
        let moments = mean[rest.clone()].iter_mut().zip(&mut square[rest.clone()]);
        for ((parameter, gradient), (mean, square)) in
            parameters[rest.clone()].iter_mut().zip(&gradient[rest]).zip(moments)
        {
            *parameter -= how.change(*gradient, mean, square);
        }
        let width = *outputs;
        let inputs = own.chunks_exact_mut(width).zip(gradient.chunks_exact(width));
        let inputs = inputs.zip(mean.chunks_exact_mut(width).zip(square.chunks_exact_mut(width)));
        let inputs = inputs.zip(parameters.chunks_exact_mut(width));
        let factors = factors.iter_mut().zip(factor_mean.iter_mut().zip(factor_square));
        for ((((own, gradient), (mean, square)), effective), (factor, (factor_mean, factor_square))) in
            inputs.zip(factors)
        {
            let slope: f32 = own.iter().zip(gradient).map(|(own, gradient)| own * gradient).sum();
            let before = *factor;
            *factor -= how.change(slope, factor_mean, factor_square);
            for (((own, gradient), effective), (mean, square)) in
                own.iter_mut().zip(gradient).zip(effective).zip(mean.iter_mut().zip(square))
            {
                let decayed = *own - how.decay * *own;
                *own = decayed - how.change(before * gradient, mean, square);
                *effective = *factor * *own;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::test_data::{ensemble, numbers};
    use ndarray::Array2;

    const SHAPE: fn() -> Shape = || Shape { inputs: 4, hidden: vec![9, 5], latent: 0 };

    fn classifier(steps: usize) -> Classifier {
        let batch = Mixture { anomalies: known(), others: 40 - known(), noise: 0 };
        Classifier { steps, batch, learning_rate: 0.01, dropout: 0.0, weight_decay: 0.3 }
    }

    fn known() -> usize {
        table().1.iter().filter(|anomaly| **anomaly).count()
    }

    /// Rows that are anomalies where two inputs have the same sign.
    fn table() -> (Array2<f32>, Vec<bool>) {
        let table = Array2::from_shape_vec((40, 4), numbers(160, 3)).unwrap() - 0.5;
        let anomalies = table.rows().into_iter().map(|row| row[0] * row[2] > 0.0).collect();
        (table, anomalies)
    }

    fn train(simd: Simd, how: &Classifier, seed: u64) -> Vec<f32> {
        let (table, anomalies) = table();
        let rows: Vec<usize> = (0..40).collect();
        let set = LabelledRows {
            table: table.view(),
            anomalies: &anomalies,
            rows: &rows,
            inputs: &[0, 1, 2, 3],
            centres: &[0.0; 4],
            factors: &[1.0; 4],
            noise: &NoiseBox { low: vec![-1.0; 4], width: vec![2.0; 4] },
        };
        let start = ensemble(&SHAPE(), 1, 4).flat().to_vec();
        train_classifier(simd, &SHAPE(), &start, &set, how, ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    #[test]
    fn steps_are_adamws_on_weights_and_on_a_factor_for_each_input() {
        const STEPS: i32 = 7;
        let (table, anomalies) = table();
        let shape = SHAPE();
        let start = ensemble(&shape, 1, 4).flat().to_vec();
        let ours = train(Simd::chosen(), &classifier(STEPS as usize), 1);

        // The parameters are those of the network, and then the factors.
        let mut own: Vec<f64> = start.iter().map(|number| f64::from(*number)).chain([1.0; 4]).collect();
        let (mut mean, mut square) = (vec![0.0; own.len()], vec![0.0; own.len()]);
        let (first, count) = (4 * 9, start.len());
        let decays =
            |at: usize| at < first || (first + 9..first + 9 + 45).contains(&at) || (count - 6..count - 1).contains(&at);
        let effective = |own: &[f64]| -> Vec<f32> {
            (0..count).map(|at| if at < first { own[at] * own[count + at / 9] } else { own[at] } as f32).collect()
        };
        for step in 1..=STEPS {
            let mut trainer = Trainer::new(Simd::chosen(), &shape, &effective(&own)).unwrap();
            let aim = Aim::Detect { synthetic: &anomalies, ce_weight: 1.0 / 40.0, ae_weight: 0.0 };
            let slopes = trainer.gradient(&Batch { x: table.as_slice().unwrap(), aim }).to_vec();
            let slope = |at: usize| match at {
                at if at < first => f64::from(slopes[at]) * own[count + at / 9],
                at if at < count => f64::from(slopes[at]),
                at => (0..9).map(|k| f64::from(slopes[(at - count) * 9 + k]) * own[(at - count) * 9 + k]).sum(),
            };
            let gradient: Vec<f64> = (0..own.len()).map(slope).collect();
            let done = f64::from(step - 1) / f64::from(STEPS);
            let rate = 0.01 * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
            for (at, gradient) in gradient.into_iter().enumerate() {
                mean[at] = 0.9 * mean[at] + 0.1 * gradient;
                square[at] = 0.99 * square[at] + 0.01 * gradient * gradient;
                if decays(at) {
                    own[at] -= rate * 0.3 * own[at];
                }
                let unbiased = [mean[at] / (1.0 - 0.9f64.powi(step)), square[at] / (1.0 - 0.99f64.powi(step))];
                own[at] -= rate * unbiased[0] / (unbiased[1].sqrt() + 1e-8);
            }
        }
        for (ours, expected) in ours.iter().zip(effective(&own)) {
            assert!((ours - expected).abs() < 1e-4, "{ours} {expected}");
        }
    }

    #[test]
    fn it_learns_what_no_line_tells_apart() {
        let (table, anomalies) = table();
        let trained = train(Simd::chosen(), &Classifier { weight_decay: 0.01, ..classifier(600) }, 2);
        let weights = crate::engine::Weights::new(SHAPE(), vec![0, 1, 2, 3], trained).unwrap();
        for (row, anomaly) in table.rows().into_iter().zip(anomalies) {
            let row: Vec<f64> = row.iter().map(|number| f64::from(*number)).collect();
            let (logit, error) = crate::engine::reference::heads(&weights, &row);
            assert!((logit > 0.0) == anomaly && error == 0.0, "{logit} {anomaly}");
        }
    }

    #[test]
    fn instruction_sets_that_fuse_train_to_the_same_bits_with_dropout_too() {
        for dropout in [0.0, 0.3] {
            // Batches that are no whole tiles.
            let batch = Mixture { anomalies: 7, others: 13, noise: 3 };
            let how = Classifier { dropout, batch, ..classifier(30) };
            let all: Vec<(Simd, Vec<f32>)> =
                Simd::available().into_iter().map(|simd| (simd, train(simd, &how, 5))).collect();
            for (simd, trained) in &all {
                if simd.fuses() == all[0].0.fuses() {
                    assert_eq!(trained, &all[0].1, "{}", simd.name());
                }
            }
            assert_ne!(all[0].1, train(Simd::chosen(), &how, 6), "the seed decides");
        }
    }

    #[test]
    fn dropout_takes_its_share_and_keeps_the_mean() {
        for simd in Simd::available() {
            let mut trainer =
                Trainer::new(simd, &Shape { inputs: 2, hidden: vec![50, 40], latent: 0 }, &vec![0.1; 2_231]).unwrap();
            let State { plan, buffers, .. } = &mut trainer.state;
            let mut masks = vec![-1.0; buffers.activations.len()];
            let rows = 60;
            Dropout::new(0.25, ChaCha8Rng::seed_from_u64(1)).draw(plan, rows, simd.tile_rows(), &mut masks);
            let drawn: Vec<f32> = masks.into_iter().filter(|mask| *mask >= 0.0).collect();
            assert_eq!(drawn.len(), rows * 90);
            let lost = drawn.iter().filter(|mask| **mask == 0.0).count() as f64 / drawn.len() as f64;
            let mean = drawn.iter().sum::<f32>() / drawn.len() as f32;
            assert!((lost - 0.25).abs() < 0.02 && (mean - 1.0).abs() < 0.03, "{lost} {mean}");
        }
    }
}
