//! A model as bytes: one safetensors file, all numbers as tensors plus one JSON metadata entry.
//!
//! Which tensors a file has is stated in [`super::table`]; beside them stands `checksum`, U32
//! `[1]`: the CRC-32 of the metadata entry and then of all other tensors, in the order of their
//! names. It finds damage, not tampering: numbers with a right checksum are checked as well.
//!
//! The metadata entry `anorand` is the JSON of [`Metadata`]. It is the only one, since safetensors
//! keeps no order among entries, and the same model must be the same bytes.

use std::collections::HashMap;

use polars::prelude::{polars_ensure, polars_err, PolarsError, PolarsResult};
use safetensors::tensor::{serialize, Dtype, SafeTensors, TensorView};

use crate::cells::{describe, Cells};
use crate::data::{Frequencies, Scaling};
use crate::engine::Weights;
use crate::model::quantiles::ScoreQuantiles;
use crate::model::{invalid, FeatureQuantiles, Model, Ordinary, Statistics};
use crate::neighbours::KeptRows;
use crate::tensors::{TensorsIn, TensorsOut};

use super::metadata::{Metadata, VocabularySizes};

const ENTRY: &str = "anorand";
const CHECKSUM: &str = "checksum";

impl Model {
    /// Writes the model as a safetensors file.
    pub fn to_bytes(&self) -> PolarsResult<Vec<u8>> {
        let entry = serde_json::to_string(&self.metadata).map_err(unwritable)?;
        let specs = self.metadata.tensors();
        let contents = self.tensors().checked(&specs)?;
        let checksum = checksum(&entry, contents.values().map(Vec::as_slice)).to_le_bytes();
        let mut tensors = vec![(CHECKSUM.to_string(), view(Dtype::U32, vec![1], &checksum)?)];
        for ((name, spec), bytes) in specs.into_iter().zip(contents.values()) {
            tensors.push((name, view(spec.dtype, spec.shape, bytes)?));
        }
        serialize(tensors, Some(HashMap::from([(ENTRY.to_string(), entry)]))).map_err(unwritable)
    }

    /// Collects all of its numbers outside the metadata.
    fn tensors(&self) -> TensorsOut {
        let mut out = TensorsOut::default();
        write_weights(&self.weights, &mut out);
        let Statistics { scaling, medians, reference, quantiles, cells, ordinary, feature_quantiles, kept } =
            &self.statistics;
        out.put("scaling.offset", &scaling.offset);
        out.put("scaling.scale", &scaling.scale);
        out.put("median", medians);
        out.put("reference", reference);
        out.put("feature.quantiles", feature_quantiles.values.as_flattened());
        out.put("feature.at_most", feature_quantiles.at_most.as_flattened());
        out.put("feature.missing", &feature_quantiles.missing);
        out.put("scores.quantiles", quantiles.body());
        out.put("scores.highest", quantiles.top());
        for (j, frequencies) in self.frequencies.iter().enumerate() {
            frequencies.iter().for_each(|frequencies| write_vocabulary(j, frequencies, &mut out));
        }
        cells.iter().for_each(|cells| cells.write(&mut out));
        ordinary.write(&mut out);
        kept.iter().for_each(|kept| kept.write(&mut out));
        out
    }

    /// Reads a safetensors file that [`Model::to_bytes`] wrote. Anything else is an error that says
    /// what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> PolarsResult<Self> {
        polars_ensure!(!bytes.is_empty(), ComputeError: "anorand: not a model: it is empty");
        let (file, entry) = open(bytes)?;
        let metadata = Metadata::parse(&entry)?;
        let tensors = checked_tensors(&file, &metadata)?;
        let stored = file.tensor(CHECKSUM).map_err(|_| invalid(format!("the tensor {CHECKSUM:?} is missing")))?;
        let actual = checksum(&entry, tensors.contents()?.into_iter()).to_le_bytes();
        polars_ensure!(stored.data() == actual, ComputeError:
            "anorand: the model is damaged: its checksum does not match its contents; fit it again, or restore the file");

        let weights = read_weights(&tensors, &metadata)?;
        let frequencies = read_vocabularies(&tensors, &metadata)?;
        let statistics = read_statistics(&tensors, &metadata, &frequencies)?;
        let model = Self::new(metadata, statistics, frequencies, weights);
        match model.fault() {
            Some(fault) => Err(invalid(fault)),
            None => Ok(model),
        }
    }
}

/// Opens a safetensors file, and finds its metadata entry.
fn open(bytes: &[u8]) -> PolarsResult<(SafeTensors<'_>, String)> {
    let unreadable = |error| {
        invalid(format!("it can't be read as safetensors ({error}); fit(path=…) and Model.save write model files"))
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
    let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
    let entry = header.metadata().as_ref().and_then(|entries| entries.get(ENTRY));
    let entry = entry.ok_or_else(|| invalid(format!("a safetensors file without the metadata entry {ENTRY:?}")))?;
    Ok((file, entry.clone()))
}

fn checked_tensors<'a>(file: &'a SafeTensors<'a>, metadata: &Metadata) -> PolarsResult<TensorsIn<'a>> {
    let needing = format!("an ensemble of {} networks on {} features", metadata.members, metadata.features.len());
    TensorsIn::check(file, metadata.tensors(), CHECKSUM, &needing)
}

fn write_weights(weights: &Weights, out: &mut TensorsOut) {
    let inputs: Vec<i64> = weights.inputs().iter().map(|input| *input as i64).collect();
    out.put("inputs", &inputs);
    let mut numbers = weights.flat();
    for layer in weights.shape().layers() {
        let parts = [("weight", layer.inputs * layer.outputs), ("bias", layer.outputs)];
        for (part, count) in parts {
            let (tensor, rest) = numbers.split_at(weights.members() * count);
            out.put(format!("{}.{part}", layer.name), tensor);
            numbers = rest;
        }
    }
}

fn read_weights(tensors: &TensorsIn, metadata: &Metadata) -> PolarsResult<Weights> {
    let inputs: Vec<i64> = tensors.numbers("inputs")?;
    let known = 0..metadata.encoding.count() as i64;
    polars_ensure!(inputs.iter().all(|input| known.contains(input)), ComputeError:
        "anorand: not a model: a network sees an input that is not one of the model's {}", known.end);
    let shape = metadata.shape();
    let mut numbers: Vec<f32> = Vec::with_capacity(metadata.members * shape.parameters());
    for layer in shape.layers() {
        tensors.append(&format!("{}.weight", layer.name), &mut numbers)?;
        tensors.append(&format!("{}.bias", layer.name), &mut numbers)?;
    }
    Weights::new(shape, inputs.into_iter().map(|input| input as usize).collect(), numbers)
}

fn read_statistics(
    tensors: &TensorsIn,
    metadata: &Metadata,
    frequencies: &[Option<Frequencies>],
) -> PolarsResult<Statistics> {
    let described = describe(&metadata.features, frequencies);
    let cells = metadata.cells.as_ref().map(|cells| Cells::read(tensors, cells, &described)).transpose()?;
    let ordinary = Ordinary::read(tensors, metadata.cells.is_some())?;
    let scaling = Scaling {
        kind: metadata.options.scaling,
        offset: tensors.numbers("scaling.offset")?,
        scale: tensors.numbers("scaling.scale")?,
    };
    let feature_quantiles = FeatureQuantiles {
        values: tensors.rows("feature.quantiles")?,
        at_most: tensors.rows("feature.at_most")?,
        missing: tensors.numbers("feature.missing")?,
    };
    let (body, top) = (tensors.numbers("scores.quantiles")?, tensors.numbers("scores.highest")?);
    let kept = metadata.kept_rows().map(|_| KeptRows::read(tensors, metadata.comparison())).transpose()?;
    Ok(Statistics {
        scaling,
        medians: tensors.numbers("median")?,
        feature_quantiles,
        reference: tensors.numbers("reference")?,
        cells,
        ordinary,
        kept,
        quantiles: ScoreQuantiles::from_parts(body, top, metadata.training.scored_rows()),
    })
}

fn write_vocabulary(j: usize, frequencies: &Frequencies, out: &mut TensorsOut) {
    let mut text = vec![];
    let mut offsets = vec![0];
    for value in &frequencies.values {
        text.extend_from_slice(value.as_bytes());
        offsets.push(text.len() as u64);
    }
    out.put(format!("vocabulary.{j}.text"), &text);
    out.put(format!("vocabulary.{j}.offsets"), &offsets);
    out.put(format!("vocabulary.{j}.counts"), &frequencies.counts);
}

fn read_vocabularies(tensors: &TensorsIn, metadata: &Metadata) -> PolarsResult<Vec<Option<Frequencies>>> {
    let named = metadata.features.iter().zip(&metadata.frequencies).enumerate();
    let read = named.map(|(j, (feature, sizes))| {
        let Some(sizes) = sizes else { return Ok(None) };
        let unreadable = || invalid(format!("the values of feature {:?} are not text", feature.name));
        read_vocabulary(tensors, j, sizes)?.map(Some).ok_or_else(unreadable)
    });
    read.collect()
}

/// Returns None if its tensors are not text and offsets in it.
fn read_vocabulary(tensors: &TensorsIn, j: usize, sizes: &VocabularySizes) -> PolarsResult<Option<Frequencies>> {
    let text: Vec<u8> = tensors.numbers(&format!("vocabulary.{j}.text"))?;
    let offsets: Vec<u64> = tensors.numbers(&format!("vocabulary.{j}.offsets"))?;
    let counts = tensors.numbers(&format!("vocabulary.{j}.counts"))?;
    let Ok(text) = std::str::from_utf8(&text) else { return Ok(None) };
    let whole = offsets.first() == Some(&0) && offsets.last() == Some(&(text.len() as u64));
    let value = |ends: &[u64]| text.get(ends[0] as usize..ends[1] as usize).map(str::to_string);
    let values = offsets.windows(2).map(value).collect::<Option<Vec<String>>>().filter(|_| whole);
    Ok(values.map(|values| Frequencies { values, counts, rare: sizes.rare() }))
}

#[cfg(any(test, fuzzing))]
impl Model {
    /// The file with the checksum that its contents have, so that a fuzzer gets behind it; None if
    /// it has no place for one.
    pub fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
        let (file, entry) = open(bytes).ok()?;
        let tensors = checked_tensors(&file, &Metadata::parse(&entry).ok()?).ok()?;
        let place = file.tensor(CHECKSUM).ok()?.data().as_ptr_range();
        let start = place.start as usize - bytes.as_ptr() as usize;
        let sum = checksum(&entry, tensors.contents().ok()?.into_iter()).to_le_bytes();
        let mut sealed = bytes.to_vec();
        sealed
            .get_mut(start..start + (place.end as usize - place.start as usize))?
            .get_mut(..sum.len())?
            .copy_from_slice(&sum);
        Some(sealed)
    }
}

fn checksum<'a>(entry: &str, parts: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(entry.as_bytes());
    parts.for_each(|part| hasher.update(part));
    hasher.finalize()
}

fn view(dtype: Dtype, shape: Vec<usize>, bytes: &[u8]) -> PolarsResult<TensorView<'_>> {
    TensorView::new(dtype, shape, bytes).map_err(unwritable)
}

fn unwritable(error: impl std::fmt::Display) -> PolarsError {
    polars_err!(ComputeError: "anorand: the model can't be written: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::examples;

    #[test]
    fn a_model_is_read_as_it_was_written() {
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
    fn a_model_of_each_kind_is_the_same_bytes_when_it_is_written_again() {
        for bytes in [
            include_bytes!("../../../tests/golden/chosen.safetensors").as_slice(),
            include_bytes!("../../../tests/golden/default.safetensors"),
            include_bytes!("../../../tests/golden/distilled.safetensors"),
            include_bytes!("../../../tests/golden/imputed.safetensors"),
            include_bytes!("../../../tests/golden/labelled.safetensors"),
            include_bytes!("../../../tests/golden/novelty.safetensors"),
            include_bytes!("../../../tests/golden/paper.safetensors"),
        ] {
            assert!(Model::from_bytes(bytes).unwrap().to_bytes().unwrap() == bytes, "other bytes");
        }
    }

    #[test]
    fn a_tensor_that_the_format_does_not_have_is_an_error() {
        let bytes = examples::with_seed(3).to_bytes().unwrap();
        let (file, entry) = open(&bytes).unwrap();
        let mut tensors = file.tensors();
        tensors.push(("new".to_string(), view(Dtype::U8, vec![1], &[0]).unwrap()));
        let more = serialize(tensors, Some(HashMap::from([(ENTRY.to_string(), entry)]))).unwrap();
        let message = Model::from_bytes(&more).err().unwrap().to_string();
        assert!(message.contains("its format has no tensor \"new\""), "{message}");
    }
}
