//! Cells from the tensors and the metadata of a model file. A file may come from anywhere: every
//! number is checked before it is used.

use super::column::Column;
use super::known_numbers::MOST_NUMBERS;
use super::math::MOST_SPREAD;
use super::numbers::{Numbers, Scale};
use super::orders;
use super::parents::category::{CategoryGivenParent, Pairs, Smoothing};
use super::parents::form::Coder;
use super::parents::line::Line;
use super::parents::line_in_groups::LineInGroups;
use super::parents::number::NumberInGroups;
use super::parents::two_numbers::NumberOfTwo;
use super::parents::{are_sizes, Aim, From, NumberGiven, Parent, Relation, Target, MOST_PARENTS};
use super::sentinels;
use super::tails::{Ends, Tail, MOST_KNOTS};
use super::tensors::{
    CellsMetadata, ColumnMetadata, NumbersMetadata, ParentMetadata, RelationMetadata, TargetMetadata, Values,
};
use super::values::{AllRows, Description};
use super::Cells;

/// More rows than a table has.
const MOST_ROWS: u64 = 1 << 48;
/// More bounds than bins have.
const MOST_EDGES: usize = 64;

type Checked<T> = Result<T, String>;

/// An error that says what is wrong.
fn check(is_right: bool, what: &str) -> Checked<()> {
    match is_right {
        true => Ok(()),
        false => Err(format!("{what} of its cells are not valid")),
    }
}

/// The numbers of a tensor, taken from the front.
struct Front<'a, T>(&'a [T]);

impl<T: Copy> Front<'_, T> {
    fn take(&mut self, count: usize) -> Checked<Vec<T>> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("the tensors of its cells are too short")?;
        self.0 = rest;
        Ok(taken.to_vec())
    }

    fn array<const N: usize>(&mut self) -> Checked<[T; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or("the tensors of its cells are too short")?;
        self.0 = rest;
        Ok(*taken)
    }
}

/// All tensors, in the order of [`CellsMetadata::specs`].
struct Fronts<'a> {
    f64s: [Front<'a, f64>; 11],
    u64s: [Front<'a, u64>; 4],
    u32s: [Front<'a, u32>; 6],
}

/// The tensors of each dtype, by their place among those.
mod at {
    pub const KNOWN: usize = 0;
    pub const SCALES: usize = 1;
    pub const SENTINELS: usize = 2;
    pub const EDGES: usize = 3;
    pub const TAILS: usize = 4;
    pub const PARENTS: usize = 5;
    pub const SMOOTHING: usize = 6;
    pub const GROUP_NUMBERS: usize = 7;
    pub const LINES: usize = 8;
    pub const SLOPES: usize = 9;
    pub const TWO: usize = 10;

    pub const ROWS: usize = 0;
    pub const KNOWN_ROWS: usize = 1;
    pub const EVENTS: usize = 2;
    pub const HOURS: usize = 3;

    pub const PAIR_PARENTS: usize = 0;
    pub const PAIR_SIZES: usize = 1;
    pub const PAIR_CHILDREN: usize = 2;
    pub const PAIR_ROWS: usize = 3;
    pub const GROUP_CODES: usize = 4;
    pub const GROUP_ROWS: usize = 5;
}

impl<'a> Fronts<'a> {
    fn new(tensors: &'a [Values]) -> Checked<Self> {
        let (mut f64s, mut u64s, mut u32s) = (vec![], vec![], vec![]);
        for tensor in tensors {
            match tensor {
                Values::F64(values) => f64s.push(Front(values.as_slice())),
                Values::U64(values) => u64s.push(Front(values.as_slice())),
                Values::U32(values) => u32s.push(Front(values.as_slice())),
            }
        }
        let lack = "the tensors of its cells are not those that they should be";
        Ok(Self {
            f64s: f64s.try_into().map_err(|_| lack)?,
            u64s: u64s.try_into().map_err(|_| lack)?,
            u32s: u32s.try_into().map_err(|_| lack)?,
        })
    }

    fn column(&mut self, metadata: &ColumnMetadata, is_text: bool) -> Checked<Column> {
        let [rows, missing] = self.u64s[at::ROWS].array()?;
        check(missing <= rows && rows < MOST_ROWS, "the numbers of rows")?;
        let known = self.f64s[at::KNOWN].take(metadata.known)?;
        let counts = self.u64s[at::KNOWN_ROWS].take(metadata.known)?;
        check(!is_text || known.is_empty() && metadata.time.is_none(), "the columns")?;
        check(known.len() <= MOST_NUMBERS && are_rising(&known), "the known numbers")?;
        check(counts.iter().all(|count| (1..=rows).contains(count)), "the rows of numbers")?;
        let numbers = metadata.numbers.as_ref().map(|of| self.numbers(of)).transpose()?;
        let mut column = Column::new(metadata.time, metadata.nature, AllRows { rows, missing });
        (column.known, column.counts, column.numbers) = (known, counts, numbers);
        column.notation = metadata.notation.clone();
        check(column.notation.is_usable() && (is_text || column.notation.is_plain()), "the notations")?;
        Ok(column)
    }

    fn numbers(&mut self, metadata: &NumbersMetadata) -> Checked<Numbers> {
        let [centre, spread, grain, log_centre, log_spread, log_grain, low, high] = self.f64s[at::SCALES].array()?;
        let raw = Scale { centre, spread, grain };
        let log = metadata.has_log.then_some(Scale { centre: log_centre, spread: log_spread, grain: log_grain });
        let is_right = |scale: &Scale| {
            scale.centre.is_finite() && is_spread(scale.spread) && (0.0..=MOST_SPREAD).contains(&scale.grain)
        };
        let is_used = log.is_some() || !metadata.is_log;
        check(is_used && is_right(&raw) && log.as_ref().is_none_or(is_right), "the scales")?;
        let [rows, near, far, unread, negative, zero, fraction] = self.u64s[at::EVENTS].array()?;
        let are_rows = [near, far, unread, negative, zero, fraction].iter().all(|count| *count <= rows);
        check(rows < MOST_ROWS && are_rows, "the events")?;
        check(low.is_finite() && high.is_finite() && low <= high, "the middle numbers")?;
        check(metadata.sentinels <= sentinels::MOST && metadata.edges <= MOST_EDGES, "the numbers' sizes")?;
        let mut sentinels = vec![];
        for _ in 0..metadata.sentinels {
            let [value, count] = self.f64s[at::SENTINELS].array()?;
            check(value.is_finite() && (0.0..=rows as f64).contains(&count), "the sentinels")?;
            sentinels.push((value, count as u64));
        }
        let edges = self.f64s[at::EDGES].take(metadata.edges)?;
        check(are_rising(&edges), "the bins")?;
        let [below, above] = metadata.knots;
        let ends = Ends::new(self.tail(below)?, self.tail(above)?);
        let (is_log, edges_are_values) = (metadata.is_log, metadata.edges_are_values);
        Ok(Numbers {
            is_log,
            raw,
            log,
            rows,
            middle: [low, high],
            far: [near, far],
            go_through_zero: metadata.go_through_zero,
            unread,
            odd: [negative, zero, fraction],
            sentinels,
            ends,
            edges,
            edges_are_values,
        })
    }

    fn tail(&mut self, knots: usize) -> Checked<Tail> {
        check(knots <= MOST_KNOTS, "the tails")?;
        let pairs = self.f64s[at::TAILS].take(2 * knots)?;
        let (knots, at_least) = pairs.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
        let tail = Tail::new(knots, at_least, 1.0);
        match tail.fault() {
            Some(fault) => Err(fault.to_string()),
            None => Ok(tail),
        }
    }

    fn target(
        &mut self,
        metadata: &TargetMetadata,
        columns: &[Column],
        coders: &[Coder],
        described: &[Description],
    ) -> Checked<Target> {
        let TargetMetadata { column, aim, coder, parents } = metadata;
        let of_column = columns.get(*column).ok_or("a target of its cells is no column")?;
        let form = coder.and_then(|coder| coders.get(coder)).filter(|coder| coder.column == *column);
        let is_right = match aim.form() {
            Some(of_aim) => form.is_some_and(|coder| coder.form == of_aim),
            None => coder.is_none() && of_column.numbers.is_some(),
        };
        check(is_right && (1..=MOST_PARENTS).contains(&parents.len()), "the targets")?;
        let counts = match aim {
            Aim::Value => Target::counts_of_values(of_column, described[*column].vocabulary.as_ref()),
            Aim::Hour => self.u64s[at::HOURS].take(26)?,
            Aim::Presence => Target::counts_of_presence(of_column),
            Aim::Number => vec![],
        };
        check(counts.iter().all(|count| *count < MOST_ROWS), "the rows of values")?;
        let mut target = Target { column: *column, aim: *aim, coder: *coder, counts, parents: vec![] };
        for parent in parents {
            target.parents.push(self.parent(parent, &target, columns, coders)?);
        }
        let sum: f64 = target.parents.iter().map(|parent| parent.weight).sum();
        check((sum - 1.0).abs() < 1e-6, "the weights")?;
        Ok(target)
    }

    fn parent(
        &mut self,
        metadata: &ParentMetadata,
        target: &Target,
        columns: &[Column],
        coders: &[Coder],
    ) -> Checked<Parent> {
        let [weight, determines] = self.f64s[at::PARENTS].array()?;
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        check(is_share(weight) && is_share(determines), "the weights")?;
        let are_others = metadata.columns.iter().all(|at| *at < columns.len() && *at != target.column);
        check(are_others, "the parents")?;
        let coder = metadata.coder.map(|coder| coders.get(coder).ok_or("a coder of its cells is missing"));
        let coder = coder.transpose()?;
        let [first, second] = metadata.columns;
        let is_pair = matches!(metadata.relation, RelationMetadata::LineInGroups { .. });
        let is_coded = |coder: &Coder| coder.column == first && (first == second) != is_pair;
        check(coder.is_none_or(is_coded), "the coders")?;
        let relation = match (&metadata.relation, coder, target.aim == Aim::Number) {
            (RelationMetadata::Category { groups, pairs }, Some(coder), false) => {
                let child = target.coder.and_then(|child| coders.get(child));
                let are_sizes = child.is_some_and(|child| are_sizes(child, &columns[target.column], coder));
                self.category([*groups, *pairs], coder, &target.counts, are_sizes)?
            }
            (RelationMetadata::Groups { groups, .. }, Some(coder), true) => {
                let from = From::Groups(self.groups(*groups, coder)?);
                self.number(from, metadata)?
            }
            (RelationMetadata::Line { parent_is_log, child_is_log, .. }, None, true) => {
                let [slope, offset, spread] = self.f64s[at::LINES].array()?;
                check(slope.is_finite() && offset.is_finite() && is_spread(spread), "the lines")?;
                let (parent_is_log, child_is_log) = (*parent_is_log, *child_is_log);
                self.number(From::Line(Line { parent_is_log, child_is_log, slope, offset, spread }), metadata)?
            }
            (RelationMetadata::LineInGroups { shape, groups, .. }, Some(coder), true) => {
                let groups = self.groups(*groups, coder)?;
                let [slope] = self.f64s[at::SLOPES].array()?;
                check(slope.is_finite(), "the slopes")?;
                self.number(From::LineInGroups(LineInGroups { shape: *shape, slope, groups }), metadata)?
            }
            (RelationMetadata::Two { operation, is_log, .. }, None, true) => {
                let [factor, spread] = self.f64s[at::TWO].array()?;
                check(factor.is_finite() && is_spread(spread), "the operations")?;
                let (operation, is_log) = (*operation, *is_log);
                self.number(From::Two(NumberOfTwo { operation, factor, is_log, spread }), metadata)?
            }
            _ => return Err("a parent of its cells is of the wrong kind".to_string()),
        };
        Ok(Parent { columns: metadata.columns, coder: metadata.coder, weight, determines, relation })
    }

    fn number(&mut self, from: From, metadata: &ParentMetadata) -> Checked<Relation> {
        let tail = self.tail(metadata.relation.knots())?;
        Ok(Relation::Number(NumberGiven { from, tail: if metadata.is_rule { tail.of_rule() } else { tail } }))
    }

    fn category(
        &mut self,
        [groups, pairs]: [usize; 2],
        coder: &Coder,
        counts: &[u64],
        are_sizes: bool,
    ) -> Checked<Relation> {
        let [k0, c, r] = self.f64s[at::SMOOTHING].array()?;
        check((1e-6..1e9).contains(&k0) && (0.0..1e3).contains(&c) && (0.0..=1.0).contains(&r), "the smoothing")?;
        let keys = self.u32s[at::PAIR_PARENTS].take(groups)?;
        let sizes = self.u32s[at::PAIR_SIZES].take(groups)?;
        let children = self.u32s[at::PAIR_CHILDREN].take(pairs)?;
        let rows = self.u32s[at::PAIR_ROWS].take(pairs)?;
        check(are_codes(&keys, coder.unseen() as usize), "the parents of pairs")?;
        check(rows.iter().all(|rows| *rows > 0), "the rows of pairs")?;
        let mut starts = vec![0u32];
        for size in &sizes {
            let from = starts.last().copied().unwrap_or(0);
            let to = from.checked_add(*size).filter(|to| *to as usize <= pairs);
            let to = to.ok_or("the pairs of its cells are too few")?;
            check(*size > 0 && are_codes(&children[from as usize..to as usize], counts.len()), "the children")?;
            starts.push(to);
        }
        check(starts.last().is_some_and(|end| *end as usize == pairs), "the pairs")?;
        let pairs = Pairs { keys, starts, children, counts: rows };
        let smoothing = Smoothing { k0, c, r };
        let parents = coder.count.saturating_add(2);
        Ok(Relation::Category(CategoryGivenParent::new(pairs, smoothing, counts, parents, are_sizes)))
    }

    fn groups(&mut self, groups: usize, coder: &Coder) -> Checked<NumberInGroups> {
        let keys = self.u32s[at::GROUP_CODES].take(groups)?;
        let rows = self.u32s[at::GROUP_ROWS].take(groups)?;
        let numbers = self.f64s[at::GROUP_NUMBERS].take(groups.saturating_mul(2))?;
        let (centres, spreads): (Vec<f64>, Vec<f64>) = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
        check(are_codes(&keys, coder.unseen() as usize) && rows.iter().all(|rows| *rows > 0), "the groups")?;
        check(centres.iter().all(|centre| centre.is_finite()), "the groups' numbers")?;
        check(spreads.iter().all(|spread| is_spread(*spread)), "the groups' spreads")?;
        Ok(NumberInGroups::new(keys, rows, centres, spreads, coder.count.saturating_add(2)))
    }
}

fn is_spread(spread: f64) -> bool {
    (f64::MIN_POSITIVE..=MOST_SPREAD).contains(&spread)
}

fn are_rising(numbers: &[f64]) -> bool {
    numbers.iter().all(|number| number.is_finite()) && numbers.windows(2).all(|pair| pair[0] < pair[1])
}

/// Whether codes are rising, and below an end.
fn are_codes(codes: &[u32], end: usize) -> bool {
    codes.windows(2).all(|pair| pair[0] < pair[1]) && codes.last().is_none_or(|last| (*last as usize) < end)
}

impl Cells {
    /// From tensors in the order of [`CellsMetadata::specs`]; an error says what is wrong with
    /// them.
    pub fn from_tensors(
        metadata: &CellsMetadata,
        tensors: &[Values],
        described: &[Description],
    ) -> Result<Self, String> {
        check(metadata.columns.len() == described.len(), "the columns")?;
        check(metadata.coders.len() <= 16 * described.len(), "the coders")?;
        check(metadata.targets.len() <= 4 * described.len(), "the targets")?;
        let mut fronts = Fronts::new(tensors)?;
        let mut columns = vec![];
        for (metadata, of) in metadata.columns.iter().zip(described) {
            let mut column = fronts.column(metadata, of.vocabulary.is_some())?;
            column.prepare(of.vocabulary.as_ref());
            columns.push(column);
        }
        let mut coders = vec![];
        for (at, form) in &metadata.coders {
            let column = columns.get(*at).ok_or("a coder of its cells is of no column")?;
            coders.push(Coder::new(*at, column, *form, described[*at].vocabulary.as_ref()));
        }
        let targets = metadata.targets.iter().map(|target| fronts.target(target, &columns, &coders, described));
        let targets = targets.collect::<Checked<Vec<Target>>>()?;
        let are_read = fronts.f64s.iter().all(|front| front.0.is_empty())
            && fronts.u64s.iter().all(|front| front.0.is_empty())
            && fronts.u32s.iter().all(|front| front.0.is_empty());
        check(are_read, "the sizes")?;
        let all = columns.first().map_or(0, |column: &Column| column.all.rows);
        check(metadata.sampled.is_none_or(|sampled| sampled < all), "the rows")?;
        check(orders::are_usable(&metadata.orders, &columns), "the orders")?;
        Ok(Self::new(columns, coders, targets, metadata.orders.clone(), metadata.sampled))
    }
}
