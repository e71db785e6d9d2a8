//! The arithmetic of the evidence: robust statistics and densities, with the same bits on every
//! platform.

use crate::simd::whole;

/// The degrees of freedom of the t distribution that numbers are compared with.
const FREEDOM: f64 = 4.0;
/// The density of that distribution at its centre: Γ(5/2) / (Γ(2) √(4π)).
pub const T_CENTRE: f32 = 0.375;
/// ln(0.375)
const LN_T_CENTRE: f64 = -0.980_829_253_011_726_3;

/// A distance in spreads.
#[inline(always)]
pub fn spreads(distance: f64, per_spread: f64) -> f32 {
    // Of two zeros, the one without a sign.
    (distance * per_spread + 0.0) as f32
}

/// The density of a t₄ at the square of `z`, beside that at its centre. In single precision, as all
/// that is worked out for each cell.
#[inline(always)]
pub fn t_shape(square: f32) -> f32 {
    let base = 1.0 + square / FREEDOM as f32;
    1.0 / (base * base * base.sqrt())
}

/// The natural logarithm of the density of a t₄ at `z`.
#[inline(always)]
pub fn t_ln_density(z: f64) -> f64 {
    LN_T_CENTRE - 2.5 * quick_ln(1.0 + z * z / FREEDOM)
}

/// The density of a wrong number at the square of `z`: mostly a number of the same column, sometimes any
/// number.
#[inline(always)]
pub fn wrong_density(square: f32) -> f32 {
    const WIDE: f32 = 0.3 / (5.0 * std::f32::consts::PI);
    0.7 * T_CENTRE * t_shape(square) + WIDE / (1.0 + square * 0.04)
}

/// ln(x) of a positive normal number to about 1e-10, for the sums of a fit. It uses plain
/// arithmetic only, so that its bits don't depend on the platform, and loops become vectors.
#[inline(always)]
pub fn quick_ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    let is_high = mantissa > std::f64::consts::SQRT_2;
    let m = if is_high { mantissa * 0.5 } else { mantissa };
    let exponent = whole(bits >> 52) - 1023.0 + f64::from(u8::from(is_high));
    let t = (m - 1.0) / (m + 1.0);
    let q = t * t;
    let series = 1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q / 11.0))));
    2.0 * t * series + exponent * std::f64::consts::LN_2
}

/// ln(x) of a positive normal number to about 1e-7, as [`quick_ln`].
#[inline(always)]
pub fn quick_ln_single(x: f32) -> f32 {
    let bits = x.to_bits();
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    let is_high = mantissa > std::f32::consts::SQRT_2;
    let m = if is_high { mantissa * 0.5 } else { mantissa };
    let exponent = (bits >> 23) as i32 - 127 + i32::from(is_high);
    let t = (m - 1.0) / (m + 1.0);
    let q = t * t;
    let series = 1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q / 9.0)));
    2.0 * t * series + exponent as f32 * std::f32::consts::LN_2
}

/// The bits of a number as a whole number that rises as [`f64::total_cmp`] has it, or back.
#[inline(always)]
fn to_key(bits: u64) -> u64 {
    bits ^ (((bits as i64) >> 63) as u64 >> 1)
}

/// Reorders numbers: none before a place is above the one there, and none behind it is below.
fn select(numbers: &mut [f64], at: usize) {
    let turn = |number: &mut f64| *number = f64::from_bits(to_key(number.to_bits()));
    numbers.iter_mut().for_each(turn);
    // Whole numbers are compared in one step, where total_cmp takes several.
    numbers.select_nth_unstable_by_key(at, |key| key.to_bits() as i64);
    numbers.iter_mut().for_each(turn);
}

/// The median of some numbers, which it reorders; None of an empty slice.
pub fn median(numbers: &mut [f64]) -> Option<f64> {
    let count = numbers.len();
    if count == 0 {
        return None;
    }
    select(numbers, count / 2);
    let upper = numbers[count / 2];
    if count % 2 == 1 {
        return Some(upper);
    }
    let lower = numbers[..count / 2].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(lower / 2.0 + upper / 2.0)
}

/// The quantile of rising numbers, interpolated; NaN of an empty slice.
pub fn quantile(rising: &[f64], share: f64) -> f64 {
    let Some(last) = rising.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let low = (place as usize).min(last);
    let high = (low + 1).min(last);
    rising[low] + (rising[high] - rising[low]) * (place - low as f64)
}

/// The same of numbers in any order, which it reorders.
pub fn quantile_of(numbers: &mut [f64], share: f64) -> f64 {
    let Some(last) = numbers.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let low = (place as usize).min(last);
    select(numbers, low);
    let lower = numbers[low];
    let higher = numbers[low + 1..].iter().copied().min_by(f64::total_cmp).unwrap_or(lower);
    lower + (higher - lower) * (place - low as f64)
}

/// The smallest and the largest spread of a column: a millionth of the one, and five times the other are still
/// numbers.
pub const LEAST_SPREAD: f64 = 1e-300;
pub const MOST_SPREAD: f64 = f64::MAX / 5.0;

/// The centre and the spread of rising numbers: the median, and the larger one of 1.4826 · MAD and
/// the width of the middle 80 %.
pub fn centre_and_spread(rising: &[f64]) -> (f64, f64) {
    if rising.is_empty() {
        return (0.0, 1.0);
    }
    let centre = quantile(rising, 0.5);
    let mut away: Vec<f64> = rising.iter().map(|number| (number - centre).abs()).collect();
    let mut spread = 1.4826 * median(&mut away).unwrap_or(0.0);
    if spread <= 0.0 {
        away.retain(|distance| *distance > 0.0);
        spread = median(&mut away).unwrap_or(1.0);
    }
    let middle = (quantile(rising, 0.9) - quantile(rising, 0.1)) / 2.563;
    (centre, spread.max(middle).max(f64::MIN_POSITIVE))
}

/// The step in which rising numbers come: the distance that a tenth of the neighbours have at most.
pub fn step(rising: &[f64]) -> f64 {
    let gaps = rising.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0.0);
    let mut gaps: Vec<f64> = gaps.collect();
    gaps.sort_unstable_by(f64::total_cmp);
    match gaps.is_empty() {
        true => 0.0,
        false => quantile(&gaps, 0.1),
    }
}

/// The unit that numbers are rounded to: a power of ten, or a day, hour, minute or second of days;
/// 0 where they are not rounded.
pub fn grain(numbers: &[f64], are_days: bool) -> f64 {
    let units: &[f64] = match are_days {
        true => &[1.0, 1.0 / 24.0, 1.0 / 1_440.0, 1.0 / 86_400.0],
        false => &[1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6],
    };
    let is_rounded = |unit: &f64| {
        let off = |number: &&f64| {
            let count = *number / unit;
            let is_less = count.round() == 0.0 && **number != 0.0;
            is_less || (count - count.round()).abs() > 1e-6 * count.abs().clamp(1.0, 1e3)
        };
        numbers.iter().filter(off).count() * 100 <= numbers.len()
    };
    units.iter().copied().find(|unit| is_rounded(unit)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_logarithm_is_the_logarithm() {
        for at in 0..4_000 {
            let x = libm::exp(f64::from(at - 2_000) / 60.0);
            assert!((quick_ln(x) - libm::log(x)).abs() < 1e-9, "{x}");
            let of_single = f64::from(quick_ln_single(x as f32)) / libm::log(f64::from(x as f32));
            assert!((of_single - 1.0).abs() < 2e-7 || x == 1.0, "{x}");
        }
    }

    #[test]
    fn selecting_is_as_sorting() {
        let mut numbers: Vec<f64> = (0..500).map(|at| f64::from(at * 37 % 211 - 100) / 7.0).collect();
        numbers.extend([0.0, -0.0, 5e-324, -5e-324, f64::MAX, f64::MIN, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
        let mut sorted = numbers.clone();
        sorted.sort_by(f64::total_cmp);
        for at in 0..numbers.len() {
            select(&mut numbers, at);
            assert_eq!(numbers[at].to_bits(), sorted[at].to_bits());
            assert!(numbers[..at].iter().all(|number| number.total_cmp(&sorted[at]).is_le()));
            assert!(numbers[at..].iter().all(|number| number.total_cmp(&sorted[at]).is_ge()));
        }
        numbers.sort_by(f64::total_cmp);
        assert!(numbers.iter().zip(&sorted).all(|(a, b)| a.to_bits() == b.to_bits()));
    }

    #[test]
    fn densities_are_those_of_the_textbook() {
        let t_density = |z: f32| f64::from(T_CENTRE * t_shape(z * z));
        assert!((t_density(0.0) - 0.375).abs() < 1e-12);
        assert!((t_density(2.0) - 0.066_291_260_736).abs() < 1e-8);
        assert!((t_ln_density(2.0) - libm::log(t_density(2.0))).abs() < 1e-6);
        let at_centre = 0.7 * 0.375 + 0.3 / (5.0 * std::f64::consts::PI);
        assert!((f64::from(wrong_density(0.0)) - at_centre).abs() < 1e-7);
    }

    #[test]
    fn robust_statistics() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&mut []), None);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.25), 2.0);
        for count in 1..40 {
            let mut numbers: Vec<f64> = (0..count).map(|at| f64::from(at * 7 % 11) / 3.0).collect();
            let rising = {
                let mut rising = numbers.clone();
                rising.sort_by(f64::total_cmp);
                rising
            };
            for share in [0.0, 0.1, 0.5, 0.75, 0.8, 1.0] {
                assert_eq!(quantile_of(&mut numbers, share).to_bits(), quantile(&rising, share).to_bits());
            }
        }
        assert!(quantile_of(&mut [], 0.5).is_nan());
        assert_eq!(centre_and_spread(&[5.0; 9]), (5.0, 1.0));
        assert_eq!(step(&[1.0, 1.0, 1.5, 2.0, 3.0]), 0.5);
        assert_eq!(step(&[1.0]), 0.0);
        assert_eq!(
            (grain(&[3.0, 250.0], false), grain(&[3.25, 2.5], false), grain(&[0.1 / 3.0], false)),
            (1.0, 0.01, 0.0)
        );
        assert_eq!(grain(&[18_000.0 + 7.0 / 1_440.0, 18_001.5], true), 1.0 / 1_440.0);
    }
}
