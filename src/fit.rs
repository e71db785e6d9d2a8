//! The recipe: columns → scaling → synthetic anomalies → training → α and sketch → model.

use ndarray::Array2;
use polars::prelude::PolarsResult;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::Device;

use crate::columns::Columns;
use crate::libtorch::SingleThread;
use crate::model::{Metadata, Model, Statistics, FORMAT};
use crate::network::{Network, Shape};
use crate::options::Options;
use crate::scaling::Scaling;
use crate::scoring::Heads;
use crate::sketch::Sketch;
use crate::synthetic::TrainingSet;
use crate::training;

/// Fit a model on the rows of `columns`.
pub fn fit(columns: &Columns, options: &Options, device: Device) -> PolarsResult<Model> {
    let usable = columns.training_rows(options.missing)?;
    let summaries = columns.summaries(&usable)?;
    let ranges: Vec<(f64, f64)> = summaries.iter().map(|summary| (summary.low, summary.high)).collect();
    let medians: Vec<f64> = summaries.iter().map(|summary| summary.median).collect();
    let scaling = Scaling::min_max(&ranges);
    let rows = columns.scaled(&usable, &scaling, &medians)?;

    let (network, training) = train(&rows, options, device)?;
    let heads = Heads::of(&network, rows.view())?;
    let alpha = heads.alpha();
    let metadata = Metadata {
        format: FORMAT,
        features: columns.features().to_vec(),
        options: options.clone(),
        members: network.members(),
        alpha,
        training,
    };
    let sketch = Sketch::of(&heads.scores(alpha));
    Model::new(metadata, Statistics { scaling, medians, sketch }, &network)
}

fn train(rows: &Array2<f32>, options: &Options, device: Device) -> PolarsResult<(Network, training::Report)> {
    // A stream of its own for each use, so that a change of one does not move the others.
    let stream = |number| {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(number);
        rng
    };
    let set = TrainingSet::draw(rows, options, &mut stream(0));
    let shape = Shape { features: rows.ncols() as i64, hidden: options.hidden.clone(), latent: options.latent };
    let _one = SingleThread::enter();
    let mut network = Network::draw(shape, 1, &mut stream(1), device)?;
    let report = training::train(&mut network, &set, options, &mut stream(2))?;
    Ok((network, report))
}
