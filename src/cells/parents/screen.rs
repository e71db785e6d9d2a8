//! Of very many columns, those that may say something about a column, so that not every pair of columns has
//! to be looked at.
//!
//! The codes of a column become numbers by a few maps: their order, how far they are from its middle, and
//! random signs. Where two columns depend on one another, numbers of the one are correlated with numbers of
//! the other: their squared correlations, summed over all pairs of maps, are higher than those of columns that
//! have nothing to do with one another. Matrix products give them for all pairs of columns at once.

use ndarray::{s, Array2, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis};
use polars::prelude::PolarsResult;

use crate::memory::zeros;
use crate::pool;

use super::form::Form;
use super::sample::{Formed, Sample};
use super::Aim;

/// In a table of at most this number of columns, all pairs of columns are looked at.
pub const FEW: usize = 128;
/// The columns that are left for each.
const LEFT: usize = 64;
/// The maps of codes to numbers.
const MAPS: usize = 4;
/// The columns that are compared with all others together.
const TOGETHER: usize = 16;
const WHAT: &str = "the comparison of columns";

/// The columns that may say something about each aim of each column.
pub struct Screen(Vec<[Vec<usize>; AIMS]>);

/// The value or the number, the hour, and whether there is a value.
const AIMS: usize = 3;

fn place(aim: Aim) -> usize {
    match aim {
        Aim::Value | Aim::Number => 0,
        Aim::Hour => 1,
        Aim::Presence => 2,
    }
}

impl Screen {
    /// Compares all columns; None of few.
    pub fn new(sample: &Sample) -> PolarsResult<Option<Self>> {
        let columns = sample.forms.len();
        if columns <= FEW {
            return Ok(None);
        }
        let parents: Vec<(usize, &Formed)> = (0..columns)
            .flat_map(|at| [value(&sample.forms[at]), hour(&sample.forms[at])].map(|formed| formed.map(|of| (at, of))))
            .flatten()
            .collect();
        let rows = sample.glance_rows();
        let mut numbers = matrix(parents.len(), rows)?;
        for (maps, (_, formed)) in numbers.axis_chunks_iter_mut(Axis(0), MAPS).zip(&parents) {
            map_codes(formed, maps);
        }
        let of_parents: Vec<usize> = parents.iter().map(|(at, _)| *at).collect();
        let screened = pool::map((0..columns).step_by(TOGETHER).collect(), |first: usize| {
            crate::job::check()?;
            let some = first..(first + TOGETHER).min(columns);
            let mut targets = matrix(TOGETHER * AIMS, rows)?;
            for (mut aims, forms) in targets.axis_chunks_iter_mut(Axis(0), AIMS * MAPS).zip(&sample.forms[some.clone()])
            {
                for (at, formed) in [value(forms), hour(forms)].into_iter().enumerate() {
                    let Some(formed) = formed else { continue };
                    map_codes(formed, aims.slice_mut(s![at * MAPS..(at + 1) * MAPS, ..]));
                }
                if let Some(formed) = value(forms) {
                    let is_there = |code: u32| f32::from(u8::from(code != formed.coder.count));
                    standardise(&formed.codes[..rows], is_there, aims.row_mut(place(Aim::Presence) * MAPS));
                }
            }
            let related = numbers.dot(&targets.t());
            Ok(some
                .clone()
                .map(|column| {
                    let related =
                        related.slice(s![.., (column - first) * AIMS * MAPS..(column - first + 1) * AIMS * MAPS]);
                    std::array::from_fn(|aim| {
                        let of_aim = related.slice(s![.., aim * MAPS..(aim + 1) * MAPS]);
                        most_related(column, &of_parents, of_aim)
                    })
                })
                .collect::<Vec<_>>())
        })?;
        Ok(Some(Self(screened.concat())))
    }

    /// The columns that may say something about a column, rising.
    pub fn of(&self, column: usize, aim: Aim) -> &[usize] {
        &self.0[column][place(aim)]
    }
}

/// Room for the maps of some columns.
fn matrix(columns: usize, rows: usize) -> PolarsResult<Array2<f32>> {
    let numbers = zeros((columns * MAPS).saturating_mul(rows), WHAT)?;
    Ok(Array2::from_shape_vec((columns * MAPS, rows), numbers).unwrap_or_default())
}

/// The form of a column in which its values are, and that of its hours.
fn value(forms: &[Formed]) -> Option<&Formed> {
    forms.iter().find(|formed| formed.form == Form::Bin).or(forms.first())
}

fn hour(forms: &[Formed]) -> Option<&Formed> {
    forms.iter().find(|formed| formed.form == Form::Hour)
}

/// Writes the numbers of a form's codes in all maps, `[maps, rows]`.
fn map_codes(formed: &Formed, mut maps: ArrayViewMut2<f32>) {
    let codes = &formed.codes[..maps.ncols()];
    (0..MAPS).for_each(|map| standardise(codes, |code| mapped(map, code, formed), maps.row_mut(map)));
}

/// The number of a code in a map; NaN of a missing value that has no place in an order.
fn mapped(map: usize, code: u32, formed: &Formed) -> f32 {
    let known = formed.coder.count;
    let middle = known.saturating_sub(1) as f32 / 2.0;
    match map {
        0 | 1 if code >= known => f32::NAN,
        0 => code as f32,
        1 => (code as f32 - middle) * (code as f32 - middle),
        _ => {
            // The highest bit of a product with an odd number is as good as random.
            let mixed = (u64::from(code) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9 + 2 * map as u64);
            if mixed >> 63 == 1 {
                1.0
            } else {
                -1.0
            }
        }
    }
}

/// Writes the numbers of codes with the mean 0 and the norm 1, and 0 in the place of NaN; leaves zeros where all
/// numbers are the same.
fn standardise(codes: &[u32], number: impl Fn(u32) -> f32, mut out: ArrayViewMut1<f32>) {
    let known = || codes.iter().map(|code| f64::from(number(*code))).filter(|number| !number.is_nan());
    let (count, sum) = known().fold((0.0, 0.0), |(count, sum), number| (count + 1.0, sum + number));
    let mean = sum / f64::max(count, 1.0);
    let norm = known().map(|number| (number - mean).powi(2)).sum::<f64>().sqrt();
    if norm > 1e-9 {
        let standard = |code: &u32| (f64::from(number(*code)) - mean) / norm;
        let numbers = codes.iter().map(standard).map(|number| if number.is_nan() { 0.0 } else { number as f32 });
        out.iter_mut().zip(numbers).for_each(|(out, number)| *out = number);
    }
}

/// The other columns whose maps are most related with those of an aim, `[parents · maps, maps]`.
fn most_related(column: usize, of_parents: &[usize], related: ArrayView2<f32>) -> Vec<usize> {
    let squares =
        related.axis_chunks_iter(Axis(0), MAPS).map(|of| of.iter().map(|number| number * number).sum::<f32>());
    let mut found: Vec<(f32, usize)> = vec![];
    for (square, at) in squares.zip(of_parents).filter(|(_, at)| **at != column) {
        match found.last_mut() {
            Some((most, last)) if last == at => *most = most.max(square),
            _ => found.push((square, *at)),
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut left: Vec<usize> = found.into_iter().take(LEFT).map(|(_, at)| at).collect();
    left.sort_unstable();
    left
}

#[cfg(test)]
mod tests {
    use crate::cells::batch::Batch;
    use crate::cells::column::Column;
    use crate::cells::examples::{normal, pick, random};
    use crate::cells::known_numbers::MOST_NUMBERS;
    use crate::cells::values::{CellColumn, Description};

    use super::*;

    const ROWS: usize = 2_000;

    /// The screen of columns of numbers.
    fn screen(columns: &[Vec<f64>]) -> Option<Screen> {
        let given: Vec<CellColumn> = columns.iter().map(|numbers| CellColumn::Number(numbers)).collect();
        let fit = |column: &CellColumn| Column::fit(column, None, None, MOST_NUMBERS, None);
        let fitted: Vec<Column> = given.iter().map(fit).collect();
        let read = fitted.iter().zip(&given).map(|(column, given)| column.read(given)).collect();
        let batch = Batch::from_read(&fitted, &given, read);
        let mut sample = Sample::new(ROWS, columns.len());
        let described = Description { name: "", vocabulary: None, is_boolean: false };
        sample.forms = (0..columns.len()).map(|at| sample.form(at, &fitted[at], &batch, &described)).collect();
        Screen::new(&sample).unwrap()
    }

    #[test]
    fn what_depends_on_a_column_is_left_among_many_others() {
        let noise = |stream: u64| (0..ROWS).map(move |row| normal(row, stream));
        let code = |row: usize| pick(row, 7, 60);
        let hidden: Vec<Vec<f64>> = vec![
            // A line with noise, a parabola, and codes of which one follows from the other.
            noise(1).collect(),
            noise(1).zip(noise(2)).map(|(x, rest)| 0.5 * x + rest).collect(),
            noise(3).collect(),
            noise(3).zip(noise(4)).map(|(x, rest)| x * x + 0.5 * rest).collect(),
            (0..ROWS).map(|row| code(row) as f64).collect(),
            (0..ROWS).map(|row| (code(row) * 7_919 % 13) as f64).collect(),
            // A value that is missing where another one is high.
            noise(5).collect(),
            (0..ROWS).map(|row| if normal(row, 5) > 0.8 { f64::NAN } else { random(row, 6) }).collect(),
        ];
        let others = (0..400).map(|at| noise(100 + at).map(|x| if at % 2 == 0 { x } else { x.round() }).collect());
        let columns: Vec<Vec<f64>> = others.chain(hidden).collect();
        let screen = screen(&columns).unwrap();
        for (a, b) in [(400, 401), (402, 403), (404, 405)] {
            assert!(screen.of(a, Aim::Number).contains(&b) && screen.of(b, Aim::Number).contains(&a), "{a} {b}");
        }
        assert!(screen.of(407, Aim::Presence).contains(&406));
        assert!((0..408).all(|at| screen.of(at, Aim::Value).len() == LEFT));
    }

    #[test]
    fn few_columns_are_all_looked_at() {
        let columns: Vec<Vec<f64>> = (0..FEW as u64).map(|at| (0..ROWS).map(|row| normal(row, at)).collect()).collect();
        assert!(screen(&columns).is_none());
    }
}
