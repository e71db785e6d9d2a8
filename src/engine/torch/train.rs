//! Training by libtorch: whole ensembles in one go, as a GPU wants it, and those that train alike as one.
//!
//! The rows go to the device once. From then on an epoch is numbers of rows, and places in the members' generators, from which
//! the device draws the noise that the CPU would draw.

use polars::prelude::{polars_err, PolarsResult};

use crate::engine::device::Device;
use crate::engine::shape::Shape;
use crate::engine::train::{Checkpoint, Course, Job, LossSums, Losses, Member, Trained, Training};
use crate::engine::weights::Weights;
use crate::job::{self, Unit};
use crate::memory::zeros;
use crate::options::Schedule;

use super::epoch::{Epoch, Learner, Planned};
use super::interface::BatchRows;
use super::library::call;
use super::material::Material;
use super::network::Network;

/// Trains all members, each on its own set.
pub fn train<'a>(
    weights: &mut Weights,
    members: Vec<Member<'a>>,
    training: &Training<'a>,
    device: Device,
) -> PolarsResult<Trained> {
    let job = Job { weights: weights.clone(), members, training: *training };
    let (networks, trained) = train_together(vec![job], device)?.pop().ok_or_else(lost)?;
    *weights = networks;
    Ok(trained)
}

/// Trains ensembles: those that take the same steps on batches of the same sizes as one.
pub fn train_together(jobs: Vec<Job>, device: Device) -> PolarsResult<Vec<(Weights, Trained)>> {
    let mut ensembles: Vec<(Alike, Vec<Begun>)> = vec![];
    let count = jobs.len();
    for (number, job) in jobs.into_iter().enumerate() {
        let (alike, begun) = Begun::of(number, job)?;
        match ensembles.iter_mut().find(|(other, _)| *other == alike) {
            Some((_, others)) => others.push(begun),
            None => ensembles.push((alike, vec![begun])),
        }
    }
    let mut trained: Vec<Option<(Weights, Trained)>> = (0..count).map(|_| None).collect();
    for (alike, ensemble) in ensembles {
        for (number, of_job) in train_ensemble(ensemble, &alike, device)? {
            trained[number] = Some(of_job);
        }
    }
    trained.into_iter().map(|of_job| of_job.ok_or_else(lost)).collect()
}

fn lost() -> polars::prelude::PolarsError {
    polars_err!(ComputeError: "anorand: an ensemble was not trained; this is a bug, please report it")
}

/// What ensembles have in common that can train as one.
#[derive(PartialEq)]
struct Alike {
    shape: Shape,
    /// Of the tables
    features: usize,
    has_noise: bool,
    batches: Vec<BatchRows>,
    course: Course,
    learning_rate: f64,
    schedule: Schedule,
}

/// A job whose first epoch is planned. It is not trained on: the losses are those of this epoch, so that before and after can be
/// compared.
struct Begun<'a> {
    number: usize,
    weights: Weights,
    learners: Vec<Learner<'a>>,
    shown: Vec<Planned>,
}

impl<'a> Begun<'a> {
    fn of(number: usize, Job { weights, members, training }: Job<'a>) -> PolarsResult<(Alike, Self)> {
        let mut learners: Vec<Learner> = members.into_iter().map(|member| Learner { member, training }).collect();
        let shown = Planned::of_each(&mut learners)?;
        // An ensemble has at least one member, and all have the same number of rows and of batches.
        let (first, planned) = learners.first().zip(shown.first()).ok_or_else(lost)?;
        let alike = Alike {
            shape: weights.shape().clone(),
            features: first.member.set.table.ncols(),
            has_noise: !first.member.set.noise.low.is_empty(),
            batches: planned.sizes.clone(),
            course: planned.count.course(&training),
            learning_rate: training.0.learning_rate,
            schedule: training.0.schedule,
        };
        Ok((alike, Self { number, weights, learners, shown }))
    }
}

/// Trains ensembles as one: of each its number, its networks, and what its training did.
fn train_ensemble(
    mut jobs: Vec<Begun>,
    alike: &Alike,
    device: Device,
) -> PolarsResult<Vec<(usize, (Weights, Trained))>> {
    let course = alike.course;
    let parts: Vec<&Weights> = jobs.iter().map(|job| &job.weights).collect();
    let mut weights = Weights::joined(&parts)?;
    let (mut learners, mut shown) = (vec![], vec![]);
    for job in &mut jobs {
        learners.append(&mut job.learners);
        shown.append(&mut job.shown);
    }
    let mut network = Network::open(&weights, device)?;
    let material = Material::of(learners.iter().map(|learner| &learner.member))?;
    material.begin(&mut network)?;
    let shown = Epoch::joined(shown, &material)?;
    let sums = |network: &Network| losses(network, &shown);
    let before = sums(&network)?;
    job::expect(Unit::Steps, course.steps * weights.members());
    let (checkpoints, mut between) = (course.checkpoints(), vec![]);
    for epoch in 0..course.epochs {
        job::check()?;
        if checkpoints.contains(&epoch) {
            between.push((epoch, sums(&network)?));
        }
        let mut planned = Epoch::joined(Planned::of_each(&mut learners)?, &material)?;
        let first = epoch * planned.batches();
        let rate = |at| learners[0].training.learning_rate(first + at, course.steps);
        planned.rates = (0..planned.batches()).map(rate).collect();
        let handle = network.handle_mut();
        // SAFETY: the handle is open and ours alone, and the epoch's slices outlive the call.
        call(|engine, failure| unsafe { (engine.train)(handle, &planned.view(), failure) })?;
        job::advance(Unit::Steps, planned.batches() * weights.members());
    }
    let after = sums(&network)?;
    let flat = weights.flat_mut();
    // SAFETY: the handle is open, and the slice outlives the call, which alone uses it.
    call(|engine, failure| unsafe { (engine.flat)(network.handle(), flat.into(), failure) })?;

    let mut first = 0;
    let of_job = |job: Begun| {
        let members = first..first + job.weights.members();
        first = members.end;
        let means = |sums: &[LossSums]| -> Losses { LossSums::means(sums[members.clone()].iter().copied(), &course) };
        let between =
            between.iter().map(|(epochs, sums)| Checkpoint { epochs: *epochs, losses: means(sums) }).collect();
        let trained = Trained { course, before: means(&before), after: means(&after), between };
        Ok((job.number, (weights.part(members.clone())?, trained)))
    };
    jobs.into_iter().map(of_job).collect()
}

/// Sums over an epoch, of each member.
fn losses(network: &Network, epoch: &Epoch) -> PolarsResult<Vec<LossSums>> {
    let mut sums: Vec<f64> = zeros(2 * network.members(), "the losses")?;
    let out = sums.as_mut_slice().into();
    // SAFETY: the handle is open, and the slices outlive the call, which alone writes to `sums`.
    call(|engine, failure| unsafe { (engine.losses)(network.handle(), &epoch.view(), out, failure) })?;
    Ok(sums.chunks_exact(2).map(|of| LossSums { cross_entropy: of[0], reconstruction: of[1] }).collect())
}
