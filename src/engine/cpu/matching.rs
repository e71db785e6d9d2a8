//! The training of a network that is to have given heads, as those of an ensemble.

use polars::prelude::PolarsResult;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::engine::shape::Shape;
use crate::job::{self, Unit};
use crate::memory::{collected, reserved};
use crate::simd::Simd;

use super::step::{Aim, Batch, Target};
use super::trainer::Trainer;

/// How a network is trained to match.
#[derive(Clone, Copy, Debug)]
pub struct Matching {
    pub steps: usize,
    pub batch_size: usize,
    /// Adam's step size, which falls to nothing along a cosine
    pub learning_rate: f64,
}

/// Trains a network, `numbers`, on rows `[rows, inputs]` to have the heads `targets`.
pub fn train_to_match(
    simd: Simd,
    shape: &Shape,
    numbers: &[f32],
    rows: &[f32],
    targets: &[Target],
    matching: &Matching,
    mut rng: ChaCha8Rng,
) -> PolarsResult<Vec<f32>> {
    const WHAT: &str = "the rows of a batch";
    let inputs = shape.inputs;
    let mut trainer = Trainer::new(simd, shape, numbers)?;
    job::expect(Unit::Steps, matching.steps);
    let size = matching.batch_size.min(targets.len()).max(1);
    let mut order = collected(0..targets.len(), WHAT)?;
    let (mut x, mut aims) = (reserved(size * inputs, WHAT)?, reserved(size, WHAT)?);
    let mut step = 0;
    while step < matching.steps {
        order.shuffle(&mut rng);
        // A batch that is not full waits for the next order.
        for places in order.chunks_exact(size).take(matching.steps - step) {
            job::check()?;
            x.clear();
            aims.clear();
            for at in places {
                x.extend_from_slice(&rows[at * inputs..(at + 1) * inputs]);
                let target = targets[*at];
                let share = |weight: f32| weight / size as f32;
                aims.push(Target {
                    logit_weight: share(target.logit_weight),
                    error_weight: share(target.error_weight),
                    ..target
                });
            }
            let done = step as f64 / matching.steps as f64;
            let rate = matching.learning_rate * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * done));
            trainer.step(&Batch { x: &x, aim: Aim::Match(&aims) }, rate);
            step += 1;
            job::advance(Unit::Steps, 1);
        }
    }
    Ok(trainer.into_parameters())
}
