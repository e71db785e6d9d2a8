//! The recipe: columns → scaling → synthetic anomalies → training → combination and sketch → model.

use ndarray::Array2;
use polars::prelude::PolarsResult;
use rand::seq::index;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Device;

use crate::columns::Columns;
use crate::combination::Combiner;
use crate::libtorch::SingleThread;
use crate::model::{Metadata, Model, Statistics, FORMAT};
use crate::network::{Network, Shape};
use crate::options::Options;
use crate::scaling::Scaling;
use crate::scoring;
use crate::sketch::Sketch;
use crate::synthetic::TrainingSet;
use crate::training::{self, Members};

/// Fit a model on the rows of `columns`.
pub fn fit(columns: &Columns, options: &Options, device: Device) -> PolarsResult<Model> {
    let usable = columns.training_rows(options.missing)?;
    let summaries = columns.summaries(&usable)?;
    let ranges: Vec<(f64, f64)> = summaries.iter().map(|summary| (summary.low, summary.high)).collect();
    let medians: Vec<f64> = summaries.iter().map(|summary| summary.median).collect();
    let scaling = Scaling::min_max(&ranges);
    let rows = columns.scaled(&usable, &scaling, &medians)?;

    let varied: Vec<usize> = (0..ranges.len()).filter(|at| ranges[*at].0 < ranges[*at].1).collect();
    let (network, training) = train(&rows, &varied, options, device)?;
    let heads = scoring::heads(&network, rows.view())?;
    let combiner = Combiner::of(&heads, options.combination);
    let sketch = Sketch::of(&combiner.scores(&heads));
    let metadata = Metadata {
        format: FORMAT,
        features: columns.features().to_vec(),
        options: options.clone(),
        members: network.members(),
        inputs: network.shape().inputs,
        combiner,
        training,
    };
    Model::new(metadata, Statistics { scaling, medians, sketch }, &network)
}

/// Draw and train the fleet. `varied` are the features that are not constant.
fn train(
    rows: &Array2<f32>,
    varied: &[usize],
    options: &Options,
    device: Device,
) -> PolarsResult<(Network, training::Report)> {
    // Generators of its own for each member and use, so that a change of one does not move the others.
    let generators = |purpose: u64| -> Vec<ChaCha8Rng> {
        let generator = |member| {
            let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
            rng.set_stream(4 * member as u64 + purpose);
            rng
        };
        (0..options.members).map(generator).collect()
    };
    let selection: Vec<Vec<usize>> =
        generators(0).iter_mut().map(|rng| select_features(rows.ncols(), varied, options, rng)).collect();
    let draw_set = |(inputs, rng): (&Vec<usize>, &mut ChaCha8Rng)| TrainingSet::draw(rows.view(), inputs, options, rng);
    let sets = selection.iter().zip(&mut generators(1)).map(draw_set).collect();

    let shape = Shape { inputs: selection[0].len() as i64, hidden: options.hidden.clone(), latent: options.latent };
    let flat_selection: Vec<i64> = selection.iter().flatten().map(|feature| *feature as i64).collect();
    let _one = SingleThread::enter();
    let mut network = Network::draw(shape, &flat_selection, &mut generators(2), device)?;
    let members = Members { sets, rngs: generators(3) };
    let report = training::train(&mut network, members, options, rows.nrows())?;
    Ok((network, report))
}

/// The features that a member sees: all, or a share of those that vary, at least two where there are so many.
fn select_features(features: usize, varied: &[usize], options: &Options, rng: &mut impl Rng) -> Vec<usize> {
    if options.max_features == 1.0 || varied.is_empty() {
        return (0..features).collect();
    }
    let share = (varied.len() as f64 * options.max_features).round() as usize;
    let count = share.max(2).min(varied.len());
    index::sample(rng, varied.len(), count).into_iter().map(|at| varied[at]).collect()
}
