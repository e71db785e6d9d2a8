//! A number given a group: around the group's median, as a t₄ with the group's spread.

use crate::cells::math::{median, quantile_of, MOST_SPREAD};
use crate::cells::numbers::Scale;

use super::grouped::Grouped;

/// As many rows' worth of the spread of all groups goes into that of each.
const SHARED: f64 = 4.0;
/// Groups of this many rows tell what the spread within groups is, where more than so many rows
/// have one.
const TELLING: usize = 4;
const TELLING_ROWS: usize = 20;

/// What is expected of a number: a place on a scale, and how far from it numbers usually are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    pub place: f64,
    pub spread: f64,
}

/// The number in each group of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberInGroups {
    /// The groups' codes, rising.
    pub keys: Vec<u32>,
    pub rows: Vec<u32>,
    pub centres: Vec<f64>,
    pub spreads: Vec<f64>,
    /// The group of each code; one more than there are where it has none.
    group_of: Vec<u32>,
    /// Each group's centre, and one over its spread; at the end those of no group.
    expected: Vec<[f64; 2]>,
}

/// The rows that a fit sees: those with a number, but for one fold of a cross-fit.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The places of the numbers on their scale; NaN where there is none.
    pub places: &'a [f64],
    pub folds: &'a [u8],
    /// The fold that is left out.
    pub left_out: Option<u8>,
}

impl Seen<'_> {
    pub fn place(&self, row: usize) -> Option<f64> {
        let (place, is_seen) = self.look(row);
        is_seen.then_some(place)
    }

    /// The place of a row, and whether the row is seen.
    #[inline(always)]
    pub fn look(&self, row: usize) -> (f64, bool) {
        let place = self.places[row];
        (place, !place.is_nan() & self.left_out.is_none_or(|fold| self.folds[row] != fold))
    }

    /// The median of those of some rows that are seen, and how far each of them is from it.
    pub fn centre(&self, rows: &[u32], away: &mut Vec<f64>) -> Option<f64> {
        self.gather(rows, away);
        let centre = median(away)?;
        away.iter_mut().for_each(|place| *place = (*place - centre).abs());
        Some(centre)
    }

    /// The places of those of some rows that are seen.
    fn gather(&self, rows: &[u32], places: &mut Vec<f64>) {
        places.clear();
        places.resize(rows.len(), 0.0);
        let mut count = 0;
        for row in rows {
            // Whether a row is seen can't be foretold: a branch would take longer than this.
            let (place, is_seen) = self.look(*row as usize);
            places[count] = place;
            count += usize::from(is_seen);
        }
        places.truncate(count);
    }
}

impl NumberInGroups {
    /// From rows in groups; `codes` is the number of the groups' codes.
    pub fn fit(grouped: &Grouped, seen: Seen, scale: &Scale, codes: u32) -> Self {
        Self::fit_by(grouped, (scale, scale.least()), codes, |rows, away| seen.centre(rows, away))
    }

    /// The same with a least spread, where a function gives the centre of some rows, and how far each of those that are
    /// seen is from what the centre says of it.
    pub fn fit_by(
        grouped: &Grouped,
        (scale, least): (&Scale, f64),
        codes: u32,
        mut centre_of: impl FnMut(&[u32], &mut Vec<f64>) -> Option<f64>,
    ) -> Self {
        let (mut keys, mut rows, mut medians, mut spreads) = (vec![], vec![], vec![], vec![]);
        let [mut away, mut telling] = [(); 2].map(|()| Vec::<f64>::with_capacity(grouped.rows.len()));
        let mut places = vec![];
        for (key, group) in grouped.keys.iter().zip(grouped.groups()) {
            let Some(centre) = centre_of(group, &mut places) else { continue };
            away.extend_from_slice(&places);
            if places.len() >= TELLING {
                telling.extend_from_slice(&places);
            }
            keys.push(*key);
            rows.push(places.len() as u32);
            medians.push(centre);
            spreads.push(1.4826 * median(&mut places).unwrap_or(0.0));
        }
        let within = spread_within(away, telling, least);
        let narrow = within / scale.spread;
        let pull = (narrow * narrow).min(1.0);
        let sized = rows.iter().map(|rows| f64::from(*rows));
        let centres = medians.iter().zip(sized.clone());
        let pulled = |(centre, n): (&f64, f64)| {
            let pulled = (n * centre + pull * scale.centre) / (n + pull);
            // The sum of huge numbers is no number.
            if pulled.is_finite() {
                pulled
            } else {
                *centre
            }
        };
        let centres = centres.map(pulled).collect();
        let spread = |(own, n): (&f64, f64)| {
            let mixed = ((n * own * own + SHARED * within * within) / (n + SHARED)).sqrt();
            (mixed.max(least) * (1.0 + 1.0 / n).sqrt()).min(MOST_SPREAD)
        };
        let spreads = spreads.iter().zip(sized).map(spread).collect();
        Self::new(keys, rows, centres, spreads, codes)
    }

    pub fn new(keys: Vec<u32>, rows: Vec<u32>, centres: Vec<f64>, spreads: Vec<f64>, codes: u32) -> Self {
        let mut group_of = vec![keys.len() as u32; codes as usize];
        for (group, key) in keys.iter().enumerate() {
            if let Some(of_code) = group_of.get_mut(*key as usize) {
                *of_code = group as u32;
            }
        }
        let of_groups = centres.iter().zip(&spreads).map(|(centre, spread)| [*centre, 1.0 / spread]);
        let expected = of_groups.chain([[f64::NAN, 1.0]]).collect();
        Self { keys, rows, centres, spreads, group_of, expected }
    }

    /// The group of a code, if it is known.
    pub fn group(&self, code: u32) -> Option<usize> {
        let group = *self.group_of.get(code as usize)? as usize;
        (group < self.keys.len()).then_some(group)
    }

    /// What is expected of a code's numbers: their place, NaN of a code without a group, and one over how
    /// far from it they usually are.
    #[inline(always)]
    pub fn of_code(&self, code: u32) -> [f64; 2] {
        let group = self.group_of.get(code as usize).copied().unwrap_or(u32::MAX);
        self.expected.get(group as usize).copied().unwrap_or([f64::NAN, 1.0])
    }

    pub fn expected(&self, code: u32) -> Option<Expected> {
        let group = self.group(code)?;
        Some(Expected { place: self.centres[group], spread: self.spreads[group] })
    }

    /// Keeps the groups of at least a number of rows.
    pub fn keep_frequent(&mut self, least: u64) {
        let kept: Vec<usize> = (0..self.keys.len()).filter(|at| u64::from(self.rows[*at]) >= least).collect();
        let codes = self.group_of.len() as u32;
        let (keys, rows) = kept.iter().map(|at| (self.keys[*at], self.rows[*at])).unzip();
        let (centres, spreads) = kept.iter().map(|at| (self.centres[*at], self.spreads[*at])).unzip();
        *self = Self::new(keys, rows, centres, spreads, codes);
    }

    /// Bytes in a file.
    pub fn bytes(&self) -> usize {
        24 * self.keys.len()
    }
}

/// The usual distance of a number from its group's median, as a spread.
fn spread_within(mut away: Vec<f64>, mut telling: Vec<f64>, least: f64) -> f64 {
    let few = telling.len() <= TELLING_ROWS;
    let usual = median(if few { &mut away } else { &mut telling }).unwrap_or(0.0) * 1.4826;
    let upper = quantile_of(&mut away, 0.75);
    usual.max(if upper.is_nan() { 0.0 } else { upper / 3.0 }).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale { centre: 15.0, spread: 10.0, grain: 0.0 };

    fn fitted(noise: f64) -> NumberInGroups {
        let codes: Vec<u32> = (0..200).map(|row| row % 4).collect();
        let places: Vec<f64> =
            (0..200).map(|row| f64::from(row % 4) * 10.0 + noise * (f64::from(row / 4 % 7) - 3.0)).collect();
        let seen = Seen { places: &places, folds: &[], left_out: None };
        NumberInGroups::fit(&Grouped::new(&codes, 6), seen, &SCALE, 6)
    }

    #[test]
    fn a_group_has_its_median_and_its_spread() {
        let exact = fitted(0.0).expected(2).unwrap();
        assert!((exact.place - 20.0).abs() < 1e-3 && (exact.spread - 0.01).abs() < 1e-3, "{exact:?}");
        let noisy = fitted(1.0).expected(3).unwrap();
        assert!((noisy.place - 30.0).abs() < 0.2 && (2.0..4.0).contains(&noisy.spread), "{noisy:?}");
        assert_eq!(fitted(1.0).expected(5), None);
    }

    #[test]
    fn a_fold_is_left_out() {
        let (codes, places) = ([0u32; 6], [1.0, 1.0, 1.0, 1.0, 9.0, 9.0]);
        let seen = Seen { places: &places, folds: &[0, 0, 0, 0, 1, 1], left_out: Some(1) };
        let scale = Scale { centre: 1.0, ..SCALE };
        assert_eq!(NumberInGroups::fit(&Grouped::new(&codes, 2), seen, &scale, 2).rows, [4]);
    }
}
