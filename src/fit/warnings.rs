//! The warnings of a fit, and when each is due.

use std::cmp::Reverse;
use std::fmt::{Display, Formatter};

use polars::prelude::PolarsResult;

use crate::data::{Columns, Frequencies, Numbering, Totals};
use crate::model::Distilled;

/// A warning of a fit. The caller shows it, once for all groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A category has too many values for the number of rows.
    LooksLikeIds { feature: String, values: u64 },
    /// An integer only numbers the rows.
    NumbersRows { feature: String, how: Numbering },
    /// A feature has no value in any row.
    NoValue { feature: String },
    /// More than half of the rows have a missing value, and `missing="null"` skips them. The field
    /// `missing` has the number of rows without a value for each feature.
    RowsSkipped { skipped: usize, rows: usize, missing: Vec<(String, usize)> },
    /// A distilled network ranks training rows unlike its ensemble. `correlation` is the rank
    /// correlation, in hundredths.
    UnlikeEnsemble { correlation: i64 },
}

/// What a warning is about: its kind, and the feature, if there is one. Warnings of several groups
/// with the same subject are shown as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    LooksLikeIds(String),
    NumbersRows(String),
    NoValue(String),
    RowsSkipped,
    UnlikeEnsemble,
}

impl Warning {
    /// What the warning is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::LooksLikeIds { feature, .. } => Subject::LooksLikeIds(feature.clone()),
            Self::NumbersRows { feature, .. } => Subject::NumbersRows(feature.clone()),
            Self::NoValue { feature } => Subject::NoValue(feature.clone()),
            Self::RowsSkipped { .. } => Subject::RowsSkipped,
            Self::UnlikeEnsemble { .. } => Subject::UnlikeEnsemble,
        }
    }

    /// Adds the numbers of another group's warning of the same subject, if they can be added.
    pub fn add(&mut self, other: &Self) {
        match (self, other) {
            (
                Self::RowsSkipped { skipped, rows, missing },
                Self::RowsSkipped { skipped: more_skipped, rows: more_rows, missing: more_missing },
            ) => {
                *skipped += more_skipped;
                *rows += more_rows;
                missing.iter_mut().zip(more_missing).for_each(|((_, count), (_, more))| *count += more);
            }
            (Self::UnlikeEnsemble { correlation }, Self::UnlikeEnsemble { correlation: more }) => {
                *correlation = (*correlation).min(*more);
            }
            _ => {}
        }
    }

    /// The text of the warning for several groups, whose numbers differ or are added up.
    pub fn in_groups(&self, count: usize, groups: usize) -> String {
        match self {
            Self::LooksLikeIds { feature, .. } => {
                format!("anorand: in {count} of {groups} groups, feature {feature:?} has different values, {ID_ADVICE}")
            }
            Self::NumbersRows { feature, how } => {
                format!("anorand: in {count} of {groups} groups, {}", number_message(feature, *how))
            }
            Self::NoValue { feature } => {
                format!("anorand: in {count} of {groups} groups, feature {feature:?} has {NO_VALUE_ADVICE}")
            }
            Self::RowsSkipped { skipped, rows, missing } => {
                skip_message(&format!("the fits of {count} of {groups} groups skip"), *skipped, *rows, missing)
            }
            Self::UnlikeEnsemble { correlation } => {
                unlike_message(&format!("of {count} of {groups} groups"), "down to ", *correlation)
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
            Self::NumbersRows { feature, how } => write!(f, "anorand: {}", number_message(feature, *how)),
            Self::NoValue { feature } => write!(f, "anorand: feature {feature:?} has {NO_VALUE_ADVICE}"),
            Self::RowsSkipped { skipped, rows, missing } => {
                f.write_str(&skip_message("the fit skips", *skipped, *rows, missing))
            }
            Self::UnlikeEnsemble { correlation } => f.write_str(&unlike_message("of the fit", "", *correlation)),
        }
    }
}

const ID_ADVICE: &str =
    "too many to recur, as ids have: their frequencies say little, and any new one will look rare; \
                         leave the column out";

const NO_VALUE_ADVICE: &str =
    "no value in any row of the fit: it says nothing about a row, and a later row with a value will be \
                               flagged; leave the column out";

// The text has no numbers of rows: Python shows equal warnings once, and in a group_by each group
// has its own number of rows.
fn number_message(feature: &str, how: Numbering) -> String {
    let counter = |verb: &str| {
        format!(
            "feature {feature:?} {verb} with the rows, as counters do: later rows lie beyond all training rows, and would be \
             flagged for that; leave the column out"
        )
    };
    match how {
        Numbering::Rises => counter("rises"),
        Numbering::Falls => counter("falls"),
        Numbering::Ids => format!(
            "feature {feature:?} has another integer in nearly every row, spread evenly over its range, as ids have: they say \
             nothing about a row; leave the column out"
        ),
    }
}

fn skip_message(who: &str, skipped: usize, rows: usize, missing: &[(String, usize)]) -> String {
    const SHOWN: usize = 3;
    let mut costly: Vec<&(String, usize)> = missing.iter().filter(|(_, count)| *count > 0).collect();
    costly.sort_by_key(|(_, count)| Reverse(*count));
    let costly: Vec<String> =
        costly.iter().take(SHOWN).map(|(feature, count)| format!("{feature:?} in {count} rows")).collect();
    format!(
        "anorand: with missing=\"null\", {who} {skipped} of {rows} rows for a null, NaN or infinity in a feature (most often \
         {}); missing=\"indicator\" would keep them",
        costly.join(", ")
    )
}

fn unlike_message(whose: &str, down_to: &str, correlation: i64) -> String {
    format!(
        "anorand: the distilled network {whose} ranks the training rows unlike its ensemble (rank correlation {down_to}{:.2}, expected at \
         least {:.2}): fit without distil=True to score with the ensemble",
        correlation as f64 / 100.0,
        LEAST_CORRELATION
    )
}

/// With at most this number of rows, no feature is said to have no value.
const FEW: usize = 20;

/// A distilled network is worse than its ensemble below this rank correlation. On the sets of
/// docs/quality.md, the lowest is 0.97.
const LEAST_CORRELATION: f64 = 0.9;

/// The warning of a distillation, if one is due.
pub fn distillation_warning(distilled: &Distilled) -> Option<Warning> {
    let unlike = distilled.correlation < LEAST_CORRELATION;
    unlike.then(|| Warning::UnlikeEnsemble { correlation: (100.0 * distilled.correlation).floor() as i64 })
}

/// The warnings of a whole table as it was given, whether one model is fitted on it or one per
/// group.
pub fn table_warnings(given: &Columns) -> PolarsResult<Vec<Warning>> {
    let numberings = given.numberings()?.into_iter();
    Ok(numberings.map(|(feature, how)| Warning::NumbersRows { feature, how }).collect())
}

/// The warnings of a fit that can use `usable` of the given rows.
pub fn fit_warnings(given: &Columns, usable: usize, frequencies: &[Option<Frequencies>]) -> PolarsResult<Vec<Warning>> {
    let features = given.features().iter().zip(frequencies);
    let ids = features.filter_map(|(feature, counted)| {
        let counted = counted.as_ref().filter(|counted| counted.look_like_ids())?;
        Some(Warning::LooksLikeIds { feature: feature.name.clone(), values: counted.distinct() })
    });
    let mut warnings: Vec<Warning> = ids.collect();
    warnings.extend(rows_skipped(given, usable)?);
    Ok(warnings)
}

/// The warnings of features without a value, in a fit that no earlier model has told of them. Where
/// the rows are a sample, `totals` are of all rows.
pub fn value_warnings(given: &Columns, totals: Option<&Totals>) -> PolarsResult<Vec<Warning>> {
    if given.rows() <= FEW {
        return Ok(vec![]);
    }
    let has_others = |name: &str| {
        let at = given.features().iter().position(|feature| feature.name == name);
        let of_all = totals.zip(at).and_then(|(totals, at)| totals.features.get(at).map(|of| (of, totals.rows)));
        of_all.is_some_and(|(feature, rows)| feature.missing < rows)
    };
    let without = given.without_values()?.into_iter().filter(|feature| !has_others(feature));
    Ok(without.map(|feature| Warning::NoValue { feature }).collect())
}

fn rows_skipped(given: &Columns, used: usize) -> PolarsResult<Option<Warning>> {
    let rows = given.rows();
    let skipped = rows.saturating_sub(used);
    if skipped <= rows / 2 {
        return Ok(None);
    }
    let features = given.features().iter().map(|feature| feature.name.clone());
    let missing = features.zip(given.missing_values()?).collect();
    Ok(Some(Warning::RowsSkipped { skipped, rows, missing }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    fn skipped(gaps: &[usize], rows: usize, used: usize) -> Option<Warning> {
        let column = |(at, gaps): (usize, &usize)| {
            let values: Vec<Option<i32>> = (0..rows).map(|row| (row >= *gaps).then_some(1)).collect();
            Column::new(format!("f{at}").into(), values)
        };
        let frame = DataFrame::new(rows, gaps.iter().enumerate().map(column).collect()).unwrap();
        rows_skipped(&Columns::from_frame(&frame).unwrap(), used).unwrap()
    }

    #[test]
    fn a_fit_that_skips_more_than_half_of_the_rows_names_the_three_features_that_lack_most_values() {
        assert_eq!(skipped(&[0, 4, 5], 10, 5), None);
        assert_eq!(skipped(&[0], 0, 0), None);
        let message = skipped(&[1, 6, 0, 5, 7], 10, 3).unwrap().to_string();
        assert!(message.contains("skips 7 of 10 rows"), "{message}");
        assert!(message.contains("(most often \"f4\" in 7 rows, \"f1\" in 6 rows, \"f3\" in 5 rows)"), "{message}");
        assert!(message.contains("missing=\"indicator\" would keep them"), "{message}");
    }

    #[test]
    fn the_rows_that_groups_skip_are_added_up() {
        let mut all = skipped(&[6, 0], 10, 4).unwrap();
        let other = skipped(&[1, 8], 10, 2).unwrap();
        assert_eq!(all.subject(), other.subject());
        all.add(&other);
        let message = all.in_groups(2, 5);
        assert!(message.contains("the fits of 2 of 5 groups skip 14 of 20 rows"), "{message}");
        assert!(message.contains("(most often \"f1\" in 8 rows, \"f0\" in 7 rows)"), "{message}");
    }
}
