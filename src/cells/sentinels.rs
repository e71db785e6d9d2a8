//! Numbers and dates that stand for a missing value, as −999 and 9999-12-31 do: values that several
//! training rows have, and that lie where no others do.
//!
//! They are events with a rate of their own, and take no part in what the column's numbers are
//! like: where 9999-12-31 is in the training rows, 5000-01-01 is still far out.

use super::math::{quantile, step};

/// Numbers that people and programs write for a missing value.
const NUMBERS: [f64; 20] = [
    0.0,
    -1.0,
    -9.0,
    -99.0,
    -999.0,
    -9999.0,
    -99999.0,
    -999_999.0,
    9.0,
    99.0,
    999.0,
    9999.0,
    99999.0,
    999_999.0,
    9_999_999.0,
    99_999_999.0,
    999_999_999.0,
    9_999_999_999.0,
    2_147_483_647.0,
    -2_147_483_648.0,
];
/// Dates of that kind, in days since 1970-01-01: 0001-01-01, 1753-01-01, 1800-01-01, 1899-12-30,
/// 1899-12-31, 1900-01-01, 1901-01-01, 1970-01-01, 2038-01-19, 2099-12-31, 2999-12-31, 9999-12-31.
const DAYS: [f64; 12] = [
    -719_162.0,
    -79_257.0,
    -62_091.0,
    -25_569.0,
    -25_568.0,
    -25_567.0,
    -25_202.0,
    0.0,
    24_855.0,
    47_481.0,
    376_199.0,
    2_932_896.0,
];
/// The most that a column has.
pub const MOST: usize = 8;
/// The largest share of the rows for which a value stands for a missing one.
const LARGEST_SHARE: f64 = 0.2;
/// The fewest rows of a listed value, of one that is not listed, and of one among other numbers.
const FEWEST: [u64; 3] = [2, 3, 10];

/// A value, and the number of rows that have it.
pub type Counted = (f64, u64);

/// Finds them among rising numbers; `are_days` tells dates from numbers.
pub fn find(rising: &[f64], are_days: bool) -> Vec<Counted> {
    let values = counted(rising);
    if values.len() < 4 {
        return vec![];
    }
    let mut found = vec![];
    let (mut first, mut last) = (0, values.len());
    while last - first > 3 && found.len() < MOST {
        let inner = &values[first..last];
        let rest = Rest::new(rising, inner, are_days);
        if rest.is_apart(inner[0], inner[1], inner[1..].iter().take(5)) {
            found.push(inner[0]);
            first += 1;
        } else if rest.is_apart(inner[inner.len() - 1], inner[inner.len() - 2], inner.iter().rev().skip(1).take(5)) {
            found.push(inner[inner.len() - 1]);
            last -= 1;
        } else {
            break;
        }
    }
    if !are_days {
        let inner = &values[first..last];
        found.extend(amid(inner, rising.len()).take(MOST - found.len()));
    }
    found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    found
}

/// The different values of rising numbers, and how many rows have each.
fn counted(rising: &[f64]) -> Vec<Counted> {
    let mut values: Vec<Counted> = vec![];
    for number in rising {
        match values.last_mut() {
            Some((last, count)) if last == number => *count += 1,
            _ => values.push((*number, 1)),
        }
    }
    values
}

/// The numbers that are not at the ends.
struct Rest {
    width: f64,
    step: f64,
    rows: usize,
    are_days: bool,
}

impl Rest {
    fn new(rising: &[f64], inner: &[Counted], are_days: bool) -> Self {
        let [low, high] = [inner[1].0, inner[inner.len() - 2].0];
        let from = rising.partition_point(|number| *number < low);
        let to = rising.partition_point(|number| *number <= high);
        let rest = &rising[from..to];
        let width = quantile(rest, 0.75) - quantile(rest, 0.25);
        Self { width, step: step(rest), rows: rising.len(), are_days }
    }

    /// Whether a value at an end is one: it is repeated, and apart from the `next` one.
    fn is_apart<'a>(&self, end: Counted, next: Counted, inner: impl Iterator<Item = &'a Counted>) -> bool {
        let (value, count) = end;
        let gap = (next.0 - value).abs();
        if count as f64 > LARGEST_SHARE * self.rows as f64 || self.width <= 0.0 {
            return false;
        }
        let is_listed = if self.are_days { DAYS.contains(&value) } else { NUMBERS.contains(&value) };
        if !is_listed {
            return count >= FEWEST[1] && gap > 5.0 * self.width;
        }
        let most = inner.map(|(_, count)| *count).max().unwrap_or(0);
        let is_frequent = count >= 5 * most && count >= 5 && gap >= 3.0 * self.step;
        count >= FEWEST[0] && (gap > self.width || is_frequent)
    }
}

/// Listed numbers amid others that are at least twenty times as frequent as each of the ten nearest
/// ones on both sides. Zero is left out, which is often a usual value.
fn amid(values: &[Counted], rows: usize) -> impl Iterator<Item = Counted> + '_ {
    let is_found = move |number: &f64| {
        let at = values.binary_search_by(|(value, _)| value.total_cmp(number)).ok()?;
        let (value, count) = values[at];
        let near = &values[at.saturating_sub(10)..(at + 11).min(values.len())];
        let most = near.iter().filter(|(other, _)| *other != value).map(|(_, count)| *count).max()?;
        let is_frequent = count >= FEWEST[2] && count >= 20 * most;
        (is_frequent && count as f64 <= LARGEST_SHARE * rows as f64).then_some((value, count))
    };
    NUMBERS[1..].iter().filter_map(is_found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rising(mut numbers: Vec<f64>) -> Vec<f64> {
        numbers.sort_unstable_by(f64::total_cmp);
        numbers
    }

    /// Numbers from 18 to 90.
    fn ages(count: usize) -> Vec<f64> {
        (0..count).map(|at| 18.0 + (at * 37 % 73) as f64).collect()
    }

    #[test]
    fn repeated_values_far_from_the_others_stand_for_missing_ones() {
        let found = |more: &[f64]| find(&rising([ages(1000), more.to_vec()].concat()), false);
        assert_eq!(found(&[-999.0; 10]), [(-999.0, 10)]);
        assert_eq!(found(&[999.0, 999.0, -1.0, -1.0]), [(999.0, 2)]);
        assert_eq!(found(&[0.0; 90]), [(0.0, 90)]);
        assert_eq!(found(&[5000.0; 4]), [(5000.0, 4)]);
        assert_eq!(found(&[[0.0; 80], [999.0; 80]].concat()), [(0.0, 80), (999.0, 80)]);
    }

    #[test]
    fn ordinary_values_do_not() {
        assert_eq!(find(&rising(ages(1000)), false), []);
        assert_eq!(find(&rising([ages(1000), vec![91.0; 60]].concat()), false), []);
        // Half of the rows, or one alone.
        assert_eq!(find(&rising([ages(1000), vec![0.0; 1000]].concat()), false), []);
        assert_eq!(find(&rising([ages(1000), vec![5000.0]].concat()), false), []);
        assert_eq!(find(&rising((0..500).map(|at| f64::from(at % 10)).collect()), false), []);
    }

    #[test]
    fn a_frequent_listed_number_amid_rare_ones_does() {
        let prices = (0..5000).map(|at| 500.0 + f64::from(at) * 0.37).collect();
        assert_eq!(find(&rising([prices, vec![999.0; 50]].concat()), false), [(999.0, 50)]);
    }

    #[test]
    fn dates_before_and_after_all_others_do() {
        let days: Vec<f64> = (0..1000).map(|at| 18_628.0 + f64::from(at)).collect();
        let all = [days, vec![0.0; 5], vec![2_932_896.0; 30]].concat();
        assert_eq!(find(&rising(all), true), [(0.0, 5), (2_932_896.0, 30)]);
    }
}
