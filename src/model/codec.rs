//! A model as bytes: one safetensors file, all numbers as tensors plus one JSON metadata entry.
//!
//! | tensor | dtype, size | |
//! |---|---|---|
//! | `inputs` | I64 `[m, inputs]` | the features that each network sees |
//! | `<layer>.weight`, `<layer>.bias` | F32 `[m, inputs, outputs]`, `[m, outputs]` | the layers of [`Shape::layers`] |
//! | `scaling.offset`, `scaling.scale` | F64 `[d]` | `scaled = (value − offset) / scale` |
//! | `median` | F64 `[d]` | each feature's training median, in its own unit |
//! | `scores.quantiles` | F32 `[1001]` | the training scores' quantiles at 0, 0.001, …, 1 |
//! | `scores.highest` | F32 `[min(n, 4096)]` | the highest training scores, in rising order |
//! | `vocabulary.<j>.text` | U8 `[bytes]` | of each feature j that is a category: its values in UTF-8, the most frequent first |
//! | `vocabulary.<j>.offsets` | U64 `[values + 1]` | where each value begins in the text, and where the last one ends |
//! | `vocabulary.<j>.counts` | U64 `[values]` | the number of training rows that have each value |
//! | `checksum` | U32 `[1]` | CRC-32 of the metadata entry and of the tensors above, in this order |
//!
//! The metadata entry `anorand` is the JSON of [`Metadata`]. It is the only one, since the format keeps no order among
//! entries, and the same model must be the same bytes. The checksum finds damage, not tampering: numbers with a right checksum
//! are checked as well. A file of format 2 has no vocabularies; see [`super::metadata`] for the rules of the versions.

use std::collections::HashMap;

use polars::prelude::{polars_bail, polars_ensure, polars_err, PolarsError, PolarsResult};
use safetensors::tensor::{serialize, Dtype, SafeTensors, TensorView};

use crate::data::{Frequencies, Scaling};
use crate::engine::Weights;

use super::metadata::{Metadata, Vocabulary, VocabularySizes};
use super::quantiles::{ScoreQuantiles, Top};
use super::{invalid, Model, Statistics};

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
        let Statistics { scaling, medians, quantiles } = &self.statistics;
        contents.extend([&scaling.offset, &scaling.scale, medians].map(|numbers| bytes_of(numbers, f64::to_le_bytes)));
        contents.extend([quantiles.body(), quantiles.top()].map(|scores| bytes_of(scores, f32::to_le_bytes)));
        for (kept, frequencies) in self.metadata.frequencies.iter().zip(&self.frequencies) {
            if let (Some(Vocabulary::Tensors(_)), Some(frequencies)) = (kept, frequencies) {
                contents.extend(vocabulary_bytes(frequencies));
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
        let known = 0..metadata.features.len() as i64;
        polars_ensure!(selection.iter().all(|feature| known.contains(feature)), ComputeError:
            "anorand: not a model: a network sees a feature that is not one of the model's {}", known.end);
        let inputs = selection.into_iter().map(|feature| feature as usize).collect();
        let weights = Weights::new(metadata.shape(), inputs, tensors.f32s(metadata.network_tensors().len()))?;
        let [offset, scale, medians] = [(); 3].map(|()| tensors.numbers(f64::from_le_bytes));
        let scaling = Scaling { kind: metadata.options.scaling, offset, scale };
        let (body, top) = (tensors.f32s(1), tensors.f32s(1));
        let top = match metadata.format {
            2 => Top::Quantiles(top),
            _ => Top::Scores { scores: top, rows: metadata.training.rows },
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
        let model = Self::new(metadata, Statistics { scaling, medians, quantiles }, frequencies, weights);
        match model.fault() {
            Some(fault) => Err(invalid(fault)),
            None => Ok(model),
        }
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
        let features = self.features.len();
        for name in ["scaling.offset", "scaling.scale", "median"] {
            tensors.push(TensorSpec::new(name, Dtype::F64, vec![features]));
        }
        let scores = match self.format {
            2 => [("sketch.body", ScoreQuantiles::BODY), ("sketch.tail", ScoreQuantiles::TAIL)],
            _ => {
                let kept = ScoreQuantiles::scores_kept(self.training.rows);
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
        tensors
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
        let numbers = parts.iter().flat_map(|part| part.as_chunks::<4>().0);
        numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect()
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
            (2, include_bytes!("../../tests/golden/chosen.safetensors").as_slice()),
            (2, include_bytes!("../../tests/golden/default.safetensors")),
            (2, include_bytes!("../../tests/golden/imputed.safetensors")),
            (2, include_bytes!("../../tests/golden/labelled.safetensors")),
            (2, include_bytes!("../../tests/golden/paper.safetensors")),
            (3, include_bytes!("../../tests/golden/tensors.safetensors")),
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
        assert!(message.contains("tensors, but format 3 has"), "{message}");
    }
}
