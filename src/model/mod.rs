//! The fitted model: plain data, and what a score needs of it.

mod atomic_file;
mod cache;
mod codec;
mod combiner;
mod faults;
mod metadata;
mod quantiles;

#[cfg(test)]
mod examples;

pub use atomic_file::{Destination, Unwritable};
pub use cache::{from_bytes, from_path};
pub use combiner::{finite, Combiner, Heads};
pub use metadata::{check_writable, Candidate, LabelCounts, Metadata, Report, Vocabulary, VocabularySizes, FORMAT};
pub use quantiles::ScoreQuantiles;
#[cfg(test)]
pub use quantiles::Top;

use ndarray::Array2;
use polars::prelude::{polars_ensure, polars_err, PolarsError, PolarsResult};

use crate::data::{encoders, Columns, Encoder, Frequencies, Scaling};
use crate::engine::Weights;
use crate::options::Missing;

/// A model's numbers outside the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    pub scaling: Scaling,
    /// Each feature's training median, in its own unit.
    pub medians: Vec<f64>,
    /// Quantiles of the training scores.
    pub quantiles: ScoreQuantiles,
}

/// A fitted model: what it takes to score a row.
pub struct Model {
    metadata: Metadata,
    statistics: Statistics,
    weights: Weights,
    /// Of each feature that is a category
    frequencies: Vec<Option<Frequencies>>,
    /// Of the frequencies
    encoders: Vec<Option<Encoder>>,
}

impl Model {
    /// From what a fit found, or a file has.
    pub fn new(
        metadata: Metadata,
        statistics: Statistics,
        frequencies: Vec<Option<Frequencies>>,
        weights: Weights,
    ) -> Self {
        let encoders = encoders(&frequencies);
        Self { metadata, statistics, weights, frequencies, encoders }
    }

    /// The model, with what its options were chosen from.
    pub fn with_candidates(mut self, candidates: Vec<Candidate>) -> Self {
        self.metadata.candidates = Some(candidates);
        self
    }

    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// The values of each feature that is a category; None for other features.
    pub fn frequencies(&self) -> &[Option<Frequencies>] {
        &self.frequencies
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        let Statistics { scaling, medians, quantiles } = &self.statistics;
        let features = scaling.offset.len() + scaling.scale.len() + medians.len();
        let scores = quantiles.body().len() + quantiles.top().len();
        let frequencies: usize = self.frequencies.iter().flatten().map(Frequencies::bytes).sum();
        let encoders: usize = self.encoders.iter().flatten().map(Encoder::bytes).sum();
        let numbers = features * size_of::<f64>() + scores * size_of::<f32>();
        size_of::<Self>() + self.weights.bytes() + numbers + frequencies + encoders + self.metadata.bytes()
    }

    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The model's features among the columns, in its order; missing values are an error if it was fitted to refuse them.
    pub fn align(&self, columns: &Columns) -> PolarsResult<Columns> {
        let columns = columns.align_to(&self.metadata.features)?;
        if self.metadata.options.missing == Missing::Error {
            columns.refuse_missing()?;
        }
        Ok(columns)
    }

    /// Matched columns as the networks take them; see [`Columns::scale_into`].
    pub fn scale_into(
        &self,
        columns: &Columns,
        tile: usize,
        tiles: &mut [f32],
        incomplete: &mut [bool],
    ) -> PolarsResult<()> {
        let Statistics { scaling, medians, .. } = &self.statistics;
        columns.encoded(&self.encoders)?.scale_into(scaling, medians, tile, tiles, incomplete)
    }

    /// The numbers of an embedding: (z0, z1) of each member in turn.
    pub fn embedding_width(&self) -> usize {
        self.weights.members() * self.weights.shape().latent_width()
    }

    /// The rows of columns without missing values, scaled, in the model's order: `[rows, features]`.
    pub fn scaled_rows(&self, columns: &Columns) -> PolarsResult<Array2<f32>> {
        let columns = columns.align_to(&self.metadata.features)?.encoded(&self.encoders)?;
        let Statistics { scaling, medians, .. } = &self.statistics;
        columns.scaled(scaling, medians)
    }

    /// The reference row of an explanation: all features at their training medians, scaled.
    pub fn scaled_reference(&self) -> Vec<f32> {
        let Statistics { scaling, medians, .. } = &self.statistics;
        medians.iter().enumerate().map(|(j, median)| scaling.apply(j, *median)).collect()
    }

    /// The score that separates the training rows that are flagged at a contamination from the others: what is above it is flagged.
    ///
    /// Flagged is the smallest set of the highest-scored rows, whole ties together, that holds at least that share of them; none of
    /// them, if that were half of the rows or more.
    pub fn threshold(&self, contamination: f64) -> PolarsResult<f64> {
        check_contamination(contamination)?;
        Ok(self.statistics.quantiles.threshold(contamination))
    }
}

/// An error unless it is a share that leaves rows on both sides.
pub fn check_contamination(contamination: f64) -> PolarsResult<()> {
    polars_ensure!(contamination > 0.0 && contamination < 1.0, ComputeError:
        "anorand: contamination must be a number above 0 and below 1, got {contamination}");
    Ok(())
}

fn invalid(reason: String) -> PolarsError {
    polars_err!(ComputeError: "anorand: not a model: {reason}")
}
