//! Which columns look like ids or counters: they number the rows, and say nothing else about them.
//!
//! A fit counts here what the rules need. `python/polars_anorand/profile.py` counts it in a query,
//! and asks the same rules through `src/plugin/module.rs`.

use polars::prelude::*;

use crate::memory::reserved;

/// Neither ids nor counters can be told in this number of rows or fewer.
const FEW: u64 = 20;
/// Tables with this number of rows are judged by weaker signs of an id.
const MANY: u64 = 1_000;
/// Share of distinct integers in an id, and of steps in one direction in a counter.
const NEARLY_ALL: f64 = 0.95;
/// A value of a category occurs in this number of rows on average, or in more.
const ROWS_OF_A_VALUE: u64 = 5;
/// Standard deviation / range: 0.29 if values are spread evenly; below 0.16 for bell-shaped and
/// skewed measurements.
const FLAT: f64 = 0.2;

/// Whole floats below this number are exact.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// What an integer column that numbers the rows does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// It rises with the rows, as they stand.
    Rises,
    /// It falls with the rows.
    Falls,
    /// It has another value in nearly every row, and they fill its range evenly.
    Ids,
}

/// Whether values of a category look like ids: too many for the number of rows that have one.
pub fn words_are_ids(distinct: u64, rows: u64) -> bool {
    rows > FEW && distinct > rows / if rows < MANY { 2 } else { ROWS_OF_A_VALUE }
}

/// Whether a column numbers the rows, in the order in which they stand; nulls are skipped. None for
/// a dtype that is no integer, other than integers that missing values made floats of.
pub fn numbering(column: &Series) -> PolarsResult<Option<Numbering>> {
    if column.dtype().is_float() {
        return integers_with_gaps(column)?.map_or(Ok(None), |integers| numbering(&integers));
    }
    macro_rules! by_dtype {
        ($($dtype:ident $typed:ident $native:ty,)+) => {
            match column.dtype() {
                $(DataType::$dtype => {
                    let typed = column.$typed()?;
                    // Exact for all integers, of 128 bits too.
                    let distance = |low: $native, high: $native| (high as i128).wrapping_sub(low as i128) as u128;
                    judged(|| typed.iter().flatten(), |value| value as f64, distance)
                })+
                _ => Ok(None),
            }
        };
    }
    by_dtype!(
        Int8 i8 i8, Int16 i16 i16, Int32 i32 i32, Int64 i64 i64, Int128 i128 i128,
        UInt8 u8 u8, UInt16 u16 u16, UInt32 u32 u32, UInt64 u64 u64, UInt128 u128 u128,
    )
}

/// The integers of a column of floats that are all whole, with some missing: what other tools make
/// of a column of integers with nulls.
fn integers_with_gaps(column: &Series) -> PolarsResult<Option<Series>> {
    let floats = column.cast(&DataType::Float64)?;
    let floats = floats.f64()?;
    let finite = || floats.iter().flatten().filter(|value| value.is_finite());
    let known = finite().count();
    if known == floats.len() || !finite().all(|value| value.fract() == 0.0 && value.abs() < WHOLE) {
        return Ok(None);
    }
    let integers: Int64Chunked =
        floats.iter().map(|value| value.filter(|value| value.is_finite()).map(|value| value as i64)).collect();
    Ok(Some(integers.into_series()))
}

/// `distance` is the second number minus the first, which is no larger.
fn judged<V: Copy + Ord, I: Iterator<Item = V>>(
    values: impl Fn() -> I,
    number: impl Fn(V) -> f64,
    distance: impl Fn(V, V) -> u128,
) -> PolarsResult<Option<Numbering>> {
    let Some(first) = values().next() else { return Ok(None) };
    let (mut known, mut rises, mut falls, mut sum) = (0u64, 0u64, 0u64, 0.0);
    let (mut low, mut high, mut before) = (first, first, first);
    for value in values() {
        known += 1;
        rises += u64::from(value > before);
        falls += u64::from(value < before);
        sum += number(value);
        (low, high, before) = (low.min(value), high.max(value), value);
    }
    let deviation = || {
        let mean = sum / known as f64;
        let squares: f64 = values().map(|value| (number(value) - mean).powi(2)).sum();
        (squares / (known - 1) as f64).sqrt()
    };
    let counted = Counted { known, rises, falls, span: distance(low, high).saturating_add(1) as f64 };
    counted.numbering(deviation, || distinct(values(), known as usize))
}

/// What is counted of a column of integers, nulls left out.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// The number of values.
    pub known: u64,
    /// The number of values above the value before.
    pub rises: u64,
    /// The number of values below the value before.
    pub falls: u64,
    /// Highest − lowest + 1.
    pub span: f64,
}

impl Counted {
    /// Whether the column numbers the rows. The standard deviation and the number of distinct
    /// values cost another pass each, so they are computed only where they decide.
    pub fn numbering(
        &self,
        deviation: impl Fn() -> f64,
        distinct: impl FnOnce() -> PolarsResult<usize>,
    ) -> PolarsResult<Option<Numbering>> {
        let Counted { known, rises, falls, span } = *self;
        if known <= FEW {
            return Ok(None);
        }
        for (numbering, along, against) in [(Numbering::Rises, rises, falls), (Numbering::Falls, falls, rises)] {
            if against == 0 && along as f64 > NEARLY_ALL * (known - 1) as f64 {
                return Ok(Some(numbering));
            }
        }
        let rows = known as f64;
        // If values were drawn evenly from the span, this number of pairs would be equal.
        // Measurements crowd, and repeat more often.
        let by_chance = rows * rows / (2.0 * span);
        let flat = || known >= MANY && deviation() > FLAT * span;
        // A column can't have more distinct values than its span: mostly, they need no count.
        if span <= NEARLY_ALL * rows || !(by_chance >= 5.0 || flat()) {
            return Ok(None);
        }
        let distinct = distinct()? as f64;
        let repeats_little = by_chance >= 5.0 && rows - distinct < by_chance / 2.0;
        let are_ids = distinct > NEARLY_ALL * rows && (repeats_little || flat());
        Ok(are_ids.then_some(Numbering::Ids))
    }
}

fn distinct<V: Copy + Ord>(values: impl Iterator<Item = V>, count: usize) -> PolarsResult<usize> {
    let mut sorted = reserved(count, "a feature's values")?;
    sorted.extend(values);
    sorted.sort_unstable();
    sorted.dedup();
    Ok(sorted.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(0)
    }

    fn judge<T>(values: impl IntoIterator<Item = T>) -> Option<Numbering>
    where
        Series: NamedFrom<Vec<T>, [T]>,
    {
        numbering(&Series::new("a".into(), values.into_iter().collect::<Vec<T>>())).unwrap()
    }

    #[test]
    fn a_counter_rises_or_falls_through_nulls_and_beyond_the_digits_of_a_float() {
        assert_eq!(judge(0..30i32), Some(Numbering::Rises));
        assert_eq!(judge((0..30i64).rev()), Some(Numbering::Falls));
        assert_eq!(judge((0..100i64).map(|at| (at % 10 > 0).then_some(at))), Some(Numbering::Rises));
        assert_eq!(judge((0..50).map(|at| u64::MAX - at)), Some(Numbering::Falls));
        assert_eq!(judge((0..50).map(|at| i128::MIN + at)), Some(Numbering::Rises));
        assert_eq!(judge((0..100i64).map(|at| at / 4)), None);
        assert_eq!(judge((0..100).map(f64::from)), None);
        assert_eq!(judge(0..20i32), None);
        assert_eq!(judge([7i32; 50]), None);
        assert_eq!(judge([None::<i32>; 50]), None);
    }

    #[test]
    fn integers_that_became_floats_through_missing_values_are_judged_as_integers() {
        let gaps = |value: f64| (value % 10.0 > 0.0).then_some(value);
        assert_eq!(judge((0..100).map(|at| gaps(f64::from(at)))), Some(Numbering::Rises));
        assert_eq!(judge((0..100).map(|at| gaps(f64::from(at)).unwrap_or(f64::NAN))), Some(Numbering::Rises));
        assert_eq!(judge((0..100).map(|at| gaps(f64::from(at)).map(|value| value / 2.0))), None);
        assert_eq!(judge((0..100).map(|at| gaps(f64::from(at % 7)))), None);
    }

    #[test]
    fn ids_fill_their_range_in_any_order_and_may_repeat_a_little() {
        let mut ids: Vec<i64> = (0..1_500).collect();
        ids.shuffle(&mut rng());
        assert_eq!(judge(ids.clone()), Some(Numbering::Ids));
        assert_eq!(judge(ids.iter().map(|id| (*id).max(20))), Some(Numbering::Ids));
        assert_eq!(judge(ids.iter().map(|id| id / 2)), None);
        let mut generator = rng();
        assert_eq!(judge((0..1_500).map(|_| generator.random::<u64>())), Some(Numbering::Ids));
        assert_eq!(judge((0..1_500).map(|_| generator.random::<i128>())), Some(Numbering::Ids));
    }

    #[test]
    fn measurements_crowd_and_are_no_ids() {
        let mut generator = rng();
        let mut bell = || (0..12).map(|_| generator.random_range(0..1_000_000)).sum::<i64>();
        assert_eq!(judge((0..3_000).map(|_| bell())), None);
        assert_eq!(judge((0..50).map(|_| bell())), None);
    }

    #[test]
    fn words_are_ids_where_most_do_not_recur() {
        for (distinct, rows, expected) in [
            (20, 20, false),
            (11, 21, true),
            (10, 21, false),
            (500, 999, true),
            (499, 999, false),
            (201, 1_000, true),
            (200, 1_000, false),
        ] {
            assert_eq!(words_are_ids(distinct, rows), expected, "{distinct} of {rows}");
        }
    }
}
