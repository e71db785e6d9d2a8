//! What a row's other values say about a value: for each column, up to three parents that predict
//! it, and the ratio of how likely the value is with them and without them.

pub mod candidates;
mod candidates_in_groups;
pub mod category;
mod expected;
pub mod fit;
pub mod form;
mod gains;
pub mod grouped;
pub mod line;
pub mod line_in_groups;
pub mod mixture;
pub mod number;
mod ratios;
pub mod sample;
mod screen;
pub mod two_numbers;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::column::Column;
use super::math::median;
use super::numbers::Numbers;
use super::strips::{strips, STRIP};
use super::tails::Tail;
use super::values::Vocabulary;
use crate::simd::{Simd, Task, Vector};

use category::CategoryGivenParent;
use expected::Expectations;
use form::{Coder, Form};
use line::Line;
use line_in_groups::LineInGroups;
use mixture::bounded;
use number::{Expected, NumberInGroups};
use ratios::{Compared, Strip};
use two_numbers::NumberOfTwo;

pub use mixture::MOST_PARENTS;

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
    /// Whether there is a value.
    Presence,
}

impl Aim {
    /// How the column is taken; None of a number.
    pub fn form(self) -> Option<Form> {
        match self {
            Self::Value => Some(Form::Value),
            Self::Hour => Some(Form::Hour),
            Self::Presence => Some(Form::Presence),
            Self::Number => None,
        }
    }
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
    /// The column; of a number of two others, both; of lines in groups, that of the group and that of the number.
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

/// The least evidence of a broken rule that no other parent makes up for: one row in 500 breaks it.
const STRICT: f64 = 500.0;
/// Ratios are rounded to 32 bits.
const ROUNDING: f64 = 1.000_001;
/// A rule leaves a number at most this part of its column's spread.
const PRECISE: f64 = 0.05;

impl NumberGiven {
    /// From how far training rows are from what is expected.
    pub fn new(from: From, tail: Tail, numbers: &Numbers) -> Self {
        let tail = if from.is_precise(numbers) { tail.of_rule() } else { tail };
        Self { from, tail }
    }
}

/// What a number is expected from.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    Groups(NumberInGroups),
    Line(Line),
    LineInGroups(LineInGroups),
    Two(NumberOfTwo),
}

impl From {
    /// What is expected of a strip of rows with these codes, or these
    /// numbers of the parents.
    fn expect(&self, codes: &[u32], numbers: [&[f64]; 2]) -> Expectations {
        let mut expected = Expectations::none();
        self.expect_into(codes, numbers, &mut expected);
        expected
    }

    fn expect_into(&self, codes: &[u32], numbers: [&[f64]; 2], expected: &mut Expectations) {
        match self {
            Self::Groups(groups) => groups.expect(codes, expected),
            Self::Line(line) => line.expect(numbers[0], expected),
            Self::LineInGroups(lines) => lines.expect(codes, numbers[1], expected),
            Self::Two(two) => two.expect(numbers[0], numbers[1], expected),
        }
    }

    /// Whether the number follows precisely from the others: it is far closer to what is expected than
    /// the column's numbers are to one another.
    fn is_precise(&self, numbers: &Numbers) -> bool {
        let spread = match self {
            Self::Groups(groups) | Self::LineInGroups(LineInGroups { groups, .. }) => {
                median(&mut groups.spreads.clone())
            }
            Self::Line(line) => Some(line.spread),
            Self::Two(two) => Some(two.spread),
        };
        spread.is_some_and(|spread| spread <= PRECISE * numbers.scale_of(self.is_log(numbers)).spread)
    }

    /// The groups of the parent's codes, if it has any.
    pub fn groups(&self) -> Option<&NumberInGroups> {
        match self {
            Self::Groups(groups) | Self::LineInGroups(LineInGroups { groups, .. }) => Some(groups),
            _ => None,
        }
    }

    /// Whether logarithms are compared, given whether a group's numbers are.
    pub fn is_log(&self, numbers: &Numbers) -> bool {
        match self {
            Self::Groups(_) => numbers.is_log,
            Self::Line(line) => line.child_is_log,
            Self::LineInGroups(lines) => lines.shape.is_some_and(|shape| shape.child_is_log),
            Self::Two(two) => two.is_log,
        }
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
            From::LineInGroups(lines) => lines.expected(batch.codes[self.coder?][row], number(1)),
            From::Two(two) => two.expected(number(0), number(1)),
        }
    }

    /// The same of a strip of rows.
    fn expect(&self, batch: &Batch, rows: Range<usize>) -> Expectations {
        let mut expected = Expectations::none();
        if let Relation::Number(given) = &self.relation {
            self.expect_into(&given.from, batch, rows, &mut expected);
        }
        expected
    }

    fn expect_into(&self, from: &From, batch: &Batch, rows: Range<usize>, expected: &mut Expectations) {
        let codes = self.coder.and_then(|coder| batch.codes[coder].get(rows.clone()));
        let numbers = self.columns.map(|at| batch.numbers[at].get(rows.clone()).unwrap_or(&[]));
        from.expect_into(codes.unwrap_or(&[]), numbers, expected);
    }

    /// The highest ratio of a number that breaks the parent's rule, if there is one that is strict.
    fn broken(&self) -> Option<f32> {
        let Relation::Number(given) = &self.relation else { return None };
        let evidence = given.tail.of_broken_rule().filter(|evidence| *evidence >= STRICT)?;
        Some((ROUNDING / evidence) as f32)
    }

    /// The bounded ratios of new rows, with a parent that is a category.
    fn ratios(&self, child: Option<usize>, batch: &Batch, rows: Range<usize>, out: &mut [f32]) {
        let (Relation::Category(category), Some(parent), Some(child)) = (&self.relation, self.coder, child) else {
            return out.fill(1.0);
        };
        let codes = batch.codes[parent][rows.clone()].iter().zip(&batch.codes[child][rows]);
        let ratios = codes.map(|(parent, child)| bounded(category.ratio(*parent, *child)));
        out.iter_mut().zip(ratios).for_each(|(out, ratio)| *out = ratio);
    }

    pub fn bytes(&self) -> usize {
        match &self.relation {
            Relation::Category(category) => category.bytes(),
            Relation::Number(NumberGiven { from, tail }) => {
                tail.bytes() + from.groups().map_or(0, NumberInGroups::bytes)
            }
        }
    }

    /// Keeps the groups of at least a number of rows.
    pub fn keep_frequent(&mut self, least: u64, counts: &[u64], coders: &[Coder]) {
        match &mut self.relation {
            Relation::Category(category) => {
                let mut pairs = category.pairs.clone();
                pairs.keep_frequent(least);
                let parents = self.coder.map_or(0, |coder| coders[coder].count + 2);
                *category = CategoryGivenParent::new(pairs, category.smoothing, counts, parents, category.are_sizes);
            }
            Relation::Number(NumberGiven { from, .. }) => match from {
                From::Groups(groups) | From::LineInGroups(LineInGroups { groups, .. }) => groups.keep_frequent(least),
                From::Line(_) | From::Two(_) => {}
            },
        }
    }

    /// Bytes in a file.
    pub fn file_bytes(&self) -> usize {
        match &self.relation {
            Relation::Category(category) => category.pairs.bytes(),
            Relation::Number(given) => given.from.groups().map_or(64, NumberInGroups::bytes),
        }
    }
}

/// Whether a child is one of many numbers, and its parent a bin of numbers. Most pairs of both are rare: one that is new
/// says no more than how often that happens.
pub fn are_sizes(child: &Coder, of_child: &Column, parent: &Coder) -> bool {
    let has_many = of_child.numbers.as_ref().is_some_and(|numbers| !numbers.edges_are_values);
    has_many && child.form == Form::Value && parent.form == Form::Bin
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
        mix(parents, ratios.iter().map(Vec::as_slice), &mut mixed);
        Self { ratios, mixed }
    }
}

/// Puts the ratios of all parents together.
fn mix<'a>(parents: &[Parent], ratios: impl Iterator<Item = &'a [f32]> + Clone, mixed: &mut [f32]) {
    mixed.fill(0.0);
    for (parent, ratios) in parents.iter().zip(ratios.clone()) {
        Simd::chosen().run(AddWeighted { weight: parent.weight as f32, ratios, mixed });
    }
    // A strict rule is broken, however well the value follows from others: a wrong tax in an invoice
    // whose sum agrees.
    for (parent, ratios) in parents.iter().zip(ratios) {
        let Some(broken) = parent.broken() else { continue };
        let rows = mixed.iter_mut().zip(ratios).filter(|(_, ratio)| **ratio <= broken);
        rows.for_each(|(mixed, ratio)| *mixed = mixed.min(*ratio));
    }
}

/// Adds a parent's part to a mixture.
struct AddWeighted<'a> {
    weight: f32,
    ratios: &'a [f32],
    mixed: &'a mut [f32],
}

impl Task for AddWeighted<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.mixed.iter_mut().zip(self.ratios).for_each(|(mixed, ratio)| *mixed += self.weight * ratio);
    }
}

/// Room for what the parents of a target say about a strip of rows.
pub struct Room {
    strip: Strip,
    expected: Expectations,
    compared: Compared,
    /// The ratios by parent.
    ratios: [[f32; STRIP]; MOST_PARENTS],
}

impl Room {
    pub fn new() -> Self {
        let (strip, expected, compared) = (Strip::none(), Expectations::none(), Compared::none());
        Self { strip, expected, compared, ratios: [[1.0; STRIP]; MOST_PARENTS] }
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
        let mut ratios = vec![vec![1.0; batch.rows]; self.parents.len()];
        let mut room = Room::new();
        for rows in strips(batch.rows) {
            self.find_ratios(columns, batch, rows.clone(), &mut room);
            let of_strip = room.ratios.iter().map(|ratios| &ratios[..rows.len()]);
            ratios.iter_mut().zip(of_strip).for_each(|(to, from)| to[rows.clone()].copy_from_slice(from));
        }
        Said::new(&self.parents, ratios, batch.rows)
    }

    /// What all parents together say about a strip of new rows.
    pub fn say_together(
        &self,
        columns: &[Column],
        batch: &Batch,
        rows: Range<usize>,
        room: &mut Room,
        mixed: &mut [f32],
    ) {
        let count = rows.len();
        self.find_ratios(columns, batch, rows, room);
        mix(&self.parents, room.ratios.iter().map(|ratios| &ratios[..count]), mixed);
    }

    /// Works out the bounded ratios of a strip of new rows.
    fn find_ratios(&self, columns: &[Column], batch: &Batch, rows: Range<usize>, room: &mut Room) {
        let Room { strip, expected, compared, ratios } = room;
        let of_parents = self.parents.iter().zip(ratios).map(|(parent, out)| (parent, &mut out[..rows.len()]));
        let (Aim::Number, Some(of)) = (self.aim, &columns[self.column].numbers) else {
            return of_parents.for_each(|(parent, out)| parent.ratios(self.coder, batch, rows.clone(), out));
        };
        let numbers = &batch.numbers[self.column][rows.clone()];
        strip.read(of, numbers);
        for (parent, out) in of_parents {
            match &parent.relation {
                Relation::Number(given) => {
                    parent.expect_into(&given.from, batch, rows.clone(), expected);
                    strip.compare(of, numbers, given.from.is_log(of), expected, compared);
                    compared.ratios(&given.tail, false, out);
                }
                Relation::Category(_) => out.fill(1.0),
            }
        }
    }

    /// How many rows of a column have a value, and none.
    pub fn counts_of_presence(column: &Column) -> Vec<u64> {
        let missing = column.missing_rows();
        vec![column.all.rows.saturating_sub(missing), missing, 0]
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
