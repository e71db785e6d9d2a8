//! Training on the CPU: members side by side on the plugin's threads, each from its first batch to its last by one of them, so
//! that a member is the same to the bit alone, in an ensemble, and on any number of threads.

use std::sync::Once;

use polars::prelude::PolarsResult;

use crate::engine::train::{Checkpoint, Count, Course, LossSums, Member, Trained, Training};
use crate::engine::weights::Weights;
use crate::job::{self, Unit};
use crate::pool;
use crate::simd::Simd;

use super::step::{Aim, Batch};
use super::trainer::Trainer;

/// A member after its training.
struct TrainedMember {
    parameters: Vec<f32>,
    course: Course,
    before: LossSums,
    after: LossSums,
    between: Vec<LossSums>,
}

/// Trains all members, each on its own set.
pub fn train(simd: Simd, weights: &mut Weights, members: Vec<Member>, training: &Training) -> PolarsResult<Trained> {
    let shape = weights.shape().clone();
    let count = members.len();
    // Known once a member has counted its batches: all have the same number.
    let expected = Once::new();
    let expect = |course: &Course| expected.call_once(|| job::expect(Unit::Steps, count * course.steps));
    let trained = pool::map(members.into_iter().enumerate().collect(), |(at, member)| {
        let trainer = Trainer::new(simd, &shape, &weights.member(at)?)?;
        train_member(trainer, member, training, &expect)
    })?;
    for (at, member) in trained.iter().enumerate() {
        weights.set_member(at, &member.parameters);
    }
    let course = trained[0].course;
    let before = LossSums::means(trained.iter().map(|member| member.before), &course);
    let after = LossSums::means(trained.iter().map(|member| member.after), &course);
    let checkpoint = |(at, epochs): (usize, usize)| Checkpoint {
        epochs,
        losses: LossSums::means(trained.iter().map(|member| member.between[at]), &course),
    };
    let between = course.checkpoints().into_iter().enumerate().map(checkpoint).collect();
    Ok(Trained { course, before, after, between })
}

fn train_member(
    mut trainer: Trainer,
    member: Member,
    training: &Training,
    expect: &impl Fn(&Course),
) -> PolarsResult<TrainedMember> {
    let Member { set, mut rng } = member;
    // The losses are those of one epoch, that is not trained on, so that before and after can be compared. It is drawn again
    // each time.
    let shown = rng.clone();
    let (mut before, mut count) = (LossSums::default(), Count::default());
    set.epoch(&mut rng, &mut |x, synthetic| {
        count.add(synthetic);
        trainer.add_losses(x, synthetic, &mut before);
        Ok(())
    })?;
    let course = count.course(training);
    expect(&course);
    let losses = |trainer: &mut Trainer| {
        let mut sums = LossSums::default();
        set.epoch(&mut shown.clone(), &mut |x, synthetic| {
            trainer.add_losses(x, synthetic, &mut sums);
            Ok(())
        })?;
        PolarsResult::Ok(sums)
    };
    let (mut step, checkpoints, mut between) = (0, course.checkpoints(), vec![]);
    for epoch in 0..course.epochs {
        if checkpoints.contains(&epoch) {
            between.push(losses(&mut trainer)?);
        }
        set.epoch(&mut rng, &mut |x, synthetic| {
            job::check()?;
            let (ce_weight, ae_weight) = training.weights(synthetic);
            let batch = Batch { x, aim: Aim::Detect { synthetic, ce_weight, ae_weight } };
            trainer.step(&batch, training.learning_rate(step, course.steps));
            step += 1;
            job::advance(Unit::Steps, 1);
            Ok(())
        })?;
    }
    let after = losses(&mut trainer)?;
    Ok(TrainedMember { parameters: trainer.into_parameters(), course, before, after, between })
}
