//! Of very many training rows, some are fitted on; the others are judged as new ones.

use polars::prelude::PolarsResult;
use rand::seq::SliceRandom;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::data::Kind;
use crate::memory::zeros;
use crate::pool;

use super::values::{CellColumn, Description, NULL};
use super::{Cells, RowEvidence};

/// The seed of the rows that are taken.
const SEED: u64 = 0x726f_7773;
/// Rows that are judged at a time.
const CHUNK: usize = 1 << 13;
const WHAT: &str = "the evidence of the cells";

/// The values of some rows of a column.
pub enum Owned {
    Number(Vec<f64>),
    Time(Kind, Vec<f64>),
    Text(Vec<u32>, Vec<String>),
}

impl Owned {
    /// The values of some rows; of the texts that the vocabulary lacks, those that these rows have.
    fn new(column: &CellColumn, described: &Description, rows: &[u32]) -> Self {
        let numbers = |values: &[f64]| rows.iter().map(|row| values[*row as usize]).collect();
        match column {
            CellColumn::Number(values) => Self::Number(numbers(values)),
            CellColumn::Time { kind, values } => Self::Time(*kind, numbers(values)),
            CellColumn::Text { codes, others } => {
                let known = described.vocabulary.map_or(0, |vocabulary| vocabulary.values.len());
                let mut places = vec![NULL; others.len()];
                let mut kept = vec![];
                let code = |row: &u32| {
                    let code = codes[*row as usize];
                    let Some(at) = (code as usize).checked_sub(known).filter(|_| code != NULL) else { return code };
                    let Some(other) = others.get(at) else { return NULL };
                    if places[at] == NULL {
                        places[at] = (known + kept.len()) as u32;
                        kept.push(other.clone());
                    }
                    places[at]
                };
                let codes = rows.iter().map(code).collect();
                Self::Text(codes, kept)
            }
        }
    }

    pub fn column(&self) -> CellColumn<'_> {
        match self {
            Self::Number(values) => CellColumn::Number(values),
            Self::Time(kind, values) => CellColumn::Time { kind: *kind, values },
            Self::Text(codes, others) => CellColumn::Text { codes, others },
        }
    }
}

/// Some rows of all columns.
pub fn gathered(given: &[CellColumn], described: &[Description], rows: &[u32]) -> Vec<Owned> {
    given.iter().zip(described).map(|(column, described)| Owned::new(column, described, rows)).collect()
}

/// The rows that are fitted on, and the others; both in their order.
pub struct Split {
    taken: Vec<u32>,
    others: Vec<u32>,
}

impl Split {
    pub fn new(rows: usize, most: usize) -> Self {
        let mut order: Vec<u32> = (0..rows as u32).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(SEED));
        let mut others = order.split_off(most.min(rows));
        order.sort_unstable();
        others.sort_unstable();
        Self { taken: order, others }
    }

    /// The rows to fit on.
    pub fn taken(&self, given: &[CellColumn], described: &[Description]) -> Vec<Owned> {
        gathered(given, described, &self.taken)
    }

    /// The marks of the rows to fit on.
    pub fn pick(&self, marks: &[bool]) -> Vec<bool> {
        self.taken.iter().map(|row| marks.get(*row as usize).copied().unwrap_or(false)).collect()
    }

    /// The evidence of all rows, given that of those taken.
    pub fn complete(
        &self,
        cells: &Cells,
        of_taken: Vec<RowEvidence>,
        given: &[CellColumn],
        described: &[Description],
    ) -> PolarsResult<Vec<RowEvidence>> {
        let mut all: Vec<RowEvidence> = zeros(self.taken.len() + self.others.len(), WHAT)?;
        let chunks = self.others.chunks(CHUNK).collect();
        let judged = pool::map(chunks, |rows: &[u32]| {
            let owned = gathered(given, described, rows);
            let columns: Vec<CellColumn> = owned.iter().map(Owned::column).collect();
            cells.look_up(&columns)?.of_rows()
        })?;
        let parts = self.others.chunks(CHUNK).zip(&judged).chain([(self.taken.as_slice(), &of_taken)]);
        for (rows, evidence) in parts {
            rows.iter().zip(evidence).for_each(|(row, evidence)| all[*row as usize] = *evidence);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_and_texts_that_are_not_taken_are_left_out() {
        let split = Split::new(10, 4);
        assert_eq!((split.taken.len(), split.others.len()), (4, 6));
        assert!(split.taken.is_sorted() && split.others.is_sorted());
        let others: Vec<String> = ["x", "y", "z"].map(String::from).to_vec();
        let column = CellColumn::Text { codes: &[0, 4, 2, NULL, 3], others: &others };
        let values: Vec<String> = ["a", "b"].map(String::from).to_vec();
        let vocabulary = Some(super::super::Vocabulary { values: &values, counts: &[1, 1], other_rows: 3 });
        let described = Description { name: "t", vocabulary, is_boolean: false };
        let Owned::Text(codes, kept) = Owned::new(&column, &described, &[1, 3, 2, 1, 0]) else {
            panic!("a text column")
        };
        assert_eq!((codes, kept), (vec![2, NULL, 3, 2, 0], vec!["z".to_string(), "x".to_string()]));
    }
}
