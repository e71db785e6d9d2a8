//! Which parents a column gets: of a few columns that a cheap look finds promising, those that make
//! the training rows' values likeliest, each in its best form.

use polars::prelude::PolarsResult;

use crate::cells::column::Column;
use crate::cells::math::{quick_ln, t_ln_density};
use crate::cells::nature::Meaning;
use crate::cells::numbers::Numbers;

use super::category::{Likelihood, Pairs, Smoothing};
use super::compare;
use super::form::Form;
use super::line::{Line, Shape};
use super::number::{NumberInGroups, Seen};
use super::sample::{Formed, Sample};
use super::two_numbers::{unexplained, NumberOfTwo, Operation, OPERATIONS};
use super::{Aim, From, MOST_PARENTS};

/// The columns that are looked at closely for each column.
const LOOKED_AT: usize = 12;
/// By how many nats a row must be likelier with a parent: categories, numbers, and numbers of two
/// others, above what each of these says alone.
const LEAST_GAIN: f64 = 0.02;
const LEAST_GAIN_OF_NUMBER: f64 = 0.04;
const LEAST_GAIN_OF_TWO: f64 = 0.1;
/// A line must be better than groups by this.
const LINE_MARGIN: f64 = 0.02;
/// The bounds of what one row gains.
const ROW_GAIN: (f64, f64) = (-6.0, 12.0);
/// The rows that lines are compared on.
const LINE_ROWS: usize = 3_000;
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
}

/// A parent that was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    pub columns: [usize; 2],
    pub how: How,
    pub gain: f64,
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
}

impl Chooser<'_> {
    /// The parents of a column, the best one first.
    pub fn choose(&self, wanted: &Wanted) -> PolarsResult<Vec<Choice>> {
        let mut found: Vec<Choice> = vec![];
        let numbers = self.columns[wanted.column].numbers.as_ref().filter(|_| wanted.aim == Aim::Number);
        let fit = numbers.map(|numbers| Fit::new(numbers, &self.sample.numbers[wanted.column], &self.sample.folds));
        for column in self.promising(wanted) {
            crate::job::check()?;
            found.extend(match &fit {
                Some(fit) => self.number(fit, wanted.column, column),
                None => self.category(wanted, column),
            });
        }
        if let Some(fit) = &fit {
            let two = self.two_numbers(fit, wanted.column, &found);
            found.extend(two);
        }
        found.sort_by(|a, b| b.gain.total_cmp(&a.gain).then(a.columns.cmp(&b.columns)));
        found.truncate(MOST_PARENTS);
        Ok(found)
    }

    /// The columns that a cheap look finds promising.
    fn promising(&self, wanted: &Wanted) -> Vec<usize> {
        let has_form = |at: &usize| *at != wanted.column && !self.sample.forms[*at].is_empty();
        let others: Vec<usize> = (0..self.columns.len()).filter(has_form).collect();
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
    fn number(&self, fit: &Fit, child: usize, at: usize) -> Option<Choice> {
        let mut best: Option<Choice> = None;
        for formed in &self.sample.forms[at] {
            let gain = fit.gain_of_groups(formed);
            if best.is_none_or(|best| gain > best.gain) {
                best = Some(Choice { columns: [at; 2], how: How::Form(formed.form), gain });
            }
        }
        for shape in self.shapes(child, at) {
            let gain = fit.gain_of_line(shape, &self.sample.numbers[at], &self.sample.rising[at]);
            if gain.is_some_and(|gain| best.is_none_or(|best| gain > best.gain + LINE_MARGIN)) {
                best = Some(Choice { columns: [at; 2], how: How::Line(shape), gain: gain.unwrap_or(0.0) });
            }
        }
        best.filter(|best| best.gain > LEAST_GAIN_OF_NUMBER)
    }

    /// The lines that are tried between two columns.
    fn shapes(&self, child: usize, parent: usize) -> Vec<Shape> {
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
    fn two_numbers(&self, fit: &Fit, child: usize, alone: &[Choice]) -> Vec<Choice> {
        let mut found = vec![];
        for (_, operation, columns) in self.promising_triples(child, fit.numbers) {
            let others = columns.map(|at| self.sample.numbers[at].as_slice());
            for is_log in [false, true] {
                if let Some(gain) = fit.gain_of_two(operation, is_log, others) {
                    found.push(Choice { columns, how: How::Two { operation, is_log }, gain });
                }
            }
        }
        let of_one = |columns: &[usize; 2]| {
            let gains = alone.iter().filter(|choice| columns.contains(&choice.columns[0])).map(|choice| choice.gain);
            gains.fold(0.0, f64::max)
        };
        found.retain(|choice| choice.gain > of_one(&choice.columns) + LEAST_GAIN_OF_TWO);
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

/// The number of a column in the sample, in two folds that are judged by one another.
struct Fit<'a> {
    numbers: &'a Numbers,
    raw: &'a [f64],
    /// Places on the column's scale, and on the raw scale and that of logarithms.
    places: Vec<f64>,
    logs: Vec<f64>,
    /// ln of the density of each number by itself.
    alone: Vec<f64>,
    folds: Vec<u8>,
}

impl<'a> Fit<'a> {
    fn new(numbers: &'a Numbers, raw: &'a [f64], folds: &[u8]) -> Self {
        let on_scale = |number: &f64| if number.is_nan() { f64::NAN } else { numbers.on_scale(*number) };
        let places: Vec<f64> = raw.iter().map(on_scale).collect();
        let log = |number: &f64| super::line::taken(*number, true);
        let logs = if numbers.log.is_some() { raw.iter().map(log).collect() } else { vec![] };
        let folds = folds.iter().take(raw.len()).map(|fold| fold % 2).collect();
        let scale = numbers.scale();
        let narrow = quick_ln(scale.spread);
        let alone = places.iter().map(|place| t_ln_density((place - scale.centre) / scale.spread) - narrow);
        let alone = alone.collect();
        Self { numbers, raw, places, logs, alone, folds }
    }

    /// The mean gain of rows of which each is judged by what the other fold says.
    fn gain(&self, rows: usize, is_log: bool, expected: impl Fn(u8, usize) -> Option<super::number::Expected>) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for row in 0..rows.min(self.raw.len()) {
            let number = self.raw[row];
            if number.is_nan() {
                continue;
            }
            count += 1.0;
            if let Some(expected) = expected(self.folds[row], row) {
                let (_, density) = compare(self.numbers, number, expected, is_log);
                let gain = quick_ln(density.max(1e-300)) - self.alone[row];
                sum += gain.clamp(ROW_GAIN.0, ROW_GAIN.1);
            }
        }
        if count < 40.0 {
            return 0.0;
        }
        sum / count
    }

    fn gain_of_groups(&self, formed: &Formed) -> f64 {
        let codes = formed.coder.unseen();
        let scale = self.numbers.scale();
        let fit = |fold: u8| {
            let seen = Seen { places: &self.places, folds: &self.folds, left_out: Some(fold) };
            From::Groups(NumberInGroups::fit(&formed.grouped, seen, scale, codes))
        };
        let fitted = [fit(0), fit(1)];
        self.gain(self.raw.len(), self.numbers.is_log, |fold, row| match &fitted[usize::from(fold)] {
            From::Groups(groups) => groups.expected(formed.codes[row]),
            _ => None,
        })
    }

    /// The places of a scale, and the scale; None where there is none.
    fn scaled(&self, is_log: bool) -> Option<(&[f64], &crate::cells::numbers::Scale)> {
        match is_log {
            _ if is_log == self.numbers.is_log => Some((&self.places, self.numbers.scale())),
            true => self.numbers.log.as_ref().map(|log| (self.logs.as_slice(), log)),
            false => Some((self.raw, &self.numbers.raw)),
        }
    }

    fn gain_of_line(&self, shape: Shape, parent: &[f64], rising: &[u32]) -> Option<f64> {
        let (places, scale) = self.scaled(shape.child_is_log)?;
        let rows = LINE_ROWS.min(self.raw.len());
        let few: Vec<u32> = rising.iter().copied().filter(|row| (*row as usize) < rows).collect();
        let seen = |fold: u8| Seen { places, folds: &self.folds, left_out: Some(fold) };
        let fit = |fold: u8| Line::fit(shape, parent, &few, seen(fold), scale);
        let fitted = [fit(0)?, fit(1)?];
        let expected = |fold: u8, row: usize| fitted[usize::from(fold)].expected(parent[row]);
        Some(self.gain(rows, shape.child_is_log, expected))
    }

    fn gain_of_two(&self, operation: Operation, is_log: bool, others: [&[f64]; 2]) -> Option<f64> {
        let (places, scale) = (self.raw, if is_log { self.numbers.log.as_ref()? } else { &self.numbers.raw });
        let seen = |fold: u8| Seen { places, folds: &self.folds, left_out: Some(fold) };
        let fit = |fold: u8| NumberOfTwo::fit(operation, is_log, others, seen(fold), scale);
        let fitted = [fit(0)?, fit(1)?];
        let expected = |fold: u8, row: usize| fitted[usize::from(fold)].expected(others[0][row], others[1][row]);
        Some(self.gain(self.raw.len(), is_log, expected))
    }
}
