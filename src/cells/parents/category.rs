//! A category given a parent's code: p(b|a) from the counts of pairs.
//!
//! ```text
//! p(b|a) = (n_ab − d + k·p_b) / (n_a − d + k),   k = k₀ + c · (children seen once with a) + r · n_a
//! ```
//!
//! k₀, c and r, the share of wrong rows, are those of the highest likelihood of the training rows,
//! each left out of the counts. That alone guards against parents such as ids. The discount d is how much
//! rarer a pair is in new rows than in the training rows, n₁ / (n₁ + 2·n₂) with n₁ pairs of one row and n₂
//! of two (Ney, Essen and Kneser, 1994): where no pair has two rows, those of one are mistakes.

use crate::cells::math::quick_ln;
use crate::cells::tails::evidence_of_share;

use super::grouped::Grouped;

/// The values of k₀, c and r that are tried.
const K0: [f64; 9] = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
const C: [f64; 2] = [0.0, 0.5];
const R: [f64; 3] = [0.003, 0.01, 0.03];
/// No code has this group.
const NONE: u32 = u32::MAX;

/// How strongly a parent's groups are drawn to the distribution of all rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing {
    pub k0: f64,
    pub c: f64,
    pub r: f64,
}

impl Smoothing {
    /// k of a parent with a number of rows, and of children seen once.
    fn k(&self, rows: f64, alone: f64) -> f64 {
        self.k0 + self.c * alone + self.r * rows
    }
}

/// The number of all rows.
pub fn sum(child_counts: &[u64]) -> f64 {
    child_counts.iter().map(|count| *count as f64).sum::<f64>().max(1.0)
}

/// How many rows have each child with each parent.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    /// The parents' codes, rising.
    pub keys: Vec<u32>,
    /// Where the pairs of each begin, and where the last ones end.
    pub starts: Vec<u32>,
    /// The children of each parent, rising, and the rows of each pair.
    pub children: Vec<u32>,
    pub counts: Vec<u32>,
}

/// The number of rows of each child.
pub fn child_counts(children: &[u32], end: u32) -> Vec<u64> {
    let mut counts = vec![0; end as usize];
    for child in children {
        if let Some(count) = counts.get_mut(*child as usize) {
            *count += 1;
        }
    }
    counts
}

/// The share of the rows that have a child, without one of them.
fn share_left_out(child_counts: &[u64], child: u32, rows: f64) -> f64 {
    let count = child_counts.get(child as usize).copied().unwrap_or(0);
    (count as f64 - 1.0).max(0.5) / rows
}

impl Pairs {
    /// From rows grouped by the parent's code, and the child's code of each row; `scratch` has a
    /// zero for each child, and gets it back.
    pub fn count(grouped: &Grouped, children: &[u32], scratch: &mut [u32]) -> Self {
        let mut pairs = Self { keys: grouped.keys.clone(), starts: vec![0], children: vec![], counts: vec![] };
        let mut touched = vec![];
        for rows in grouped.groups() {
            touched.clear();
            for row in rows {
                let child = children[*row as usize];
                let count = &mut scratch[child as usize];
                if *count == 0 {
                    touched.push(child);
                }
                *count += 1;
            }
            touched.sort_unstable();
            for child in &touched {
                pairs.children.push(*child);
                pairs.counts.push(std::mem::take(&mut scratch[*child as usize]));
            }
            pairs.starts.push(pairs.children.len() as u32);
        }
        pairs
    }

    fn range(&self, group: usize) -> std::ops::Range<usize> {
        self.starts[group] as usize..self.starts[group + 1] as usize
    }

    /// The rows of a group, and its children with a single row.
    fn sums(&self, group: usize) -> (f64, f64) {
        let counts = &self.counts[self.range(group)];
        let rows: u64 = counts.iter().map(|count| u64::from(*count)).sum();
        (rows as f64, counts.iter().filter(|count| **count == 1).count() as f64)
    }

    /// The number of groups.
    pub fn groups(&self) -> usize {
        self.keys.len()
    }

    /// The number of rows of the group.
    pub fn rows(&self, group: usize) -> u64 {
        self.counts[self.range(group)].iter().map(|count| u64::from(*count)).sum()
    }

    /// Keeps the groups of at least a number of rows.
    pub fn keep_frequent(&mut self, least: u64) {
        let kept: Vec<usize> = (0..self.groups()).filter(|group| self.rows(*group) >= least).collect();
        if kept.len() == self.groups() {
            return;
        }
        let mut pairs = Self { keys: vec![], starts: vec![0], children: vec![], counts: vec![] };
        for group in kept {
            pairs.keys.push(self.keys[group]);
            pairs.children.extend_from_slice(&self.children[self.range(group)]);
            pairs.counts.extend_from_slice(&self.counts[self.range(group)]);
            pairs.starts.push(pairs.children.len() as u32);
        }
        *self = pairs;
    }

    /// What the rows of a pair are too many by, for new rows.
    fn discount(&self) -> f64 {
        let [once, twice] = [1, 2].map(|rows| self.counts.iter().filter(|count| **count == rows).count() as f64);
        if once > 0.0 {
            once / (once + 2.0 * twice)
        } else {
            0.0
        }
    }

    /// About the share of new rows whose pair is new (Good, 1953).
    fn share_of_new(&self) -> f64 {
        let once = self.counts.iter().filter(|count| **count == 1).count() as f64;
        once / self.counts.iter().map(|count| f64::from(*count)).sum::<f64>().max(1.0)
    }

    /// Bytes in a file.
    pub fn bytes(&self) -> usize {
        8 * self.keys.len() + 8 * self.children.len()
    }
}

/// The pairs of training rows, as their likelihood needs them.
pub struct Likelihood {
    /// Of each pair: its rows, those of its parent, the children with one row without the row in
    /// question, and the child's share without it.
    pairs: Vec<[f64; 4]>,
    rows: f64,
}

impl Likelihood {
    /// From pairs of a number of rows, and how many of all rows have each child.
    pub fn new(pairs: &Pairs, child_counts: &[u64], rows: usize) -> Self {
        let all_rows = sum(child_counts);
        let mut all = Vec::with_capacity(pairs.children.len());
        for group in 0..pairs.groups() {
            let (of_parent, alone) = pairs.sums(group);
            for at in pairs.range(group) {
                let count = pairs.counts[at];
                let alone = alone - f64::from(count == 1) + f64::from(count == 2);
                let share = share_left_out(child_counts, pairs.children[at], all_rows);
                all.push([f64::from(count), of_parent, alone, share]);
            }
        }
        Self { pairs: all, rows: rows as f64 }
    }

    /// By how many nats a row is likelier with the parent than without it.
    pub fn gain(&self, smoothing: Smoothing) -> f64 {
        let nats = self.pairs.iter().map(|[count, of_parent, alone, share]| {
            let k = smoothing.k(of_parent - 1.0, *alone);
            count * quick_ln((count - 1.0 + k * share) / ((of_parent - 1.0 + k) * share))
        });
        nats.sum::<f64>() / self.rows
    }

    /// The best smoothing and its gain: k₀ on a coarse grid, then its neighbours, then c and r. A
    /// parent that gains less than `least` on the coarse grid is not looked at further.
    pub fn best(&self, least: f64) -> (Smoothing, f64) {
        let mut best = Tried::new(self, 4, C[0], 0.0);
        for at in [8, 6, 2, 0] {
            best = best.or(Tried::new(self, at, C[0], 0.0));
        }
        if best.gain < least {
            return (best.smoothing, best.gain);
        }
        for at in [best.at.saturating_sub(1), (best.at + 1).min(K0.len() - 1)] {
            best = best.or(Tried::new(self, at, C[0], 0.0));
        }
        let centre = best.at;
        for at in [centre.saturating_sub(1), centre] {
            best = best.or(Tried::new(self, at, C[1], 0.0));
        }
        for r in R {
            for at in [centre.saturating_sub(2), centre.saturating_sub(1)] {
                best = best.or(Tried::new(self, at, C[0], r));
            }
        }
        (best.smoothing, best.gain)
    }
}

/// A smoothing that was tried.
#[derive(Clone, Copy)]
struct Tried {
    /// The place of its k₀.
    at: usize,
    smoothing: Smoothing,
    gain: f64,
}

impl Tried {
    fn new(likelihood: &Likelihood, at: usize, c: f64, r: f64) -> Self {
        let smoothing = Smoothing { k0: K0[at], c, r };
        Self { at, smoothing, gain: likelihood.gain(smoothing) }
    }

    /// The better one of two.
    fn or(self, other: Self) -> Self {
        if other.gain > self.gain {
            other
        } else {
            self
        }
    }
}

/// p(b|a) / p(b) for codes of a parent and a child.
#[derive(Clone, Debug)]
pub struct CategoryGivenParent {
    pub pairs: Pairs,
    pub smoothing: Smoothing,
    /// Whether the parent is a bin of numbers, and the child one of many.
    pub are_sizes: bool,
    /// The lowest ratio of a pair that is new.
    least: f32,
    /// The group of each parent's code.
    group_of: Vec<u32>,
    /// The ratio of each pair, and of a child that a group lacks.
    ratios: Vec<f32>,
    lacking: Vec<f32>,
    /// The rows of each group, and its children with a single row.
    sums: Vec<(f64, f64)>,
}

impl CategoryGivenParent {
    /// From pairs and the rows of each child; `parents` is the number of the parent's codes. `are_sizes` says whether
    /// the parent is a bin of numbers, and the child one of many numbers.
    pub fn new(pairs: Pairs, smoothing: Smoothing, child_counts: &[u64], parents: u32, are_sizes: bool) -> Self {
        let rows = sum(child_counts);
        let mut group_of = vec![NONE; parents as usize];
        let (mut ratios, mut lacking) = (Vec::with_capacity(pairs.children.len()), vec![]);
        let sums: Vec<(f64, f64)> = (0..pairs.groups()).map(|group| pairs.sums(group)).collect();
        let discount = pairs.discount();
        let least = if are_sizes { 1.0 / evidence_of_share(pairs.share_of_new()).max(1.0) } else { 0.0 };
        for (group, key) in pairs.keys.iter().enumerate() {
            if let Some(of_code) = group_of.get_mut(*key as usize) {
                *of_code = group as u32;
            }
            let (of_parent, alone) = sums[group];
            let k = smoothing.k(of_parent, alone);
            lacking.push((k / (of_parent + k)).max(least) as f32);
            for at in pairs.range(group) {
                let of_child = child_counts.get(pairs.children[at] as usize).copied().unwrap_or(0);
                let share = (of_child as f64).max(0.5) / rows;
                let of_pair = f64::from(pairs.counts[at]) - discount;
                ratios.push(((of_pair + k * share) / ((of_parent - discount + k) * share)) as f32);
            }
        }
        Self { pairs, smoothing, are_sizes, least: least as f32, group_of, ratios, lacking, sums }
    }

    /// The group of a parent's code, if it is known.
    pub fn group(&self, parent: u32) -> Option<usize> {
        let group = self.group_of.get(parent as usize).copied().filter(|group| *group != NONE)?;
        Some(group as usize)
    }

    fn place(&self, group: usize, child: u32) -> Option<usize> {
        let range = self.pairs.range(group);
        let at = self.pairs.children[range.clone()].binary_search(&child).ok()?;
        Some(range.start + at)
    }

    /// The ratio of a new row.
    pub fn ratio(&self, parent: u32, child: u32) -> f32 {
        let Some(group) = self.group(parent) else { return 1.0 };
        self.place(group, child).map_or(self.lacking[group], |at| self.ratios[at])
    }

    /// The ratio of a training row, left out of the counts.
    pub fn ratio_left_out(&self, parent: u32, child: u32, child_counts: &[u64], all_rows: f64) -> f32 {
        let found = self.group(parent).and_then(|group| Some((group, self.place(group, child)?)));
        let Some((group, at)) = found else { return 1.0 };
        let (of_parent, alone) = self.sums[group];
        let count = self.pairs.counts[at];
        let alone = alone - f64::from(count == 1) + f64::from(count == 2);
        let k = self.smoothing.k(of_parent - 1.0, alone);
        let share = share_left_out(child_counts, child, all_rows);
        let ratio = ((f64::from(count) - 1.0 + k * share) / ((of_parent - 1.0 + k) * share)) as f32;
        if count == 1 {
            ratio.max(self.least)
        } else {
            ratio
        }
    }

    /// The child that most rows of a parent have, how many of them, and how many rows the parent
    /// has.
    pub fn usual(&self, parent: u32) -> Option<(u32, u64, u64)> {
        let group = self.group(parent)?;
        let range = self.pairs.range(group);
        let at = range.rev().max_by_key(|at| self.pairs.counts[*at])?;
        Some((self.pairs.children[at], u64::from(self.pairs.counts[at]), self.pairs.rows(group)))
    }

    pub fn bytes(&self) -> usize {
        self.pairs.bytes() + 4 * (self.group_of.len() + self.ratios.len() + 5 * self.lacking.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pair_of_sizes_says_no_more_than_how_often_that_happens() {
        let pairs = (0..600u32).map(|row| (row % 20, if row % 7 == 3 { row % 43 } else { row % 20 }));
        let (parents, children): (Vec<u32>, Vec<u32>) = pairs.unzip();
        let counts = child_counts(&children, 44);
        let grouped = Grouped::new(&parents, 20);
        let smoothing = Smoothing { k0: 0.03, c: 0.0, r: 0.003 };
        let [any, sized] = [false, true].map(|are_sizes| {
            let pairs = Pairs::count(&grouped, &children, &mut vec![0; counts.len()]);
            CategoryGivenParent::new(pairs, smoothing, &counts, 22, are_sizes)
        });
        let once = any.pairs.counts.iter().filter(|count| **count == 1).count() as f64;
        let least = (1.0 / (0.3 * libm::pow(once / 600.0, -0.7))) as f32;
        let alone = |row: &usize| {
            let group = any.group(parents[*row]).unwrap();
            any.pairs.counts[any.place(group, children[*row]).unwrap()] == 1
        };
        let row = (0..600).find(alone).unwrap();
        let left_out = |of: &CategoryGivenParent| of.ratio_left_out(parents[row], children[row], &counts, 600.0);
        assert!(any.ratio(3, 43) < 0.01 && left_out(&any) < 0.01, "{once}");
        assert_eq!([sized.ratio(3, 43), left_out(&sized)], [least; 2]);
    }

    /// 300 rows: parent a has child a mod 3, but for one row in 50.
    fn rows() -> (Vec<u32>, Vec<u32>) {
        let parents: Vec<u32> = (0..300).map(|row| row % 10).collect();
        let children = (0..300).map(|row| if row % 50 == 7 { (row % 10 + 1) % 3 } else { row % 10 % 3 }).collect();
        (parents, children)
    }

    fn fitted() -> (CategoryGivenParent, f64, Vec<u64>) {
        let (parents, children) = rows();
        let counts = child_counts(&children, 5);
        let pairs = Pairs::count(&Grouped::new(&parents, 11), &children, &mut [0; 5]);
        let (smoothing, gain) = Likelihood::new(&pairs, &counts, 300).best(0.0);
        (CategoryGivenParent::new(pairs, smoothing, &counts, 12, false), gain, counts)
    }

    #[test]
    fn a_child_that_follows_its_parent_is_likely_and_another_is_not() {
        let (fitted, gain, _) = fitted();
        assert!(gain > 0.8, "{gain}");
        assert!(fitted.ratio(4, 1) > 2.0 && fitted.ratio(4, 2) < 0.2, "{} {}", fitted.ratio(4, 1), fitted.ratio(4, 2));
        assert_eq!(fitted.ratio(11, 1), 1.0);
        assert_eq!(fitted.usual(4), Some((1, 30, 30)));
        assert_eq!(fitted.usual(7), Some((1, 24, 30)));
    }

    #[test]
    fn leaving_out_is_counting_without_the_row() {
        let (parents, children) = rows();
        let (fitted, _, counts) = fitted();
        for row in [0, 7, 57, 299] {
            let others = |all: &[u32]| [&all[..row], &all[row + 1..]].concat();
            let (p, c) = (others(&parents), others(&children));
            let pairs = Pairs::count(&Grouped::new(&p, 11), &c, &mut [0; 5]);
            let mut without = child_counts(&c, 5);
            // The shares are of all rows.
            without[4] = 1;
            let without = CategoryGivenParent::new(pairs, fitted.smoothing, &without, 12, false);
            let left_out = fitted.ratio_left_out(parents[row], children[row], &counts, 300.0);
            assert!((without.ratio(parents[row], children[row]) / left_out - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn a_parent_of_ids_gains_nothing() {
        let ids: Vec<u32> = (0..300).collect();
        let (_, children) = rows();
        let pairs = Pairs::count(&Grouped::new(&ids, 300), &children, &mut [0; 5]);
        let (_, gain) = Likelihood::new(&pairs, &child_counts(&children, 5), 300).best(0.0);
        assert!(gain <= 0.0, "{gain}");
    }

    #[test]
    fn rare_groups_are_forgotten_whole() {
        let (fitted, _, _) = fitted();
        let mut pairs = fitted.pairs.clone();
        pairs.keep_frequent(30);
        assert_eq!(pairs, fitted.pairs);
        pairs.keep_frequent(31);
        assert_eq!((pairs.groups(), pairs.starts.as_slice(), pairs.children.len()), (0, &[0][..], 0));
    }
}
