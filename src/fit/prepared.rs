//! All of a fit that comes before its training: columns → inputs → scaled rows, networks, and what
//! each member is trained on.

use ndarray::Array2;
use polars::prelude::PolarsResult;
use rand_chacha::ChaCha8Rng;

use crate::cells::{all_rows, bytes_of_fit, describe, Cells, Given, RowEvidence};
use crate::data::{
    encoders, Columns, Encoder, Encoding, FeatureStatistics, Frequencies, Inputs, Labels, Scaling, Totals,
};
use crate::engine::{Job, Member, Shape, Training, Weights};
use crate::memory::check_room;
use crate::model::{check_writable, stand_ins};
use crate::options::{Missing, Options};

use super::batches;
use super::classify::{self, Labelled};
use super::feature_bagging::draw_inputs;
use super::start::Merging;
use super::streams::{member_generators, Stream};
use super::task::{Fit, Given as GivenToFit};
use super::training_rows::TrainingRows;
use super::warnings::{self, Warning};

/// A fit before its training.
pub struct Prepared {
    pub options: Options,
    pub encoded: Encoded,
    /// Marks the rows that are known to be anomalies, if there are labels.
    pub anomalies: Option<Vec<bool>>,
    /// Marks the rows that the model of `init=` has seen.
    replayed: Option<Vec<bool>>,
    /// The training rows, with categories as codes, in the order of their contents.
    pub columns: Columns,
    pub labels: Option<Labels>,
    pub frequencies: Vec<Option<Frequencies>>,
    pub cells: Option<FittedCells>,
    /// The columns with the texts of categories, if some texts have no code of their own.
    pub texts: Option<Columns>,
    /// The number of all rows of the table, if the training rows are a sample, or if there was an
    /// earlier fit.
    pub all_rows: Option<usize>,
    pub warnings: Vec<Warning>,
}

impl Prepared {
    /// Prepares the rows of a fit, and its networks.
    pub fn new(fit: &Fit) -> PolarsResult<(Self, Weights)> {
        let Fit { given: GivenToFit { columns, labels, totals, start }, options } = *fit;
        columns.features().iter().try_for_each(|feature| feature.check_encoding(options.encode))?;
        check_writable(columns.features())?;
        let is_first = start.is_none();
        let merging = Merging::new(start)?;
        let given = merging.align(columns)?;
        let rows = merging.training_rows(&given, labels, options.missing)?;

        let is_sampled = totals.is_none() && rows.are_to_be_sampled(options);
        let table = totals.map(|totals| (totals, columns.features()));
        let totals = merging.totals(&rows, table, is_sampled)?;
        let frequencies = match &totals {
            Some(totals) => totals.frequencies(),
            None => rows.columns.frequencies()?,
        };
        let mut warnings = warnings::fit_warnings(&given, rows.columns.rows(), &frequencies)?;
        if is_first {
            warnings.extend(warnings::value_warnings(&given, totals.as_ref())?);
        }

        let rows = if is_sampled { rows.sample(options)? } else { rows };
        let encoders = encoders(&frequencies);
        let rows = rows.coded(&encoders, &frequencies)?.in_content_order()?;
        let encoded = Encoded::new(&rows, &merging, totals.as_ref(), &frequencies, &encoders, options)?;
        let totals = totals.as_ref();
        let anomalies = rows.labels.as_ref().map(Labels::anomalies);
        let labelled =
            || Some(Labelled { rows: encoded.rows.view(), anomalies: anomalies.as_deref()?, bins: &encoded.bins });
        let draw = || draw_networks(&encoded.rows, labelled(), options);
        let weights = merging.networks(draw)?;
        let cells = || fit_cells(&rows, &encoded, &merging, &frequencies, &encoders, totals, options);
        let cells = options.combination.takes_cells().then(cells).transpose()?;
        // Of numbers and times of the day that are written as text, cells know more than how rare they are.
        let is_read = |name: &str| {
            let at = rows.columns.features().iter().position(|feature| feature.name == name);
            cells.as_ref().zip(at).is_some_and(|(fitted, at)| fitted.cells.measures(at))
        };
        warnings.retain(|warning| !matches!(warning, Warning::LooksLikeIds { feature, .. } if is_read(feature)));
        let prepared = Self {
            options: options.clone(),
            encoded,
            anomalies,
            replayed: rows.replayed,
            columns: rows.columns,
            labels: rows.labels,
            frequencies,
            cells,
            texts: rows.texts,
            all_rows: totals.map(|totals| totals.rows),
            warnings,
        };
        Ok((prepared, weights))
    }

    /// What each member of the networks is trained on.
    pub fn members(&self, weights: &Weights) -> PolarsResult<Vec<Member<'_>>> {
        let rows = self.encoded.learned.as_ref().unwrap_or(&self.encoded.rows);
        members(rows, self.anomalies.as_deref(), self.replayed.as_deref(), weights, &self.options)
    }

    /// What classifiers are trained on, if the networks are such.
    pub fn to_classify(&self) -> Option<Labelled<'_>> {
        let anomalies = self.anomalies.as_deref().filter(|_| self.options.classifies())?;
        let rows = self.encoded.learned.as_ref().unwrap_or(&self.encoded.rows);
        Some(Labelled { rows: rows.view(), anomalies, bins: &self.encoded.bins })
    }

    /// The training of these networks, to be done together with others.
    pub fn job(&self, weights: &Weights) -> PolarsResult<Job<'_>> {
        let members = self.members(weights)?;
        Ok(Job { weights: weights.clone(), members, training: Training(&self.options) })
    }
}

/// The training rows as the networks see them, and how rows become that.
pub struct Encoded {
    pub statistics: Vec<FeatureStatistics>,
    pub inputs: Inputs,
    pub scaling: Scaling,
    /// The value of each input that stands in for a missing one.
    pub reference: Vec<f64>,
    /// Scaled training rows `[n, inputs]`.
    pub rows: Array2<f32>,
    /// The same rows for the training, if the networks are to meet values of categories that they
    /// have not seen.
    pub learned: Option<Array2<f32>>,
    /// Which of the inputs are bins
    pub bins: Vec<bool>,
}

impl Encoded {
    /// Encodes coded rows.
    fn new(
        rows: &TrainingRows,
        merging: &Merging,
        totals: Option<&Totals>,
        frequencies: &[Option<Frequencies>],
        encoders: &[Option<Encoder>],
        options: &Options,
    ) -> PolarsResult<Self> {
        let columns = &rows.columns;
        let edges = match &rows.labels {
            Some(labels) if options.classifies() => columns.bin_edges(&labels.anomalies(), encoders)?,
            _ => vec![],
        };
        let mut statistics = columns.statistics(encoders, options.missing, totals)?;
        if let Some(totals) = totals {
            totals.complete(&mut statistics, merging.quantiles());
        }
        let inputs = merging.inputs(columns.features(), &statistics, encoders, &edges, options)?;
        let scaling = merging.scaling(&statistics, &inputs, &edges, options);
        let reference = inputs.reference(&statistics, encoders);
        let encoding = Encoding { inputs: &inputs, encoders, scaling: &scaling, reference: &reference };
        let rows = columns.scaled(&encoding)?;
        let learned = columns.with_unseen(frequencies, totals.map_or(rows.nrows(), |totals| totals.rows))?;
        let learned = learned.map(|columns| columns.scaled(&encoding)).transpose()?;
        let bins = inputs.enumerated().flat_map(|(_, inputs)| inputs.iter().map(|input| input.bin().is_some()));
        let bins = bins.collect();
        Ok(Self { statistics, inputs, scaling, reference, rows, learned, bins })
    }
}

/// Fits the cells on coded rows, after those of an earlier model; `totals` are the counts of all
/// rows if these are a sample, or if there is an earlier model.
fn fit_cells(
    rows: &TrainingRows,
    encoded: &Encoded,
    merging: &Merging,
    frequencies: &[Option<Frequencies>],
    encoders: &[Option<Encoder>],
    totals: Option<&Totals>,
    options: &Options,
) -> PolarsResult<FittedCells> {
    check_room(bytes_of_fit(rows.columns.rows(), rows.columns.features().len()), "the cells")?;
    let medians: Vec<f64> = encoded.statistics.iter().map(|feature| feature.median).collect();
    let instead = (options.missing != Missing::Indicator).then(|| stand_ins(&medians, encoders));
    let given = Given::read(&rows.columns, rows.texts.as_ref(), frequencies, instead.as_deref())?;
    let all = totals.map(all_rows);
    let described = describe(rows.columns.features(), frequencies);
    let earlier = merging.cells(rows.replayed.as_deref());
    let given = given.columns();
    let (cells, without_itself) = Cells::fit(&given, &described, all.as_deref(), earlier.as_ref())?;
    let as_scored = cells.of_rows(&given)?;
    Ok(FittedCells { cells, without_itself, as_scored })
}

/// Cells, and the evidence against each training row.
pub struct FittedCells {
    pub cells: Cells,
    /// By all other rows: what is usual for a new row. The parts of the score are calibrated on it.
    pub without_itself: Vec<RowEvidence>,
    /// As the model scores the row later on: thresholds and percentiles come from it.
    pub as_scored: Vec<RowEvidence>,
}

impl FittedCells {
    /// Keeps the evidence against some of the rows.
    pub fn select(&mut self, rows: &[usize]) {
        for evidence in [&mut self.without_itself, &mut self.as_scored] {
            *evidence = rows.iter().map(|row| evidence[*row]).collect();
        }
    }
}

/// The inputs that are not the same in all scaled rows.
fn varied(rows: &Array2<f32>) -> Vec<usize> {
    let varies = |input: &usize| {
        let column = rows.column(*input);
        column.iter().any(|number| *number != column[0])
    };
    (0..rows.ncols()).filter(varies).collect()
}

/// Refuses an ensemble on that number of features that has more parameters than a fit may ask for.
pub fn check_size(options: &Options, features: usize) -> PolarsResult<()> {
    options.check_parameters(Shape::of(options, features).parameters())
}

/// Draws new networks on scaled rows, which may be labelled.
pub fn draw_networks(rows: &Array2<f32>, labelled: Option<Labelled>, options: &Options) -> PolarsResult<Weights> {
    let inputs = draw_inputs(rows.ncols(), &varied(rows), options, &mut Stream::Inputs.generator(options.seed));
    check_size(options, inputs[0].len())?;
    if let Some(labelled) = labelled.filter(|_| options.classifies()) {
        return classify::draw_networks(&labelled, inputs, options);
    }
    let mut rngs = member_generators(Stream::Weights, options.members, options.seed);
    Weights::draw(Shape::of(options, inputs[0].len()), inputs.concat(), &mut rngs)
}

/// What each member is trained on: scaled rows `[n, inputs]`, some of which may be known anomalies,
/// or replayed.
pub fn members<'a>(
    rows: &'a Array2<f32>,
    anomalies: Option<&[bool]>,
    replayed: Option<&[bool]>,
    weights: &Weights,
    options: &Options,
) -> PolarsResult<Vec<Member<'a>>> {
    let member = |(member, (mut set_rng, rng)): (usize, (ChaCha8Rng, ChaCha8Rng))| {
        let inputs = weights.inputs_of(member);
        let set = match anomalies {
            Some(anomalies) => batches::draw_labelled(rows.view(), anomalies, replayed, inputs, options, &mut set_rng)?,
            None => batches::draw(rows.view(), replayed, inputs, options, &mut set_rng)?,
        };
        Ok(Member { set, rng })
    };
    let rngs = |stream| member_generators(stream, options.members, options.seed);
    rngs(Stream::TrainingSet).into_iter().zip(rngs(Stream::Epochs)).enumerate().map(member).collect()
}
