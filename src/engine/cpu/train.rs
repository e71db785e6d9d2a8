//! Training by the CPU's fused kernels: members side by side on the plugin's threads, each from its first batch to its last
//! by one of them, so that a member is the same to the bit alone, in a fleet, and on any number of threads.

use polars::prelude::PolarsResult;
use rand::Rng;
use tch::Tensor;

use crate::fused::{Batch, LossSums, Trainer};
use crate::libtorch::torch_error;
use crate::network::Network;
use crate::options::Options;
use crate::shape::Shape;
use crate::synthetic::TrainingSet;
use crate::threads;

use super::{learning_rate, weights, Course, Losses, Members};

/// A member before its training.
struct Untrained<R> {
    /// As in a fleet of one
    parameters: Vec<f32>,
    set: TrainingSet,
    rng: R,
}

/// A member after it.
struct Trained {
    parameters: Vec<f32>,
    course: Course,
    before: LossSums,
    after: LossSums,
}

pub fn train<R: Rng + Clone + Send>(
    network: &mut Network,
    members: Members<R>,
    options: &Options,
) -> PolarsResult<(Course, Losses, Losses)> {
    let shape = network.shape().clone();
    let mut flat = network.to_flat()?;
    let places: Vec<_> = (0..members.sets.len()).map(|at| shape.member_ranges(members.sets.len(), at)).collect();
    let untrained = places.iter().zip(members.sets).zip(members.rngs).map(|((ranges, set), rng)| Untrained {
        parameters: ranges.iter().flat_map(|range| &flat[range.clone()]).copied().collect(),
        set,
        rng,
    });
    let trained = threads::map(untrained.collect(), |member| Ok(train_member(&shape, member, options)))?;
    for (ranges, member) in places.iter().zip(&trained) {
        let mut numbers = member.parameters.as_slice();
        for range in ranges {
            let (layer, rest) = numbers.split_at(range.len());
            flat[range.clone()].copy_from_slice(layer);
            numbers = rest;
        }
    }
    let flat = Tensor::f_from_slice(&flat).map_err(torch_error)?;
    network.flat_mut().f_copy_(&flat).map_err(torch_error)?;
    let course = trained[0].course;
    let before = means(trained.iter().map(|member| member.before), &course, trained.len());
    let after = means(trained.iter().map(|member| member.after), &course, trained.len());
    Ok((course, before, after))
}

fn train_member<R: Rng + Clone>(shape: &Shape, member: Untrained<R>, options: &Options) -> Trained {
    let Untrained { parameters, set, mut rng } = member;
    let mut trainer = Trainer::new(shape, parameters);
    // The losses are those of one epoch, that is not trained on, so that before and after can be compared. It is drawn again
    // at the end, so that there is one epoch in memory at a time.
    let mut shown = rng.clone();
    let epoch = set.epoch(options, &mut rng);
    let course = Course::of(&epoch, options);
    let before = trainer.losses(&epoch.x, &epoch.synthetic);
    drop(epoch);
    let mut step = 0;
    for _ in 0..course.epochs {
        let epoch = set.epoch(options, &mut rng);
        let (mut x, mut synthetic) = (epoch.x.as_slice(), epoch.synthetic.as_slice());
        for rows in &epoch.batches {
            let (batch_x, batch_synthetic);
            (batch_x, x) = x.split_at(rows * shape.inputs as usize);
            (batch_synthetic, synthetic) = synthetic.split_at(*rows);
            let (ce_weight, ae_weight) = weights(batch_synthetic, options);
            let batch = Batch { x: batch_x, synthetic: batch_synthetic, ce_weight, ae_weight };
            trainer.step(&batch, learning_rate(options, step, course.steps));
            step += 1;
        }
    }
    let epoch = set.epoch(options, &mut shown);
    let after = trainer.losses(&epoch.x, &epoch.synthetic);
    Trained { parameters: trainer.parameters().to_vec(), course, before, after }
}

/// Means over the rows of all members.
fn means(sums: impl Iterator<Item = LossSums>, course: &Course, members: usize) -> Losses {
    let (mut cross_entropy, mut reconstruction) = (0.0, 0.0);
    for sum in sums {
        cross_entropy += sum.cross_entropy;
        reconstruction += sum.reconstruction;
    }
    let rows = (course.normal_rows + course.synthetic_rows) * members;
    let normal = (course.normal_rows * members).max(1);
    Losses {
        cross_entropy: (cross_entropy / rows as f64) as f32,
        reconstruction: (reconstruction / normal as f64) as f32,
    }
}
