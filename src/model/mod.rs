//! The fitted model: plain data, and what a score needs of it.

mod file;
mod ordinary;
mod quantiles;
mod score_counts;
mod tail;

#[cfg(test)]
pub mod examples;

pub(crate) use file::Unwritable;
pub use file::{
    check_writable, from_bytes, from_path, Destination, Distilled, LabelCounts, Metadata, Report, VocabularySizes,
    FORMAT,
};
pub use ordinary::{ByInput, Ordinary};
pub use quantiles::ScoreQuantiles;
pub use score_counts::ScoreCounts;

use ndarray::Array2;
use polars::prelude::{polars_ensure, polars_err, PolarsError, PolarsResult};

use crate::cells::{describe, Cells, Description, Finding, Given, RowEvidence};
use crate::data::{
    encoders, Columns, Encoder, Encoding, FeatureTotals, Frequencies, Inputs, Scaling, Totals, QUANTILES,
};
use crate::engine::Weights;
use crate::neighbours::KeptRows;
use crate::options::Missing;

/// Rows whose cells are judged at a time: all columns' numbers, and what is said about them, are to
/// stay in the cache.
const CELLS_CHUNK: usize = 1_024;

/// A model's numbers outside the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// How each input is scaled
    pub scaling: Scaling,
    /// Each feature's training median, in its own unit; of a category, that of the log-frequencies
    pub medians: Vec<f64>,
    /// Where each feature's training values lay
    pub feature_quantiles: FeatureQuantiles,
    /// For each input, what stands in for a missing value, and where explanations start
    pub reference: Vec<f64>,
    /// Present if the combination takes them
    pub cells: Option<Cells>,
    /// Training rows that explanations compare with
    pub ordinary: Ordinary,
    /// Present if the options ask for them
    pub kept: Option<KeptRows>,
    /// Where the training scores lay
    pub quantiles: ScoreQuantiles,
}

/// Where each feature's training values lay.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureQuantiles {
    /// At 0, 0.05, …, 1, in the feature's own unit; zeros of a category, whose values have no
    /// order, and where no value is known
    pub values: Vec<[f64; QUANTILES]>,
    /// The number of training values that are at most each of them; zeros of a category
    pub at_most: Vec<[u64; QUANTILES]>,
    /// The number of training rows without a value
    pub missing: Vec<u64>,
}

/// A fitted model: what it takes to score a row.
pub struct Model {
    metadata: Metadata,
    statistics: Statistics,
    weights: Weights,
    /// The values of each feature that is a category; None for other features
    frequencies: Vec<Option<Frequencies>>,
    /// What makes numbers of these values
    encoders: Vec<Option<Encoder>>,
}

impl Model {
    /// Makes a model from what a fit found, or a file has.
    pub(crate) fn new(
        metadata: Metadata,
        statistics: Statistics,
        frequencies: Vec<Option<Frequencies>>,
        weights: Weights,
    ) -> Self {
        let encoders = encoders(&frequencies);
        Self { metadata, statistics, weights, frequencies, encoders }
    }

    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(crate) fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// The values of each feature that is a category; None for other features.
    pub(crate) fn frequencies(&self) -> &[Option<Frequencies>] {
        &self.frequencies
    }

    /// Counts and extremes of its training rows.
    pub(crate) fn totals(&self) -> Totals {
        let all = &self.statistics.feature_quantiles;
        let rows = self.metadata.training.rows;
        let totals = |(j, frequencies): (usize, &Option<Frequencies>)| {
            let (missing, values) = (all.missing[j] as usize, &all.values[j]);
            let has_range = frequencies.is_none() && missing < rows;
            let range = has_range.then(|| [values[0], values[QUANTILES - 1]]);
            FeatureTotals { missing, range, frequencies: frequencies.clone() }
        };
        Totals { rows, features: self.frequencies.iter().enumerate().map(totals).collect() }
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        let Statistics { scaling, medians, reference, quantiles, cells, ordinary, feature_quantiles, kept } =
            &self.statistics;
        let quantiles_of_all = feature_quantiles.missing.len() * (2 * QUANTILES + 1);
        let features = quantiles_of_all + scaling.offset.len() + scaling.scale.len() + medians.len() + reference.len();
        let scores = quantiles.body().len() + quantiles.top().len();
        let frequencies: usize = self.frequencies.iter().flatten().map(Frequencies::bytes).sum();
        let encoders: usize = self.encoders.iter().flatten().map(Encoder::bytes).sum();
        let numbers = features * size_of::<f64>() + scores * size_of::<f32>();
        let cells = cells.as_ref().map_or(0, Cells::bytes) + ordinary.bytes();
        let kept = kept.as_ref().map_or(0, KeptRows::bytes);
        kept + size_of::<Self>()
            + self.weights.bytes()
            + numbers
            + frequencies
            + encoders
            + cells
            + self.metadata.bytes()
    }

    pub(crate) fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The model's features among the columns, in its order; missing values are an error if it was
    /// fitted to refuse them.
    pub fn align(&self, columns: &Columns) -> PolarsResult<Columns> {
        let columns = columns.align_to(&self.metadata.features)?;
        if self.metadata.options.missing == Missing::Error {
            columns.refuse_missing()?;
        }
        Ok(columns)
    }

    /// What the networks see of the features.
    pub(crate) fn inputs(&self) -> &Inputs {
        &self.metadata.encoding
    }

    /// Matched columns with codes for categories.
    pub fn coded(&self, columns: &Columns) -> PolarsResult<Columns> {
        columns.coded(&self.encoders)
    }

    /// Coded columns as the networks take them; see [`Columns::scale_into`].
    pub(crate) fn scale_into(
        &self,
        coded: &Columns,
        tile: usize,
        tiles: &mut [f32],
        incomplete: &mut [bool],
    ) -> PolarsResult<()> {
        coded.scale_into(&self.encoding(), tile, tiles, incomplete)
    }

    /// The evidence against matched rows, of which `coded` have codes for categories; None if the
    /// combination takes none.
    pub(crate) fn evidence(&self, columns: &Columns, coded: &Columns) -> PolarsResult<Option<Vec<RowEvidence>>> {
        let Some(cells) = &self.statistics.cells else { return Ok(None) };
        let mut evidence = Vec::with_capacity(columns.rows());
        for start in (0..columns.rows()).step_by(CELLS_CHUNK) {
            let rows = CELLS_CHUNK.min(columns.rows() - start);
            let given = self.given(&columns.slice(start, rows), &coded.slice(start, rows))?;
            evidence.extend(cells.look_up(&given.columns())?.of_rows()?);
        }
        Ok(Some(evidence))
    }

    /// The values of matched rows, as cells take them.
    pub(crate) fn given(&self, columns: &Columns, coded: &Columns) -> PolarsResult<Given> {
        let instead = (self.metadata.options.missing != Missing::Indicator).then(|| self.stand_ins());
        Given::read(coded, Some(columns), &self.frequencies, instead.as_deref())
    }

    /// The name of each feature, and the texts that it remembers.
    pub(crate) fn described(&self) -> Vec<Description<'_>> {
        describe(&self.metadata.features, &self.frequencies)
    }

    /// What its cells found in each feature; None without cells.
    pub(crate) fn findings(&self) -> Option<Vec<Finding>> {
        self.statistics.cells.as_ref().map(|cells| cells.findings(&self.described()))
    }

    /// What stands in for a missing value of each feature: its median, or the code of a category.
    fn stand_ins(&self) -> Vec<f64> {
        stand_ins(&self.statistics.medians, &self.encoders)
    }

    fn encoding(&self) -> Encoding<'_> {
        let Statistics { scaling, reference, .. } = &self.statistics;
        Encoding { inputs: self.inputs(), encoders: &self.encoders, scaling, reference }
    }

    /// The numbers of an embedding: (z0, z1) of each member in turn.
    pub fn embedding_width(&self) -> usize {
        self.weights.members() * self.weights.shape().latent_width()
    }

    /// The rows of columns, scaled, in the model's order: `[rows, inputs]`.
    pub fn scaled_rows(&self, columns: &Columns) -> PolarsResult<Array2<f32>> {
        self.coded(&columns.align_to(&self.metadata.features)?)?.scaled(&self.encoding())
    }

    /// Each feature's median, categories as codes; NaN where the value is missing in most training
    /// rows, or where a time has no median that recurs.
    pub fn coded_medians(&self) -> Vec<f64> {
        let Statistics { medians, feature_quantiles, .. } = &self.statistics;
        let rows = self.metadata.training.rows as u64;
        let code = |(j, median): (usize, f64)| {
            let mostly_missing = feature_quantiles.missing[j] > rows / 2;
            let has_none = mostly_missing || Inputs::is_calendar(self.inputs().feature(j));
            if has_none {
                f64::NAN
            } else {
                median
            }
        };
        stand_ins(medians, &self.encoders).into_iter().enumerate().map(code).collect()
    }

    /// The score that separates the training rows that are flagged at a contamination from the
    /// others: what is above it is flagged.
    ///
    /// Flagged is the smallest set of the highest-scored rows, whole ties together, that holds at least
    /// that share of them. If the set were more than three times that, or half of the rows, only those
    /// above its last tie are flagged. A share of less than one row flags at most
    /// what one row would, and only if it is as rare among ordinary rows as that share.
    pub fn threshold(&self, contamination: f64) -> PolarsResult<f64> {
        check_contamination(contamination)?;
        Ok(self.statistics.quantiles.threshold(contamination))
    }
}

/// What stands in for a missing value of each feature: its median, or the code of a category.
pub fn stand_ins(medians: &[f64], encoders: &[Option<Encoder>]) -> Vec<f64> {
    let stand_in = |(median, encoder): (&f64, &Option<Encoder>)| {
        encoder.as_ref().map_or(*median, |encoder| encoder.code_of(*median) as f64)
    };
    medians.iter().zip(encoders).map(stand_in).collect()
}

/// The model of some bytes with the quantiles of the scores of this number of rows: of all its
/// training rows, but for those that the model which the fit went on from had counted.
pub fn with_quantiles(bytes: &[u8], quantiles: ScoreQuantiles, rows: usize) -> PolarsResult<Model> {
    let mut model = Model::from_bytes(bytes)?;
    model.metadata.training.scored = (rows < model.metadata.training.rows).then_some(rows);
    model.statistics.quantiles = quantiles;
    if let Some(fault) = model.fault() {
        return Err(invalid(fault));
    }
    Ok(model)
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
