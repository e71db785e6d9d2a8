//! What a user should hear about a fit: the warnings, and when each is due.

use std::fmt::{Display, Formatter};

use crate::data::{Columns, Frequencies};

/// What a user should hear about a fit. It is the caller's to say, once for all groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A category whose number of values is close to the number of rows
    LooksLikeIds { feature: String, values: u64 },
}

impl Warning {
    /// The feature that it is about.
    pub fn feature(&self) -> &str {
        match self {
            Self::LooksLikeIds { feature, .. } => feature,
        }
    }

    /// The same warning of several groups, whose numbers differ.
    pub fn in_groups(&self, count: usize, groups: usize) -> String {
        match self {
            Self::LooksLikeIds { feature, .. } => {
                format!("anorand: in {count} of {groups} groups, feature {feature:?} has different values, {ID_ADVICE}")
            }
        }
    }
}

impl Display for Warning {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LooksLikeIds { feature, values } => {
                write!(
                    f,
                    "anorand: feature {feature:?} has {values} different values in the training rows, {ID_ADVICE}"
                )
            }
        }
    }
}

const ID_ADVICE: &str =
    "nearly one for each row, as ids have: their frequencies say little, and any new one will look \
                         rare; leave the column out";

/// The warnings of a fit on these training rows.
pub fn of(columns: &Columns, frequencies: &[Option<Frequencies>]) -> Vec<Warning> {
    let features = columns.features().iter().zip(frequencies);
    let ids = features.filter_map(|(feature, counted)| {
        let counted = counted.as_ref().filter(|counted| counted.look_like_ids())?;
        Some(Warning::LooksLikeIds { feature: feature.name.clone(), values: counted.distinct() })
    });
    ids.collect()
}
