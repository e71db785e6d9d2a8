//! Small models that no fit made, for this room's tests.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::data::{
    Curve, Cycle, Feature, Frequencies, Input, Inputs, Kind, Rare, Scaling, Surprisal, Surprisals, Tail, Within,
    CALENDAR_CLASSES, QUANTILES,
};
use crate::engine::{Losses, Shape, Weights};
use crate::options::{Options, Preset, ScalingKind};

use super::{
    FeatureQuantiles, Metadata, Model, Report, ScoreQuantiles, Statistics, VocabularySizes, WithinSizes, FORMAT,
};
use crate::combiner::{Combiner, Line, Surprisal as SurprisalFormula};
use crate::neighbours::{Asinh, Comparison, KeptRows, Transform};

/// Which of its features is a category.
pub const CATEGORY: usize = 2;

/// Three draws of one of ten rows.
fn kept() -> KeptRows {
    let asinh = Asinh::new(vec![0.4, 0.0, 0.1, 0.5, 0.0], vec![0.2, 0.7, 0.7, 0.1, 0.4]);
    let comparison = Comparison { draws: 3, inputs: 5, neighbours: 2 };
    let rows = (0..3 * 5).map(|at| at as f32 / 10.0).collect();
    KeptRows::new(rows, comparison, vec![Transform::Scaled, Transform::Asinh(asinh)], &[0.2, 0.3]).unwrap()
}

/// A number, a date and a category; the seed makes its bytes different.
pub fn with_seed(seed: u64) -> Model {
    let options = Options {
        seed,
        members: 2,
        hidden: vec![3, 2],
        latent: 1,
        kept_rows: 2,
        kept_draws: 3,
        kept_neighbors: 2,
        ..Options::preset(Preset::Default)
    };
    let values = ["", "naïve", "b"].map(String::from).to_vec();
    let frequencies = Frequencies { values, counts: vec![5, 2, 2], rare: Rare { values: 1, rows: 1 } };
    let mut rngs: Vec<ChaCha8Rng> = (0..2).map(|member| ChaCha8Rng::seed_from_u64(seed + member)).collect();
    let weights = Weights::draw(Shape::of(&options, 2), vec![0, 1, 3, 4], &mut rngs).unwrap();
    let metadata = metadata(options, &frequencies);
    Model::new(metadata, statistics(), vec![None, None, Some(frequencies)], weights)
}

fn metadata(options: Options, frequencies: &Frequencies) -> Metadata {
    let feature = |name: &str, kind| Feature { name: name.to_string(), dtype: "any".to_string(), kind };
    let times = vec![Input::Sine(Cycle::Weekday), Input::Cosine(Cycle::Weekday)];
    let losses = Losses { cross_entropy: 0.1, reconstruction: 0.3 };
    Metadata {
        format: FORMAT,
        features: vec![feature("x", Kind::Number), feature("y", Kind::Date), feature("kind", Kind::Category)],
        encoding: Inputs::from_features(vec![vec![Input::Value], times, vec![Input::Value, Input::Is(0)]]),
        knots: Some(vec![3, 0, 0]),
        within: Some(vec![Some(WithinSizes { category: CATEGORY, groups: 2, knots: 3 }), None, None]),
        frequencies: vec![None, None, Some(VocabularySizes::from_frequencies(frequencies))],
        labels: None,
        members: 2,
        inputs: 2,
        distilled: None,
        combiner: Combiner::Surprisal(SurprisalFormula {
            alpha: 0.1,
            median: [-2.3, 0.7],
            spread: [0.1, 0.2],
            joint: Line { median: 0.1, unit: 2.0 },
            sum: Line { median: 2.0, unit: 0.5 },
            typical: 1.5,
            explains: 0.35,
        }),
        kept_odds: Some(3.0),
        training: Report {
            rows: 10,
            sampled: None,
            scored: None,
            normal_rows: 5,
            synthetic_rows: 5,
            epochs: 1,
            steps: 1,
            before: losses,
            after: losses,
            between: vec![],
        },
        options,
    }
}

fn surprisals() -> Surprisals {
    let tail = Tail { anchor: 0.9, offset: 0.5, start: 0.4, shape: 0.1, scale: 0.2, weight: 0.5 };
    let curve = Curve::new(vec![0.1, 0.3, 0.8], vec![1.2, 0.7, 1.9], [tail; 2]);
    let within = Within { category: CATEGORY, groups: vec![[0.3, 0.1], [0.0, 0.0]], curve: curve.clone() };
    let surprisal =
        |curve, classes| Surprisal { curve, within: None, bounds: [-0.5, 3.0, 9.0, 0.0], missing: [0.0, 4.0], classes };
    let of = vec![
        Surprisal { within: Some(within), ..surprisal(curve, vec![]) },
        surprisal(Curve::flat(), vec![0.25; CALENDAR_CLASSES]),
        surprisal(Curve::flat(), vec![0.0, 0.5, 0.5, 3.0]),
    ];
    Surprisals { of, none: Surprisals::none_of(10) }
}

fn statistics() -> Statistics {
    Statistics {
        scaling: Scaling {
            kind: ScalingKind::Robust,
            offset: vec![0.1, -1.0, -1.0, -3.0, 0.0],
            scale: vec![0.7, 2.0, 2.0, 2.0, 1.0],
        },
        medians: vec![0.3, 1.0, -0.7],
        feature_quantiles: FeatureQuantiles {
            values: vec![std::array::from_fn(|at| at as f64 / 10.0), [1.0; QUANTILES], [0.0; QUANTILES]],
            at_most: vec![std::array::from_fn(|at| at as u64 / 2), [9; QUANTILES], [0; QUANTILES]],
            missing: vec![0, 1, 2],
        },
        reference: vec![0.3, 0.0, 0.0, -0.7, 1.0],
        surprisals: Some(surprisals()),
        kept: Some(kept()),
        quantiles: ScoreQuantiles::from_scores(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9]),
    }
}
