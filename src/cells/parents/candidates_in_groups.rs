//! Which lines in groups say more of a number than the groups and the other number do alone.

use polars::prelude::PolarsResult;

use crate::cells::math::median;

use super::candidates::{Choice, Chooser, How};
use super::form::{Form, PARTS};
use super::gains::Gains;
use super::grouped::Grouped;
use super::sample::Formed;

/// How far both numbers must go together within groups: below it, a line gains too little.
const TOGETHER: f64 = 0.3;
/// The pairs of a group and a number that are looked at closely.
const PAIRS: usize = 3;
/// The mean number of rows that a group must have.
const GROUP_ROWS: usize = 4;
/// Rests count up to this many spreads.
const MOST: f64 = 3.0;

/// What is left of numbers within their groups.
struct Rests(Vec<f64>);

impl Rests {
    /// The distances from the median of the group, in the spread of those that are not zero: all numbers of a group may
    /// be the same, as the discounts of what has none. None where there are none.
    fn new(places: &[f64], grouped: &Grouped, rows: usize) -> Option<Self> {
        let mut rests = vec![0.0; rows];
        let mut of_group = vec![];
        let mut all = vec![];
        for group in grouped.groups() {
            of_group.clear();
            of_group.extend(group.iter().map(|row| places[*row as usize]).filter(|place| !place.is_nan()));
            let Some(centre) = median(&mut of_group) else { continue };
            for row in group {
                let rest = places[*row as usize] - centre;
                if !rest.is_nan() && rest != 0.0 {
                    rests[*row as usize] = rest;
                    all.push(rest.abs());
                }
            }
        }
        let spread = 1.4826 * median(&mut all)?;
        if spread <= 0.0 || !spread.is_finite() {
            return None;
        }
        rests.iter_mut().for_each(|rest| *rest = (*rest / spread).clamp(-MOST, MOST));
        Some(Self(rests))
    }

    /// The correlation with those of another number, without its sign.
    fn together(&self, other: &Self) -> f64 {
        let sum = |a: &Self, b: &Self| a.0.iter().zip(&b.0).map(|(a, b)| a * b).sum::<f64>();
        let own = sum(self, self) * sum(other, other);
        if own > 0.0 {
            sum(self, other).abs() / own.sqrt()
        } else {
            0.0
        }
    }
}

impl Chooser<'_> {
    /// The best lines in groups, where they say more than each of both columns alone.
    pub fn lines_in_groups(
        &self,
        gains: &Gains,
        child: usize,
        promising: &[usize],
        alone: &[Choice],
    ) -> PolarsResult<Option<Choice>> {
        let mut best: Option<Choice> = None;
        for (_, formed, columns) in self.promising_lines(gains, promising) {
            crate::job::check()?;
            let other = columns[1];
            let shapes = self.shapes(child, other).into_iter().map(Some).chain([None]);
            for shape in shapes {
                let Some(gain) = gains.gain_of_lines(shape, formed, &self.sample.numbers[other]) else { continue };
                let choice = Choice { columns, how: How::LineInGroups(formed.form, shape), gain };
                if best.is_none_or(|best| gain > best.gain) && choice.says_more_than(alone) {
                    best = Some(choice);
                }
            }
        }
        Ok(best)
    }

    /// Pairs of a column that groups the rows, in its form, and one of numbers that goes together with a number
    /// within the groups, and how far; the best ones first.
    fn promising_lines(&self, gains: &Gains, promising: &[usize]) -> Vec<(f64, &Formed, [usize; 2])> {
        let rows = self.sample.glance_rows();
        let own = &gains.places()[..rows];
        let others: Vec<(usize, Vec<f64>)> = promising
            .iter()
            .filter_map(|at| Some((*at, self.columns[*at].numbers.as_ref().filter(|of| of.edges.len() > 1)?)))
            .map(|(at, numbers)| (at, numbers.places(&self.sample.numbers[at][..rows])))
            .collect();
        let mut found = vec![];
        for group in promising {
            let Some(formed) = self.groups(*group) else { continue };
            let Some(own) = Rests::new(own, &formed.glance, rows) else { continue };
            for (other, places) in others.iter().filter(|(other, _)| other != group) {
                let rests = Rests::new(places, &formed.glance, rows);
                let together = rests.map_or(0.0, |rests| own.together(&rests));
                if together > TOGETHER {
                    found.push((together, formed, [*group, *other]));
                }
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
        found.truncate(PAIRS);
        found
    }

    /// The form of a column that groups the rows: its values, or parts of its texts. Measured numbers group
    /// nothing.
    fn groups(&self, at: usize) -> Option<&Formed> {
        let column = &self.columns[at];
        if column.numbers.as_ref().is_some_and(|numbers| !numbers.edges_are_values) {
            return None;
        }
        let has_rows = |formed: &&Formed| {
            let is_group = formed.form == Form::Value || PARTS.contains(&formed.form);
            is_group && formed.grouped.rows.len() >= GROUP_ROWS * formed.grouped.keys.len()
        };
        self.sample.forms[at].iter().find(has_rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_go_together_within_groups_are_told_from_those_that_do_not() {
        let codes: Vec<u32> = (0..300).map(|row| row % 3).collect();
        let grouped = Grouped::new(&codes, 3);
        let first: Vec<f64> = (0..300).map(|row| f64::from(row * 37 % 101)).collect();
        // Between groups, the second falls where the first rises within them.
        let second: Vec<f64> = first.iter().zip(&codes).map(|(x, code)| x - 900.0 * f64::from(*code)).collect();
        let other: Vec<f64> = (0..300).map(|row| libm::sin(f64::from(row * row))).collect();
        let rests = |places: &[f64]| Rests::new(places, &grouped, 300).unwrap();
        assert!(rests(&first).together(&rests(&second)) > 0.99);
        assert!(rests(&first).together(&rests(&other)) < 0.2);
        assert!(Rests::new(&[1.0; 300], &grouped, 300).is_none());
    }
}
