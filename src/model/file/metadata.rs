//! A model's JSON metadata entry: all that is not a tensor.
//!
//! The rules of the format's versions:
//!
//! 1. Any change of what a file holds, an added field or tensor included, gets a new number:
//!    [`FORMAT`].
//! 2. From the first release on, a build reads all earlier numbers, for good. A model of an earlier
//!    number that is written again keeps its number, and is the same bytes.
//! 3. A later number is refused with the advice to upgrade. The number is read before anything else
//!    of the entry is looked at.
//! 4. In a format that is known, an unknown field or tensor is an error: it would be lost when the
//!    model is written again.

use polars::prelude::{polars_bail, polars_ensure, PolarsResult};
use serde::{Deserialize, Serialize};

use crate::cells::CellsMetadata;
use crate::data::{Feature, Frequencies, Inputs, Kind, Rare};
use crate::engine::{Checkpoint, Losses, Shape};
use crate::options::{valid_widths, Options};

use crate::combiner::Combiner;
use crate::model::{invalid, Ordinary};
use crate::neighbours::Comparison;

/// The version of the file format that this build writes and reads.
pub const FORMAT: u32 = 1;

/// A model's JSON metadata entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub format: u32,
    pub features: Vec<Feature>,
    /// The inputs of each feature
    pub(crate) encoding: Inputs,
    /// What the cells are, but for their numbers, if the combination takes them
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cells: Option<CellsMetadata>,
    /// The number of training rows that explanations compare with
    pub(crate) ordinary: usize,
    /// The sizes of each feature that is a category; None for other features
    pub(crate) frequencies: Vec<Option<VocabularySizes>>,
    /// How many training rows had which label, of a fit with labels
    pub labels: Option<LabelCounts>,
    pub options: Options,
    /// m, the number of networks of the ensemble.
    pub members: usize,
    /// The number of inputs that each of them sees.
    pub inputs: usize,
    /// What its one network was distilled from, with the option `distil`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distilled: Option<Distilled>,
    pub(crate) combiner: Combiner,
    /// What `kept_weight` was multiplied with, of a model that keeps rows
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_odds: Option<f64>,
    pub training: Report,
}

/// The sizes of a category's tensors, and what became of the values that are not in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VocabularySizes {
    /// The number of values that are remembered.
    pub remembered: usize,
    /// The length of their text.
    pub text_bytes: usize,
    /// The number of values that are not, and of the training rows that have one.
    pub rare_values: u64,
    pub rare_rows: u64,
}

impl VocabularySizes {
    pub fn from_frequencies(frequencies: &Frequencies) -> Self {
        let Rare { values, rows } = frequencies.rare;
        let text_bytes = frequencies.values.iter().map(String::len).sum();
        Self { remembered: frequencies.values.len(), text_bytes, rare_values: values, rare_rows: rows }
    }

    pub fn rare(&self) -> Rare {
        Rare { values: self.rare_values, rows: self.rare_rows }
    }

    /// Whether its sizes are ones with which no later product overflows.
    fn are_possible(&self) -> bool {
        /// Far beyond what a build writes, and far below what overflows.
        const MOST: usize = 1 << 40;
        self.remembered <= MOST && self.text_bytes <= MOST
    }
}

/// How many training rows had which label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelCounts {
    pub anomalies: usize,
    pub normal: usize,
    pub unlabelled: usize,
}

/// What the training did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The number of training rows that the fit could use. It may have seen a sample of them.
    pub rows: usize,
    /// The number of rows of the sample, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<usize>,
    /// The number of rows that α and the quantiles of the scores are taken from, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scored: Option<usize>,
    /// A member's rows left as they are (y = 0) and its synthetic anomalies (y = 1), in an epoch.
    pub normal_rows: usize,
    pub synthetic_rows: usize,
    pub epochs: usize,
    pub steps: usize,
    pub before: Losses,
    pub after: Losses,
    /// The losses on the way
    pub between: Vec<Checkpoint>,
}

impl Report {
    /// The number of rows that the quantiles of the scores are of.
    pub fn scored_rows(&self) -> usize {
        self.scored.unwrap_or(self.rows)
    }
}

/// The ensemble that a network was distilled from, and the network's sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distilled {
    /// The number of the ensemble's networks
    pub members: usize,
    /// The widths of the one network, as the options of these names
    pub hidden: Vec<usize>,
    pub latent: usize,
    /// Spearman's correlation between both models' scores of the training rows
    pub correlation: f64,
}

impl Metadata {
    /// The sizes of one of its networks.
    pub(crate) fn shape(&self) -> Shape {
        match &self.distilled {
            Some(Distilled { hidden, latent, .. }) => {
                Shape { inputs: self.inputs, hidden: hidden.clone(), latent: *latent }
            }
            None => Shape::of(&self.options, self.inputs),
        }
    }

    /// The number of training rows of each draw that the model keeps, if it keeps some.
    pub fn kept_rows(&self) -> Option<usize> {
        if self.distilled.is_some() && self.options.distils_kept_rows() {
            return None;
        }
        let anomalies = self.labels.as_ref().map_or(0, |labels| labels.anomalies);
        let normal = self.training.sampled.unwrap_or(self.training.rows).saturating_sub(anomalies);
        Some(self.options.rows_of_draw(normal)).filter(|rows| *rows > 0)
    }

    /// How kept rows are compared.
    pub(crate) fn comparison(&self) -> Comparison {
        Comparison {
            draws: self.options.kept_draws,
            inputs: self.encoding.count(),
            neighbours: self.options.kept_neighbors,
        }
    }

    /// Bytes of memory that it takes, beside its own.
    pub fn bytes(&self) -> usize {
        let feature = |feature: &Feature| size_of::<Feature>() + feature.name.capacity() + feature.dtype.capacity();
        let features: usize = self.features.iter().map(feature).sum();
        features + self.frequencies.len() * size_of::<Option<VocabularySizes>>()
    }

    /// Reads the JSON of a file, and checks its sizes.
    pub fn parse(entry: &str) -> PolarsResult<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: u64,
        }
        let unreadable = |error| invalid(format!("its metadata can't be read ({error})"));
        let Version { format } = serde_json::from_str(entry).map_err(unreadable)?;
        polars_ensure!(format == u64::from(FORMAT), ComputeError:
            "anorand: the model has format version {format}, this build of polars-anorand reads version {FORMAT}: {}",
            if format > u64::from(FORMAT) { "upgrade polars-anorand" } else { "fit the model again" });
        let metadata: Self = serde_json::from_str(entry).map_err(unreadable)?;
        metadata.check_sizes()?;
        Ok(metadata)
    }

    /// Refuses sizes out of bounds, so that no later product overflows.
    fn check_sizes(&self) -> PolarsResult<()> {
        polars_ensure!((1..=MOST_FEATURES).contains(&self.features.len()), ComputeError:
            "anorand: not a model: it has {} features", self.features.len());
        let found = self.frequencies.iter().map(|sizes| sizes.as_ref().map(VocabularySizes::are_possible));
        let expected = self.features.iter().map(|feature| (feature.kind == Kind::Category).then_some(true));
        polars_ensure!(found.eq(expected), ComputeError:
            "anorand: not a model: its frequencies do not belong to its features");
        polars_ensure!((1..=1_000_000).contains(&self.members), ComputeError:
            "anorand: not a model: it has {} networks", self.members);
        self.check_encoding()?;
        self.check_cells()?;
        let inputs = self.encoding.count();
        polars_ensure!((1..=inputs).contains(&self.inputs), ComputeError:
            "anorand: not a model: its networks see {} of {inputs} inputs", self.inputs);
        self.check_distilled()?;
        polars_ensure!(self.options.has_valid_widths(), ComputeError:
            "anorand: not a model: its layers have the widths {:?} and {}", self.options.hidden, self.options.latent);
        Ok(())
    }

    fn check_distilled(&self) -> PolarsResult<()> {
        polars_ensure!(self.distilled.is_some() == self.options.distil, ComputeError:
            "anorand: not a model: its option distil={} and what it says of a distillation do not agree",
            self.options.distil);
        if let Some(Distilled { members, hidden, latent, correlation }) = &self.distilled {
            let usable =
                *members == self.options.members && valid_widths(hidden, *latent) && (-1.0..=1.0).contains(correlation);
            polars_ensure!(usable && self.members == 1, ComputeError:
                "anorand: not a model: {} networks of the widths {hidden:?} and {latent} were distilled from {members}, with a correlation of \
                 {correlation}", self.members);
        }
        Ok(())
    }

    /// Refuses inputs that are not those of the features.
    fn check_encoding(&self) -> PolarsResult<()> {
        let features = self.features.len();
        polars_ensure!(self.encoding.features() == features, ComputeError:
            "anorand: not a model: it has inputs of {} features, but {features} features", self.encoding.features());
        for (j, (feature, sizes)) in self.features.iter().zip(&self.frequencies).enumerate() {
            let values = sizes.as_ref().map(|sizes| sizes.remembered);
            if let Some(fault) = self.encoding.fault(j, feature.kind, values) {
                polars_bail!(ComputeError: "anorand: not a model: the inputs of feature {:?} {fault}", feature.name);
            }
        }
        Ok(())
    }

    /// Refuses cells that do not belong to the features, or that the combination does not take.
    fn check_cells(&self) -> PolarsResult<()> {
        let features = self.features.len();
        let takes = self.options.combination.takes_cells();
        let fit = match &self.cells {
            Some(cells) => takes && cells.columns.len() == features && cells.specs().is_some(),
            None => !takes,
        };
        polars_ensure!(fit, ComputeError: "anorand: not a model: its cells do not belong to its features");
        polars_ensure!((1..=Ordinary::MOST).contains(&self.ordinary), ComputeError:
            "anorand: not a model: it has {} rows to compare with, expected 1 to {}", self.ordinary, Ordinary::MOST);
        Ok(())
    }
}

/// Refuses features of which no model could be written, before it is fitted: a file's header has a
/// limit.
pub fn check_writable(features: &[Feature]) -> PolarsResult<()> {
    /// What the safetensors format allows, less 10 MB for all that does not grow with the features.
    const MOST_HEADER: usize = 90_000_000;
    /// The header's entries of the tensors of a category or a time, its sizes and its inputs.
    const OF_CATEGORY: usize = 1_000;
    polars_ensure!(features.len() <= MOST_FEATURES, ComputeError:
        "anorand: there are {} features, expected at most {MOST_FEATURES}", features.len());
    let unreadable = |error| invalid(format!("its features can't be written ({error})"));
    // The entry is JSON within the header's JSON: each quote and each backslash is escaped twice.
    let entry = serde_json::to_string(features).map_err(unreadable)?;
    let escaped = serde_json::to_string(&entry).map_err(unreadable)?.len();
    let categories = features.iter().filter(|feature| feature.kind != Kind::Number).count();
    let header = escaped + OF_CATEGORY * categories;
    polars_ensure!(header <= MOST_HEADER, ComputeError:
        "anorand: the names and dtypes of {} features take {:.0} MB in a model file, expected at most {:.0} MB: shorten the names",
        features.len(), header as f64 / 1e6, MOST_HEADER as f64 / 1e6);
    Ok(())
}

const MOST_FEATURES: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::examples;

    fn entry(change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> String {
        let mut entry = serde_json::to_value(examples::with_seed(1).metadata()).unwrap();
        change(entry.as_object_mut().unwrap());
        entry.to_string()
    }

    fn refusal(entry: &str) -> String {
        Metadata::parse(entry).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let metadata = examples::with_seed(1).metadata().clone();
        assert_eq!(Metadata::parse(&entry(|_| ())).unwrap(), metadata);
    }

    #[test]
    fn a_later_number_says_upgrade_before_anything_else_is_looked_at() {
        for format in [u64::from(FORMAT) + 1, u64::from(u32::MAX) + 1] {
            let message = refusal(&format!("{{\"format\": {format}, \"new\": 1, \"options\": \"others\"}}"));
            assert!(message.contains(&format!("format version {format}")) && message.contains("upgrade"), "{message}");
        }
    }

    #[test]
    fn a_number_before_the_first_says_fit_again() {
        assert!(refusal("{\"format\": 0}").contains("fit the model again"));
    }

    #[test]
    fn an_unknown_field_of_a_known_format_is_an_error_wherever_it_is() {
        let added = |at: &str| {
            entry(|entry| match at {
                "" => drop(entry.insert("new".to_string(), 1.into())),
                at => drop(entry[at].as_object_mut().unwrap().insert("new".to_string(), 1.into())),
            })
        };
        for at in ["", "options", "combiner", "training"] {
            assert!(refusal(&added(at)).contains("unknown field `new`"), "{at}");
        }
        let in_vocabulary = entry(|entry| {
            let sizes = &mut entry["frequencies"][examples::CATEGORY];
            sizes.as_object_mut().unwrap().insert("new".to_string(), 1.into());
        });
        assert!(refusal(&in_vocabulary).contains("unknown field `new`"));
    }

    #[test]
    fn the_inputs_of_a_feature_are_few() {
        let many: Vec<_> = (0..200_000).map(|code| serde_json::json!({"is": code})).collect();
        let with_many = entry(|entry| {
            entry["encoding"][examples::CATEGORY] = many.into();
            entry["frequencies"][examples::CATEGORY]["remembered"] = (1u64 << 39).into();
        });
        let begun = std::time::Instant::now();
        let message = refusal(&with_many);
        assert!(message.contains("the inputs of feature \"kind\" are 200000, expected at most"), "{message:.200}");
        assert!(begun.elapsed().as_secs() < 5, "it took {:?}", begun.elapsed());
    }

    #[test]
    fn a_distilled_network_is_one_of_the_widths_that_are_said() {
        let distilled = |change: &dyn Fn(&mut serde_json::Value)| {
            entry(|entry| {
                entry["members"] = 1.into();
                entry["options"]["distil"] = true.into();
                let said = serde_json::json!({"members": 2, "hidden": [64, 32], "latent": 16, "correlation": 0.99});
                entry.insert("distilled".to_string(), said);
                change(entry.get_mut("distilled").unwrap());
            })
        };
        let read = Metadata::parse(&distilled(&|_| ())).unwrap();
        assert_eq!(read.shape(), Shape { inputs: read.inputs, hidden: vec![64, 32], latent: 16 });
        assert_eq!(read.kept_rows(), None);
        for (field, value) in [
            ("members", 3.into()),
            ("hidden", serde_json::json!([0])),
            ("latent", (1i64 << 40).into()),
            ("correlation", 1.5.into()),
        ] {
            let message = refusal(&distilled(&|said| said[field] = value.clone()));
            assert!(message.contains("were distilled from"), "{message}");
        }
        assert!(refusal(&distilled(&|said| *said = serde_json::Value::Null)).contains("do not agree"));
    }

    #[test]
    fn features_whose_names_fill_the_header_are_refused() {
        let feature = |name: String| Feature { name, dtype: "f64".to_string(), kind: Kind::Number };
        check_writable(&[feature("x".repeat(1_000_000))]).unwrap();
        let message = check_writable(&[feature("\"".repeat(30_000_000))]).unwrap_err().to_string();
        assert!(message.contains("shorten the names"), "{message}");
    }
}
