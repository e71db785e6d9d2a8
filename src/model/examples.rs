//! Small models that no fit made, for this room's tests.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::data::{Feature, Frequencies, Kind, Rare, Scaling};
use crate::engine::{Losses, Shape, Weights};
use crate::options::{Options, Preset, ScalingKind};

use super::{Combiner, Metadata, Model, Report, ScoreQuantiles, Statistics, Vocabulary, VocabularySizes, FORMAT};

/// Which of its features is a category.
pub const CATEGORY: usize = 2;

/// A number, a date and a category; the seed makes its bytes different.
pub fn with_seed(seed: u64) -> Model {
    let hidden = vec![3, 2];
    let options = Options { seed, members: 2, hidden, latent: 1, ..Options::preset(Preset::Default) };
    let feature = |name: &str, kind| Feature { name: name.to_string(), dtype: "any".to_string(), kind };
    let values = ["", "naïve", "b"].map(String::from).to_vec();
    let frequencies = Frequencies { values, counts: vec![5, 2, 2], rare: Rare { values: 1, rows: 1 } };
    let losses = Losses { cross_entropy: 0.1, reconstruction: 0.3 };
    let mut rngs: Vec<ChaCha8Rng> = (0..2).map(|member| ChaCha8Rng::seed_from_u64(seed + member)).collect();
    let shape = Shape::of(&options, 2);
    let weights = Weights::draw(shape, vec![0, 1, 1, 2], &mut rngs).unwrap();
    let metadata = Metadata {
        format: FORMAT,
        features: vec![feature("x", Kind::Number), feature("y", Kind::Date), feature("kind", Kind::Category)],
        frequencies: vec![None, None, Some(Vocabulary::Tensors(VocabularySizes::of(&frequencies)))],
        labels: None,
        members: 2,
        inputs: 2,
        combiner: Combiner::Robust { alpha: 0.1, median: [-2.3, 0.7], spread: [0.1, 0.2] },
        training: Report {
            rows: 10,
            normal_rows: 5,
            synthetic_rows: 5,
            epochs: 1,
            steps: 1,
            before: losses,
            after: losses,
        },
        candidates: None,
        options,
    };
    let statistics = Statistics {
        scaling: Scaling { kind: ScalingKind::Minmax, offset: vec![0.1, 0.0, -3.0], scale: vec![0.7, 1.0, 2.0] },
        medians: vec![0.3, 1.0, -0.7],
        quantiles: ScoreQuantiles::of(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9]),
    };
    Model::new(metadata, statistics, vec![None, None, Some(frequencies)], weights)
}
