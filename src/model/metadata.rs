//! A model's JSON metadata entry: all that is not a tensor.

use polars::prelude::{polars_ensure, PolarsResult};
use serde::{Deserialize, Serialize};

use crate::data::{Feature, Frequencies, Kind};
use crate::engine::{Losses, Shape};
use crate::options::Options;

use super::combiner::Combiner;
use super::invalid;

/// The version of the file format that this build writes and reads.
pub const FORMAT: u32 = 2;

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
    /// m, the number of networks of the ensemble.
    pub members: usize,
    /// The number of features that each of them sees.
    pub inputs: usize,
    pub combiner: Combiner,
    pub training: Report,
    /// What the options were chosen from, if there was a choice.
    pub candidates: Option<Vec<Candidate>>,
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The number of training rows that the fit used.
    pub rows: usize,
    /// A member's rows left as they are (y = 0) and its synthetic anomalies (y = 1), in an epoch.
    pub normal_rows: usize,
    pub synthetic_rows: usize,
    pub epochs: usize,
    pub steps: usize,
    pub before: Losses,
    pub after: Losses,
}

/// Options that a choice was made from, and what they reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    pub options: Options,
    /// AUC-ROC on held-out rows, 0.5 for a guess and 1 for a perfect separation
    pub criterion: f64,
}

impl Metadata {
    /// The sizes of one of its networks.
    pub fn shape(&self) -> Shape {
        Shape { inputs: self.inputs, hidden: self.options.hidden.clone(), latent: self.options.latent }
    }

    /// From the JSON of a file, each value of it checked.
    pub fn parse(entry: &str) -> PolarsResult<Self> {
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
        polars_ensure!((1..=self.features.len()).contains(&self.inputs), ComputeError:
            "anorand: not a model: its networks see {} of {} features", self.inputs, self.features.len());
        polars_ensure!(self.options.has_valid_widths(), ComputeError:
            "anorand: not a model: its layers have the widths {:?} and {}", self.options.hidden, self.options.latent);
        Ok(())
    }
}
