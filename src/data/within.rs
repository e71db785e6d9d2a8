//! How surprising a number is among the training rows with the same category: a price that is usual overall, and unusual for its
//! country.
//!
//! A number is compared with the median of its category's rows, in their spreads. These distances are judged by one curve for all
//! categories together, as a feature of its own would be.

use super::curve::Curve;
use super::encode::statistics::NORMAL_IQR;
use super::mixing::mixed;

/// Rows that a category needs, for its median and spread to mean something.
const LEAST_ROWS: usize = 50;
/// The most categories that have a median, the most frequent ones.
const MOST_GROUPS: usize = 256;
/// The least share of a number's spread that a category must explain.
const LEAST_EXPLAINED: f64 = 0.25;

/// What is known of the rows of a category's value; nothing where the spread is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Group {
    pub median: f64,
    pub spread: f64,
    pub rows: f64,
}

/// A number's surprisal within a category.
#[derive(Clone, Debug, PartialEq)]
pub struct Within {
    /// The feature that is the category
    pub category: usize,
    /// By code: the median, and IQR / 1.349, which is 0 where a category has too few rows
    pub groups: Vec<[f64; 2]>,
    /// Of (value − median) / spread
    pub curve: Curve,
}

impl Within {
    /// The most telling category of some, by their codes; None if none explains enough. `values` and codes are NaN where they are
    /// missing.
    pub fn of<'a>(values: &[f64], categories: impl Iterator<Item = (usize, &'a [f64])>) -> Option<Self> {
        let overall = spread(&mut values.iter().copied().filter(|value| !value.is_nan()).collect::<Vec<f64>>())?[1];
        let mut most = LEAST_EXPLAINED;
        let mut best = None;
        for (category, codes) in categories {
            let groups = groups(values, codes);
            let distances = distances(values, codes, &groups);
            // The mean spread within the categories, of the rows in one.
            let counted = codes.iter().zip(values).filter(|(_, value)| !value.is_nan());
            let spreads: f64 = counted.filter_map(|(code, _)| group(&groups, *code)).map(|[_, spread]| spread).sum();
            let explained = 1.0 - spreads / distances.len().max(1) as f64 / overall;
            if distances.len() >= values.len() / 2 && explained > most {
                most = explained;
                best = Some((category, groups, distances));
            }
        }
        let (category, groups, mut distances) = best?;
        distances.sort_unstable_by(f64::total_cmp);
        let curve = Curve::of(&distances, distances.len());
        Some(Self { category, groups, curve })
    }

    /// The same category's medians and spreads of earlier rows and new ones, and the curve of both; `earlier` is by code.
    pub fn mixed(&self, earlier: &[Group], values: &[f64], codes: &[f64], new_rows: f64) -> Self {
        let mut counts: Vec<f64> = vec![];
        for code in codes.iter().filter(|code| **code < MOST_GROUPS as f64) {
            counts.resize(counts.len().max(*code as usize + 1), 0.0);
            counts[*code as usize] += new_rows / codes.len() as f64;
        }
        let new = groups(values, codes);
        let of_code = |code: usize| {
            let new = new.get(code).filter(|[_, spread]| *spread > 0.0);
            let new = new.map(|[median, spread]| Group { median: *median, spread: *spread, rows: counts[code] });
            let both = [earlier.get(code).copied(), new].into_iter().flatten().filter(|group| group.spread > 0.0);
            let rows: f64 = both.clone().map(|group| group.rows).sum();
            both.map(|group| [group.median, group.spread].map(|number| number * (group.rows / rows)))
                .reduce(|a, b| [a[0] + b[0], a[1] + b[1]])
                .unwrap_or([0.0; 2])
        };
        let groups: Vec<[f64; 2]> = (0..earlier.len().max(new.len()).min(MOST_GROUPS)).map(of_code).collect();
        let mut distances = distances(values, codes, &groups);
        distances.sort_unstable_by(f64::total_cmp);
        let rows: f64 = earlier.iter().filter(|group| group.spread > 0.0).map(|group| group.rows).sum();
        let share = distances.len() as f64 / values.len().max(1) as f64;
        let all = mixed(&self.curve, None, rows, &distances, new_rows * share);
        Self { category: self.category, groups, curve: Curve::of(&all, all.len()) }
    }

    /// Of a value in a category, by its code; 0 where either says nothing. `none` is ln(n + 1).
    pub fn surprisal(&self, value: f64, code: f64, none: f64) -> f64 {
        match group(&self.groups, code) {
            // Halved, so that the difference of two huge values stays finite.
            Some([median, spread]) => {
                let distance = (value * 0.5 - median * 0.5) / (spread * 0.5);
                self.curve.surprisal(distance.clamp(-f64::MAX, f64::MAX), none)
            }
            None => 0.0,
        }
    }

    /// What is wrong with it, if anything, as a file may have it.
    pub fn is_usable(&self) -> bool {
        let usable =
            |[median, spread]: &[f64; 2]| median.is_finite() && (*spread == 0.0 || spread.is_normal() && *spread > 0.0);
        self.groups.iter().all(usable) && self.curve.is_usable()
    }

    /// Bytes of memory that it takes, beside its own.
    pub fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<[f64; 2]>() + self.curve.bytes()
    }
}

/// The median and spread of a code's rows; None where it has none.
fn group(groups: &[[f64; 2]], code: f64) -> Option<[f64; 2]> {
    if code.is_nan() {
        return None;
    }
    groups.get(code as usize).copied().filter(|[_, spread]| *spread > 0.0)
}

fn groups(values: &[f64], codes: &[f64]) -> Vec<[f64; 2]> {
    let mut of: Vec<Vec<f64>> = vec![];
    for (value, code) in values.iter().zip(codes) {
        if value.is_nan() || code.is_nan() || *code >= MOST_GROUPS as f64 {
            continue;
        }
        let code = *code as usize;
        if of.len() <= code {
            of.resize(code + 1, vec![]);
        }
        of[code].push(*value);
    }
    let none = [0.0; 2];
    of.iter_mut().map(|values| if values.len() < LEAST_ROWS { none } else { spread(values).unwrap_or(none) }).collect()
}

fn distances(values: &[f64], codes: &[f64], groups: &[[f64; 2]]) -> Vec<f64> {
    let both = values.iter().zip(codes).filter(|(value, _)| !value.is_nan());
    let distances = both.filter_map(|(value, code)| {
        let [median, spread] = group(groups, *code)?;
        Some((value * 0.5 - median * 0.5) / (spread * 0.5))
    });
    distances.filter(|distance| distance.is_finite()).collect()
}

/// The median, and IQR / 1.349; None if the quartiles coincide.
fn spread(values: &mut [f64]) -> Option<[f64; 2]> {
    let count = values.len();
    if count == 0 {
        return None;
    }
    let mut at = |place: usize| *values.select_nth_unstable_by(place, f64::total_cmp).1;
    let (first, median, third) = (at(count / 4), at(count / 2), at(3 * count / 4));
    let spread = third / NORMAL_IQR - first / NORMAL_IQR;
    (spread.is_normal() && spread > 0.0).then_some([median, spread])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 300 rows of each of three countries, whose prices differ by a factor of 10, and a value of each row that does not.
    fn rows() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let codes: Vec<f64> = (0..900).map(|row| f64::from(row % 3)).collect();
        let noise: Vec<f64> = (0..900).map(|row| f64::from(row * 7_919 % 900) / 900.0).collect();
        let prices =
            codes.iter().zip(&noise).map(|(code, noise)| 10f64.powf(code + 1.0) * (0.9 + 0.2 * noise)).collect();
        (codes, prices, noise)
    }

    #[test]
    fn a_price_that_is_usual_overall_is_surprising_in_its_country() {
        let (codes, prices, _) = rows();
        let within = Within::of(&prices, [(4, codes.as_slice())].into_iter()).unwrap();
        assert_eq!(within.category, 4);
        let none = 901f64.ln();
        for (code, own) in [(0.0, 10.0), (1.0, 100.0), (2.0, 1_000.0)] {
            assert!(within.surprisal(own, code, none) < 2.0);
            for other in [10.0, 100.0, 1_000.0].into_iter().filter(|other| *other != own) {
                assert!(within.surprisal(other, code, none) > none + 3.0, "{other} in {code}");
            }
        }
    }

    #[test]
    fn an_unknown_category_and_a_missing_one_say_nothing() {
        let (codes, prices, _) = rows();
        let within = Within::of(&prices, [(0, codes.as_slice())].into_iter()).unwrap();
        assert_eq!([3.0, 1e9, f64::NAN].map(|code| within.surprisal(1e9, code, 7.0)), [0.0; 3]);
    }

    #[test]
    fn a_category_that_explains_nothing_is_none() {
        let (codes, _, noise) = rows();
        assert!(Within::of(&noise, [(0, codes.as_slice())].into_iter()).is_none());
        assert!(Within::of(&[1.0; 900], [(0, codes.as_slice())].into_iter()).is_none());
        let few: Vec<f64> = (0..900).map(f64::from).collect();
        assert!(Within::of(&noise, [(0, few.as_slice())].into_iter()).is_none());
    }

    #[test]
    fn the_most_telling_category_is_taken() {
        let (codes, prices, _) = rows();
        let coarse: Vec<f64> = codes.iter().map(|code| f64::from(u8::from(*code > 1.0))).collect();
        let both = [(0, coarse.as_slice()), (1, codes.as_slice())];
        assert_eq!(Within::of(&prices, both.into_iter()).unwrap().category, 1);
    }
}
