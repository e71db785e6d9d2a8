//! Fits the parents of every column on all training rows, and says what they say about these rows,
//! each judged without itself.

use std::borrow::Cow;
use std::ops::Range;

use polars::prelude::PolarsResult;

use crate::cells::batch::Batch;
use crate::cells::column::Column;
use crate::cells::math::quick_ln;
use crate::cells::merge::{merge_groups, merge_pairs, pool_groups, Merging};
use crate::cells::nature::Meaning;
use crate::cells::numbers::Numbers;
use crate::cells::strips::{strips, STRIP};
use crate::cells::tails::Tail;
use crate::cells::values::{Description, Vocabulary};
use crate::pool;

use super::candidates::{Choice, Chooser, How, Wanted};
use super::category::{child_counts, sum, CategoryGivenParent, Likelihood, Pairs};
use super::expected::Expectations;
use super::form::{Coder, Form};
use super::grouped::Grouped;
use super::line::{taken, Line, Shape};
use super::line_in_groups::{all_taken, common_slope, LineInGroups, Lines};
use super::mixture::{bounded, weights};
use super::number::{NumberInGroups, Seen};
use super::ratios::{Compared, Strip};
use super::sample::{rising, Sample, FOLDS, LINE_ROWS};
use super::screen::Screen;
use super::two_numbers::NumberOfTwo;
use super::{are_sizes, share_out, Aim, From, NumberGiven, Parent, Relation, Said, Target, MOST_PARENTS};

/// A discrete column is predicted as a number as well if it has more values than this.
const FEW_VALUES: usize = 12;
/// A parent of a lower weight adds nothing to the others. More than a tenth is too much: what other columns
/// say again tells which of two cells is wrong.
const LEAST_WEIGHT: f64 = 0.02;
/// The fewest rows without a value, and with one, for which what predicts that is looked for.
const FEWEST_MISSING: u64 = 20;

/// The targets of all columns, their coders, and what the parents say about the training rows.
pub struct Fitted {
    pub coders: Vec<Coder>,
    pub targets: Vec<Target>,
    pub said: Vec<Said>,
}

/// A target before its parents are fitted.
struct Planned<'a> {
    column: usize,
    aim: Aim,
    coder: Option<usize>,
    counts: Vec<u64>,
    choices: Vec<Parenthood<'a>>,
    /// What predicted the column in the earlier model, if it is to stay.
    kept: Option<&'a Target>,
}

/// A parent of a target before it is fitted.
struct Parenthood<'a> {
    choice: Choice,
    coder: Option<usize>,
    /// The same parent in the earlier model.
    earlier: Option<Before<'a>>,
}

/// A parent in an earlier model.
struct Before<'a> {
    parent: &'a Parent,
    /// The codes that its codes, and those of the target, have now.
    parents: Vec<u32>,
    children: Vec<u32>,
}

/// Fits the parents, after those of an earlier model; gives the batch the codes of all coders.
pub fn fit(
    columns: &[Column],
    described: &[Description],
    batch: &mut Batch,
    merging: Option<&Merging>,
) -> PolarsResult<Fitted> {
    let sample = sampled(columns, described, batch)?;
    let screen = Screen::new(&sample)?;
    let chooser = Chooser { columns, sample: &sample, screen: screen.as_ref() };
    let aims = (0..columns.len()).flat_map(|at| aims(&columns[at]).into_iter().map(move |aim| (at, aim))).collect();
    let chosen = pool::map(aims, |(at, aim)| choose(&chooser, described, batch, merging, at, aim))?;
    let mut coders: Vec<Coder> = vec![];
    let mut planned = vec![];
    for Chosen { column, aim, counts, choices, kept } in chosen.into_iter().flatten() {
        let mut coder = |at: usize, form: Form| {
            let known = coders.iter().position(|coder| coder.column == at && coder.form == form);
            known.unwrap_or_else(|| {
                coders.push(Coder::new(at, &columns[at], form, described[at].vocabulary.as_ref()));
                coders.len() - 1
            })
        };
        let own = aim.form().map(|form| coder(column, form));
        let mut parenthoods = vec![];
        for choice in choices {
            let coder = choice.how.form().map(|form| coder(choice.columns[0], form));
            parenthoods.push(Parenthood { choice, coder, earlier: None });
        }
        if let Some(merging) = merging {
            for parenthood in &mut parenthoods {
                parenthood.earlier = before(merging, columns, described, &coders, (column, aim, own), parenthood);
            }
        }
        planned.push(Planned { column, aim, coder: own, counts, choices: parenthoods, kept });
    }
    batch.code(columns, &coders);
    let batch = &*batch;
    let fitted = pool::map(planned, |planned| {
        Fitting { columns, batch, sample: &sample, coders: &coders, merging }.fit(planned)
    })?;
    let fitted = fitted.into_iter().filter(|(target, _)| !target.parents.is_empty());
    let (targets, said): (Vec<Target>, Vec<Said>) = fitted.unzip();
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
    // A later day is a new one, of which a group of known days would say that it is wrong.
    let is_date = nature.meaning == Meaning::Date;
    let is_category = nature.is_discrete && !nature.is_free_text && !is_date && values > 1;
    let is_number = column.numbers.is_some() && (!nature.is_discrete || values > FEW_VALUES);
    // Of a category, no value is a value like any other.
    let missing = column.missing_rows();
    let are_both = missing.min(column.all.rows.saturating_sub(missing)) >= FEWEST_MISSING;
    let is_present = are_both && !is_category;
    let aims = [
        (is_category, Aim::Value),
        (nature.has_hours, Aim::Hour),
        (is_number, Aim::Number),
        (is_present, Aim::Presence),
    ];
    aims.into_iter().filter(|(is_aim, _)| *is_aim).map(|(_, aim)| aim).collect()
}

/// The parents that a column gets.
struct Chosen<'a> {
    column: usize,
    aim: Aim,
    counts: Vec<u64>,
    choices: Vec<Choice>,
    /// What predicted the column in the earlier model, if it is to stay.
    kept: Option<&'a Target>,
}

/// The parents of a column; None where there are none. Those of an earlier model stay, unless the
/// new rows are more and choose others.
fn choose<'a>(
    chooser: &Chooser,
    described: &[Description],
    batch: &Batch,
    merging: Option<&Merging<'a>>,
    at: usize,
    aim: Aim,
) -> PolarsResult<Option<Chosen<'a>>> {
    let Chooser { columns, sample, .. } = chooser;
    let vocabulary: Option<&Vocabulary> = described[at].vocabulary.as_ref();
    let (mut codes, mut counts) = (vec![], vec![]);
    if let Some(form) = aim.form() {
        let coder = Coder::new(at, &columns[at], form, vocabulary);
        let all = coder.codes(&columns[at], &batch.read[at], &batch.given[at], &batch.numbers[at]);
        codes = sample.taken().iter().map(|row| all[*row as usize]).collect();
        counts = match aim {
            Aim::Hour => child_counts(&all, coder.count + 2),
            Aim::Presence => Target::counts_of_presence(&columns[at]),
            _ => Target::counts_of_values(&columns[at], vocabulary),
        };
    }
    let earlier = merging.and_then(|merging| merging.target(at, aim));
    if let (Aim::Hour, Some(merging), Some(earlier)) = (aim, merging, earlier) {
        let of_both = counts.iter().zip(&earlier.counts).map(|(new, old)| merging.shares.count(*old, *new));
        counts = of_both.collect();
    }
    let is_decided = merging.filter(|merging| merging.shares.is_earlier_larger);
    let is_decided = is_decided.is_some_and(|merging| aims(&merging.cells.columns[at]).contains(&aim));
    let wanted = Wanted { column: at, aim, codes: &codes, counts: &counts };
    let choices = if is_decided { vec![] } else { chooser.choose(&wanted)? };
    if !choices.is_empty() {
        return Ok(Some(Chosen { column: at, aim, counts, choices, kept: None }));
    }
    let kept = |merging: &Merging<'a>| {
        let target = earlier?;
        let choices = target.parents.iter().filter_map(|parent| as_chosen(merging, parent)).collect();
        Some(Chosen { column: at, aim, counts, choices, kept: Some(target) })
    };
    Ok(merging.and_then(kept))
}

/// A parent of an earlier model as one that was chosen.
fn as_chosen(merging: &Merging, parent: &Parent) -> Option<Choice> {
    let how = match &parent.relation {
        Relation::Number(NumberGiven { from: From::Line(line), .. }) => {
            let (parent_is_log, child_is_log) = (line.parent_is_log, line.child_is_log);
            How::Line(Shape { parent_is_log, child_is_log, is_difference: false })
        }
        Relation::Number(NumberGiven { from: From::LineInGroups(lines), .. }) => {
            How::LineInGroups(merging.form(parent)?, lines.shape)
        }
        Relation::Number(NumberGiven { from: From::Two(two), .. }) => {
            How::Two { operation: two.operation, is_log: two.is_log }
        }
        _ => How::Form(merging.form(parent)?),
    };
    Some(Choice { columns: parent.columns, how, gain: 0.0 })
}

/// The same parent in an earlier model.
fn before<'a>(
    merging: &Merging<'a>,
    columns: &[Column],
    described: &[Description],
    coders: &[Coder],
    (column, aim, own): (usize, Aim, Option<usize>),
    parenthood: &Parenthood,
) -> Option<Before<'a>> {
    let target = merging.target(column, aim)?;
    let is_same = |parent: &&Parent| {
        let choice = as_chosen(merging, parent);
        choice.is_some_and(|of| of.columns == parenthood.choice.columns && of.how.is_like(parenthood.choice.how))
    };
    let parent = target.parents.iter().find(is_same)?;
    let recoded = |old: Option<usize>, now: Option<usize>| match (old, now) {
        (Some(old), Some(now)) => merging.recoded(old, &coders[now], columns, described),
        _ => vec![],
    };
    let parents = recoded(parent.coder, parenthood.coder);
    Some(Before { parent, parents, children: recoded(target.coder, own) })
}

/// The entropy of counts, in nats.
fn entropy(counts: &[u64]) -> f64 {
    let rows = sum(counts);
    let shares = counts.iter().filter(|count| **count > 0).map(|count| *count as f64 / rows);
    -shares.map(|share| share * quick_ln(share)).sum::<f64>()
}

/// What a target is fitted from.
struct Fitting<'a> {
    columns: &'a [Column],
    batch: &'a Batch<'a>,
    sample: &'a Sample,
    coders: &'a [Coder],
    merging: Option<&'a Merging<'a>>,
}

impl Fitting<'_> {
    fn fit(&self, planned: Planned) -> PolarsResult<(Target, Said)> {
        let Planned { column, aim, coder, counts, choices, kept } = planned;
        let (mut parents, mut ratios) = (Vec::with_capacity(MOST_PARENTS), vec![]);
        for Parenthood { choice, coder: parent_coder, earlier } in choices {
            crate::job::check()?;
            let earlier = earlier.as_ref();
            let fitted = match (coder, parent_coder, &self.columns[column].numbers) {
                (Some(child), Some(parent), _) => self.category(child, parent, &counts, earlier),
                (None, _, Some(numbers)) => self.number(column, numbers, &choice, parent_coder, earlier),
                _ => None,
            };
            let Some((relation, of_rows)) = fitted else { continue };
            let determines = match aim {
                Aim::Value | Aim::Hour | Aim::Presence => choice.gain / entropy(&counts).max(1e-6),
                Aim::Number => 1.1 - libm::exp(-choice.gain.max(0.0)),
            };
            let stays = earlier.filter(|_| kept.is_some()).map(|before| before.parent);
            let determines = stays.map_or(determines.clamp(0.0, 1.0), |parent| parent.determines);
            let weight = stays.map_or(0.0, |parent| parent.weight);
            parents.push(Parent { columns: choice.columns, coder: parent_coder, weight, determines, relation });
            ratios.push(of_rows);
        }
        match kept.is_some() {
            true => share_out(&mut parents),
            false => self.weigh(&mut parents, &mut ratios),
        }
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
    fn category(
        &self,
        child: usize,
        parent: usize,
        counts: &[u64],
        earlier: Option<&Before>,
    ) -> Option<(Relation, Vec<f32>)> {
        let (children, parents) = (&self.batch.codes[child], &self.batch.codes[parent]);
        let coder = &self.coders[parent];
        let grouped = Grouped::new(&self.counted(parents, coder.unseen(), earlier), coder.unseen());
        let mut pairs = Pairs::count(&grouped, children, &mut vec![0; counts.len()]);
        if let (Some(before), Some(merging)) = (earlier, self.merging) {
            let Relation::Category(given) = &before.parent.relation else { return None };
            pairs = merge_pairs(&given.pairs, &before.parents, &before.children, &pairs, merging.shares);
        }
        let (smoothing, _) = Likelihood::new(&pairs, counts, self.batch.rows).best(f64::NEG_INFINITY);
        let are_sizes = are_sizes(&self.coders[child], &self.columns[self.coders[child].column], coder);
        let given = CategoryGivenParent::new(pairs, smoothing, counts, coder.count + 2, are_sizes);
        let all_rows = sum(counts);
        let codes = parents.iter().zip(children);
        let ratio = |(parent, child): (&u32, &u32)| given.ratio_left_out(*parent, *child, counts, all_rows);
        let ratios = codes.map(ratio).map(bounded).collect();
        Some((Relation::Category(given), ratios))
    }

    /// The codes of the rows that are to be counted: those that the earlier model has counted have
    /// the code `none`.
    fn counted<'b>(&self, codes: &'b [u32], none: u32, earlier: Option<&Before>) -> Cow<'b, [u32]> {
        match (self.merging, earlier) {
            (Some(merging), Some(_)) => Cow::Owned(merging.of_new_rows(codes, none)),
            _ => Cow::Borrowed(codes),
        }
    }

    /// A number given a parent, and the ratios of the training rows, each from the other folds.
    fn number(
        &self,
        column: usize,
        numbers: &Numbers,
        choice: &Choice,
        coder: Option<usize>,
        earlier: Option<&Before>,
    ) -> Option<(Relation, Vec<f32>)> {
        let raw = &self.batch.numbers[column];
        let grouped = coder.map(|coder| {
            let unseen = self.coders[coder].unseen();
            Grouped::new(&self.counted(&self.batch.codes[coder], unseen, earlier), unseen)
        });
        let source = Source::new(self, numbers, raw, choice, (coder, grouped), earlier)?;
        let end = coder.map_or(0, |coder| self.coders[coder].count + 2);
        let fit = |left_out| self.after(source.fit(left_out), earlier, column, numbers, end);
        let whole = fit(None)?;
        let parent = |from: From| Parent {
            columns: choice.columns,
            coder,
            weight: 1.0,
            determines: 0.0,
            relation: Relation::Number(NumberGiven { from, tail: Tail::fit(vec![], 1.0) }),
        };
        let others: Vec<Option<Parent>> = (0..FOLDS).map(|fold| fit(Some(fold)).map(parent)).collect();
        let is_log = whole.is_log(numbers);
        let compare = |rows: Range<usize>| {
            let without = others.iter().map(|parent| Some(parent.as_ref()?.expect(self.batch, rows.clone())));
            let expected = Expectations::by_fold(&self.sample.folds[rows.clone()], without);
            let mut compared = Compared::none();
            let raw = &raw[rows];
            Strip::new(numbers, raw).compare(numbers, raw, is_log, &expected, &mut compared);
            compared
        };
        let compared: Vec<Compared> = strips(raw.len()).map(compare).collect();
        let replayed = |row: usize| earlier.is_some() && self.merging.is_some_and(|merging| merging.is_replayed(row));
        let far = compared.iter().flat_map(|compared| compared.far).take(raw.len()).enumerate();
        let far = far.filter(|(row, far)| !far.is_nan() && !replayed(*row));
        let mut away: Vec<(f64, f64)> = far.map(|(_, far)| (far.into(), 1.0)).collect();
        if let (Some(merging), Some(before)) = (self.merging, earlier) {
            let Relation::Number(before) = &before.parent.relation else { return None };
            let shares = merging.shares;
            away.iter_mut().for_each(|(_, rows)| *rows *= shares.new);
            away.extend(before.tail.values().map(|(knot, rows)| (knot, rows * shares.earlier)));
        }
        let given = NumberGiven::new(whole, Tail::fit(away, 1.0), numbers);
        let mut ratios = vec![1.0; raw.len()];
        for (compared, out) in compared.iter().zip(ratios.chunks_mut(STRIP)) {
            compared.ratios(&given.tail, true, out);
        }
        Some((Relation::Number(given), ratios))
    }
}

impl Fitting<'_> {
    /// What a number is expected from, after an earlier model: its groups with those of the new
    /// rows, and its lines and operations where it has more rows.
    fn after(
        &self,
        new: Option<From>,
        earlier: Option<&Before>,
        column: usize,
        numbers: &Numbers,
        end: u32,
    ) -> Option<From> {
        let (Some(merging), Some(earlier)) = (self.merging, earlier) else { return new };
        let Relation::Number(before) = &earlier.parent.relation else { return new };
        let numbers_before = merging.cells.columns[column].numbers.as_ref()?;
        match (&before.from, new) {
            (From::Groups(before), Some(From::Groups(new))) => {
                let before = (before, numbers_before);
                Some(From::Groups(merge_groups(before, &earlier.parents, (&new, numbers), merging.shares, end)))
            }
            (From::LineInGroups(before), Some(From::LineInGroups(new))) => {
                // Both have the slope of the earlier model.
                let groups = (&before.groups, earlier.parents.as_slice());
                let groups = pool_groups(groups, &new.groups, merging.shares, end);
                Some(From::LineInGroups(LineInGroups { groups, ..new }))
            }
            (_, Some(new)) if !merging.shares.is_earlier_larger => Some(new),
            (from, _) => Some(from.clone()),
        }
    }
}

/// The rows that a number is fitted on.
struct Source<'a> {
    choice: &'a Choice,
    numbers: &'a Numbers,
    grouped: Option<Grouped>,
    codes: u32,
    /// The child's places, and the parents' numbers; of a line, those of some rows.
    places: Vec<f64>,
    others: [Vec<f64>; 2],
    rising: Vec<u32>,
    folds: Vec<u8>,
    /// The slope that lines in groups have in common.
    slope: f64,
}

impl<'a> Source<'a> {
    fn new(
        fitting: &'a Fitting<'a>,
        numbers: &'a Numbers,
        raw: &[f64],
        choice: &'a Choice,
        (coder, grouped): (Option<usize>, Option<Grouped>),
        earlier: Option<&Before>,
    ) -> Option<Self> {
        let codes = coder.map_or(0, |coder| fitting.coders[coder].count + 2);
        let is_line = grouped.is_none();
        let rows: Vec<usize> = match is_line {
            true => fitting.sample.order.iter().take(LINE_ROWS).map(|row| *row as usize).collect(),
            false => (0..raw.len()).collect(),
        };
        let place = |number: f64| match choice.how {
            _ if number.is_nan() => number,
            How::Two { .. } | How::LineInGroups(_, None) => number,
            How::Line(Shape { child_is_log, .. }) | How::LineInGroups(_, Some(Shape { child_is_log, .. }))
                if child_is_log != numbers.is_log =>
            {
                taken(number, child_is_log)
            }
            _ => numbers.on_scale(number),
        };
        let places: Vec<f64> = rows.iter().map(|row| place(raw[*row])).collect();
        let numbers_of = |at: usize| -> Vec<f64> {
            let given = &fitting.batch.numbers[at];
            rows.iter().map(|row| given.get(*row).copied().unwrap_or(f64::NAN)).collect()
        };
        let others = match choice.how {
            How::Form(_) => [vec![], vec![]],
            How::LineInGroups(_, shape) => [vec![], all_taken(shape, &numbers_of(choice.columns[1]))],
            How::Line(_) | How::Two { .. } => choice.columns.map(numbers_of),
        };
        let mut slope = 0.0;
        if let (How::LineInGroups(_, shape), Some(grouped)) = (choice.how, &grouped) {
            slope = match earlier.map(|before| &before.parent.relation) {
                Some(Relation::Number(NumberGiven { from: From::LineInGroups(lines), .. })) => lines.slope,
                _ => common_slope(shape, grouped, &others[1], &places)?,
            };
        }
        let rising = if matches!(choice.how, How::Line(_)) { rising(&others[0]) } else { vec![] };
        let folds = rows.iter().map(|row| fitting.sample.folds[*row]).collect();
        Some(Self { choice, numbers, grouped, codes, places, others, rising, folds, slope })
    }

    /// What a number is expected from, without one fold.
    fn fit(&self, left_out: Option<u8>) -> Option<From> {
        let seen = Seen { places: &self.places, folds: &self.folds, left_out };
        match (self.choice.how, &self.grouped) {
            (How::Form(_), Some(grouped)) => {
                Some(From::Groups(NumberInGroups::fit(grouped, seen, self.numbers.scale(), self.codes)))
            }
            (How::Line(shape), _) => {
                Line::fit(shape, &self.others[0], &self.rising, seen, self.numbers.scale_of(shape.child_is_log))
                    .map(From::Line)
            }
            (How::LineInGroups(_, shape), Some(grouped)) => {
                let scale = self.numbers.scale_of(shape.is_some_and(|shape| shape.child_is_log));
                let lines =
                    Lines { shape, slope: self.slope, grouped, taken: &self.others[1], scale, codes: self.codes };
                lines.fit(seen).map(From::LineInGroups)
            }
            (How::Two { operation, is_log }, _) => {
                let others = [self.others[0].as_slice(), self.others[1].as_slice()];
                NumberOfTwo::fit(operation, is_log, others, seen, self.numbers.scale_of(is_log)).map(From::Two)
            }
            _ => None,
        }
    }
}
