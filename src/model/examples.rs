//! Small models that no fit made, for this room's tests.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::data::{Cycle, Feature, Frequencies, Input, Inputs, Kind, Rare, Scaling, QUANTILES};
use crate::engine::{Losses, Shape, Weights};
use crate::options::{Options, Preset, ScalingKind};

use super::{FeatureQuantiles, Metadata, Model, Ordinary, Report, ScoreQuantiles, Statistics, VocabularySizes, FORMAT};
use crate::cells::{describe, CellColumn, Cells, RowEvidence};
use crate::combiner::{Balance, CellsFormula, Combiner, Line};
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
    let cells = cells(&Some(frequencies.clone()));
    let metadata = metadata(options, &frequencies, &cells);
    Model::new(metadata, statistics(cells), vec![None, None, Some(frequencies)], weights)
}

fn metadata(options: Options, frequencies: &Frequencies, cells: &Cells) -> Metadata {
    let times = vec![Input::Sine(Cycle::Weekday), Input::Cosine(Cycle::Weekday)];
    let losses = Losses { cross_entropy: 0.1, reconstruction: 0.3 };
    Metadata {
        format: FORMAT,
        features: features(),
        encoding: Inputs::from_features(vec![vec![Input::Value], times, vec![Input::Value, Input::Is(0)]]),
        cells: Some(cells.metadata()),
        ordinary: 2,
        frequencies: vec![None, None, Some(VocabularySizes::from_frequencies(frequencies))],
        labels: None,
        members: 2,
        inputs: 2,
        distilled: None,
        combiner: Combiner::Cells(CellsFormula {
            alpha: 0.1,
            median: [-2.3, 0.7],
            spread: [0.1, 0.2],
            networks: Line { median: 0.1, unit: 2.0 },
            tails: Line { median: 0.1, unit: 0.3 },
            evidence: Line { median: 0.2, unit: 0.5 },
            weight: 0.8,
            balance: Balance { gain: 1.3, power: 4, damped_from: [5.0, 2.0], conflict: 2.0 },
            beyond: 4.0,
            highest: 5.0,
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

/// Cells of some rows of the features.
fn cells(frequencies: &Option<Frequencies>) -> Cells {
    let numbers: Vec<f64> = (0..10).map(|row| f64::from(row) / 10.0).collect();
    let days: Vec<f64> = (0..10).map(|row| 18_000.0 + f64::from(row)).collect();
    let codes = [0, 0, 0, 0, 0, 1, 1, 2, 2, 3];
    let given = [
        CellColumn::Number(&numbers),
        CellColumn::Time { kind: Kind::Date, values: &days },
        CellColumn::Text { codes: &codes, others: &["c".to_string()] },
    ];
    let known = [None, None, frequencies.clone()];
    Cells::fit(&given, &describe(&features(), &known), None, None).unwrap().0
}

fn features() -> Vec<Feature> {
    let feature = |name: &str, kind| Feature { name: name.to_string(), dtype: "any".to_string(), kind };
    vec![feature("x", Kind::Number), feature("y", Kind::Date), feature("kind", Kind::Category)]
}

fn ordinary() -> Ordinary {
    let rows = (0..2 * 5).map(|at| at as f32 / 10.0).collect();
    let evidence =
        [[0.2, 0.1, 0.0], [0.4, 0.0, 5.0]].map(|[all, tails, conflict]| RowEvidence { all, tails, conflict }).to_vec();
    Ordinary { rows, evidence, parts: vec![[0.1, 0.05]; 6] }
}

fn statistics(cells: Cells) -> Statistics {
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
        cells: Some(cells),
        ordinary: ordinary(),
        kept: Some(kept()),
        quantiles: ScoreQuantiles::from_scores(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9]),
    }
}
