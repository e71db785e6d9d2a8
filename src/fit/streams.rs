//! The random streams of a fit, numbered in this one place.
//!
//! Each purpose has a stream of its own, so that a change of what one of them draws does not move
//! the others. Members count up from 0, all other purposes count down from the last stream. The
//! numbers are part of what a seed means: another number gives other models.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What random numbers are drawn for.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// The inputs that each member sees.
    Inputs,
    /// The rows and the synthetic anomalies that a member is trained on.
    TrainingSet(usize),
    /// The weights of a member before its training.
    Weights(usize),
    /// The epochs of a member: the order of its rows, and its noise.
    Epochs(usize),
    /// The rows that a choice of `loss_weight` holds out.
    HeldOut,
    /// The noise that a choice of `loss_weight` compares with the held-out rows.
    HeldOutNoise,
    /// The rows that are scored for α and for the quantiles of the scores.
    Scored,
    /// The rows that a model keeps, and the shuffled rows that are compared with them.
    Kept,
    /// The rows whose heads a distillation compares.
    Judged,
    /// The rows that a student learns from, its weights and its epochs.
    Student,
    /// The network of a choice of settings that does not see this part of the rows.
    Classifier(usize),
}

impl Stream {
    const STREAMS_PER_MEMBER: u64 = 4;

    fn number(self) -> u64 {
        let member = |member: usize, purpose: u64| Self::STREAMS_PER_MEMBER * member as u64 + purpose;
        match self {
            Self::Inputs => member(0, 0),
            Self::TrainingSet(at) => member(at, 1),
            Self::Weights(at) => member(at, 2),
            Self::Epochs(at) => member(at, 3),
            Self::HeldOut => u64::MAX,
            Self::HeldOutNoise => u64::MAX - 1,
            Self::Scored => u64::MAX - 2,
            Self::Kept => u64::MAX - 3,
            Self::Judged => u64::MAX - 16,
            Self::Student => u64::MAX - 17,
            Self::Classifier(part) => u64::MAX - 18 - part as u64,
        }
    }

    /// The stream's generator for a seed.
    pub fn generator(self, seed: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(self.number());
        rng
    }
}

/// One generator for each member of an ensemble.
pub fn member_generators(stream: fn(usize) -> Stream, members: usize, seed: u64) -> Vec<ChaCha8Rng> {
    (0..members).map(|member| stream(member).generator(seed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_purposes_share_a_stream() {
        let members = (0..1_000).flat_map(|at| [Stream::TrainingSet(at), Stream::Weights(at), Stream::Epochs(at)]);
        let others = [
            Stream::Inputs,
            Stream::HeldOut,
            Stream::HeldOutNoise,
            Stream::Scored,
            Stream::Kept,
            Stream::Judged,
            Stream::Student,
            Stream::Classifier(0),
            Stream::Classifier(4),
        ];
        let numbers: Vec<u64> = members.chain(others).map(Stream::number).collect();
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len());
    }

    #[test]
    fn the_numbers_stay_since_models_depend_on_them() {
        let members = [Stream::Inputs, Stream::TrainingSet(2), Stream::Weights(2), Stream::Epochs(2)];
        assert_eq!(members.map(Stream::number), [0, 9, 10, 11]);
        let others =
            [Stream::HeldOut, Stream::HeldOutNoise, Stream::Scored, Stream::Kept, Stream::Judged, Stream::Student];
        assert_eq!(others.map(|stream| u64::MAX - stream.number()), [0, 1, 2, 3, 16, 17]);
    }
}
