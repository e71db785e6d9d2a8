//! What a feature becomes for the networks: one or several numbers, their inputs.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use crate::options::{Encode, Missing, Options, Temporal};

use super::calendar::{recurring, Cycle, Moment};
use super::categories::Encoder;
use super::statistics::FeatureStatistics;
use crate::data::feature::{Feature, Kind};

/// The most values of a category that have an input of their own.
const MOST_VALUES: usize = 8;
/// More inputs than any feature has. A file with more is refused, before they are compared with one
/// another.
const MOST_INPUTS: usize = 64;
/// The share of the training rows that a value of a category, or the missing value, needs for an
/// input of its own. Rarer ones are for the cells: an input that is nearly always 0 teaches a
/// network little, and dominates it where it is 1.
const LEAST_SHARE: f64 = 0.05;

/// One of the numbers that a feature becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// The number itself; of a category, the value's log-frequency
    Value,
    /// 1 where the value is missing, 0 elsewhere
    Missing,
    /// 1 where a category has this value of its vocabulary, 0 elsewhere
    Is(usize),
    /// Where a time is in a cycle, as a point on a circle: its sine
    Sine(Cycle),
    /// Its cosine
    Cosine(Cycle),
    /// 0: a time in which nothing recurs
    Nothing,
    /// How much of one of its bins, counted from the lowest, a number has passed, from 0 to 1
    Bin(usize),
}

impl Input {
    /// The range that becomes 0 to 1, where it does not depend on the training rows.
    pub fn range(self) -> Option<(f64, f64)> {
        match self {
            Self::Value | Self::Bin(_) => None,
            Self::Missing | Self::Is(_) | Self::Nothing => Some((0.0, 1.0)),
            Self::Sine(_) | Self::Cosine(_) => Some((-1.0, 1.0)),
        }
    }

    /// Which of its feature's bins it is, if it is one.
    pub fn bin(self) -> Option<usize> {
        match self {
            Self::Bin(bin) => Some(bin),
            _ => None,
        }
    }

    /// The number that it has for a feature's value; NaN where that is missing, or no time of the
    /// calendar.
    pub fn number(self, kind: Kind, value: f64, encoder: Option<&Encoder>) -> f64 {
        let on_circle = |cycle: Cycle, part: fn(f64) -> f64| {
            Moment::from_number(kind, value).map_or(f64::NAN, |moment| part(TAU * cycle.share(&moment)))
        };
        match self {
            Self::Missing => f64::from(u8::from(value.is_nan())),
            _ if value.is_nan() => f64::NAN,
            Self::Value | Self::Bin(_) => encoder.map_or(value, |encoder| encoder.log_frequency(value as usize)),
            Self::Is(code) => f64::from(u8::from(value as usize == code)),
            Self::Sine(cycle) => on_circle(cycle, libm::sin),
            Self::Cosine(cycle) => on_circle(cycle, libm::cos),
            Self::Nothing => 0.0,
        }
    }
}

/// The inputs of each feature, in the features' order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inputs(Vec<Vec<Input>>);

impl Inputs {
    /// One for each feature: its value.
    #[cfg(test)]
    pub fn values(features: usize) -> Self {
        Self(vec![vec![Input::Value]; features])
    }

    /// Those that are given, for each feature.
    #[cfg(test)]
    pub fn from_features(inputs: Vec<Vec<Input>>) -> Self {
        Self(inputs)
    }

    /// Chooses the inputs by the options and the training rows; `edges` are those of each feature's bins.
    pub fn choose(
        features: &[Feature],
        statistics: &[FeatureStatistics],
        encoders: &[Option<Encoder>],
        edges: &[Vec<f64>],
        options: &Options,
    ) -> Self {
        let all = features.iter().zip(statistics).zip(encoders).enumerate();
        let choose = |(j, ((feature, statistics), encoder)): (usize, ((&Feature, _), _))| {
            let mut inputs = choose_for_feature(feature, statistics, encoder, options);
            if inputs.contains(&Input::Value) {
                inputs.extend((1..edges.get(j).map_or(0, Vec::len)).map(|edge| Input::Bin(edge - 1)));
            }
            inputs
        };
        Self(all.map(choose).collect())
    }

    /// Returns the same inputs where values of categories have other codes, from each feature's
    /// values by code to the new ones; None if a value with an input of its own is no longer there.
    pub fn recoded(&self, values: &[Option<Vec<String>>], encoders: &[Option<Encoder>]) -> Option<Self> {
        let recode = |j: usize, input: &Input| match (input, &values[j], &encoders[j]) {
            (Input::Is(code), Some(values), Some(encoder)) => encoder.code(values.get(*code)?).map(Input::Is),
            (Input::Is(_), _, _) => None,
            (other, _, _) => Some(*other),
        };
        let recode_all = |(j, inputs): (usize, &Vec<Input>)| inputs.iter().map(|input| recode(j, input)).collect();
        self.0.iter().enumerate().map(recode_all).collect::<Option<_>>().map(Self)
    }

    /// What stands in for each input of a missing value: that of the median; for a time, the centre
    /// of the circle.
    pub fn reference(&self, statistics: &[FeatureStatistics], encoders: &[Option<Encoder>]) -> Vec<f64> {
        let mut reference = Vec::with_capacity(self.count());
        for ((inputs, statistics), encoder) in self.0.iter().zip(statistics).zip(encoders) {
            let value = encoder.as_ref().map(|encoder| encoder.code_of(statistics.median));
            reference.extend(inputs.iter().map(|input| match input {
                Input::Value | Input::Bin(_) => statistics.median,
                Input::Missing => f64::from(u8::from(statistics.missing > statistics.known)),
                Input::Is(code) => f64::from(u8::from(value == Some(*code))),
                Input::Sine(_) | Input::Cosine(_) | Input::Nothing => 0.0,
            }));
        }
        reference
    }

    /// The inputs of a feature.
    pub fn feature(&self, feature: usize) -> &[Input] {
        &self.0[feature]
    }

    /// The number of inputs.
    pub fn count(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.0.len()
    }

    /// Each feature's inputs, with the number of the first of them.
    pub fn enumerated(&self) -> impl Iterator<Item = (usize, &[Input])> {
        let mut next = 0;
        self.0.iter().map(move |inputs| {
            let first = next;
            next += inputs.len();
            (first, inputs.as_slice())
        })
    }

    /// The feature of each input.
    pub fn owners(&self) -> Vec<usize> {
        self.0.iter().enumerate().flat_map(|(feature, inputs)| vec![feature; inputs.len()]).collect()
    }

    /// Whether a feature's numbers are times of a clock and a calendar.
    pub fn is_calendar(inputs: &[Input]) -> bool {
        inputs.iter().any(|input| matches!(input, Input::Sine(_) | Input::Cosine(_) | Input::Nothing))
    }

    /// What is wrong with them, as a file may have them: those of a feature of this kind, with this
    /// number of values.
    pub fn fault(&self, feature: usize, kind: Kind, values: Option<usize>) -> Option<String> {
        let inputs = &self.0[feature];
        if inputs.len() > MOST_INPUTS {
            return Some(format!("are {}, expected at most {MOST_INPUTS}", inputs.len()));
        }
        let fits = |input: &Input| match input {
            Input::Value | Input::Missing | Input::Bin(_) => true,
            Input::Is(code) => values.is_some_and(|values| *code < values),
            Input::Sine(_) | Input::Cosine(_) | Input::Nothing => kind.recurs(),
        };
        let distinct = inputs.iter().enumerate().all(|(at, input)| !inputs[..at].contains(input));
        let fits = !inputs.is_empty() && distinct && inputs.iter().all(fits);
        (!fits).then(|| format!("are {inputs:?}, which can't be"))
    }
}

/// Chooses the inputs of one feature.
fn choose_for_feature(
    feature: &Feature,
    statistics: &FeatureStatistics,
    encoder: &Option<Encoder>,
    options: &Options,
) -> Vec<Input> {
    let mut inputs = match feature.kind {
        kind if kind.recurs() && options.temporal == Temporal::Calendar => {
            let cycles = recurring(kind, statistics.high - statistics.low);
            match cycles.is_empty() {
                true => vec![Input::Nothing],
                false => cycles.into_iter().flat_map(|cycle| [Input::Sine(cycle), Input::Cosine(cycle)]).collect(),
            }
        }
        Kind::Category if options.encode == Encode::Onehot => {
            let frequent = encoder.as_ref().map_or(0, |encoder| encoder.above(LEAST_SHARE)).min(MOST_VALUES);
            let own = if frequent > 1 { frequent } else { 0 };
            std::iter::once(Input::Value).chain((0..own).map(Input::Is)).collect()
        }
        _ => vec![Input::Value],
    };
    let missing = statistics.missing as f64 / (statistics.missing + statistics.known).max(1) as f64;
    if options.missing == Missing::Indicator && (LEAST_SHARE..=1.0 - LEAST_SHARE).contains(&missing) {
        inputs.push(Input::Missing);
    }
    inputs
}
