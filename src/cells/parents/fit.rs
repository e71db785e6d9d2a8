//! Fits the parents of every column on all training rows, and says what they say about these rows,
//! each judged without itself.

use polars::prelude::PolarsResult;

use crate::cells::batch::Batch;
use crate::cells::column::Column;
use crate::cells::math::quick_ln;
use crate::cells::numbers::Numbers;
use crate::cells::tails::Tail;
use crate::cells::values::{Description, Vocabulary};
use crate::pool;

use super::candidates::{Choice, Chooser, How, Wanted};
use super::category::{child_counts, sum, CategoryGivenParent, Likelihood, Pairs};
use super::form::{Coder, Form};
use super::grouped::Grouped;
use super::line::Line;
use super::mixture::{bounded, weights};
use super::number::{Expected, NumberInGroups, Seen};
use super::sample::{rising, Sample, FOLDS, LINE_ROWS};
use super::two_numbers::NumberOfTwo;
use super::{compare, Aim, From, NumberGiven, Parent, Relation, Said, Target, MOST_PARENTS};

/// A discrete column is predicted as a number as well if it has more values than this.
const FEW_VALUES: usize = 12;
/// A parent of a lower weight adds nothing to the others.
const LEAST_WEIGHT: f64 = 0.02;
/// What the fitted pairs and groups take at most in a file, and the fewest rows that groups are
/// held to, one after the other, until they fit.
const MOST_BYTES: usize = 3 << 19;
const FEWEST_ROWS: [u64; 12] = [2, 3, 4, 6, 9, 14, 20, 30, 50, 100, 300, 1_000];

/// The targets of all columns, their coders, and what the parents say about the training rows.
pub struct Fitted {
    pub coders: Vec<Coder>,
    pub targets: Vec<Target>,
    pub said: Vec<Said>,
}

/// A target before its parents are fitted.
struct Planned {
    column: usize,
    aim: Aim,
    coder: Option<usize>,
    counts: Vec<u64>,
    choices: Vec<(Choice, Option<usize>)>,
}

/// Fits the parents; gives the batch the codes of all coders.
pub fn fit(columns: &[Column], described: &[Description], batch: &mut Batch) -> PolarsResult<Fitted> {
    let sample = sampled(columns, described, batch)?;
    let aims = (0..columns.len()).flat_map(|at| aims(&columns[at]).into_iter().map(move |aim| (at, aim))).collect();
    let chosen = pool::map(aims, |(at, aim)| choose(columns, described, batch, &sample, at, aim))?;
    let mut coders: Vec<Coder> = vec![];
    let mut planned = vec![];
    for (column, aim, counts, choices) in chosen.into_iter().flatten() {
        let mut coder = |at: usize, form: Form| {
            let known = coders.iter().position(|coder| coder.column == at && coder.form == form);
            known.unwrap_or_else(|| {
                coders.push(Coder::new(at, &columns[at], form, described[at].vocabulary.as_ref()));
                coders.len() - 1
            })
        };
        let own = match aim {
            Aim::Value => Some(coder(column, Form::Value)),
            Aim::Hour => Some(coder(column, Form::Hour)),
            Aim::Number => None,
        };
        let choices = choices.into_iter().map(|choice| {
            let form = match choice.how {
                How::Form(place) => Some(sample.forms[choice.columns[0]][place].form),
                _ => None,
            };
            (choice, form.map(|form| coder(choice.columns[0], form)))
        });
        let choices = choices.collect();
        planned.push(Planned { column, aim, coder: own, counts, choices });
    }
    batch.code(columns, &coders);
    let batch = &*batch;
    let fitted =
        pool::map(planned, |planned| Fitting { columns, batch, sample: &sample, coders: &coders }.fit(planned))?;
    let (mut targets, said): (Vec<Target>, Vec<Said>) = fitted.into_iter().unzip();
    forget_rare(&mut targets, &coders);
    Ok(Fitted { coders, targets, said })
}

/// The sample, with the forms and the numbers of all columns.
fn sampled(columns: &[Column], described: &[Description], batch: &Batch) -> PolarsResult<Sample> {
    let mut sample = Sample::new(batch.rows, columns.len());
    let forms = pool::map((0..columns.len()).collect(), |at| {
        let numbers = sample.number(&batch.numbers[at]);
        let rising = rising(&numbers);
        Ok((sample.form(at, &columns[at], batch, &described[at]), numbers, rising))
    })?;
    for (forms, numbers, rising) in forms {
        sample.forms.push(forms);
        sample.numbers.push(numbers);
        sample.rising.push(rising);
    }
    Ok(sample)
}

/// What of a column is predicted.
fn aims(column: &Column) -> Vec<Aim> {
    let nature = &column.nature;
    let values = column.known_count() + usize::from(column.missing_rows() > 0);
    let is_category = nature.is_discrete && !nature.is_free_text && values > 1;
    let is_number = column.numbers.is_some() && (!nature.is_discrete || values > FEW_VALUES);
    let aims = [(is_category, Aim::Value), (nature.has_hours, Aim::Hour), (is_number, Aim::Number)];
    aims.into_iter().filter(|(is_aim, _)| *is_aim).map(|(_, aim)| aim).collect()
}

type Chosen = (usize, Aim, Vec<u64>, Vec<Choice>);

/// The parents of a column; None where there are none.
fn choose(
    columns: &[Column],
    described: &[Description],
    batch: &Batch,
    sample: &Sample,
    at: usize,
    aim: Aim,
) -> PolarsResult<Option<Chosen>> {
    let vocabulary: Option<&Vocabulary> = described[at].vocabulary.as_ref();
    let form = if aim == Aim::Hour { Form::Hour } else { Form::Value };
    let (mut codes, mut counts) = (vec![], vec![]);
    if aim != Aim::Number {
        let coder = Coder::new(at, &columns[at], form, vocabulary);
        let all = coder.codes(&columns[at], &batch.read[at], &batch.given[at]);
        codes = sample.taken().iter().map(|row| all[*row as usize]).collect();
        counts = match aim {
            Aim::Hour => child_counts(&all, coder.count + 2),
            _ => Target::counts_of_values(&columns[at], vocabulary),
        };
    }
    let wanted = Wanted { column: at, aim, codes: &codes, counts: &counts };
    let choices = Chooser { columns, sample }.choose(&wanted)?;
    Ok((!choices.is_empty()).then_some((at, aim, counts, choices)))
}

/// The entropy of counts, in nats.
fn entropy(counts: &[u64]) -> f64 {
    let rows = sum(counts);
    let shares = counts.iter().filter(|count| **count > 0).map(|count| *count as f64 / rows);
    -shares.map(|share| share * quick_ln(share)).sum::<f64>()
}

/// Forgets the groups of few rows, as far as the fitted groups would take too many bytes.
fn forget_rare(targets: &mut [Target], coders: &[Coder]) {
    for least in FEWEST_ROWS {
        let bytes: usize = targets.iter().flat_map(|target| &target.parents).map(Parent::file_bytes).sum();
        if bytes <= MOST_BYTES {
            return;
        }
        for target in targets.iter_mut() {
            let Target { counts, parents, .. } = target;
            parents.iter_mut().for_each(|parent| parent.keep_frequent(least, counts, coders));
        }
    }
}

/// What a target is fitted from.
struct Fitting<'a> {
    columns: &'a [Column],
    batch: &'a Batch<'a>,
    sample: &'a Sample,
    coders: &'a [Coder],
}

impl Fitting<'_> {
    fn fit(&self, planned: Planned) -> PolarsResult<(Target, Said)> {
        let Planned { column, aim, coder, counts, choices } = planned;
        let (mut parents, mut ratios) = (Vec::with_capacity(MOST_PARENTS), vec![]);
        for (choice, parent_coder) in choices {
            crate::job::check()?;
            let fitted = match (coder, parent_coder, &self.columns[column].numbers) {
                (Some(child), Some(parent), _) => Some(self.category(child, parent, &counts)),
                (None, _, Some(numbers)) => self.number(column, numbers, &choice, parent_coder),
                _ => None,
            };
            let Some((relation, of_rows)) = fitted else { continue };
            let determines = match aim {
                Aim::Value | Aim::Hour => choice.gain / entropy(&counts).max(1e-6),
                Aim::Number => 1.1 - libm::exp(-choice.gain.max(0.0)),
            };
            let (columns, determines) = (choice.columns, determines.clamp(0.0, 1.0));
            parents.push(Parent { columns, coder: parent_coder, weight: 0.0, determines, relation });
            ratios.push(of_rows);
        }
        self.weigh(&mut parents, &mut ratios);
        let said = Said::new(&parents, ratios, self.batch.rows);
        Ok((Target { column, aim, coder, counts, parents }, said))
    }

    /// Gives parents their weights, and lets those go that add nothing to the others: a value that
    /// a precise parent speaks against would be likely enough by a coarse one.
    fn weigh(&self, parents: &mut Vec<Parent>, ratios: &mut Vec<Vec<f32>>) {
        let taken = |of_rows: &Vec<f32>| self.sample.taken().iter().map(|row| of_rows[*row as usize]).collect();
        let weights = weights(&ratios.iter().map(taken).collect::<Vec<Vec<f32>>>());
        let kept: f64 = weights.iter().filter(|weight| **weight >= LEAST_WEIGHT).sum();
        parents.iter_mut().zip(&weights).for_each(|(parent, weight)| parent.weight = weight / kept);
        let mut is_kept = weights.iter().map(|weight| *weight >= LEAST_WEIGHT);
        ratios.retain(|_| is_kept.next().unwrap_or(true));
        let mut is_kept = weights.iter().map(|weight| *weight >= LEAST_WEIGHT);
        parents.retain(|_| is_kept.next().unwrap_or(true));
    }

    /// A category given a parent, and the ratios of the training rows.
    fn category(&self, child: usize, parent: usize, counts: &[u64]) -> (Relation, Vec<f32>) {
        let (children, parents) = (&self.batch.codes[child], &self.batch.codes[parent]);
        let coder = &self.coders[parent];
        let pairs = Pairs::count(&Grouped::new(parents, coder.unseen()), children, &mut vec![0; counts.len()]);
        let (smoothing, _) = Likelihood::new(&pairs, counts, self.batch.rows).best(f64::NEG_INFINITY);
        let given = CategoryGivenParent::new(pairs, smoothing, counts, coder.count + 2);
        let all_rows = sum(counts);
        let codes = parents.iter().zip(children);
        let ratio = |(parent, child): (&u32, &u32)| given.ratio_left_out(*parent, *child, counts, all_rows);
        let ratios = codes.map(ratio).map(bounded).collect();
        (Relation::Category(given), ratios)
    }

    /// A number given a parent, and the ratios of the training rows, each from the other folds.
    fn number(
        &self,
        column: usize,
        numbers: &Numbers,
        choice: &Choice,
        coder: Option<usize>,
    ) -> Option<(Relation, Vec<f32>)> {
        let raw = &self.batch.numbers[column];
        let grouped = coder.map(|coder| Grouped::new(&self.batch.codes[coder], self.coders[coder].unseen()));
        let source = Source::new(self, numbers, raw, choice, coder, grouped)?;
        let whole = source.fit(None)?;
        let parent = |from: From| Parent {
            columns: choice.columns,
            coder,
            weight: 1.0,
            determines: 0.0,
            relation: Relation::Number(NumberGiven { from, tail: Tail::fit(vec![], 1.0) }),
        };
        let mut expected: Vec<Option<Expected>> = vec![None; self.batch.rows];
        for fold in 0..FOLDS {
            let Some(from) = source.fit(Some(fold)) else { continue };
            let parent = parent(from);
            for (row, expected) in expected.iter_mut().enumerate() {
                if self.sample.folds[row] == fold && !raw[row].is_nan() {
                    *expected = parent.expected(self.batch, row);
                }
            }
        }
        let is_log = whole.is_log(numbers);
        let odd = |(number, expected): (&f64, &Option<Expected>)| {
            let (away, _) = compare(numbers, *number, (*expected)?, is_log);
            Some((quick_ln(1.0 + away * away), 1.0))
        };
        let tail = Tail::fit(raw.iter().zip(&expected).filter_map(odd).collect(), 1.0);
        let given = NumberGiven { from: whole, tail };
        let of_row = raw.iter().zip(expected);
        let ratios = of_row.map(|(number, expected)| given.ratio(numbers, *number, expected, true)).collect();
        Some((Relation::Number(given), ratios))
    }
}

/// The rows that a number is fitted on.
struct Source<'a> {
    fitting: &'a Fitting<'a>,
    choice: &'a Choice,
    numbers: &'a Numbers,
    grouped: Option<Grouped>,
    codes: u32,
    /// The child's places, and the parents' numbers; of a line, those of some rows.
    places: Vec<f64>,
    others: [Vec<f64>; 2],
    rising: Vec<u32>,
    folds: Vec<u8>,
}

impl<'a> Source<'a> {
    fn new(
        fitting: &'a Fitting<'a>,
        numbers: &'a Numbers,
        raw: &[f64],
        choice: &'a Choice,
        coder: Option<usize>,
        grouped: Option<Grouped>,
    ) -> Option<Self> {
        let codes = coder.map_or(0, |coder| fitting.coders[coder].count + 2);
        let is_line = grouped.is_none();
        let taken: Vec<usize> = match is_line {
            true => fitting.sample.order.iter().take(LINE_ROWS).map(|row| *row as usize).collect(),
            false => (0..raw.len()).collect(),
        };
        let place = |number: f64| match choice.how {
            _ if number.is_nan() => number,
            How::Two { .. } => number,
            How::Line(shape) if shape.child_is_log != numbers.is_log => super::line::taken(number, shape.child_is_log),
            _ => numbers.on_scale(number),
        };
        let places = taken.iter().map(|row| place(raw[*row])).collect();
        let of_column = |at: usize| match is_line {
            true => taken.iter().map(|row| fitting.batch.numbers[at].get(*row).copied().unwrap_or(f64::NAN)).collect(),
            false => vec![],
        };
        let others = choice.columns.map(of_column);
        let rising = if matches!(choice.how, How::Line(_)) { rising(&others[0]) } else { vec![] };
        let folds = taken.iter().map(|row| fitting.sample.folds[*row]).collect();
        Some(Self { fitting, choice, numbers, grouped, codes, places, others, rising, folds })
    }

    /// What a number is expected from, without one fold.
    fn fit(&self, left_out: Option<u8>) -> Option<From> {
        let seen = Seen { places: &self.places, folds: &self.folds, left_out };
        let scale = |is_log: bool| match (&self.numbers.log, is_log) {
            (Some(log), true) => log,
            _ => &self.numbers.raw,
        };
        match (self.choice.how, &self.grouped) {
            (How::Form(_), Some(grouped)) => {
                Some(From::Groups(NumberInGroups::fit(grouped, seen, self.numbers.scale(), self.codes)))
            }
            (How::Line(shape), _) => {
                Line::fit(shape, &self.others[0], &self.rising, seen, scale(shape.child_is_log)).map(From::Line)
            }
            (How::Two { operation, is_log }, _) => {
                let others = [self.others[0].as_slice(), self.others[1].as_slice()];
                NumberOfTwo::fit(operation, is_log, others, seen, scale(is_log)).map(From::Two)
            }
            _ => None,
        }
    }
}
