//! The fitted model, and its codec: one safetensors file, all numbers as tensors plus one JSON metadata entry.
//!
//! | tensor | dtype, size | |
//! |---|---|---|
//! | `inputs` | I64 `[m, inputs]` | the features that each network sees |
//! | `<layer>.weight`, `<layer>.bias` | F32 `[m, inputs, outputs]`, `[m, outputs]` | the layers of [`Shape::layers`] |
//! | `scaling.offset`, `scaling.scale` | F64 `[d]` | `scaled = (value − offset) / scale` |
//! | `median` | F64 `[d]` | each feature's training median, in its own unit |
//! | `sketch.body`, `sketch.tail` | F32 `[1001]`, `[101]` | the training scores' quantiles at 0, 0.001, …, 1 and 0.99, 0.9901, …, 1 |
//!
//! | `checksum` | U32 `[1]` | CRC-32 of the metadata entry and of the tensors above, in this order |
//!
//! The metadata entry `anorand` is the JSON of [`Metadata`]. It is the only one, since the format keeps no order among
//! entries, and the same model must be the same bytes. The checksum finds damage, not tampering.

use std::collections::HashMap;

use ndarray::Array2;
use polars::prelude::{polars_bail, polars_ensure, polars_err, PolarsError, PolarsResult};
use safetensors::tensor::{serialize, Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::categories::{encoders, Encoder, Frequencies};
use crate::columns::{Columns, Feature, Kind};
use crate::combination::Combiner;
use crate::fused::FusedNetwork;
use crate::labels::LabelCounts;
use crate::network::Network;
use crate::options::{Missing, Options};
use crate::scaling::Scaling;
use crate::selection::Candidate;
use crate::shape::Shape;
use crate::sketch::Sketch;
use crate::training::Report;

/// The version of the file format that this build writes and reads.
pub const FORMAT: u32 = 2;

const ENTRY: &str = "anorand";
const CHECKSUM: &str = "checksum";

/// A model's JSON metadata entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub format: u32,
    pub features: Vec<Feature>,
    /// Of each feature that is a category.
    pub frequencies: Vec<Option<Frequencies>>,
    /// Of a fit with labels.
    pub labels: Option<LabelCounts>,
    pub options: Options,
    /// m, the networks of the fleet.
    pub members: i64,
    /// How many features each of them sees.
    pub inputs: i64,
    pub combiner: Combiner,
    pub training: Report,
    /// What the options were chosen from, if there was a choice.
    pub candidates: Option<Vec<Candidate>>,
}

/// A model's numbers outside the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    pub scaling: Scaling,
    /// Each feature's training median, in its own unit.
    pub medians: Vec<f64>,
    /// Quantiles of the training scores.
    pub sketch: Sketch,
}

/// A fitted model: what it takes to score a row.
pub struct Model {
    metadata: Metadata,
    statistics: Statistics,
    /// On the CPU: a model carries no device.
    network: Network,
    fused: FusedNetwork,
    encoders: Vec<Option<Encoder>>,
}

impl Model {
    /// From what a fit found; `fused` is the network once more, `encoders` are of the metadata's frequencies.
    pub fn new(
        metadata: Metadata,
        statistics: Statistics,
        network: &Network,
        fused: FusedNetwork,
        encoders: Vec<Option<Encoder>>,
    ) -> PolarsResult<Self> {
        let network = network.to_device(Device::Cpu)?;
        Ok(Self { metadata, statistics, network, fused, encoders })
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

    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The network for the CPU's fused forward pass.
    pub fn fused(&self) -> &FusedNetwork {
        &self.fused
    }

    /// The model's features among the columns, in its order; missing values are an error if it was fitted to refuse them.
    pub fn matched(&self, columns: &Columns) -> PolarsResult<Columns> {
        let columns = columns.matched(&self.metadata.features)?;
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
        let options = &self.metadata.options;
        // There is at least one hidden layer.
        let last = options.hidden[options.hidden.len() - 1];
        (self.metadata.members * (last + options.latent)) as usize
    }

    /// The rows of columns without missing values, scaled, in the model's order: `[rows, features]`.
    pub fn scaled_rows(&self, columns: &Columns) -> PolarsResult<Array2<f32>> {
        let columns = columns.matched(&self.metadata.features)?.encoded(&self.encoders)?;
        let Statistics { scaling, medians, .. } = &self.statistics;
        columns.scaled(&vec![true; columns.rows()], scaling, medians)
    }

    /// The reference row of an explanation: all features at their training medians, scaled.
    pub fn scaled_reference(&self) -> Vec<f32> {
        let Statistics { scaling, medians, .. } = &self.statistics;
        medians.iter().enumerate().map(|(j, median)| scaling.apply(j, *median)).collect()
    }

    /// The score above which a share `contamination` of the training rows lies.
    pub fn threshold(&self, contamination: f64) -> PolarsResult<f64> {
        check_contamination(contamination)?;
        Ok(self.statistics.sketch.quantile(1.0 - contamination))
    }

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
        let flat = self.network.to_flat()?;
        let mut numbers = flat.as_slice();
        let mut contents = vec![i64_bytes(&self.network.selection()?)];
        for spec in self.metadata.network_tensors() {
            let (tensor, rest) = numbers.split_at(spec.size.iter().product());
            contents.push(f32_bytes(tensor));
            numbers = rest;
        }
        let Statistics { scaling, medians, sketch } = &self.statistics;
        contents.extend([&scaling.offset, &scaling.scale, medians].map(|numbers| f64_bytes(numbers)));
        contents.extend([sketch.body(), sketch.tail()].map(f32_bytes));
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

        let selection = tensors.i64s();
        let known = 0..metadata.features.len() as i64;
        polars_ensure!(selection.iter().all(|feature| known.contains(feature)), ComputeError:
            "anorand: not a model: a network sees a feature beyond the {} that there are", known.end);
        let flat = tensors.f32s(metadata.network_tensors().len());
        let network = Network::from_flat(metadata.shape(), &selection, &flat, Device::Cpu)?;
        let scaling = Scaling { kind: metadata.options.scaling, offset: tensors.f64s(), scale: tensors.f64s() };
        let medians = tensors.f64s();
        let sketch = Sketch::from_parts(tensors.f32s(1), tensors.f32s(1));
        let fused = network.fused()?;
        let encoders = encoders(&metadata.frequencies);
        Ok(Self { metadata, statistics: Statistics { scaling, medians, sketch }, network, fused, encoders })
    }
}

/// An error unless it is a share that leaves rows on both sides.
pub fn check_contamination(contamination: f64) -> PolarsResult<()> {
    polars_ensure!(contamination > 0.0 && contamination < 1.0, ComputeError:
        "anorand: contamination must be a number above 0 and below 1, got {contamination}");
    Ok(())
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
    pub fn shape(&self) -> Shape {
        Shape { inputs: self.inputs, hidden: self.options.hidden.clone(), latent: self.options.latent }
    }

    fn parse(entry: &str) -> PolarsResult<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let unreadable = |error| invalid(format!("its metadata can't be read ({error})"));
        let version: Version = serde_json::from_str(entry).map_err(unreadable)?;
        polars_ensure!(version.format == FORMAT, ComputeError:
            "anorand: the model has format version {}, this build of polars-anorand reads version {FORMAT}: {}",
            version.format, if version.format > FORMAT { "upgrade polars-anorand" } else { "fit the model again" });
        let metadata: Self = serde_json::from_str(entry).map_err(unreadable)?;
        metadata.check_sizes()?;
        Ok(metadata)
    }

    /// Sizes within bounds, so that no later product overflows.
    fn check_sizes(&self) -> PolarsResult<()> {
        polars_ensure!((1..=1_000_000).contains(&self.features.len()), ComputeError:
            "anorand: not a model: it has {} features", self.features.len());
        let known = self.frequencies.iter().map(|counted| counted.as_ref().map(|c| c.values.len() == c.counts.len()));
        let expected = self.features.iter().map(|feature| (feature.kind == Kind::Category).then_some(true));
        polars_ensure!(known.eq(expected), ComputeError:
            "anorand: not a model: its frequencies do not belong to its features");
        polars_ensure!((1..=1_000_000).contains(&self.members), ComputeError:
            "anorand: not a model: it has {} networks", self.members);
        polars_ensure!((1..=self.features.len() as i64).contains(&self.inputs), ComputeError:
            "anorand: not a model: its networks see {} of {} features", self.inputs, self.features.len());
        polars_ensure!(self.options.has_valid_widths(), ComputeError:
            "anorand: not a model: its layers have the widths {:?} and {}", self.options.hidden, self.options.latent);
        Ok(())
    }

    /// All tensors of a file: the network's, its layers in the order of the flat buffer, then the statistics'.
    fn tensors(&self) -> Vec<TensorSpec> {
        let inputs = TensorSpec::new("inputs", Dtype::I64, vec![self.members as usize, self.inputs as usize]);
        let mut tensors = vec![inputs];
        tensors.extend(self.network_tensors());
        let features = self.features.len();
        for name in ["scaling.offset", "scaling.scale", "median"] {
            tensors.push(TensorSpec::new(name, Dtype::F64, vec![features]));
        }
        for (name, len) in [("sketch.body", Sketch::BODY), ("sketch.tail", Sketch::TAIL)] {
            tensors.push(TensorSpec::new(name, Dtype::F32, vec![len]));
        }
        tensors
    }

    fn network_tensors(&self) -> Vec<TensorSpec> {
        let members = self.members as usize;
        let mut tensors = Vec::new();
        for layer in self.shape().layers() {
            let (inputs, outputs) = (layer.inputs as usize, layer.outputs as usize);
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
                "anorand: not a model: the tensor {:?} is {:?} {:?}, but a fleet of {} networks on {} features needs {:?} {:?}",
                spec.name, tensor.dtype(), tensor.shape(), metadata.members, metadata.features.len(), spec.dtype, spec.size);
            parts.push(tensor.data());
        }
        Ok(Self { parts, next: 0 })
    }

    /// The numbers of the next `count` tensors.
    fn f32s(&mut self, count: usize) -> Vec<f32> {
        let parts = &self.parts[self.next..self.next + count];
        self.next += count;
        let numbers = parts.iter().flat_map(|part| part.as_chunks::<4>().0);
        numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// The numbers of the next tensor.
    fn i64s(&mut self) -> Vec<i64> {
        let part = self.parts[self.next];
        self.next += 1;
        part.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
    }

    /// The numbers of the next tensor.
    fn f64s(&mut self) -> Vec<f64> {
        let part = self.parts[self.next];
        self.next += 1;
        part.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }
}

fn f32_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn i64_bytes(numbers: &[i64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn f64_bytes(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
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

fn invalid(reason: String) -> PolarsError {
    polars_err!(ComputeError: "anorand: not a model: {reason}")
}

fn unwritable(error: impl std::fmt::Display) -> PolarsError {
    polars_err!(ComputeError: "anorand: the model can't be written: {error}")
}
