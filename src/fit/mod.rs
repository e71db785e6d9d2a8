//! The recipe: columns → scaling → synthetic anomalies → training → combination and sketch → model.

use ndarray::Array2;
use polars::prelude::{polars_warn, PolarsResult};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Device;

use crate::categories::{encoders, Frequencies};
use crate::columns::Columns;
use crate::combination::Combiner;
use crate::labels::Labels;
use crate::libtorch::SingleThread;
use crate::model::{Metadata, Model, Statistics, FORMAT};
use crate::network::Network;
use crate::options::Options;
use crate::scaling::Scaling;
use crate::scoring;
use crate::shape::Shape;
use crate::sketch::Sketch;
use crate::synthetic::TrainingSet;
use crate::training::{self, Members};

/// Fit a model on the rows of `columns`.
pub fn fit(columns: &Columns, options: &Options, device: Device) -> PolarsResult<Model> {
    fit_with_labels(columns, None, options, device)
}

/// Fit a model on the rows of `columns`, with known anomalies in the place of synthetic ones if there are labels.
///
/// A `NoData` error says that there are too few rows.
pub fn fit_with_labels(
    columns: &Columns,
    labels: Option<&Labels>,
    options: &Options,
    device: Device,
) -> PolarsResult<Model> {
    columns.features().iter().try_for_each(|feature| feature.check_encoding(options.encode))?;
    let usable = columns.training_rows(options.missing)?;
    let labels = labels.map(|labels| labels.of_training_rows(&usable)).transpose()?;
    let frequencies = columns.frequencies(&usable)?;
    warn_of_ids(columns, &frequencies);
    let encoders = encoders(&frequencies);
    let columns = &columns.encoded(&encoders)?;
    let summaries = columns.summaries(&usable)?;
    let medians: Vec<f64> = summaries.iter().map(|summary| summary.median).collect();
    let scaling = Scaling::of(&summaries, options.scaling);
    let rows = columns.scaled(&usable, &scaling, &medians)?;

    let varied: Vec<usize> = (0..summaries.len()).filter(|at| summaries[*at].low < summaries[*at].high).collect();
    let anomalies = labels.as_ref().map(Labels::anomalies);
    let (network, training) = train(&rows, anomalies.as_deref(), &varied, options, device)?;
    let fused = network.fused()?;
    let heads = scoring::heads(&network, &fused, rows.view())?;
    let combiner = Combiner::of(&heads, options.combination);
    let sketch = Sketch::of(&combiner.scores(&heads));
    let metadata = Metadata {
        format: FORMAT,
        features: columns.features().to_vec(),
        frequencies,
        labels: labels.as_ref().map(Labels::counts),
        options: options.clone(),
        members: network.members(),
        inputs: network.shape().inputs,
        combiner,
        training,
        candidates: None,
    };
    Model::new(metadata, Statistics { scaling, medians, sketch }, &network, fused, encoders)
}

fn warn_of_ids(columns: &Columns, frequencies: &[Option<Frequencies>]) {
    for (feature, counted) in columns.features().iter().zip(frequencies) {
        if let Some(counted) = counted.as_ref().filter(|counted| counted.look_like_ids()) {
            polars_warn!(
                "anorand: feature {:?} has {} different values in the training rows, nearly one a row, as ids have: their \
                 frequencies say little, and any new one will look rare; leave the column out",
                feature.name,
                counted.values.len()
            );
        }
    }
}

/// Draw and train the fleet. `anomalies` are the rows that are known to be some; `varied` the features that are not constant.
fn train(
    rows: &Array2<f32>,
    anomalies: Option<&[bool]>,
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
    let selection = deal_features(rows.ncols(), varied, options, &mut generators(0)[0]);
    let draw_set = |(inputs, rng): (&Vec<usize>, &mut ChaCha8Rng)| match anomalies {
        Some(anomalies) => TrainingSet::labelled(rows.view(), anomalies, inputs, options, rng),
        None => TrainingSet::draw(rows.view(), inputs, options, rng),
    };
    let sets = selection.iter().zip(&mut generators(1)).map(draw_set).collect();

    let shape = Shape { inputs: selection[0].len() as i64, hidden: options.hidden.clone(), latent: options.latent };
    let flat_selection: Vec<i64> = selection.iter().flatten().map(|feature| *feature as i64).collect();
    let _one = SingleThread::enter();
    let mut network = Network::draw(shape, &flat_selection, &mut generators(2), device)?;
    let members = Members { sets, rngs: generators(3) };
    let report = training::train(&mut network, members, options, rows.nrows())?;
    Ok((network, report))
}

/// The features that each member sees: all, or a share of those that vary, at least two where there are so many.
///
/// They are dealt from a shuffled deck, so that every feature is seen by as many members as any other.
fn deal_features(features: usize, varied: &[usize], options: &Options, rng: &mut impl Rng) -> Vec<Vec<usize>> {
    if options.max_features == 1.0 || varied.is_empty() {
        return vec![(0..features).collect(); options.members];
    }
    let count = options.features_of_member(varied.len());
    let mut deck: Vec<usize> = Vec::new();
    let mut deal = || {
        let mut hand: Vec<usize> = deck.split_off(deck.len().saturating_sub(count));
        if hand.len() < count {
            deck = varied.to_vec();
            deck.shuffle(rng);
            // What the last deck still had stays in the hand, and is put aside in the new one.
            let mut rest: Vec<usize> = deck.iter().copied().filter(|feature| !hand.contains(feature)).collect();
            let more = rest.split_off(rest.len() - (count - hand.len()));
            deck.retain(|feature| !more.contains(feature));
            hand.extend(more);
        }
        hand
    };
    (0..options.members).map(|_| deal()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;

    fn dealt(features: usize, varied: &[usize], max_features: f64) -> Vec<Vec<usize>> {
        let options = Options { max_features, ..Options::preset(Preset::Default) };
        deal_features(features, varied, &options, &mut ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn every_feature_is_dealt_as_often_as_any_other() {
        let varied: Vec<usize> = (0..7).collect();
        let hands = dealt(7, &varied, 0.43);
        let times = |feature| hands.iter().filter(|hand| hand.contains(&feature)).count();
        let counts: Vec<usize> = varied.iter().map(|feature| times(*feature)).collect();
        assert_eq!(counts.iter().sum::<usize>(), 20 * 3);
        assert!(counts.iter().all(|count| (8..=9).contains(count)), "{counts:?}");
    }

    #[test]
    fn no_member_has_a_feature_twice_or_a_constant_one() {
        for share in [0.1, 0.3, 0.5, 0.9] {
            for hand in dealt(9, &[0, 2, 3, 5, 8], share) {
                let mut distinct = hand.clone();
                distinct.sort_unstable();
                distinct.dedup();
                assert_eq!(distinct.len(), hand.len());
                assert!(hand.len() >= 2 && hand.iter().all(|feature| [0, 2, 3, 5, 8].contains(feature)));
            }
        }
    }

    #[test]
    fn all_features_are_seen_where_there_are_few_or_none_that_vary() {
        assert_eq!(dealt(1, &[0], 0.3)[0], [0]);
        assert_eq!(dealt(3, &[], 0.3)[0], [0, 1, 2]);
        assert_eq!(dealt(3, &[1], 1.0)[0], [0, 1, 2]);
    }
}
