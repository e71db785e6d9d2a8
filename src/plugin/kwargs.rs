//! The arguments that come with a call, and what they make of its inputs.

use std::fmt::Formatter;
use std::path::PathBuf;

use polars::prelude::*;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::data::{feature_fields, Columns, Feature, Labels};
use crate::fit::check_size;
use crate::options::{OptionsByLabels, UncheckedOptions};
use crate::query::{Groups, Init, ModelFile, SmallGroups, Training};

use super::ffi::expression;

/// A path of a file: text, or bytes where it is not UTF-8.
pub struct FilePath(pub PathBuf);

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyPath;

        impl Visitor<'_> for AnyPath {
            type Value = FilePath;

            fn expecting(&self, f: &mut Formatter) -> std::fmt::Result {
                f.write_str("a path")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<FilePath, E> {
                Ok(FilePath(PathBuf::from(text)))
            }

            #[cfg(unix)]
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<FilePath, E> {
                use std::os::unix::ffi::OsStrExt;
                Ok(FilePath(PathBuf::from(std::ffi::OsStr::from_bytes(bytes))))
            }
        }
        deserializer.deserialize_any(AnyPath)
    }
}

/// Says how to fit a model. With labels or groups, the first input is a struct of structs: the
/// features, then the labels if there are any, the keys if there are groups, the models to start
/// from, and which rows are replayed. One input, since Polars then runs the groups of a `group_by`
/// side by side.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingKwargs {
    pub options: UncheckedOptions,
    /// The values to choose from, if `loss_weight` was given as a list.
    pub loss_weights: Vec<f64>,
    pub labels: bool,
    /// Whether there is a model for each group.
    pub by: bool,
    pub small_groups: Option<String>,
    pub min_group_rows: Option<i64>,
    /// Whether there is a model for each row to start from; and a file of one for all
    pub init: bool,
    pub init_path: Option<FilePath>,
    /// Whether some rows are replayed.
    pub replay: bool,
}

impl TrainingKwargs {
    /// Whether the features are one of several fields of the input.
    fn is_packed(&self) -> bool {
        self.labels || self.by || self.init || self.replay
    }

    pub fn check_options(&self) -> PolarsResult<OptionsByLabels> {
        OptionsByLabels::check(&self.options, self.loss_weights.clone(), self.labels)
    }

    pub fn small_groups(&self) -> PolarsResult<SmallGroups> {
        SmallGroups::parse(self.small_groups.as_deref(), self.min_group_rows)
    }
}

/// `fit`: what comes with the call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitKwargs {
    pub training: TrainingKwargs,
    pub device: Option<String>,
    pub precision: Option<String>,
    pub path: Option<FilePath>,
    /// Where its progress is drawn, if anywhere.
    pub progress: Option<String>,
    pub name: String,
}

/// A batch of a table that comes in batches. Inputs: its rows, then the models to start from, if
/// there are some: one, or one for each group.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObserveKwargs {
    /// The id of the scan.
    pub scan: u64,
    pub training: TrainingKwargs,
}

/// The scores of a batch, of one group or of several, whose numbers are the second input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoresKwargs {
    pub scan: u64,
}

/// `fit` of what a scan has gathered. Inputs: the sample, where the scan only counts rows, or a
/// null of the keys' dtypes; then the models.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitScanKwargs {
    pub scan: u64,
    pub fit: FitKwargs,
}

/// What comes with a call that applies a model. Inputs: the features, then the model if it is a
/// value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyKwargs {
    /// The model's file, if it is one.
    pub model: Option<FilePath>,
    /// How to fit a model on the rows themselves, if none is given.
    pub training: Option<TrainingKwargs>,
    pub device: Option<String>,
    pub precision: Option<String>,
    /// Where its progress is drawn, if anywhere.
    pub progress: Option<String>,
    pub name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectKwargs {
    pub apply: ApplyKwargs,
    pub contamination: Option<f64>,
    pub threshold: Option<f64>,
    /// Whether to say how far the members agree.
    pub spread: bool,
    /// The number of reasons of an outlier.
    pub explain: Option<i64>,
}

/// `drift`: the inputs are the features, and one model.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftKwargs {
    pub contamination: Option<f64>,
    pub device: Option<String>,
    pub name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainKwargs {
    pub apply: ApplyKwargs,
    pub top: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedKwargs {
    pub apply: ApplyKwargs,
    pub width: i64,
}

/// `findings`: the inputs are the features.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingsKwargs {
    pub name: String,
}

/// Reads the features, and how to fit on them.
pub fn training(inputs: &[Series], kwargs: TrainingKwargs) -> PolarsResult<(Columns, Training)> {
    let parts = Parts::from_input(first(inputs)?, &kwargs)?;
    let small = kwargs.small_groups()?;
    let groups = parts.keys.map(|keys| Groups::from_keys(keys, small)).transpose()?;
    let options = kwargs.check_options()?;
    let file = kwargs.init_path.map(|path| Init::File(ModelFile::new(&path.0, expression())));
    let init = parts.init.or(file).map(|init| (init, kwargs.options));
    Ok((parts.columns, Training { options, labels: parts.labels, groups, init, replayed: parts.replayed }))
}

/// The fields of the first input, read.
pub struct Parts {
    pub columns: Columns,
    pub labels: Option<Labels>,
    /// The key columns of the groups
    pub keys: Option<Vec<Series>>,
    pub init: Option<Init>,
    pub replayed: Option<Vec<bool>>,
}

impl Parts {
    pub fn from_input(input: &Series, kwargs: &TrainingKwargs) -> PolarsResult<Self> {
        if !kwargs.is_packed() {
            let columns = Columns::from_series(input)?;
            return Ok(Self { columns, labels: None, keys: None, init: None, replayed: None });
        }
        let mut fields = input.struct_()?.fields_as_series().into_iter();
        let columns = Columns::from_series(&fields.next().ok_or_else(no_feature)?)?;
        let labels = if kwargs.labels { fields.next() } else { None };
        let labels = labels.map(|labels| Labels::from_series(&only(labels.struct_()?.fields_as_series(), "labels")?));
        let keys = if kwargs.by { fields.next() } else { None };
        let keys = keys.map(|keys| Ok::<_, PolarsError>(keys.struct_()?.fields_as_series()));
        let init = if kwargs.init { fields.next() } else { None };
        let init = init.map(|init| Init::column(&init));
        let replayed = if kwargs.replay { fields.next() } else { None };
        // A null is a new row.
        let replayed =
            replayed.map(|replayed| Ok::<_, PolarsError>(replayed.bool()?.iter().map(|r| r == Some(true)).collect()));
        let (labels, keys) = (labels.transpose()?, keys.transpose()?);
        Ok(Self { columns, labels, keys, init: init.transpose()?, replayed: replayed.transpose()? })
    }

    /// Takes, from a batch of a scan, the number of each row's group, which is the first of the
    /// keys.
    pub fn take_numbers(&mut self) -> PolarsResult<Option<Vec<u32>>> {
        let Some(keys) = &mut self.keys else { return Ok(None) };
        polars_ensure!(!keys.is_empty(), ComputeError: "anorand: a scan with groups has no numbers of them");
        Ok(Some(keys.remove(0).u32()?.iter().flatten().collect()))
    }
}

/// The fields of the first input, taken apart.
pub struct PackedFields {
    pub features: Field,
    labels: Option<Field>,
    pub keys: Vec<Field>,
    init: Option<Field>,
    replay: Option<Field>,
}

impl PackedFields {
    pub fn from_inputs(inputs: &[Field], training: Option<&TrainingKwargs>) -> PolarsResult<Self> {
        let input = inputs.first().ok_or_else(no_feature)?;
        let Some(training) = training.filter(|training| training.is_packed()) else {
            return Ok(Self { features: input.clone(), labels: None, keys: vec![], init: None, replay: None });
        };
        let DataType::Struct(fields) = input.dtype() else {
            polars_bail!(SchemaMismatch: "anorand: features and labels came as {}, expected a struct", input.dtype());
        };
        let mut fields = fields.iter().cloned();
        let features = fields.next().ok_or_else(no_feature)?;
        let mut next = |is_there: bool| match is_there.then(|| fields.next()).flatten() {
            Some(Field { dtype: DataType::Struct(fields), .. }) => fields,
            _ => vec![],
        };
        let labels = next(training.labels);
        let labels = training.labels.then(|| only(labels, "labels")).transpose()?;
        let keys = next(training.by);
        let init = if training.init { fields.next() } else { None };
        let replay = if training.replay { fields.next() } else { None };
        Ok(Self { features, labels, keys, init, replay })
    }

    pub fn features(&self) -> PolarsResult<Vec<Feature>> {
        feature_fields(&self.features)?.iter().map(Feature::from_field).collect()
    }

    /// Checks that names, dtypes and options fit together. `output` is the name of the result.
    pub fn check(&self, output: &str, training: Option<&TrainingKwargs>) -> PolarsResult<()> {
        let features = self.features()?;
        if let Some(training) = training {
            // Where there is a model to start from, that knows.
            if !training.init && training.init_path.is_none() {
                features.iter().try_for_each(Feature::check_typed)?;
            }
            for options in training.check_options()?.cases() {
                features.iter().try_for_each(|feature| feature.check_encoding(options.encode))?;
                check_size(options, options.features_of_member(features.len()))?;
            }
            training.small_groups()?;
        }
        let is_feature = |name: &str| features.iter().any(|feature| feature.name == name);
        polars_ensure!(!is_feature(output), Duplicate:
            "anorand: the feature {output:?} has the name of the result, which would take its place in with_columns: give the \
             result another one, name=\"…\", or rename the feature");
        if let Some(init) = &self.init {
            Init::check_dtype(init.dtype())?;
        }
        if let Some(replay) = &self.replay {
            polars_ensure!(*replay.dtype() == DataType::Boolean, SchemaMismatch:
                "anorand: replay has dtype {}, expected Boolean: true for rows that the model of init= has seen", replay.dtype());
        }
        if let Some(labels) = &self.labels {
            Labels::check_dtype(labels)?;
            polars_ensure!(!is_feature(labels.name()), Duplicate:
                "anorand: the labels {:?} are among the features, so that the model would see the answer: leave them out, as in \
                 pl.exclude({:?})", labels.name(), labels.name());
        }
        Ok(())
    }
}

/// Returns the one column that an argument must be.
fn only<T>(mut columns: Vec<T>, argument: &str) -> PolarsResult<T> {
    match (columns.pop(), columns.len()) {
        (Some(column), 0) => Ok(column),
        (_, more) => polars_bail!(ComputeError: "anorand: {argument} must be one column, got {}", more + 1),
    }
}

pub fn first(inputs: &[Series]) -> PolarsResult<&Series> {
    inputs.first().ok_or_else(no_feature)
}

fn no_feature() -> PolarsError {
    polars_err!(ComputeError: "anorand: there is no feature: the expression selects no column")
}
