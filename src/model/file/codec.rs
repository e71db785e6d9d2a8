//! A model as bytes: one safetensors file, all numbers as tensors plus one JSON metadata entry.
//!
//! | tensor | dtype, size | |
//! |---|---|---|
//! | `inputs` | I64 `[m, inputs]` | which of the D inputs each network sees |
//! | `<layer>.weight`, `<layer>.bias` | F32 `[m, inputs, outputs]`, `[m, outputs]` | the layers of [`Shape::layers`] |
//! | `scaling.offset`, `scaling.scale` | F64 `[D]` | `scaled = (value − offset) / scale` |
//! | `median` | F64 `[d]` | each feature's training median, in its own unit |
//! | `reference` | F64 `[D]` | what stands in for each input of a missing value, and where explanations start |
//! | `feature.quantiles` | F64 `[d, 21]` | of each feature, its training values at 0, 0.05, …, 1, in its own unit; zeros of a category |
//! | `feature.at_most` | U64 `[d, 21]` | the number of training values that are at most each of these |
//! | `feature.missing` | U64 `[d]` | the number of training rows without a value |
//! | `scores.quantiles` | F32 `[1001]` | the training scores' quantiles at 0, 0.001, …, 1 |
//! | `scores.highest` | F32 `[min(n, 4096)]` | the highest training scores, in rising order |
//! | `vocabulary.<j>.text` | U8 `[bytes]` | of each feature j that is a category: its values in UTF-8, the most frequent first |
//! | `vocabulary.<j>.offsets` | U64 `[values + 1]` | where each value begins in the text, and where the last one ends |
//! | `vocabulary.<j>.counts` | U64 `[values]` | the number of training rows that have each value |
//! | `vocabulary.<j>.surprisal` | F64 `[values + 1]` | the surprisal of each value, and of one that was not seen |
//! | `calendar.<j>.surprisal` | F64 `[74]` | of each feature j that is a time: the surprisals of 24 hours, 7 weekdays, 31 days, 12 months |
//! | `surprisal.knots`, `surprisal.counted` | F64 `[K]` | of all features, one after the other: values, and the surprisals by counting |
//! | `surprisal.tails` | F64 `[d, 2, 6]` | anchor, offset, start, shape, scale and weight of the lower and of the upper tail |
//! | `surprisal.bounds` | F64 `[d, 4]` | a lower bound and the surprisal below it, an upper bound and the surprisal above it |
//! | `surprisal.missing` | F64 `[d, 2]` | the surprisal of a value that is there, and of a missing one |
//! | `within.<j>.groups` | F64 `[groups, 2]` | of each number j that a category explains: by code, the median and the spread of its rows |
//! | `within.<j>.knots`, `.counted`, `.tails` | F64 `[knots]`, `[knots]`, `[2, 6]` | the surprisals of the distance from it, in spreads |
//! | `kept.rows` | F32 `[draws, kept, D]` | training rows, scaled, of a model that keeps some; `[kept, D]` in format 4 |
//! | `kept.unit` | F32 `[2]` | what the mean distance from the nearest of each draw is multiplied with, to be added to the reconstruction error: of scaled rows, and of their asinh; of one draw, of their asinh and of their log odds; `[1]` in format 4, of scaled rows |
//! | `kept.centre`, `kept.scale` | F32 `[D]` | the asinh of a scaled input x is asinh((x − centre) / scale) |
//! | `kept.knots`, `kept.odds` | F32 `[D, 33]` | of one draw, from format 6 on: of each scaled input, numbers in rising order, and the log odds that a kept row is below them; linear between them and flat beyond |
//! | `kept.factors` | F32 `[2, kept]` | of one draw, from format 6 on: in both views, what a row's distance is multiplied with whose nearest kept row it is |
//! | `checksum` | U32 `[1]` | CRC-32 of the metadata entry and of the tensors above, in this order |
//!
//! The metadata entry `anorand` is the JSON of [`Metadata`]. It is the only one, since the format keeps no order among
//! entries, and the same model must be the same bytes. The checksum finds damage, not tampering: numbers with a right checksum
//! are checked as well. A file of format 2 has no vocabularies, and
//! those of formats 2 and 3 have one input for each feature, the reference of which is the median, and no surprisals; see [`crate::model::file::metadata`] for the rules of the versions.

use std::collections::HashMap;

use polars::prelude::{polars_bail, polars_ensure, polars_err, PolarsError, PolarsResult};
use safetensors::tensor::{serialize, Dtype, SafeTensors, TensorView};

use crate::data::{
    Curve, Frequencies, Inputs, Kind, Scaling, Surprisal, Surprisals, Tail, Within, CALENDAR_CLASSES, QUANTILES,
};
use crate::engine::Weights;

use super::metadata::{Metadata, Vocabulary, VocabularySizes, WithinSizes};
use crate::model::quantiles::{ScoreQuantiles, Top};
use crate::model::{invalid, FeatureQuantiles, Model, Statistics};
use crate::neighbours::{Asinh, KeptRows, LogOdds, Transform, ViewKind, LOG_ODDS_KNOTS};

const ENTRY: &str = "anorand";
const CHECKSUM: &str = "checksum";

impl Model {
    /// The model as a safetensors file.
    pub fn to_bytes(&self) -> PolarsResult<Vec<u8>> {
        let entry = serde_json::to_string(&self.metadata).map_err(unwritable)?;
        let contents = self.contents()?;
        let checksum = checksum(&entry, contents.iter().map(Vec::as_slice)).to_le_bytes();
        let mut tensors = vec![(CHECKSUM.to_string(), view(Dtype::U32, vec![1], &checksum)?)];
        for (spec, bytes) in self.metadata.tensors().into_iter().zip(&contents) {
            tensors.push((spec.name, view(spec.dtype, spec.size, bytes)?));
        }
        serialize(tensors, Some(HashMap::from([(ENTRY.to_string(), entry)]))).map_err(unwritable)
    }

    /// The bytes of each tensor, in the order of [`Metadata::tensors`].
    fn contents(&self) -> PolarsResult<Vec<Vec<u8>>> {
        let mut numbers = self.weights.flat();
        let inputs: Vec<i64> = self.weights.inputs().iter().map(|feature| *feature as i64).collect();
        let mut contents = vec![bytes_of(&inputs, i64::to_le_bytes)];
        for spec in self.metadata.network_tensors() {
            let (tensor, rest) = numbers.split_at(spec.size.iter().product());
            contents.push(bytes_of(tensor, f32::to_le_bytes));
            numbers = rest;
        }
        let Statistics { scaling, medians, reference, quantiles, surprisals, quantiles_of_features, kept } =
            &self.statistics;
        contents.extend([&scaling.offset, &scaling.scale, medians].map(|numbers| bytes_of(numbers, f64::to_le_bytes)));
        if self.metadata.format > 3 {
            contents.push(bytes_of(reference, f64::to_le_bytes));
        }
        if let Some(FeatureQuantiles { values, at_most, missing }) = quantiles_of_features {
            contents.push(bytes_of(values.as_flattened(), f64::to_le_bytes));
            contents.push(bytes_of(at_most.as_flattened(), u64::to_le_bytes));
            contents.push(bytes_of(missing, u64::to_le_bytes));
        }
        contents.extend([quantiles.body(), quantiles.top()].map(|scores| bytes_of(scores, f32::to_le_bytes)));
        for (kept, frequencies) in self.metadata.frequencies.iter().zip(&self.frequencies) {
            if let (Some(Vocabulary::Tensors(_)), Some(frequencies)) = (kept, frequencies) {
                contents.extend(vocabulary_bytes(frequencies));
            }
        }
        if let Some(surprisals) = surprisals {
            contents.extend(surprisal_bytes(surprisals));
        }
        if let Some(kept) = kept {
            let units = kept.units();
            let numbers = [kept.numbers(), &units].into_iter().chain(kept.tensors_of_views());
            contents.extend(numbers.map(|numbers| bytes_of(numbers, f32::to_le_bytes)));
            if self.metadata.has_factors() {
                contents.push(bytes_of(&kept.factors(), f32::to_le_bytes));
            }
        }
        Ok(contents)
    }

    /// Read a safetensors file that [`Model::to_bytes`] wrote. Anything else is an error that says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> PolarsResult<Self> {
        polars_ensure!(!bytes.is_empty(), ComputeError: "anorand: not a model: it is empty");
        let unreadable = |error| invalid(format!("it can't be read as safetensors ({error})"));
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let entry = header.metadata().as_ref().and_then(|entries| entries.get(ENTRY));
        let entry = entry.ok_or_else(|| invalid(format!("a safetensors file without the metadata entry {ENTRY:?}")))?;
        let metadata = Metadata::parse(entry)?;
        let mut tensors = Tensors::new(&file, &metadata)?;
        let stored = file.tensor(CHECKSUM).map_err(|_| invalid(format!("the tensor {CHECKSUM:?} is missing")))?;
        let actual = checksum(entry, tensors.parts.iter().copied()).to_le_bytes();
        polars_ensure!(stored.data() == actual, ComputeError:
            "anorand: the model is damaged: its checksum does not match its contents; fit it again, or restore the file");

        let selection = tensors.numbers(i64::from_le_bytes);
        let known = 0..metadata.all_inputs().count() as i64;
        polars_ensure!(selection.iter().all(|input| known.contains(input)), ComputeError:
            "anorand: not a model: a network sees an input that is not one of the model's {}", known.end);
        let inputs = selection.into_iter().map(|feature| feature as usize).collect();
        let weights = Weights::new(metadata.shape(), inputs, tensors.f32s(metadata.network_tensors().len()))?;
        let [offset, scale, medians] = [(); 3].map(|()| tensors.numbers(f64::from_le_bytes));
        let scaling = Scaling { kind: metadata.options.scaling, offset, scale };
        let reference = if metadata.format > 3 { tensors.numbers(f64::from_le_bytes) } else { medians.clone() };
        let quantiles_of_features = (metadata.format > 3).then(|| FeatureQuantiles {
            values: tensors.numbers(f64::from_le_bytes).as_chunks().0.to_vec(),
            at_most: tensors.numbers(u64::from_le_bytes).as_chunks().0.to_vec(),
            missing: tensors.numbers(u64::from_le_bytes),
        });
        let (body, top) = (tensors.f32s(1), tensors.f32s(1));
        let top = match metadata.format {
            2 => Top::Quantiles(top),
            _ => Top::Scores { scores: top, rows: metadata.training.scored_rows() },
        };
        let quantiles = ScoreQuantiles::from_parts(body, top);
        let named = metadata.features.iter().zip(&metadata.frequencies);
        let frequencies = named.map(|(feature, kept)| match kept {
            None => Ok(None),
            Some(Vocabulary::Inline(frequencies)) => Ok(Some(frequencies.clone())),
            Some(Vocabulary::Tensors(sizes)) => {
                let read = vocabulary(&mut tensors, sizes);
                let unreadable = || invalid(format!("the values of feature {:?} are not text", feature.name));
                read.map(Some).ok_or_else(unreadable)
            }
        });
        let frequencies = frequencies.collect::<PolarsResult<_>>()?;
        let surprisals = metadata.knots.as_ref().map(|knots| surprisals(&mut tensors, &metadata, knots));
        let kept = metadata.kept_rows().map(|_| -> PolarsResult<KeptRows> {
            let (rows, units) = (tensors.f32s(1), tensors.f32s(1));
            let views = metadata.kept_views().iter().map(|view| match view {
                ViewKind::Scaled => Transform::Scaled,
                ViewKind::Asinh => Transform::Asinh(Asinh::new(tensors.f32s(1), tensors.f32s(1))),
                ViewKind::LogOdds => Transform::LogOdds(LogOdds::new(tensors.f32s(1), tensors.f32s(1))),
            });
            let kept = KeptRows::new(rows, metadata.comparison(), views.collect(), &units)?;
            if !metadata.has_factors() {
                return Ok(kept);
            }
            let factors = tensors.f32s(1);
            let (first, second) = factors.split_at(factors.len() / 2);
            Ok(kept.with_factors([first.to_vec(), second.to_vec()]))
        });
        let kept = kept.transpose()?;
        let statistics = Statistics { scaling, medians, quantiles_of_features, reference, surprisals, kept, quantiles };
        let model = Self::new(metadata, statistics, frequencies, weights);
        match model.fault() {
            Some(fault) => Err(invalid(fault)),
            None => Ok(model),
        }
    }
}

#[cfg(any(test, fuzzing))]
impl Model {
    /// The file with the checksum that its contents have, so that a fuzzer gets behind it; None if it has no place for one.
    pub fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
        let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
        let file = SafeTensors::deserialize(bytes).ok()?;
        let entry = header.metadata().as_ref()?.get(ENTRY)?;
        let tensors = Tensors::new(&file, &Metadata::parse(entry).ok()?).ok()?;
        let place = file.tensor(CHECKSUM).ok()?.data().as_ptr_range();
        let start = place.start as usize - bytes.as_ptr() as usize;
        let sum = checksum(entry, tensors.parts.iter().copied()).to_le_bytes();
        let mut sealed = bytes.to_vec();
        sealed
            .get_mut(start..start + (place.end as usize - place.start as usize))?
            .get_mut(..sum.len())?
            .copy_from_slice(&sum);
        Some(sealed)
    }
}

/// What one tensor of a file is.
struct TensorSpec {
    name: String,
    dtype: Dtype,
    size: Vec<usize>,
}

impl TensorSpec {
    fn new(name: impl Into<String>, dtype: Dtype, size: Vec<usize>) -> Self {
        Self { name: name.into(), dtype, size }
    }
}

impl Metadata {
    /// All tensors of a file: the network's, its layers in the order of the flat buffer, then the statistics'.
    fn tensors(&self) -> Vec<TensorSpec> {
        let inputs = TensorSpec::new("inputs", Dtype::I64, vec![self.members, self.inputs]);
        let mut tensors = vec![inputs];
        tensors.extend(self.network_tensors());
        let (features, all) = (self.features.len(), self.all_inputs().count());
        for (name, len) in [("scaling.offset", all), ("scaling.scale", all), ("median", features), ("reference", all)] {
            if name != "reference" || self.format > 3 {
                tensors.push(TensorSpec::new(name, Dtype::F64, vec![len]));
            }
        }
        if self.format > 3 {
            tensors.push(TensorSpec::new("feature.quantiles", Dtype::F64, vec![features, QUANTILES]));
            tensors.push(TensorSpec::new("feature.at_most", Dtype::U64, vec![features, QUANTILES]));
            tensors.push(TensorSpec::new("feature.missing", Dtype::U64, vec![features]));
        }
        let scores = match self.format {
            2 => [("sketch.body", ScoreQuantiles::BODY), ("sketch.tail", ScoreQuantiles::TAIL)],
            _ => {
                let kept = ScoreQuantiles::scores_kept(self.training.scored_rows());
                [("scores.quantiles", ScoreQuantiles::BODY), ("scores.highest", kept)]
            }
        };
        for (name, len) in scores {
            tensors.push(TensorSpec::new(name, Dtype::F32, vec![len]));
        }
        for (j, kept) in self.frequencies.iter().enumerate() {
            if let Some(Vocabulary::Tensors(sizes)) = kept {
                let spec = |part, dtype, len| TensorSpec::new(format!("vocabulary.{j}.{part}"), dtype, vec![len]);
                tensors.push(spec("text", Dtype::U8, sizes.text_bytes));
                tensors.push(spec("offsets", Dtype::U64, sizes.remembered + 1));
                tensors.push(spec("counts", Dtype::U64, sizes.remembered));
            }
        }
        tensors.extend(self.knots.iter().flat_map(|knots| self.surprisal_tensors(knots)));
        if let Some(rows) = self.kept_rows() {
            let draws = self.options.kept_draws;
            let size = if self.format > 4 { vec![draws, rows, all] } else { vec![rows, all] };
            tensors.push(TensorSpec::new("kept.rows", Dtype::F32, size));
            tensors.push(TensorSpec::new("kept.unit", Dtype::F32, vec![self.kept_views().len()]));
            for view in self.kept_views() {
                let (names, size) = match view {
                    ViewKind::Scaled => continue,
                    ViewKind::Asinh => (["kept.centre", "kept.scale"], vec![all]),
                    ViewKind::LogOdds => (["kept.knots", "kept.odds"], vec![all, LOG_ODDS_KNOTS]),
                };
                tensors.extend(names.map(|name| TensorSpec::new(name, Dtype::F32, size.clone())));
            }
            if self.has_factors() {
                tensors.push(TensorSpec::new("kept.factors", Dtype::F32, vec![2, rows]));
            }
        }
        tensors
    }

    /// Those of the surprisals, the number of whose knots is given.
    fn surprisal_tensors(&self, knots: &[usize]) -> Vec<TensorSpec> {
        let features = self.features.len();
        let all = knots.iter().sum();
        let spec = |name: String, size| TensorSpec::new(name, Dtype::F64, size);
        let mut tensors = vec![
            spec("surprisal.knots".to_string(), vec![all]),
            spec("surprisal.counted".to_string(), vec![all]),
            spec("surprisal.tails".to_string(), vec![features, 2, 6]),
            spec("surprisal.bounds".to_string(), vec![features, 4]),
            spec("surprisal.missing".to_string(), vec![features, 2]),
        ];
        for (j, classes) in self.classes().into_iter().enumerate() {
            if classes > 0 {
                let of = if self.features[j].kind == Kind::Category { "vocabulary" } else { "calendar" };
                tensors.push(spec(format!("{of}.{j}.surprisal"), vec![classes]));
            }
        }
        for (j, within) in self.within.iter().flatten().enumerate() {
            if let Some(WithinSizes { groups, knots, .. }) = within {
                tensors.push(spec(format!("within.{j}.groups"), vec![*groups, 2]));
                tensors.push(spec(format!("within.{j}.knots"), vec![*knots]));
                tensors.push(spec(format!("within.{j}.counted"), vec![*knots]));
                tensors.push(spec(format!("within.{j}.tails"), vec![2, 6]));
            }
        }
        tensors
    }

    /// The number of classes of each feature that have a surprisal.
    fn classes(&self) -> Vec<usize> {
        let inputs = self.all_inputs();
        let of_feature = |(j, kept): (usize, &Option<Vocabulary>)| match kept {
            Some(Vocabulary::Tensors(sizes)) => sizes.remembered + 1,
            _ if Inputs::is_calendar(inputs.feature(j)) => CALENDAR_CLASSES,
            _ => 0,
        };
        self.frequencies.iter().enumerate().map(of_feature).collect()
    }

    fn network_tensors(&self) -> Vec<TensorSpec> {
        let members = self.members;
        let mut tensors = Vec::new();
        for layer in self.shape().layers() {
            let (inputs, outputs) = (layer.inputs, layer.outputs);
            tensors.push(TensorSpec::new(layer.name.clone() + ".weight", Dtype::F32, vec![members, inputs, outputs]));
            tensors.push(TensorSpec::new(layer.name + ".bias", Dtype::F32, vec![members, outputs]));
        }
        tensors
    }
}

/// The tensors of a file, each of the dtype and size that it must have, read one after the other.
struct Tensors<'a> {
    parts: Vec<&'a [u8]>,
    next: usize,
}

impl<'a> Tensors<'a> {
    fn new(file: &SafeTensors<'a>, metadata: &Metadata) -> PolarsResult<Self> {
        let mut parts = Vec::new();
        for spec in metadata.tensors() {
            let Ok(tensor) = file.tensor(&spec.name) else {
                polars_bail!(ComputeError: "anorand: not a model: the tensor {:?} is missing", spec.name);
            };
            polars_ensure!(tensor.dtype() == spec.dtype && tensor.shape() == spec.size, ComputeError:
                "anorand: not a model: the tensor {:?} is {:?} {:?}, but an ensemble of {} networks on {} features needs {:?} {:?}",
                spec.name, tensor.dtype(), tensor.shape(), metadata.members, metadata.features.len(), spec.dtype, spec.size);
            parts.push(tensor.data());
        }
        // The checksum is the one tensor beside them.
        polars_ensure!(file.len() <= parts.len() + 1, ComputeError:
            "anorand: not a model: it has {} tensors, but format {} has {} of them",
            file.len(), metadata.format, parts.len() + 1);
        Ok(Self { parts, next: 0 })
    }

    /// The numbers of the next `count` tensors.
    fn f32s(&mut self, count: usize) -> Vec<f32> {
        let parts = &self.parts[self.next..self.next + count];
        self.next += count;
        // To size: models are kept, and a vector that grows would keep up to twice the memory.
        let mut numbers = Vec::with_capacity(parts.iter().map(|part| part.len() / 4).sum());
        for part in parts {
            numbers.extend(part.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        }
        numbers
    }

    /// The bytes of the next tensor.
    fn u8s(&mut self) -> &'a [u8] {
        let part = self.parts[self.next];
        self.next += 1;
        part
    }

    /// The numbers of the next tensor, of eight bytes each.
    fn numbers<T>(&mut self, from_bytes: fn([u8; 8]) -> T) -> Vec<T> {
        self.u8s().as_chunks::<8>().0.iter().map(|bytes| from_bytes(*bytes)).collect()
    }
}

/// The tensors of the surprisals, in the order of [`Metadata::surprisal_tensors`].
fn surprisal_bytes(surprisals: &Surprisals) -> Vec<Vec<u8>> {
    let all = |part: fn(&Surprisal) -> Vec<f64>| {
        bytes_of(&surprisals.of.iter().flat_map(part).collect::<Vec<f64>>(), f64::to_le_bytes)
    };
    let mut contents = vec![
        all(|of| of.curve.knots().to_vec()),
        all(|of| of.curve.counted().to_vec()),
        all(|of| of.curve.tails().iter().flat_map(|tail| tail.numbers()).collect()),
        all(|of| of.bounds.to_vec()),
        all(|of| of.missing.to_vec()),
    ];
    let classes = surprisals.of.iter().filter(|of| !of.classes.is_empty());
    contents.extend(classes.map(|of| bytes_of(&of.classes, f64::to_le_bytes)));
    for Within { groups, curve, .. } in surprisals.of.iter().filter_map(|of| of.within.as_ref()) {
        let tails: Vec<f64> = curve.tails().iter().flat_map(|tail| tail.numbers()).collect();
        let groups: Vec<f64> = groups.iter().flatten().copied().collect();
        let parts = [groups.as_slice(), curve.knots(), curve.counted(), &tails];
        contents.extend(parts.map(|numbers| bytes_of(numbers, f64::to_le_bytes)));
    }
    contents
}

/// The surprisals from the next tensors.
fn surprisals(tensors: &mut Tensors, metadata: &Metadata, knots: &[usize]) -> Surprisals {
    let [values, counted, tails, bounds, missing] = [(); 5].map(|()| tensors.numbers(f64::from_le_bytes));
    let mut next = 0;
    let mut of = Vec::with_capacity(knots.len());
    for (j, (count, classes)) in knots.iter().zip(metadata.classes()).enumerate() {
        let part = next..next + count;
        next = part.end;
        let tail = |side: usize| Tail::from_numbers(std::array::from_fn(|at| tails[(2 * j + side) * 6 + at]));
        of.push(Surprisal {
            curve: Curve::new(values[part.clone()].to_vec(), counted[part].to_vec(), [tail(0), tail(1)]),
            within: None,
            bounds: std::array::from_fn(|at| bounds[4 * j + at]),
            missing: [missing[2 * j], missing[2 * j + 1]],
            classes: if classes > 0 { tensors.numbers(f64::from_le_bytes) } else { vec![] },
        });
    }
    for (of, within) in of.iter_mut().zip(metadata.within.iter().flatten()) {
        of.within = within.map(|sizes| within_of(tensors, sizes.category));
    }
    Surprisals { of, none: Surprisals::none_of(metadata.training.rows) }
}

/// The surprisals within a category, from the next four tensors.
fn within_of(tensors: &mut Tensors, category: usize) -> Within {
    let [groups, knots, counted, tails] = [(); 4].map(|()| tensors.numbers(f64::from_le_bytes));
    let tail = |side: usize| Tail::from_numbers(std::array::from_fn(|at| tails[side * 6 + at]));
    let groups = groups.as_chunks::<2>().0.to_vec();
    Within { category, groups, curve: Curve::new(knots, counted, [tail(0), tail(1)]) }
}

/// The text, offsets and counts of a category.
fn vocabulary_bytes(frequencies: &Frequencies) -> [Vec<u8>; 3] {
    let mut text = vec![];
    let mut offsets = vec![0];
    for value in &frequencies.values {
        text.extend_from_slice(value.as_bytes());
        offsets.push(text.len() as u64);
    }
    [text, bytes_of(&offsets, u64::to_le_bytes), bytes_of(&frequencies.counts, u64::to_le_bytes)]
}

/// A category from the next three tensors; None if they are not text and offsets in it.
fn vocabulary(tensors: &mut Tensors, sizes: &VocabularySizes) -> Option<Frequencies> {
    let text = tensors.u8s();
    let [offsets, counts] = [(); 2].map(|()| tensors.numbers(u64::from_le_bytes));
    let text = std::str::from_utf8(text).ok()?;
    let whole = offsets.first() == Some(&0) && offsets.last() == Some(&(text.len() as u64));
    let value = |ends: &[u64]| text.get(ends[0] as usize..ends[1] as usize).map(str::to_string);
    let values = offsets.windows(2).map(value).collect::<Option<Vec<String>>>().filter(|_| whole)?;
    Some(Frequencies { values, counts, rare: sizes.rare() })
}

/// The bytes of numbers, one after the other.
fn bytes_of<T: Copy, const N: usize>(numbers: &[T], to_bytes: fn(T) -> [u8; N]) -> Vec<u8> {
    numbers.iter().flat_map(|number| to_bytes(*number)).collect()
}

fn checksum<'a>(entry: &str, parts: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(entry.as_bytes());
    parts.for_each(|part| hasher.update(part));
    hasher.finalize()
}

fn view(dtype: Dtype, size: Vec<usize>, bytes: &[u8]) -> PolarsResult<TensorView<'_>> {
    TensorView::new(dtype, size, bytes).map_err(unwritable)
}

fn unwritable(error: impl std::fmt::Display) -> PolarsError {
    polars_err!(ComputeError: "anorand: the model can't be written: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::examples;

    #[test]
    fn a_model_of_this_format_is_read_as_it_was_written() {
        let model = examples::with_seed(3);
        let bytes = model.to_bytes().unwrap();
        let read = Model::from_bytes(&bytes).unwrap();
        assert_eq!(read.metadata(), model.metadata());
        assert_eq!(read.frequencies(), model.frequencies());
        assert_eq!(read.statistics(), model.statistics());
        assert_eq!(read.weights(), model.weights());
        assert_eq!(read.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn a_model_of_each_format_is_read_and_is_the_same_bytes_when_it_is_written_again() {
        for (format, bytes) in [
            (2, include_bytes!("../../../tests/golden/chosen.safetensors").as_slice()),
            (2, include_bytes!("../../../tests/golden/default.safetensors")),
            (2, include_bytes!("../../../tests/golden/imputed.safetensors")),
            (2, include_bytes!("../../../tests/golden/labelled.safetensors")),
            (2, include_bytes!("../../../tests/golden/paper.safetensors")),
            (3, include_bytes!("../../../tests/golden/tensors.safetensors")),
            (4, include_bytes!("../../../tests/golden/surprisals.safetensors")),
            (4, include_bytes!("../../../tests/golden/kept.safetensors")),
            (5, include_bytes!("../../../tests/golden/drawn.safetensors")),
            (5, include_bytes!("../../../tests/golden/novelty.safetensors")),
            (6, include_bytes!("../../../tests/golden/neighbors.safetensors")),
            (6, include_bytes!("../../../tests/golden/ranked.safetensors")),
            (6, include_bytes!("../../../tests/golden/distilled.safetensors")),
        ] {
            let model = Model::from_bytes(bytes).unwrap();
            assert_eq!(model.metadata().format, format);
            assert!(model.to_bytes().unwrap() == bytes, "other bytes");
        }
    }

    #[test]
    fn a_tensor_that_the_format_does_not_have_is_an_error() {
        let bytes = examples::with_seed(3).to_bytes().unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors = file.tensors();
        tensors.push(("new".to_string(), view(Dtype::U8, vec![1], &[0]).unwrap()));
        let more = serialize(tensors, header.metadata().clone()).unwrap();
        let message = Model::from_bytes(&more).err().unwrap().to_string();
        assert!(message.contains("tensors, but format 6 has"), "{message}");
    }
}
