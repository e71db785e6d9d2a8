//! The one table of a model file's tensors: a new tensor is a new line here.
//!
//! What is written and what is read is checked against it (see [`crate::tensors`]), and
//! docs/model-file.md shows it.

use std::collections::BTreeMap;

use safetensors::tensor::Dtype;

use crate::cells::{CellsMetadata, Spec};
use crate::data::QUANTILES;
use crate::model::quantiles::ScoreQuantiles;
use crate::neighbours::LOG_ODDS_KNOTS;
use crate::tensors::TensorSpec;

use super::metadata::{Metadata, VocabularySizes};

/// A line of the table: a tensor, or one for each of its [`Owners`].
struct Tensor {
    /// With the owners' placeholder, if they have one
    name: &'static str,
    dtype: Dtype,
    shape: &'static [Dim],
    owners: &'static Owners,
    /// What it holds, in a sentence
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation shows it"))]
    meaning: &'static str,
}

/// One dimension of a shape.
struct Dim {
    /// How the documentation writes it
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation shows it"))]
    symbol: &'static str,
    /// How large it is, in a file of this metadata, for the owner of this number
    size: fn(&Metadata, usize) -> usize,
}

/// What has a tensor of its own: the model, each layer, each feature of some kind.
struct Owners {
    /// What a tensor's name has in the place of an owner's name
    placeholder: &'static str,
    /// Which files have such tensors
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation shows it"))]
    when: &'static str,
    /// The number and the name of each
    list: fn(&Metadata) -> Vec<(usize, String)>,
}

const fn dim(symbol: &'static str, size: fn(&Metadata, usize) -> usize) -> Dim {
    Dim { symbol, size }
}

const MEMBERS: Dim = dim("m", |of, _| of.members);
const INPUTS_OF_MEMBER: Dim = dim("k", |of, _| of.inputs);
const FEATURES: Dim = dim("d", |of, _| of.features.len());
const INPUTS: Dim = dim("D", |of, _| of.encoding.count());
const LAYER_INPUTS: Dim = dim("in", |of, at| layer(of, at)[0]);
const LAYER_OUTPUTS: Dim = dim("out", |of, at| layer(of, at)[1]);
const FEATURE_QUANTILES: Dim = dim("21", |_, _| QUANTILES);
const SCORE_QUANTILES: Dim = dim("1001", |_, _| ScoreQuantiles::BODY);
const HIGHEST: Dim = dim("min(n, 4096)", |of, _| ScoreQuantiles::scores_kept(of.training.scored_rows()));
const TEXT_BYTES: Dim = dim("bytes", |of, j| vocabulary(of, j).map_or(0, |sizes| sizes.text_bytes));
const VALUES: Dim = dim("values", |of, j| vocabulary(of, j).map_or(0, |sizes| sizes.remembered));
const VALUES_AND_ONE: Dim = dim("values + 1", |of, j| vocabulary(of, j).map_or(0, |sizes| sizes.remembered + 1));
const ORDINARY: Dim = dim("o", |of, _| of.ordinary);
const ALL_AND_TAILS: Dim = dim("2", |_, _| 2);
const EVIDENCE: Dim = dim("3", |_, _| 3);
const DRAWS: Dim = dim("draws", |of, _| of.options.kept_draws);
const KEPT: Dim = dim("kept", |of, _| of.kept_rows().unwrap_or(0));
const VIEWS: Dim = dim("2", |_, _| 2);
const ODDS: Dim = dim("33", |_, _| LOG_ODDS_KNOTS);

/// The numbers of a layer's inputs and outputs.
fn layer(metadata: &Metadata, at: usize) -> [usize; 2] {
    metadata.shape().layers().get(at).map_or([0; 2], |layer| [layer.inputs, layer.outputs])
}

fn vocabulary(metadata: &Metadata, j: usize) -> Option<&VocabularySizes> {
    metadata.frequencies.get(j)?.as_ref()
}

static MODEL: Owners = Owners { placeholder: "", when: "always", list: |_| alone(true) };
static LAYER: Owners = Owners {
    placeholder: "<layer>",
    when: "for each layer: `nd.0`, `nd.1`, …, `encoder.0`, …, `decoder.0`, …",
    list: |of| of.shape().layers().into_iter().map(|layer| layer.name).enumerate().collect(),
};
static CATEGORY: Owners = Owners {
    placeholder: "<j>",
    when: "for each feature j that is a category",
    list: |of| features(of, |j| vocabulary(of, j).is_some()),
};
static CELLS: Owners =
    Owners { placeholder: "", when: "where the combination takes cells", list: |of| alone(of.cells.is_some()) };
static KEPT_ROWS: Owners =
    Owners { placeholder: "", when: "where the model keeps rows", list: |of| alone(of.kept_rows().is_some()) };
static ONE_DRAW: Owners = Owners {
    placeholder: "",
    when: "where it keeps one draw of rows",
    list: |of| alone(of.kept_rows().is_some() && of.comparison().has_factors()),
};

fn alone(is_there: bool) -> Vec<(usize, String)> {
    if is_there {
        vec![(0, String::new())]
    } else {
        vec![]
    }
}

fn features(metadata: &Metadata, has_one: impl Fn(usize) -> bool) -> Vec<(usize, String)> {
    (0..metadata.features.len()).filter(|j| has_one(*j)).map(|j| (j, j.to_string())).collect()
}

macro_rules! tensors {
    ($($owners:ident { $($name:literal $dtype:ident [$($dim:ident),*] $meaning:literal;)+ })+) => {
        /// All tensors but the checksum.
        static TABLE: &[Tensor] = &[$($(
            Tensor {
                name: $name,
                dtype: Dtype::$dtype,
                shape: &[$($dim),*],
                owners: &$owners,
                meaning: $meaning,
            },
        )+)+];
    };
}

tensors! {
    MODEL {
        "inputs" I64 [MEMBERS, INPUTS_OF_MEMBER] "The inputs that each network sees.";
    }
    LAYER {
        "<layer>.weight" F32 [MEMBERS, LAYER_INPUTS, LAYER_OUTPUTS] "W of y = x·W + b, of each network.";
        "<layer>.bias" F32 [MEMBERS, LAYER_OUTPUTS] "b of the same.";
    }
    MODEL {
        "scaling.offset" F64 [INPUTS]
            "scaled = (value − offset) / scale; for `robust`, s = scaled above 1 becomes 1 + ln s, and below 0 −ln(1 − s).";
        "scaling.scale" F64 [INPUTS] "The scale of the same.";
        "median" F64 [FEATURES] "The training median of each feature, in its own unit.";
        "reference" F64 [INPUTS] "What stands in for each input of a missing value.";
        "feature.quantiles" F64 [FEATURES, FEATURE_QUANTILES]
            "The training values of each feature at 0, 0.05, …, 1, in its own unit; zeros of a category.";
        "feature.at_most" U64 [FEATURES, FEATURE_QUANTILES]
            "The number of training values that are at most each of these; zeros of a category.";
        "feature.missing" U64 [FEATURES] "The number of training rows without a value.";
        "scores.quantiles" F32 [SCORE_QUANTILES] "The quantiles of the n training scores at 0, 0.001, …, 1.";
        "scores.highest" F32 [HIGHEST]
            "The highest training scores, in rising order: thresholds are exact among them.";
    }
    CATEGORY {
        "vocabulary.<j>.text" U8 [TEXT_BYTES] "The values in UTF-8, one after the other, the most frequent first.";
        "vocabulary.<j>.offsets" U64 [VALUES_AND_ONE]
            "Where each value begins in the text, and where the last one ends.";
        "vocabulary.<j>.counts" U64 [VALUES] "The number of training rows that have each value.";
    }
    MODEL {
        "ordinary.rows" F32 [ORDINARY, INPUTS]
            "Scaled training rows that do not score among the highest tenth, which explanations compare with.";
    }
    CELLS {
        "ordinary.evidence" F64 [ORDINARY, EVIDENCE]
            "The evidence against each of them: all, of tails alone, and the most that its other values say against one cell.";
        "ordinary.parts" F32 [ORDINARY, FEATURES, ALL_AND_TAILS] "What each of their cells adds to it.";
    }
    KEPT_ROWS {
        "kept.rows" F32 [DRAWS, KEPT, INPUTS] "The scaled training rows that the model keeps.";
        "kept.unit" F32 [VIEWS]
            "In both views: the mean distance from the nearest rows of each draw, times this, is added to the reconstruction error.";
        "kept.centre" F32 [INPUTS] "The asinh of a scaled input x is asinh((x − centre) / scale).";
        "kept.scale" F32 [INPUTS] "The scale of the same.";
    }
    ONE_DRAW {
        "kept.knots" F32 [INPUTS, ODDS] "Numbers of each scaled input, in rising order.";
        "kept.odds" F32 [INPUTS, ODDS]
            "The log odds that a kept row's is below each of them; linear between them, flat beyond.";
        "kept.factors" F32 [VIEWS, KEPT]
            "In both views: the multiplier of the distance for rows whose nearest kept row it is.";
    }
}

impl Tensor {
    /// States what it must be in a file, by its name there.
    fn specs(&self, metadata: &Metadata) -> Vec<(String, TensorSpec)> {
        let Self { name, dtype, shape, owners, .. } = self;
        let spec = |(at, owner): (usize, String)| {
            let shape = shape.iter().map(|dim| (dim.size)(metadata, at)).collect();
            let name = match owners.placeholder {
                "" => name.to_string(),
                placeholder => name.replacen(placeholder, &owner, 1),
            };
            (name, TensorSpec { dtype: *dtype, shape })
        };
        (owners.list)(metadata).into_iter().map(spec).collect()
    }
}

impl Metadata {
    /// States all tensors that a file of this metadata has, but for the checksum.
    pub(crate) fn tensors(&self) -> BTreeMap<String, TensorSpec> {
        let cells = self.cells.iter().filter_map(CellsMetadata::specs).flatten();
        let cells = cells.map(|Spec { name, dtype, size }| (name.to_string(), TensorSpec { dtype, shape: size }));
        TABLE.iter().flat_map(|tensor| tensor.specs(self)).chain(cells).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::examples;

    /// The table as docs/model-file.md shows it.
    fn documented() -> String {
        let line = |tensor: &Tensor| {
            let Tensor { name, dtype, shape, owners, meaning } = tensor;
            let shape: Vec<&str> = shape.iter().map(|dim| dim.symbol).collect();
            format!("| `{name}` | {dtype:?} `[{}]` | {} | {meaning} |\n", shape.join(", "), owners.when)
        };
        let lines: String = TABLE.iter().map(line).collect();
        format!("| tensor | dtype, shape | which files have it | what it holds |\n|---|---|---|---|\n{lines}")
    }

    #[test]
    fn the_documentation_shows_the_table() {
        let text = include_str!("../../../docs/model-file.md");
        assert!(text.contains(&documented()), "docs/model-file.md should have this table:\n\n{}", documented());
    }

    #[test]
    fn a_dimension_that_is_written_as_a_number_is_that_number() {
        let metadata = examples::with_seed(1).metadata().clone();
        for dim in TABLE.iter().flat_map(|tensor| tensor.shape) {
            if let Ok(number) = dim.symbol.parse::<usize>() {
                assert_eq!((dim.size)(&metadata, 0), number);
            }
        }
    }

    #[test]
    fn each_name_is_there_once() {
        let mut names: Vec<&str> = TABLE.iter().map(|tensor| tensor.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn a_file_has_a_tensor_for_each_owner() {
        let tensors = examples::with_seed(1).metadata().tensors();
        let shape = |name: &str| tensors[name].shape.clone();
        assert_eq!(shape("nd.1.weight"), [2, 3, 2]);
        assert_eq!((shape("vocabulary.2.text"), shape("ordinary.parts")), (vec![7], vec![2, 3, 2]));
        assert!(!tensors.contains_key("vocabulary.0.text") && !tensors.contains_key("kept.knots"));
    }
}
