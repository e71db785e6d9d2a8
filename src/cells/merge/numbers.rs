//! The numbers of a column: those of an earlier model, and new ones.

use super::super::numbers::{bins_of_values, New, Numbers, Scale, FAR, MOST_EXACT, POSITIVE};
use super::super::sentinels;
use super::super::shares::{scaled, Shares};
use super::super::tails::Ends;

/// The share of the rows up to which a side far away says nothing about the centre and the spread,
/// and the further share over which that fades.
const ASIDE: f64 = 0.05;
const FADING: f64 = 0.1;
/// How far a share m of the rows on one side moves a median, in spreads: this · m / (1 − m).
const MEDIAN_MOVES: f64 = 1.2533;
/// Where the numbers of a side are rounded, and those of this share of the rows are not, all are
/// rounded.
const ROUNDED: f64 = 0.01;

impl Numbers {
    /// What the numbers of both sides are like.
    pub fn merged(earlier: &Self, new: New, shares: Shares) -> Self {
        let New { values, fitted, rows, unread, are_days } = new;
        let weights = [earlier.ends.rows() * shares.earlier, values.len() as f64 * shares.new];
        let larger_is_earlier = fitted.is_none() || weights[0] >= weights[1];
        let own = fitted.as_ref().unwrap_or(earlier);
        // The share of the earlier side.
        let share = if fitted.is_none() { 1.0 } else { weights[0] / (weights[0] + weights[1]).max(1e-300) };
        let larger = if larger_is_earlier { earlier } else { own };

        let sentinels = sentinels_of_both(earlier, fitted.as_ref(), values, shares);
        let is_sized = |number: &&f64| sentinels.iter().all(|(sentinel, _)| sentinel != *number);
        let sized: Vec<f64> = values.iter().filter(is_sized).copied().collect();
        let count = |old: u64, is: &dyn Fn(f64) -> bool| {
            shares.count(old, sized.iter().filter(|number| is(**number)).count() as u64)
        };
        let mut odd = [0; 3];
        if !are_days {
            odd = [0, 1, 2].map(|at| count(earlier.odd[at], &|number| super::super::numbers::oddities(number)[at]));
        }
        let all = (earlier.ends.rows() * shares.earlier + sized.len() as f64 * shares.new).max(1.0);
        let is_positive = (odd[0] + odd[1]) as f64 <= (1.0 - POSITIVE) * all;
        let raw = pooled([&earlier.raw, &own.raw], share, [is_constant(earlier), is_constant(own)]);
        let log = match (&earlier.log, &own.log) {
            (Some(a), Some(b)) => Some(pooled([a, b], share, [is_constant(earlier), is_constant(own)])),
            _ => larger.log,
        };
        let log = log.filter(|_| is_positive);
        let mut merged = Self {
            is_log: larger.is_log && log.is_some(),
            raw,
            log,
            rows: shares.count(earlier.rows, rows),
            middle: [0.0; 2],
            far: [0; 2],
            unread: shares.count(earlier.unread, unread),
            odd,
            go_through_zero: larger.go_through_zero,
            sentinels,
            ends: Ends::fit(std::iter::empty()),
            edges: vec![],
            edges_are_values: false,
        };
        merged.middle = middle_of_both([earlier, own], share, &merged);
        let mut far = FAR.iter().zip(earlier.far);
        merged.far = std::array::from_fn(|_| {
            let (far, old) = far.next().unwrap_or((&0.0, 0));
            count(old, &|number| merged.beyond(number) >= *far)
        });
        (merged.edges, merged.edges_are_values) = edges_of_both(earlier, fitted.as_ref(), larger_is_earlier);
        let new = sized.iter().map(|number| (merged.away(*number).into(), shares.new));
        let old = moved(earlier, &merged).map(|(away, rows)| (away, rows * shares.earlier));
        merged.ends = Ends::fit(old.chain(new));
        merged.bounded()
    }

    /// Keeps the counts of events within the rows, as rounding may not.
    fn bounded(mut self) -> Self {
        let rows = self.rows;
        let counts = self.far.iter_mut().chain([&mut self.unread]).chain(&mut self.odd);
        counts.chain(self.sentinels.iter_mut().map(|(_, count)| count)).for_each(|count| *count = (*count).min(rows));
        self
    }
}

/// Whether all numbers are the same, so that their spread is none.
fn is_constant(numbers: &Numbers) -> bool {
    numbers.edges_are_values && numbers.edges.len() < 2
}

/// The scale of a mixture of two sides, `share` of which is the first.
fn pooled([a, b]: [&Scale; 2], share: f64, [a_is_constant, b_is_constant]: [bool; 2]) -> Scale {
    let (larger, smaller, m) = if share >= 0.5 { (a, b, 1.0 - share) } else { (b, a, share) };
    let spreads = match (a_is_constant, b_is_constant) {
        (true, false) => [a.spread.min(b.spread), b.spread],
        (false, true) => [a.spread, b.spread.min(a.spread)],
        _ => [a.spread, b.spread],
    };
    let within = share * spreads[0] + (1.0 - share) * spreads[1];
    let apart = smaller.centre - larger.centre;
    let most = MEDIAN_MOVES * m / (1.0 - m) * larger.spread;
    let centre = larger.centre + (m * apart).clamp(-most, most);
    let counts = ((m - ASIDE) / FADING).clamp(0.0, 1.0);
    let spread = (within * within + counts * m * (1.0 - m) * apart * apart).sqrt();
    let grain = match m <= ROUNDED {
        true => larger.grain,
        false => a.grain.min(b.grain),
    };
    let pooled = Scale { centre, spread: spread.max(grain / 2.0), grain };
    match centre.is_finite() && (1e-300..1e300).contains(&pooled.spread) {
        true => pooled,
        false => *larger,
    }
}

/// Where the middle numbers of a mixture begin and end, on its scale.
fn middle_of_both(sides: [&Numbers; 2], share: f64, merged: &Numbers) -> [f64; 2] {
    let on_scale = |of: &Numbers| match (of.is_log, merged.is_log) {
        (false, true) => of.middle.map(|number| merged.on_scale(number)),
        (true, false) => of.middle.map(libm::exp),
        _ => of.middle,
    };
    let [a, b] = sides.map(on_scale);
    let mixed = |at: usize| share * a[at] + (1.0 - share) * b[at];
    let [low, high] = [mixed(0), mixed(1)];
    match low.is_finite() && high.is_finite() && low <= high {
        true => [low, high],
        false => [merged.scale().centre; 2],
    }
}

/// How far earlier numbers are from the merged centre, in its spreads, and the rows that have each.
fn moved<'a>(earlier: &'a Numbers, merged: &Numbers) -> impl Iterator<Item = (f64, f64)> + 'a {
    let (old, new) = (earlier.scale(), merged.scale());
    let is_same = earlier.is_log == merged.is_log;
    let (narrower, apart) = (old.spread / new.spread, (old.centre - new.centre) / new.spread);
    earlier.ends.values().map(move |(away, rows)| {
        let moved = away * narrower + apart;
        (if is_same { moved } else { away }, rows)
    })
}

/// The numbers that stand for missing ones of both sides, the most frequent ones.
fn sentinels_of_both(
    earlier: &Numbers,
    new: Option<&Numbers>,
    values: &[f64],
    shares: Shares,
) -> Vec<sentinels::Counted> {
    let more = new.iter().flat_map(|new| &new.sentinels).map(|(value, _)| *value);
    let is_taken = |value: &f64| !shares.is_earlier_larger || !is_usual(earlier, *value);
    let more = more.filter(|value| earlier.sentinel(*value).is_none() && is_taken(value));
    let all = earlier.sentinels.iter().map(|(value, _)| *value).chain(more);
    let count = |value: f64| {
        let new = values.iter().filter(|number| **number == value).count() as u64;
        (value, scaled(earlier.sentinel(value).unwrap_or(0), shares.earlier) + scaled(new, shares.new))
    };
    let mut found: Vec<sentinels::Counted> = all.map(count).collect();
    found.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.total_cmp(&b.0)));
    found.truncate(sentinels::MOST);
    found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    found
}

/// Whether a number is one like any other.
fn is_usual(numbers: &Numbers, value: f64) -> bool {
    numbers.beyond(value) <= 0.0
}

/// The bins of both sides: all values where these are few, or the bounds of the larger side.
fn edges_of_both(earlier: &Numbers, new: Option<&Numbers>, larger_is_earlier: bool) -> (Vec<f64>, bool) {
    let Some(new) = new else { return (earlier.edges.clone(), earlier.edges_are_values) };
    if earlier.edges_are_values && new.edges_are_values {
        let mut values = [earlier.edges.as_slice(), new.edges.as_slice()].concat();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        return match values.len() <= MOST_EXACT {
            true => (values, true),
            false => bins_of_values(&values),
        };
    }
    let of_larger = if larger_is_earlier { earlier } else { new };
    let bounds = match of_larger.edges_are_values {
        // The other side has more values than bins can have.
        true if larger_is_earlier => new,
        true => earlier,
        false => of_larger,
    };
    (bounds.edges.clone(), bounds.edges_are_values)
}
