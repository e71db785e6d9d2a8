//! The joint training of ND and AE blocks by eq. 4 and Adam, epoch by epoch and batch by batch: what both engines do alike.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::options::{Options, Schedule};

use super::training_set::TrainingSet;
use super::weights::Weights;

/// The two parts of the loss, as means over an epoch and the ensemble: eq. 3 over all rows, eq. 2 over the normal ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    pub cross_entropy: f32,
    pub reconstruction: f32,
}

/// Sums over some rows: eq. 3, and eq. 2 over the normal ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSums {
    pub cross_entropy: f64,
    pub reconstruction: f64,
}

impl LossSums {
    /// Means over the rows of members with such a course, each of which has sums of its own.
    pub fn means(of_members: impl ExactSizeIterator<Item = Self>, course: &Course) -> Losses {
        let members = of_members.len();
        let (mut cross_entropy, mut reconstruction) = (0.0, 0.0);
        for sums in of_members {
            cross_entropy += sums.cross_entropy;
            reconstruction += sums.reconstruction;
        }
        let rows = (course.normal_rows + course.synthetic_rows) * members;
        let normal = (course.normal_rows * members).max(1);
        Losses {
            cross_entropy: (cross_entropy / rows as f64) as f32,
            reconstruction: (reconstruction / normal as f64) as f32,
        }
    }
}

/// An ensemble to be trained.
pub struct Job<'a> {
    /// As it is before
    pub weights: Weights,
    /// Its members, each with what it is trained on
    pub members: Vec<Member<'a>>,
    pub training: Training<'a>,
}

/// A member before its training.
pub struct Member<'a> {
    pub set: TrainingSet<'a>,
    pub rng: ChaCha8Rng,
}

/// What a training is like for all members: the options that it depends on.
#[derive(Clone, Copy)]
pub struct Training<'a>(pub &'a Options);

/// The losses on the way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The number of epochs that were trained before
    pub epochs: usize,
    pub losses: Losses,
}

impl Checkpoint {
    pub fn is_finite(&self) -> bool {
        self.losses.cross_entropy.is_finite() && self.losses.reconstruction.is_finite()
    }
}

/// What a training did.
pub struct Trained {
    pub course: Course,
    pub before: Losses,
    pub after: Losses,
    /// Between these, at [`Course::checkpoints`]
    pub between: Vec<Checkpoint>,
}

/// How long a training is: the same for all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    pub normal_rows: usize,
    pub synthetic_rows: usize,
    pub epochs: usize,
    pub steps: usize,
}

impl Course {
    /// The most losses that are kept between the first and the last.
    pub const MOST_CHECKPOINTS: usize = 19;

    /// After which numbers of epochs the losses are taken, but for the first and the last: evenly, and seldom, since they cost a
    /// forward pass of an epoch.
    pub fn checkpoints(&self) -> Vec<usize> {
        let parts = (self.epochs / 5).min(Self::MOST_CHECKPOINTS + 1);
        (1..parts).map(|part| part * self.epochs / parts).collect()
    }
}

/// The rows and batches of an epoch, counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    rows: usize,
    synthetic_rows: usize,
    batches: usize,
}

impl Count {
    /// One more batch.
    pub fn add(&mut self, synthetic: &[bool]) {
        self.rows += synthetic.len();
        self.synthetic_rows += synthetic.iter().filter(|synthetic| **synthetic).count();
        self.batches += 1;
    }

    /// The course of a training with such epochs.
    pub fn course(&self, training: &Training) -> Course {
        let epochs = training.0.epochs_of(self.batches);
        let normal_rows = self.rows - self.synthetic_rows;
        Course { normal_rows, synthetic_rows: self.synthetic_rows, epochs, steps: epochs * self.batches }
    }
}

impl Training<'_> {
    /// The weight of each row of a batch in the loss: w / rows (eq. 3 and 4), and (1 − w) / normal rows (eq. 2 and 4).
    pub fn weights(&self, synthetic: &[bool]) -> (f32, f32) {
        let w = self.0.loss_weight;
        let normal = synthetic.iter().filter(|synthetic| !**synthetic).count();
        ((w / synthetic.len() as f64) as f32, ((1.0 - w) / normal.max(1) as f64) as f32)
    }

    pub fn learning_rate(&self, step: usize, steps: usize) -> f64 {
        match self.0.schedule {
            Schedule::Constant => self.0.learning_rate,
            Schedule::Cosine => {
                let done = step as f64 / steps as f64;
                self.0.learning_rate * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * done))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;

    #[test]
    fn checkpoints_are_even_and_seldom() {
        let at = |epochs| Course { normal_rows: 1, synthetic_rows: 1, epochs, steps: epochs }.checkpoints();
        assert_eq!((at(1), at(9), at(10), at(17)), (vec![], vec![], vec![5], vec![5, 11]));
        assert_eq!(at(200).len(), Course::MOST_CHECKPOINTS);
        assert_eq!((at(200)[0], at(200)[18]), (10, 190));
    }

    #[test]
    fn a_cosine_falls_from_the_rate_to_nothing() {
        let options = Options { learning_rate: 0.1, ..Options::preset(Preset::Default) };
        let training = Training(&options);
        assert_eq!(training.learning_rate(0, 100), 0.1);
        assert!((training.learning_rate(50, 100) - 0.05).abs() < 1e-12);
        assert!(training.learning_rate(99, 100) < 1e-4);
    }
}
