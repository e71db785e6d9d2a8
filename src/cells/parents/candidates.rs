//! Which parents a column gets: of a few columns that a cheap look finds promising, those that make
//! the training rows' values likeliest, each in its best form.

use polars::prelude::PolarsResult;

use crate::cells::column::Column;
use crate::cells::nature::Meaning;
use crate::cells::numbers::Numbers;

use super::category::{Likelihood, Pairs, Smoothing};
use super::form::Form;
use super::gains::Gains;
use super::line::Shape;
use super::sample::Sample;
use super::screen::Screen;
use super::two_numbers::{unexplained, Operation, OPERATIONS};
use super::{Aim, MOST_PARENTS};

/// The columns that are looked at closely for each column.
const LOOKED_AT: usize = 12;
/// By how many nats a row must be likelier with a parent: categories, and numbers, with two others
/// above what each of these says alone.
const LEAST_GAIN: f64 = 0.02;
const LEAST_GAIN_OF_NUMBER: f64 = 0.1;
/// The columns of numbers whose pairs are tried, and the rows of the first and the second look.
const MOST_NUMBERS: usize = 32;
const FIRST_ROWS: usize = 16;
const TRIPLE_ROWS: usize = 64;
/// The share of a number's spread that a relation with two others may leave at most.
const UNEXPLAINED: f64 = 0.3;
/// The relations with two others that are looked at closely.
const TRIPLES: usize = 3;

/// How a parent is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// A column in a form.
    Form(Form),
    Line(Shape),
    /// A column in a form, and a line for each of its codes.
    LineInGroups(Form, Option<Shape>),
    Two {
        operation: Operation,
        is_log: bool,
    },
}

impl How {
    /// Whether the rows of both are counted together. The slope of a line doesn't matter.
    pub fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Line(a), Self::Line(b)) => (a.parent_is_log, a.child_is_log) == (b.parent_is_log, b.child_is_log),
            _ => self == other,
        }
    }

    /// The form of the first column, where it is taken as a code.
    pub fn form(self) -> Option<Form> {
        match self {
            Self::Form(form) | Self::LineInGroups(form, _) => Some(form),
            Self::Line(_) | Self::Two { .. } => None,
        }
    }
}

/// A parent that was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    pub columns: [usize; 2],
    pub how: How,
    pub gain: f64,
}

impl Choice {
    /// Whether two columns say more together than each of them alone.
    pub fn says_more_than(&self, alone: &[Choice]) -> bool {
        let of_one = alone.iter().filter(|choice| self.columns.contains(&choice.columns[0]));
        self.gain > of_one.map(|choice| choice.gain).fold(0.0, f64::max) + LEAST_GAIN_OF_NUMBER
    }
}

/// What parents are chosen for.
pub struct Wanted<'a> {
    pub column: usize,
    pub aim: Aim,
    /// The codes of the sample's rows, the number of all rows of each, for a category.
    pub codes: &'a [u32],
    pub counts: &'a [u64],
}

/// The columns and the sample.
pub struct Chooser<'a> {
    pub columns: &'a [Column],
    pub sample: &'a Sample,
    /// Of very many columns, those that are looked at for each.
    pub screen: Option<&'a Screen>,
}

impl Chooser<'_> {
    /// The parents of a column, the best one first.
    pub fn choose(&self, wanted: &Wanted) -> PolarsResult<Vec<Choice>> {
        let mut found: Vec<Choice> = vec![];
        let numbers = self.columns[wanted.column].numbers.as_ref().filter(|_| wanted.aim == Aim::Number);
        let gains = numbers.map(|numbers| Gains::new(numbers, &self.sample.numbers[wanted.column], &self.sample.folds));
        let promising = self.promising(wanted);
        for column in promising.iter().copied() {
            crate::job::check()?;
            found.extend(match &gains {
                Some(gains) => self.number(gains, wanted.column, column),
                None => self.category(wanted, column),
            });
        }
        if let Some(gains) = &gains {
            let two = self.two_numbers(gains, wanted.column, &found);
            let lines = self.lines_in_groups(gains, wanted.column, &promising, &found)?;
            // Where few quantities are groups too, a product says it in fewer numbers.
            let is_said = |line: &Choice| two.iter().any(|two| line.columns.iter().all(|at| two.columns.contains(at)));
            let lines = lines.filter(|line| !is_said(line));
            found.extend(two.into_iter().chain(lines));
        }
        found.sort_by(|a, b| b.gain.total_cmp(&a.gain).then(a.columns.cmp(&b.columns)));
        found.truncate(MOST_PARENTS);
        Ok(found)
    }

    /// The columns that a cheap look finds promising.
    fn promising(&self, wanted: &Wanted) -> Vec<usize> {
        let has_form = |at: &usize| *at != wanted.column && !self.sample.forms[*at].is_empty();
        let others: Vec<usize> = match self.screen {
            Some(screen) => screen.of(wanted.column, wanted.aim).to_vec(),
            None => (0..self.columns.len()).filter(has_form).collect(),
        };
        if others.len() <= LOOKED_AT {
            return others;
        }
        let forms = &self.sample.forms[wanted.column];
        let bins = forms.iter().find(|formed| formed.form == Form::Bin).or(forms.first());
        let children = match (wanted.aim, bins) {
            (Aim::Number, Some(bins)) => &bins.codes,
            _ => wanted.codes,
        };
        let rows = self.sample.glance_rows();
        let Some(children) = children.get(..rows) else {
            return others.into_iter().take(LOOKED_AT).collect();
        };
        let end = children.iter().max().map_or(0, |most| *most + 1);
        let counts = super::category::child_counts(children, end);
        let mut scratch = vec![0; end as usize];
        let mut gains: Vec<(f64, usize)> = vec![];
        for at in others {
            let formed = &self.sample.forms[at];
            let main = [formed.first(), formed.iter().find(|formed| formed.form == Form::Hour)];
            let gain = main.into_iter().flatten().map(|formed| {
                let pairs = Pairs::count(&formed.glance, children, &mut scratch);
                let likelihood = Likelihood::new(&pairs, &counts, rows);
                let gain = |k0: f64| likelihood.gain(Smoothing { k0, c: 0.5, r: 0.0 });
                gain(0.1).max(gain(3.0))
            });
            gains.push((gain.fold(f64::NEG_INFINITY, f64::max), at));
        }
        gains.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        gains.into_iter().take(LOOKED_AT).map(|(_, at)| at).collect()
    }

    /// The best form of a column for a category.
    fn category(&self, wanted: &Wanted, at: usize) -> Option<Choice> {
        let mut scratch = vec![0; wanted.counts.len()];
        let mut best: Option<Choice> = None;
        for formed in &self.sample.forms[at] {
            let pairs = Pairs::count(&formed.grouped, wanted.codes, &mut scratch);
            let (_, gain) = Likelihood::new(&pairs, wanted.counts, self.sample.rows).best(LEAST_GAIN / 4.0);
            if best.is_none_or(|best| gain > best.gain) {
                best = Some(Choice { columns: [at; 2], how: How::Form(formed.form), gain });
            }
        }
        best.filter(|best| best.gain > LEAST_GAIN)
    }

    /// The best form of a column, or the best line, for a number.
    fn number(&self, gains: &Gains, child: usize, at: usize) -> Option<Choice> {
        let mut best: Option<Choice> = None;
        for formed in &self.sample.forms[at] {
            let gain = gains.gain_of_groups(formed);
            if best.is_none_or(|best| gain > best.gain) {
                best = Some(Choice { columns: [at; 2], how: How::Form(formed.form), gain });
            }
        }
        for shape in self.shapes(child, at) {
            let gain = gains.gain_of_line(shape, &self.sample.numbers[at], &self.sample.rising[at]);
            if gain.is_some_and(|gain| best.is_none_or(|best| gain > best.gain)) {
                best = Some(Choice { columns: [at; 2], how: How::Line(shape), gain: gain.unwrap_or(0.0) });
            }
        }
        best.filter(|best| best.gain > LEAST_GAIN_OF_NUMBER)
    }

    /// The lines that are tried between two columns.
    pub fn shapes(&self, child: usize, parent: usize) -> Vec<Shape> {
        let (Some(y), Some(x)) = (&self.columns[child].numbers, &self.columns[parent].numbers) else {
            return vec![];
        };
        if x.edges_are_values {
            return vec![];
        }
        let mut shapes = vec![];
        let mut push = |parent_is_log: bool, child_is_log: bool, is_difference: bool| {
            shapes.push(Shape { parent_is_log, child_is_log, is_difference });
        };
        push(false, y.is_log, false);
        if x.log.is_some() {
            push(true, y.is_log, false);
        }
        match (y.is_log, x.log.is_some() && y.log.is_some()) {
            (true, _) => push(false, false, false),
            (false, true) => push(true, true, false),
            _ => {}
        }
        let are_dates = [child, parent].iter().all(|at| self.columns[*at].nature.meaning == Meaning::Date);
        if are_dates {
            push(false, false, true);
        }
        shapes
    }

    /// The relations of a number with two others that say more than each of these alone.
    fn two_numbers(&self, gains: &Gains, child: usize, alone: &[Choice]) -> Vec<Choice> {
        let mut found = vec![];
        for (_, operation, columns) in self.promising_triples(child, gains.numbers) {
            let others = columns.map(|at| self.sample.numbers[at].as_slice());
            for is_log in [false, true] {
                if let Some(gain) = gains.gain_of_two(operation, is_log, others) {
                    found.push(Choice { columns, how: How::Two { operation, is_log }, gain });
                }
            }
        }
        found.retain(|choice| choice.says_more_than(alone));
        found.sort_by(|a, b| b.gain.total_cmp(&a.gain).then(a.columns.cmp(&b.columns)));
        found.truncate(1);
        found
    }

    /// Operations on two columns that leave little of a number unexplained, the best ones first.
    fn promising_triples(&self, child: usize, numbers: &Numbers) -> Vec<(f64, Operation, [usize; 2])> {
        let is_taken = |at: &usize| {
            *at != child && self.columns[*at].numbers.as_ref().is_some_and(|numbers| numbers.edges.len() > 1)
        };
        let columns: Vec<usize> = (0..self.columns.len()).filter(is_taken).take(MOST_NUMBERS).collect();
        let child_numbers = &self.sample.numbers[child];
        let mut found = vec![];
        let mut rows: Vec<[f64; 3]> = vec![];
        for (place, first) in columns.iter().enumerate() {
            for (other_place, second) in columns.iter().enumerate() {
                let (x, y) = (&self.sample.numbers[*first], &self.sample.numbers[*second]);
                rows.clear();
                let all = (0..self.sample.rows).map(|row| [child_numbers[row], x[row], y[row]]);
                rows.extend(all.filter(|row| !row.iter().any(|number| number.is_nan())).take(TRIPLE_ROWS));
                if first == second || rows.len() < TRIPLE_ROWS / 2 {
                    continue;
                }
                for operation in OPERATIONS {
                    if operation.is_symmetric() && place > other_place {
                        continue;
                    }
                    let rest = |rows: &[[f64; 3]], most: f64| {
                        unexplained(operation, rows, numbers.raw.spread).filter(|rest| *rest < most)
                    };
                    let first_look = rest(&rows[..FIRST_ROWS], 2.0 * UNEXPLAINED);
                    if let Some(rest) = first_look.and_then(|_| rest(&rows, UNEXPLAINED)) {
                        found.push((rest, operation, [*first, *second]));
                    }
                }
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
        found.truncate(TRIPLES);
        found
    }
}
