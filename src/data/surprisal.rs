//! How surprising a value is in its own column: −ln of the share of the training rows with a value at least as rare or as far out,
//! in nats. ln(n + 1) is what no training row is; beyond the training values, a tail goes on (see [`super::tail`]).
//!
//! It sees what the networks can't: a value, a null or a category that no training row has, and single values far out in a
//! table of many columns.

use polars::prelude::*;

use crate::memory::zeros;
use crate::options::Missing;
use crate::pool;
use crate::simd::{Simd, Task, Vector};

use super::classes::Classes;
use super::columns::Columns;
use super::counts::Totals;
use super::curve::{Curve, MOST};
use super::encode::calendar::{far_away, Cycle, Moment, CLASSES};
use super::encode::categories::{Encoder, Frequencies};
use super::encode::inputs::{Input, Inputs};
use super::feature::{Feature, Kind};
use super::mixing::mixed;
use super::novelties;
use super::within::{Group, Within};

/// What the surprisal of a value that is only far out counts less than one of a new class, where the highest of a row's decides:
/// in some column, some value is always the furthest.
const MARGIN: f64 = 3.0;

/// The surprisal of one feature's values.
#[derive(Clone, Debug, PartialEq)]
pub struct Surprisal {
    pub curve: Curve,
    /// Of a number that a category explains
    pub within: Option<Within>,
    /// Values outside are of a class of their own, as negative ones among positive ones, or all others beside a constant: the
    /// lower bound and the surprisal below it, the upper bound and the surprisal above it
    pub bounds: [f64; 4],
    /// Of a value that is there, and of a missing one
    pub missing: [f64; 2],
    /// Of a category, by code, the last one of values that were not seen; of the classes of all cycles of a time, 0 for those of
    /// cycles that do not count; empty for numbers
    pub classes: Vec<f64>,
}

/// No bounds.
const UNBOUNDED: [f64; 4] = [-f64::MAX, 0.0, f64::MAX, 0.0];

/// What a row's surprisals come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Surprise {
    /// The sum over the features, each held to ln(n + 1)
    pub sum: f64,
    /// The highest
    pub highest: f64,
    /// The highest of what they count where it decides; see [`MARGIN`]
    pub deciding: f64,
}

impl Surprise {
    /// With one more value; `none` is ln(n + 1).
    pub fn add(&mut self, value: OfValue, none: f64) {
        self.sum += value.surprisal.min(none);
        self.highest = self.highest.max(value.surprisal);
        self.deciding = self.deciding.max(value.deciding);
    }
}

const WHAT: &str = "the surprisals";

/// [`Surprise`] of some rows in the making, part by part, which the compiler makes vectors of.
struct Sums {
    sum: Vec<f64>,
    highest: Vec<f64>,
    deciding: Vec<f64>,
}

impl Sums {
    fn new(rows: usize) -> PolarsResult<Self> {
        Ok(Self { sum: zeros(rows, WHAT)?, highest: zeros(rows, WHAT)?, deciding: zeros(rows, WHAT)? })
    }

    /// One more value of a row; `none` is ln(n + 1).
    fn add(&mut self, row: usize, value: OfValue, none: f64) {
        let (sum, highest, deciding) = (&mut self.sum[row], &mut self.highest[row], &mut self.deciding[row]);
        let mut of_row = Surprise { sum: *sum, highest: *highest, deciding: *deciding };
        of_row.add(value, none);
        (*sum, *highest, *deciding) = (of_row.sum, of_row.highest, of_row.deciding);
    }

    fn rows(self) -> Vec<Surprise> {
        let parts = self.sum.into_iter().zip(self.highest).zip(self.deciding);
        parts.map(|((sum, highest), deciding)| Surprise { sum, highest, deciding }).collect()
    }
}

/// [`Surprisal::of`] and one more value of every row, for a feature that [`Surprisal::is_of_size_alone`].
struct AddNumbers<'a> {
    sums: &'a mut Sums,
    of: &'a Surprisal,
    values: &'a [f64],
    /// Their surprisals by the curve
    distances: &'a [f64],
    none: f64,
}

impl Task for AddNumbers<'_> {
    type Output = ();

    /// A plain loop over the rows, which the compiler makes vectors of.
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { sums, of, values, distances, none } = self;
        let rows = values.len();
        let (distances, sum) = (&distances[..rows], &mut sums.sum[..rows]);
        let (highest, deciding) = (&mut sums.highest[..rows], &mut sums.deciding[..rows]);
        let larger = |one: f64, other: f64| if one > other { one } else { other };
        let ([low, below, high, above], [there, absent]) = (of.bounds, of.missing);
        let (below, above) = (larger(there, below), larger(there, above));
        for row in 0..rows {
            let (value, distance) = (values[row], distances[row]);
            let class = larger(if value < low { below } else { there }, if value > high { above } else { there });
            let missing = value.is_nan();
            let surprisal = if missing { absent } else { larger(class, distance) };
            let decides = if missing { absent } else { larger(class, distance - MARGIN) };
            sum[row] += if surprisal < none { surprisal } else { none };
            highest[row] = larger(surprisal, highest[row]);
            deciding[row] = larger(decides, deciding[row]);
        }
    }
}

/// A value's surprisal, and what it counts where the highest decides.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OfValue {
    pub surprisal: f64,
    pub deciding: f64,
}

impl Surprisal {
    /// Whether a value is judged by its curve and its bounds alone.
    fn is_of_size_alone(&self, kind: Kind, inputs: &[Input]) -> bool {
        kind != Kind::Category
            && self.within.is_none()
            && !Inputs::is_calendar(inputs)
            && Inputs::cycles(inputs).next().is_none()
    }

    /// Of a feature's value, beside the code of the category that explains it; NaN is missing. `none` is ln(n + 1).
    pub fn of(&self, kind: Kind, cycles: &[Cycle], value: f64, code: f64, none: f64) -> OfValue {
        if value.is_nan() {
            let surprisal = self.missing[1];
            return OfValue { surprisal, deciding: surprisal };
        }
        let [low, below, high, above] = self.bounds;
        let mut class = self.missing[0];
        if value < low {
            class = class.max(below);
        }
        if value > high {
            class = class.max(above);
        }
        if kind == Kind::Category {
            class = class.max(self.classes[(value as usize).min(self.classes.len() - 1)]);
        } else if !cycles.is_empty() {
            let moment = Moment::from_number(kind, value);
            let of =
                |cycle: &Cycle| moment.as_ref().map_or(0.0, |at| self.classes[cycle.first_class() + cycle.class(at)]);
            class = cycles.iter().map(of).fold(class, f64::max);
        }
        let mut distance = self.curve.surprisal(value, none);
        if let Some(within) = &self.within {
            distance = distance.max(within.surprisal(value, code, none));
        }
        OfValue { surprisal: class.max(distance), deciding: class.max(distance - MARGIN) }
    }
}

/// The surprisals of all features.
#[derive(Clone, Debug, PartialEq)]
pub struct Surprisals {
    pub of: Vec<Surprisal>,
    /// ln(n + 1) of n training rows
    pub none: f64,
}

impl Surprisals {
    /// From coded training rows. Where they are a sample, counts of values and nulls and the extremes are those of all rows. Where a model
    /// has seen `earlier` rows, which the totals have as well, those of both; the encoders are those of the codes.
    pub fn fit(
        columns: &Columns,
        inputs: &Inputs,
        frequencies: &[Option<Frequencies>],
        missing: Missing,
        totals: Option<&Totals>,
        earlier: Option<(&Earlier, &[Option<Encoder>])>,
    ) -> PolarsResult<Self> {
        let rows = columns.rows();
        let all_rows = totals.map_or(rows, |totals| totals.rows);
        let categories = columns.categories()?;
        let of_feature = |(j, feature): (usize, &Feature)| {
            let calendar = Inputs::is_calendar(inputs.feature(j));
            let mut values = vec![];
            columns.read_as(j, calendar, &mut values)?;
            let total = totals.map(|totals| &totals.features[j]);
            let before = earlier.map(|(earlier, encoders)| (earlier.of(j), earlier, encoders));
            let all_known = total.map_or(0, |total| all_rows - total.missing);
            let new_rows = before.as_ref().map_or(0, |(of, _, _)| all_known.saturating_sub(of.rows));
            let fresh = || Within::of(&values, categories.iter().map(|(at, codes)| (*at, codes.as_slice())));
            let within = match (feature.kind, &before) {
                (Kind::Number, None) => fresh(),
                (Kind::Number, Some((of, earlier, encoders))) => match &of.surprisal.within {
                    Some(within) => {
                        let codes = categories.iter().find(|(at, _)| *at == within.category);
                        let codes = codes.map_or(&[][..], |(_, codes)| codes.as_slice());
                        let groups = earlier.groups(of, encoders);
                        Some(within.mixed(&groups, &values, codes, new_rows as f64))
                    }
                    None if new_rows > of.rows => fresh(),
                    None => None,
                },
                _ => None,
            };
            values.retain(|value| !value.is_nan());
            values.sort_unstable_by(f64::total_cmp);
            let mut rows = rows;
            if let (Some((of, _, _)), false) = (&before, calendar || feature.kind == Kind::Category) {
                values = of.mixed(&values, new_rows);
                rows = (values.len() as f64 * all_rows as f64 / all_known.max(1) as f64).round() as usize;
            }
            let known = match missing {
                Missing::Indicator => total.map_or(values.len(), |total| all_rows - total.missing),
                // Filled in, or not there: no news.
                _ => all_rows,
            };
            if let Some([low, high]) = total.and_then(|total| total.range).filter(|_| !calendar) {
                if values.first().is_none_or(|first| low < *first) {
                    values.insert(0, low);
                }
                if values.last().is_none_or(|last| high > *last) {
                    values.push(high);
                }
            }
            let mut exceptions = None;
            let mut surprisal = match (feature.kind, &frequencies[j]) {
                (Kind::Category, Some(frequencies)) => of_category(frequencies, all_rows),
                (kind, _) if calendar => {
                    let new = || of_calendar(kind, inputs.feature(j), &values, rows);
                    match &before {
                        None => new(),
                        Some((of, _, _)) if values.is_empty() => of.surprisal.clone(),
                        Some((of, _, _)) => either(of.surprisal, new()),
                    }
                }
                (kind, _) => {
                    exceptions = novelties::exceptions(&values);
                    let mut new = of_numbers(kind, &values, rows);
                    before.iter().for_each(|(of, _, _)| keep_bounds(of.surprisal, &mut new, &values));
                    new
                }
            };
            surprisal.within = within;
            let classes = Classes::of([known as u64, (all_rows - known) as u64].into_iter(), all_rows);
            if missing == Missing::Indicator {
                surprisal.missing = [known, all_rows - known].map(|count| classes.surprisal(count as u64));
            }
            Ok((surprisal, exceptions))
        };
        let of_features = pool::map(columns.features().iter().enumerate().collect(), of_feature)?;
        let (mut of, exceptions): (Vec<_>, Vec<_>) = of_features.into_iter().unzip();
        if let Some(nats) = novelties::surprisal(&exceptions, all_rows) {
            let constant = of.iter_mut().zip(&exceptions).filter(|(_, exceptions)| **exceptions == Some(0));
            constant.for_each(|(surprisal, _): (&mut Surprisal, _)| {
                (surprisal.bounds[1], surprisal.bounds[3]) = (nats, nats);
            });
        }
        Ok(Self { of, none: Self::none_of(all_rows) })
    }

    /// What no training row of that number is.
    pub fn none_of(rows: usize) -> f64 {
        libm::log(rows as f64 + 1.0)
    }

    /// What the values of all training rows come to, on the plugin's threads.
    pub fn of_training_rows(&self, columns: &Columns, inputs: &Inputs) -> PolarsResult<Vec<Surprise>> {
        const CHUNK: usize = 1 << 16;
        let starts: Vec<usize> = (0..columns.rows()).step_by(CHUNK).collect();
        let part = |start: usize| {
            let len = CHUNK.min(columns.rows() - start);
            self.of_rows(&columns.slice(start, len), inputs)
        };
        Ok(pool::map(starts, part)?.concat())
    }

    /// What the values of coded columns come to, row by row.
    pub fn of_rows(&self, columns: &Columns, inputs: &Inputs) -> PolarsResult<Vec<Surprise>> {
        let mut all = Sums::new(columns.rows())?;
        let (mut values, mut distances) = (vec![], zeros(columns.rows(), WHAT)?);
        for (j, (feature, surprisal)) in columns.features().iter().zip(&self.of).enumerate() {
            if surprisal.is_of_size_alone(feature.kind, inputs.feature(j)) {
                columns.read(j, &mut values)?;
                surprisal.curve.surprisals_into(&values, self.none, &mut distances);
                let (values, distances) = (&values, &distances);
                Simd::chosen().run(AddNumbers { sums: &mut all, of: surprisal, values, distances, none: self.none });
            } else {
                self.each_of(columns, inputs, j, &mut values, |row, value| all.add(row, value, self.none))?;
            }
        }
        Ok(all.rows())
    }

    /// Of a feature's value in the reference row; see [`crate::model::Model::coded_reference`].
    pub fn of_reference(&self, feature: usize, kind: Kind, reference: &[f64]) -> OfValue {
        let (surprisal, value) = (&self.of[feature], reference[feature]);
        let code = surprisal.within.as_ref().map_or(f64::NAN, |within| reference[within.category]);
        let of = surprisal.of(kind, &[], value, code, self.none);
        // A time without a median is no missing value.
        let usual = surprisal.missing[0].min(surprisal.missing[1]);
        let of = if value.is_nan() { OfValue { surprisal: usual, deciding: usual } } else { of };
        OfValue { surprisal: of.surprisal.min(self.none), ..of }
    }

    /// Goes through the values of coded columns, feature by feature.
    pub fn each(
        &self,
        columns: &Columns,
        inputs: &Inputs,
        mut take: impl FnMut(usize, usize, OfValue),
    ) -> PolarsResult<()> {
        let mut values = vec![];
        (0..self.of.len()).try_for_each(|j| self.each_of(columns, inputs, j, &mut values, |row, of| take(row, j, of)))
    }

    /// Goes through the values of a feature.
    fn each_of(
        &self,
        columns: &Columns,
        inputs: &Inputs,
        j: usize,
        values: &mut Vec<f64>,
        mut take: impl FnMut(usize, OfValue),
    ) -> PolarsResult<()> {
        let (kind, surprisal, of_feature) = (columns.features()[j].kind, &self.of[j], inputs.feature(j));
        let cycles: Vec<Cycle> = Inputs::cycles(of_feature).collect();
        columns.read_as(j, Inputs::is_calendar(of_feature), values)?;
        let mut codes = vec![];
        if let Some(within) = &surprisal.within {
            columns.read(within.category, &mut codes)?;
        }
        for (row, value) in values.iter().enumerate() {
            let code = codes.get(row).copied().unwrap_or(f64::NAN);
            take(row, surprisal.of(kind, &cycles, *value, code, self.none));
        }
        Ok(())
    }

    /// The number of knots of each feature's curve.
    pub fn knots(&self) -> Vec<usize> {
        self.of.iter().map(|of| of.curve.knots().len()).collect()
    }

    /// What is wrong with those of a feature, as a file may have them.
    pub fn fault(&self, feature: usize) -> Option<String> {
        let Surprisal { curve, within, bounds, missing, classes } = &self.of[feature];
        let [low, below, high, above] = *bounds;
        let nats = [below, above].into_iter().chain(*missing).chain(classes.iter().copied());
        if let Some(wrong) = nats.into_iter().find(|nats| !(0.0..=MOST).contains(nats)) {
            return Some(format!("include {wrong}, expected a number from 0 to {MOST}"));
        }
        let usable = curve.is_usable() && low.is_finite() && high.is_finite();
        let usable = usable && within.as_ref().is_none_or(Within::is_usable);
        (!usable).then(|| "have numbers that can't be".to_string())
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        let of = |of: &Surprisal| {
            size_of::<Surprisal>()
                + of.curve.bytes()
                + of.within.as_ref().map_or(0, Within::bytes)
                + size_of::<f64>() * of.classes.capacity()
        };
        self.of.iter().map(of).sum()
    }
}

/// An earlier model's surprisals, and the totals and values of its rows.
pub struct Earlier<'a> {
    pub surprisals: &'a Surprisals,
    pub totals: &'a Totals,
    pub frequencies: &'a [Option<Frequencies>],
}

/// Of a feature.
#[derive(Clone, Copy)]
struct Known<'a> {
    surprisal: &'a Surprisal,
    /// The number of its rows with a value
    rows: usize,
}

impl Earlier<'_> {
    fn of(&self, feature: usize) -> Known<'_> {
        let rows = self.totals.rows - self.totals.features[feature].missing;
        Known { surprisal: &self.surprisals.of[feature], rows }
    }

    /// The groups of a number within its category, by the codes that the category's values have now.
    fn groups(&self, of: &Known, encoders: &[Option<Encoder>]) -> Vec<Group> {
        let Some(within) = &of.surprisal.within else { return vec![] };
        let (Some(Some(counted)), Some(Some(encoder))) =
            (self.frequencies.get(within.category), encoders.get(within.category))
        else {
            return vec![];
        };
        let mut groups: Vec<Group> = vec![];
        for ((value, count), [median, spread]) in counted.values.iter().zip(&counted.counts).zip(&within.groups) {
            let Some(code) = encoder.code(value).filter(|_| *spread > 0.0) else { continue };
            groups.resize(groups.len().max(code + 1), Group::default());
            groups[code] = Group { median: *median, spread: *spread, rows: *count as f64 };
        }
        groups
    }
}

impl Known<'_> {
    /// The values of its rows beside new ones, sorted; `new_rows` is the number of rows that `sorted` stands for.
    fn mixed(&self, sorted: &[f64], new_rows: usize) -> Vec<f64> {
        let [low, _, high, _] = self.surprisal.bounds;
        let constant = (low == high).then_some(low);
        mixed(&self.surprisal.curve, constant, self.rows as f64, sorted, new_rows as f64)
    }
}

/// Of sorted numbers.
fn of_numbers(kind: Kind, sorted: &[f64], rows: usize) -> Surprisal {
    let (curve, missing) = (Curve::of(sorted, rows), [0.0; 2]);
    let bounds = match (sorted.first(), sorted.last()) {
        (Some(first), Some(last)) if first == last => {
            let other = Classes::of([sorted.len() as u64].into_iter(), rows).surprisal(0);
            [*first, other, *first, other]
        }
        (Some(_), Some(_)) if kind == Kind::Number => ends(sorted, rows, signs(sorted, rows)),
        _ => UNBOUNDED,
    };
    Surprisal { curve, within: None, bounds, missing, classes: vec![] }
}

/// Values of the sign that few or none of the training values have, small ones left out.
fn signs(sorted: &[f64], rows: usize) -> [f64; 4] {
    let mut sizes: Vec<f64> = sorted.iter().filter(|value| **value != 0.0).map(|value| value.abs()).collect();
    if sizes.is_empty() {
        return UNBOUNDED;
    }
    let at = sizes.len() / 200;
    let least = *sizes.select_nth_unstable_by(at, f64::total_cmp).1 / 2.0;
    let positive = sorted[sorted.len() / 2] >= 0.0;
    let other = match positive {
        true => sorted.partition_point(|value| *value < -least),
        false => sorted.len() - sorted.partition_point(|value| *value <= least),
    };
    let classes = Classes::of([other as u64, (sorted.len() - other) as u64].into_iter(), rows);
    let surprisal = classes.surprisal(other as u64);
    match positive {
        true => [-least, surprisal, f64::MAX, 0.0],
        false => [-f64::MAX, 0.0, least, surprisal],
    }
}

/// The share of the values that the lowest or the highest of them has if it is an end, whatever the others are, as 0 of amounts.
const END: f64 = 0.05;
/// The same where hardly a value occurs only once, as 12 of months; and the fewest values of an end.
const END_OF_RECURRING: f64 = 0.005;
const FEWEST_AT_END: usize = 20;

/// Bounds, and what is beyond the ends of the values, if these are ends: where values thin out, the furthest is rarer. Beyond the end
/// of recurring values is a new one, which is the less surprising the more of them occur only once.
fn ends(sorted: &[f64], rows: usize, [mut low, mut below, mut high, mut above]: [f64; 4]) -> [f64; 4] {
    let alone = sorted.chunk_by(|a, b| a == b).filter(|equal| equal.len() == 1).count();
    let beyond = |at_end: usize| {
        let share = at_end as f64 / sorted.len() as f64;
        let is_end = at_end >= FEWEST_AT_END && share >= END_OF_RECURRING;
        is_end.then(|| Classes::novelty(if share >= END { 0 } else { alone }, rows))
    };
    let [first, last] = [sorted[0], sorted[sorted.len() - 1]];
    if let Some(nats) = beyond(sorted.partition_point(|value| *value <= first)).filter(|nats| *nats >= below) {
        (low, below) = (first, nats);
    }
    let at_last = sorted.len() - sorted.partition_point(|value| *value < last);
    if let Some(nats) = beyond(at_last).filter(|nats| *nats >= above) {
        (high, above) = (last, nats);
    }
    [low, below, high, above]
}

/// The bounds of an earlier model stay, where no value is beyond them: of its values there are quantiles, which have no end.
fn keep_bounds(earlier: &Surprisal, new: &mut Surprisal, sorted: &[f64]) {
    let ([low, below, high, above], bounds) = (earlier.bounds, &mut new.bounds);
    if below > 0.0 && low > bounds[0] && sorted.first().is_none_or(|first| *first >= low) {
        (bounds[0], bounds[1]) = (low, below.max(bounds[1]));
    }
    if above > 0.0 && high < bounds[2] && sorted.last().is_none_or(|last| *last <= high) {
        (bounds[2], bounds[3]) = (high, above.max(bounds[3]));
    }
}

/// Of times of which either knows what is usual: no class is a new one that one of them has seen.
fn either(a: &Surprisal, b: Surprisal) -> Surprisal {
    let classes = a.classes.iter().zip(&b.classes).map(|(a, b)| a.min(*b)).collect();
    let bounds = [
        a.bounds[0].min(b.bounds[0]),
        a.bounds[1].min(b.bounds[1]),
        a.bounds[2].max(b.bounds[2]),
        a.bounds[3].min(b.bounds[3]),
    ];
    Surprisal { classes, bounds, ..b }
}

fn of_category(frequencies: &Frequencies, rows: usize) -> Surprisal {
    // Values that are not remembered are rare: as if each were alone.
    let counts = frequencies.counts.iter().map(|count| (*count, 1)).chain([(1, frequencies.rare.values)]);
    let classes = Classes::of_many(counts, rows);
    let mut of_count = PlHashMap::new();
    let counts = frequencies.counts.iter().copied().chain([0]);
    let classes = counts.map(|count| *of_count.entry(count).or_insert_with(|| classes.surprisal(count))).collect();
    Surprisal { curve: Curve::flat(), within: None, bounds: UNBOUNDED, missing: [0.0; 2], classes }
}

fn of_calendar(kind: Kind, inputs: &[crate::data::encode::inputs::Input], sorted: &[f64], rows: usize) -> Surprisal {
    let mut classes = vec![0.0; CLASSES];
    for cycle in Inputs::cycles(inputs) {
        let mut counts = vec![0u64; cycle.classes()];
        sorted
            .iter()
            .filter_map(|value| Moment::from_number(kind, *value))
            .for_each(|at| counts[cycle.class(&at)] += 1);
        let of = Classes::of(counts.iter().copied(), rows);
        for (class, count) in counts.iter().enumerate() {
            classes[cycle.first_class() + class] = of.surprisal(*count).min(MOST);
        }
    }
    let bounds = match (sorted.first(), sorted.last(), far_away(kind)) {
        (Some(first), Some(last), Some(away)) => {
            let other = Classes::of([sorted.len() as u64].into_iter(), rows).surprisal(0);
            [first - away, other, last + away, other]
        }
        _ => UNBOUNDED,
    };
    Surprisal { curve: Curve::flat(), within: None, bounds, missing: [0.0; 2], classes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::encoders;
    use crate::options::{Options, Preset};

    /// What is fitted on a frame, and other rows as it takes them.
    fn fitted(training: &DataFrame, rows: &DataFrame) -> (Surprisals, Inputs, Columns) {
        let columns = Columns::from_frame(training).unwrap();
        let frequencies = columns.frequencies().unwrap();
        let encoders = encoders(&frequencies);
        let columns = columns.coded(&encoders).unwrap();
        let options = Options::preset(Preset::Default);
        let statistics = columns.statistics(&encoders, options.missing, None).unwrap();
        let inputs = Inputs::choose(columns.features(), &statistics, &encoders, &options);
        let surprisals = Surprisals::fit(&columns, &inputs, &frequencies, options.missing, None, None).unwrap();
        (surprisals, inputs, Columns::from_frame(rows).unwrap().coded(&encoders).unwrap())
    }

    /// The surprisals of rows: `[feature][row]`.
    fn of(training: &DataFrame, rows: &DataFrame) -> (Vec<Vec<f64>>, f64) {
        let (surprisals, inputs, rows) = fitted(training, rows);
        let mut found = vec![vec![0.0; rows.rows()]; rows.features().len()];
        surprisals.each(&rows, &inputs, |row, j, value| found[j][row] = value.surprisal).unwrap();
        (found, surprisals.none)
    }

    #[test]
    fn what_rows_come_to_is_the_sum_and_the_highest_of_their_values_one_by_one() {
        let wave: Vec<Option<f64>> = (0..1_000).map(|k| (k % 9 > 0).then(|| libm::sin(f64::from(k)))).collect();
        let training = df!(
            "positive" => numbers(),
            "wave" => wave,
            "constant" => vec![3.0; 1_000],
            "kind" => (0..1_000).map(|k| if k % 10 < 7 { "a" } else { "b" }).collect::<Vec<_>>(),
            "of kind" => (0..1_000).map(|k| f64::from(k % 97) + if k % 10 < 7 { 0.0 } else { 1e4 }).collect::<Vec<_>>(),
        );
        let rows = df!(
            "positive" => [f64::MIN, -5.0, 5.0, 55.5, 104.0, 1e9, f64::MAX, f64::NAN],
            "wave" => [Some(0.0), Some(-0.3), None, Some(1.0), Some(-1.0), Some(2.0), Some(-7.0), Some(1e300)],
            "constant" => [3.0, 3.0, 4.0, 2.0, f64::INFINITY, 3.0, 3.0, 3.0],
            "kind" => ["a", "b", "c", "a", "b", "a", "b", "a"],
            "of kind" => [1.0, 1e4, 5.0, 2e4, 50.0, 0.0, -1.0, 96.0],
        );
        let (surprisals, inputs, rows) = fitted(&training.unwrap(), &rows.unwrap());
        assert!(surprisals.of.iter().any(|of| of.within.is_some()));
        let mut expected = vec![Surprise::default(); rows.rows()];
        surprisals.each(&rows, &inputs, |row, _, value| expected[row].add(value, surprisals.none)).unwrap();
        assert_eq!(surprisals.of_rows(&rows, &inputs).unwrap(), expected);
    }

    fn numbers() -> Vec<f64> {
        (0..1_000).map(|k| 5.0 + f64::from(k % 100)).collect()
    }

    #[test]
    fn what_no_training_row_is_is_a_novelty() {
        let training = df!(
            "positive" => numbers(),
            "constant" => vec![7.0; 1_000],
            "country" => (0..1_000).map(|k| ["DE", "FR", "IT"][k % 3]).collect::<Vec<_>>(),
            "empty" => vec![None::<f64>; 1_000]
        )
        .unwrap();
        let strange = df!(
            "positive" => [-40.0], "constant" => [8.0], "country" => ["ZZ"], "empty" => [Some(1.0)]
        )
        .unwrap();
        let usual =
            df!("positive" => [50.0], "constant" => [7.0], "country" => ["IT"], "empty" => [None::<f64>]).unwrap();
        let (found, none) = of(&training, &strange);
        assert!(found.iter().all(|column| column[0] > none + 3.0), "{found:?}");
        let (found, _) = of(&training, &usual);
        assert!(found.iter().all(|column| column[0] < 1.0), "{found:?}");
        let nulls = df!(
            "positive" => [None::<f64>], "constant" => [Some(f64::NAN)], "country" => [None::<&str>], "empty" => [None::<f64>]
        )
        .unwrap();
        let (found, none) = of(&training, &nulls);
        assert!(found[..3].iter().all(|column| column[0] > none + 3.0) && found[3][0] < 1.0, "{found:?}");
    }

    #[test]
    fn beyond_an_end_that_recurs_is_a_novelty_and_beyond_values_that_thin_out_is_not() {
        let drawn: Vec<f64> = (0..1_000).map(|k| libm::sin(f64::from(k)).abs()).collect();
        let training = df!(
            "hour" => (0..1_000).map(|k| f64::from(k % 24)).collect::<Vec<_>>(),
            "amount" => (0..1_000).map(|k| if k % 9 > 0 { 0.0 } else { 50.0 + f64::from(k) }).collect::<Vec<_>>(),
            "thin" => drawn.iter().map(|x| (-20.0 * libm::log(*x)).round()).collect::<Vec<_>>(),
            "smooth" => drawn.clone(),
            // Values that are tied here and there, as in groups of like rows
            "tied" => drawn.iter().map(|x| if *x > 0.9997 { 1.0 } else { *x }).collect::<Vec<_>>()
        )
        .unwrap();
        assert!(training.column("tied").unwrap().f64().unwrap().iter().filter(|x| *x == Some(1.0)).count() < 20);
        let at = |numbers: [f64; 5]| {
            let rows = ["hour", "amount", "thin", "smooth", "tied"];
            let rows = rows.into_iter().zip(numbers).map(|(name, number)| Column::new(name.into(), [number]));
            let (found, none) = of(&training, &DataFrame::new(1, rows.collect()).unwrap());
            found.into_iter().map(|column| column[0] > none + 3.0).collect::<Vec<bool>>()
        };
        let highest = drawn.iter().copied().fold(0.0, f64::max);
        let thin = training.column("thin").unwrap().f64().unwrap().max().unwrap();
        assert_eq!(at([24.0, -1.0, thin + 1.0, highest * 1.001, 1.001]), [true, true, false, false, false]);
        assert_eq!(at([-1.0, 1_060.0, 3.0, 0.5, 0.5]), [true, false, false, false, false]);
        assert_eq!(at([0.0, 0.0, 0.0, 0.5, 1.0]), [false; 5]);
    }

    #[test]
    fn a_null_where_many_rows_have_one_is_ordinary() {
        let with_nulls: Vec<Option<f64>> = (0..1_000).map(|k| (k % 4 > 0).then_some(f64::from(k))).collect();
        let (found, _) = of(&df!("a" => with_nulls).unwrap(), &df!("a" => [None::<f64>]).unwrap());
        assert!(found[0][0] < 1.5, "{found:?}");
    }

    #[test]
    fn an_hour_at_which_nothing_happens_is_a_novelty_and_next_month_is_not() {
        const HOUR: i64 = 3_600_000_000;
        let time = |hours: Vec<i64>| {
            let hours: Vec<i64> = hours.into_iter().map(|hour| hour * HOUR).collect();
            Series::new("t".into(), hours).cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap()
        };
        let frame = |hours: Vec<i64>| {
            let series = time(hours);
            DataFrame::new(series.len(), vec![series.into_column()]).unwrap()
        };
        let office = (0..31 * 24).filter(|hour| (9..17).contains(&(hour % 24))).collect();
        let (found, none) = of(&frame(office), &frame(vec![3, 10, 24 * 40 + 10, 24 * 9_000]));
        let column = &found[0];
        assert!(column[0] > none && column[1] < 1.0 && column[2] < 1.0 && column[3] > none, "{column:?}");
    }
}
