//! The training rows that parents are chosen on.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cells::batch::Batch;
use crate::cells::column::Column;
use crate::cells::values::Description;

use super::form::{forms, Coder, Form};
use super::grouped::Grouped;

/// The rows that parents are chosen on: of few columns, and of many.
const CHOSEN_ON: usize = 6_000;
const CHOSEN_ON_OF_MANY: usize = 2_500;
const FEW_COLUMNS: usize = 50;
/// The rows that a line goes through.
pub const LINE_ROWS: usize = 20_000;
/// The rows of a cheap look at all pairs of columns: fewer of many columns, but not below 600.
const GLANCE_ROWS: usize = 1_500;
const GLANCE_PAIRS: usize = 120_000;
/// The parts of a cross-fit.
pub const FOLDS: u8 = 4;
/// The seed of the rows that are taken: of a fit's own, since parents are not to change with seeds.
const SEED: u64 = 0x6365_6c6c;

/// A column of the sample in one form.
pub struct Formed {
    pub form: Form,
    pub coder: Coder,
    pub codes: Vec<u32>,
    pub grouped: Grouped,
    /// Some of the rows alone, for a cheap look at many columns.
    pub glance: Grouped,
}

/// A sample of the training rows, in a random order.
pub struct Sample {
    /// All rows, in a random order; the first ones are the sample.
    pub order: Vec<u32>,
    /// The number of rows of the sample.
    pub rows: usize,
    /// The number of columns.
    columns: usize,
    /// The fold of each of all rows.
    pub folds: Vec<u8>,
    /// By column: its forms as a parent.
    pub forms: Vec<Vec<Formed>>,
    /// By column: its numbers, and the rows of the sample in their order.
    pub numbers: Vec<Vec<f64>>,
    pub rising: Vec<Vec<u32>>,
}

impl Sample {
    /// The order of the rows, and their folds.
    pub fn new(rows: usize, columns: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut order: Vec<u32> = (0..rows as u32).collect();
        order.shuffle(&mut rng);
        let folds = (0..rows).map(|_| rng.random_range(0..FOLDS)).collect();
        let rows = rows.min((CHOSEN_ON * FEW_COLUMNS / columns.max(1)).clamp(CHOSEN_ON_OF_MANY, CHOSEN_ON));
        Self { order, rows, columns, folds, forms: vec![], numbers: vec![], rising: vec![] }
    }

    /// The rows of the sample among all rows.
    pub fn taken(&self) -> &[u32] {
        &self.order[..self.rows]
    }

    /// The number of rows of a cheap look.
    pub fn glance_rows(&self) -> usize {
        GLANCE_ROWS.min((GLANCE_PAIRS / self.columns.max(1)).max(600)).min(self.rows)
    }

    /// The forms of a column in the sample.
    pub fn form(&self, at: usize, column: &Column, batch: &Batch, of: &Description) -> Vec<Formed> {
        let vocabulary = of.vocabulary.as_ref();
        let formed = |form: Form| {
            let coder = Coder::new(at, column, form, vocabulary);
            let all = coder.codes(column, &batch.read[at], &batch.given[at], &batch.numbers[at]);
            let codes: Vec<u32> = self.taken().iter().map(|row| all[*row as usize]).collect();
            let grouped = Grouped::new(&codes, coder.unseen());
            let glance = Grouped::new(&codes[..self.glance_rows()], coder.unseen());
            Formed { form, coder, codes, grouped, glance }
        };
        let formed = forms(column, vocabulary, batch.rows).into_iter().map(formed);
        formed.filter(|formed| formed.grouped.keys.len() > 1).collect()
    }

    /// The numbers of a column in the sample.
    pub fn number(&self, numbers: &[f64]) -> Vec<f64> {
        match numbers.is_empty() {
            true => vec![],
            false => self.taken().iter().map(|row| numbers[*row as usize]).collect(),
        }
    }
}

/// The rows with a number, in rising order of it.
pub fn rising(numbers: &[f64]) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..numbers.len() as u32).filter(|row| !numbers[*row as usize].is_nan()).collect();
    rows.sort_by(|a, b| numbers[*a as usize].total_cmp(&numbers[*b as usize]));
    rows
}
