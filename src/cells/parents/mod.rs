//! What a row's other values say about a value: for each column, up to three parents that predict
//! it, and the ratio of how likely the value is with them and without them.

pub mod candidates;
pub mod category;
pub mod fit;
pub mod form;
pub mod grouped;
pub mod line;
pub mod mixture;
pub mod number;
pub mod sample;
pub mod two_numbers;

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::column::Column;
use super::math::{t_density, wrong_density};
use super::numbers::Numbers;
use super::tails::{how_far, Tail};
use super::values::Vocabulary;

use category::CategoryGivenParent;
use form::Coder;
use line::Line;
use mixture::bounded;
use number::{Expected, NumberInGroups};
use two_numbers::NumberOfTwo;

/// The most parents that a column has for each aim.
pub const MOST_PARENTS: usize = 3;
/// A number that has no logarithm is this many spreads from the expected one.
const NO_LOGARITHM: f64 = 15.0;
/// The lowest evidence that a tail gives.
const LOWEST_TAIL: f64 = 0.3;

/// What of a column is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aim {
    /// The value, as a category.
    Value,
    /// The hour of the day.
    Hour,
    /// The size of the number.
    Number,
}

/// A column, and what predicts it.
#[derive(Clone, Debug)]
pub struct Target {
    pub column: usize,
    pub aim: Aim,
    /// The coder of the column, for a category.
    pub coder: Option<usize>,
    /// The number of rows of each code of the column.
    pub counts: Vec<u64>,
    pub parents: Vec<Parent>,
}

/// One parent of a target.
#[derive(Clone, Debug)]
pub struct Parent {
    /// The column; of a number of two others, both.
    pub columns: [usize; 2],
    /// The coder of the column, where it is taken as a code.
    pub coder: Option<usize>,
    /// What this parent counts for in the mixture.
    pub weight: f64,
    /// How far the parent determines the column, from 0 to 1.
    pub determines: f64,
    pub relation: Relation,
}

/// How a parent predicts a column.
#[derive(Clone, Debug)]
pub enum Relation {
    Category(CategoryGivenParent),
    Number(NumberGiven),
}

/// A number given a parent, and the tail of how far training rows are from what is expected.
#[derive(Clone, Debug)]
pub struct NumberGiven {
    pub from: From,
    pub tail: Tail,
}

/// What a number is expected from.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    Groups(NumberInGroups),
    Line(Line),
    Two(NumberOfTwo),
}

impl From {
    /// Whether logarithms are compared, given whether a group's numbers are.
    pub fn is_log(&self, numbers: &Numbers) -> bool {
        match self {
            Self::Groups(_) => numbers.is_log,
            Self::Line(line) => line.child_is_log,
            Self::Two(two) => two.is_log,
        }
    }
}

/// How far a number is from the expected one, in spreads, and the density there on the scale that
/// the column is judged on.
pub fn compare(numbers: &Numbers, number: f64, expected: Expected, is_log: bool) -> (f64, f64) {
    let place = match is_log {
        true if is_log == numbers.is_log => numbers.on_scale(number),
        true if number > 0.0 => libm::log(number),
        true => expected.place - NO_LOGARITHM * expected.spread,
        false => number,
    };
    let away = (place - expected.place) / expected.spread;
    let unit = match (is_log, numbers.is_log) {
        (false, true) if number > 0.0 => number,
        (true, false) if number > 0.0 => 1.0 / number,
        _ => 1.0,
    };
    (away, unit * t_density(away) / expected.spread)
}

impl NumberGiven {
    /// The ratio of the densities with the parent and without it. A number no further away than
    /// training rows are is no evidence.
    pub fn ratio(&self, numbers: &Numbers, number: f64, expected: Option<Expected>, is_left_out: bool) -> f32 {
        let Some(expected) = expected.filter(|_| !number.is_nan()) else { return 1.0 };
        let (away, density) = compare(numbers, number, expected, self.from.is_log(numbers));
        let wrong = wrong_density(numbers.away(number)) / numbers.scale().spread;
        let mut ratio = density / wrong;
        if ratio < 1.0 / LOWEST_TAIL {
            ratio = ratio.max(1.0 / self.tail.evidence(how_far(away), is_left_out));
        }
        bounded(ratio as f32)
    }
}

impl Parent {
    /// What is expected of the number of a row.
    pub fn expected(&self, batch: &Batch, row: usize) -> Option<Expected> {
        let Relation::Number(given) = &self.relation else { return None };
        let number = |at: usize| batch.numbers[self.columns[at]].get(row).copied().unwrap_or(f64::NAN);
        match &given.from {
            From::Groups(groups) => groups.expected(batch.codes[self.coder?][row]),
            From::Line(line) => line.expected(number(0)),
            From::Two(two) => two.expected(number(0), number(1)),
        }
    }

    /// The bounded ratios of new rows.
    fn ratios(&self, target: &Target, column: &Column, batch: &Batch) -> Vec<f32> {
        let rows = 0..batch.rows;
        match &self.relation {
            Relation::Category(category) => match (self.coder, target.coder) {
                (Some(parent), Some(child)) => {
                    let codes = batch.codes[parent].iter().zip(&batch.codes[child]);
                    codes.map(|(parent, child)| bounded(category.ratio(*parent, *child))).collect()
                }
                _ => vec![1.0; batch.rows],
            },
            Relation::Number(given) => match &column.numbers {
                Some(numbers) => {
                    let of_rows = &batch.numbers[target.column];
                    rows.map(|row| given.ratio(numbers, of_rows[row], self.expected(batch, row), false)).collect()
                }
                None => vec![1.0; batch.rows],
            },
        }
    }

    pub fn bytes(&self) -> usize {
        match &self.relation {
            Relation::Category(category) => category.bytes(),
            Relation::Number(NumberGiven { from: From::Groups(groups), .. }) => groups.bytes(),
            Relation::Number(_) => 256,
        }
    }

    /// Keeps the groups of at least a number of rows.
    pub fn keep_frequent(&mut self, least: u64, counts: &[u64], coders: &[Coder]) {
        match &mut self.relation {
            Relation::Category(category) => {
                let mut pairs = category.pairs.clone();
                pairs.keep_frequent(least);
                let parents = self.coder.map_or(0, |coder| coders[coder].count + 2);
                *category = CategoryGivenParent::new(pairs, category.smoothing, counts, parents);
            }
            Relation::Number(NumberGiven { from: From::Groups(groups), .. }) => groups.keep_frequent(least),
            Relation::Number(_) => {}
        }
    }

    /// Bytes in a file.
    pub fn file_bytes(&self) -> usize {
        match &self.relation {
            Relation::Category(category) => category.pairs.bytes(),
            Relation::Number(NumberGiven { from: From::Groups(groups), .. }) => groups.bytes(),
            Relation::Number(_) => 64,
        }
    }
}

/// Makes the sum of weights one.
pub fn share_out(parents: &mut [Parent]) {
    let sum: f64 = parents.iter().map(|parent| parent.weight).sum();
    let even = 1.0 / parents.len().max(1) as f64;
    parents.iter_mut().for_each(|parent| parent.weight = if sum > 0.0 { parent.weight / sum } else { even });
}

/// What the parents of a target say about some rows.
pub struct Said {
    /// By parent: how likely the value is with it and without it, as a bounded ratio.
    pub ratios: Vec<Vec<f32>>,
    /// The ratios of all parents together.
    pub mixed: Vec<f32>,
}

impl Said {
    pub fn new(parents: &[Parent], ratios: Vec<Vec<f32>>, rows: usize) -> Self {
        let mut mixed = vec![0.0; rows];
        for (parent, ratios) in parents.iter().zip(&ratios) {
            let weight = parent.weight as f32;
            mixed.iter_mut().zip(ratios).for_each(|(mixed, ratio)| *mixed += weight * ratio);
        }
        Self { ratios, mixed }
    }
}

impl Target {
    /// Keeps so many of the parents, those that count for most.
    pub fn keep_heaviest(&mut self, most: usize) {
        if self.parents.len() <= most {
            return;
        }
        self.parents.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.columns.cmp(&b.columns)));
        self.parents.truncate(most);
        share_out(&mut self.parents);
    }

    /// What the parents say about new rows.
    pub fn say(&self, columns: &[Column], batch: &Batch) -> Said {
        let column = &columns[self.column];
        let ratios = self.parents.iter().map(|parent| parent.ratios(self, column, batch)).collect();
        Said::new(&self.parents, ratios, batch.rows)
    }

    /// How many rows have each value of a column: its known ones, none, and all others.
    pub fn counts_of_values(column: &Column, vocabulary: Option<&Vocabulary>) -> Vec<u64> {
        let mut counts = match vocabulary {
            Some(vocabulary) => vocabulary.counts.to_vec(),
            None => column.counts.clone(),
        };
        let levels = column.levels.iter().take(counts.len());
        counts.iter_mut().zip(levels).filter(|(_, level)| level.is_missing).for_each(|(count, _)| *count = 0);
        counts.push(column.missing_rows());
        let known = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        counts.push(column.all.rows.saturating_sub(known));
        counts
    }
}
