//! A table's columns as the evidence takes them.

use polars::prelude::{PolarsError, PolarsResult};

use crate::data::{Columns, Feature, Frequencies, Kind, Totals};

use super::values::{AllRows, CellColumn, Description, Vocabulary, NULL};

/// The values of a column.
enum Values {
    Number(Vec<f64>),
    Time(Kind, Vec<f64>),
    Text { codes: Vec<u32>, others: Vec<String> },
}

/// The values of some rows, column by column.
pub struct Given(Vec<Values>);

impl Given {
    /// Reads columns, in which categories are codes. `texts` are the same columns with the texts
    /// themselves, which are read where a vocabulary lacks one. Where `instead` is given, it stands
    /// in for missing values: for each feature a number, or the code of a category.
    pub fn read(
        coded: &Columns,
        texts: Option<&Columns>,
        frequencies: &[Option<Frequencies>],
        instead: Option<&[f64]>,
    ) -> PolarsResult<Self> {
        let read = |j: usize| {
            let (kind, mut values) = (coded.features()[j].kind, vec![]);
            coded.read_as(j, true, &mut values)?;
            if let Some(instead) = instead {
                values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = instead[j]);
            }
            Ok(match (kind, &frequencies[j]) {
                (Kind::Category, Some(known)) => codes(texts, j, &values, known.values.len() as u32)?,
                (Kind::Number | Kind::Category, _) => Values::Number(values),
                (kind, _) => Values::Time(kind, values),
            })
        };
        (0..coded.features().len()).map(read).collect::<PolarsResult<_>>().map(Self)
    }

    pub fn columns(&self) -> Vec<CellColumn<'_>> {
        self.0.iter().map(Values::column).collect()
    }
}

impl Values {
    fn column(&self) -> CellColumn<'_> {
        match self {
            Self::Number(values) => CellColumn::Number(values),
            Self::Time(kind, values) => CellColumn::Time { kind: *kind, values },
            Self::Text { codes, others } => CellColumn::Text { codes, others },
        }
    }
}

/// The codes of a category, counted on for texts that the vocabulary of `known` texts lacks.
fn codes(texts: Option<&Columns>, j: usize, values: &[f64], known: u32) -> PolarsResult<Values> {
    let (mut codes, mut others) = (Vec::with_capacity(values.len()), vec![]);
    // Most batches hold known texts alone.
    let has_others = values.iter().any(|value| *value >= f64::from(known));
    let text = texts.filter(|_| has_others).map(|texts| texts.text(j)).transpose()?.flatten();
    for (row, value) in values.iter().enumerate() {
        codes.push(if value.is_nan() {
            NULL
        } else if *value < f64::from(known) {
            *value as u32
        } else {
            let text = text.as_ref().map(|text| Ok::<_, PolarsError>(text.str()?.get(row))).transpose()?.flatten();
            others.push(text.unwrap_or_default().to_string());
            known + others.len() as u32 - 1
        });
    }
    Ok(Values::Text { codes, others })
}

/// What is said of each feature, and the texts that a model remembers of it.
pub fn describe<'a>(features: &'a [Feature], frequencies: &'a [Option<Frequencies>]) -> Vec<Description<'a>> {
    let vocabulary = |known: &'a Frequencies| Vocabulary {
        values: &known.values,
        counts: &known.counts,
        other_rows: known.rare.rows,
    };
    let describe = |(feature, known): (&'a Feature, &'a Option<Frequencies>)| Description {
        name: &feature.name,
        vocabulary: known.as_ref().map(vocabulary),
        is_boolean: feature.dtype == "Boolean",
    };
    features.iter().zip(frequencies).map(describe).collect()
}

/// The numbers of all rows of a table, and of those with a missing value, of each feature.
pub fn all_rows(totals: &Totals) -> Vec<AllRows> {
    let rows = totals.rows as u64;
    totals.features.iter().map(|feature| AllRows { rows, missing: feature.missing as u64 }).collect()
}
