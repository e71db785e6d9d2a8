//! Logarithms and exponentials without branches, so that loops become vectors; those of slices with the bits of the
//! `libm` crate, by its own steps.

use std::ops::RangeInclusive;

use super::{Simd, Task, Vector};

/// Numbers that are worked on at a time.
const STRIP: usize = 256;

/// ln 2, and what is missing there.
const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
/// Added to a number below it, it shifts the units to the lowest bit.
const SHIFT: f64 = (1u64 << 52) as f64;

/// A whole number below 2^52, by arithmetic that all vectors have.
#[inline(always)]
pub fn whole(number: u64) -> f64 {
    f64::from_bits(SHIFT.to_bits() | number) - SHIFT
}

/// `libm::log` of a positive normal number, to the bit.
#[inline(always)]
fn ln_of_normal(x: f64) -> f64 {
    const TO_HALF: u64 = 0x3fe6_a09e << 32;
    const ODD: [f64; 4] =
        [6.666_666_666_666_735e-1, 2.857_142_874_366_239e-1, 1.818_357_216_161_805e-1, 1.479_819_860_511_658_6e-1];
    const EVEN: [f64; 3] = [3.999_999_999_940_942e-1, 2.222_219_843_214_978_4e-1, 1.531_383_769_920_937_3e-1];
    let bits = x.to_bits().wrapping_add((0x3ff0_0000 << 32) - TO_HALF);
    let exponent = whole(bits >> 52) - 1023.0;
    let f = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) + TO_HALF) - 1.0;
    let half = 0.5 * f * f;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (EVEN[0] + w * (EVEN[1] + w * EVEN[2]));
    let odd = z * (ODD[0] + w * (ODD[1] + w * (ODD[2] + w * ODD[3])));
    s * (half + (odd + even)) + exponent * LN_2[1] - half + f + exponent * LN_2[0]
}

/// The natural logarithms of numbers, as `libm::log` gives them.
pub fn logarithms(numbers: &[f64], out: &mut [f64]) {
    let are_normal = Simd::chosen().run(Logarithms { numbers, out: &mut *out });
    if !are_normal {
        let odd = numbers.iter().zip(out).filter(|(number, _)| !is_positive_and_normal(**number));
        odd.for_each(|(number, out)| *out = libm::log(*number));
    }
}

#[inline(always)]
fn is_positive_and_normal(number: f64) -> bool {
    (f64::MIN_POSITIVE..=f64::MAX).contains(&number)
}

/// The logarithms of normal numbers; returns whether all are.
struct Logarithms<'a> {
    numbers: &'a [f64],
    out: &'a mut [f64],
}

impl Task for Logarithms<'_> {
    type Output = bool;

    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> bool {
        let mut are_normal = true;
        for (number, out) in self.numbers.iter().zip(self.out) {
            are_normal &= is_positive_and_normal(*number);
            *out = ln_of_normal(*number);
        }
        are_normal
    }
}

/// `libm::exp` of a number from 2^−28 to 700, to the bit.
#[inline(always)]
fn exp_of_moderate(x: f64) -> f64 {
    const HALF_LN_2: f64 = f64::from_bits(0x3fd6_2e43 << 32);
    const LN_2_AND_A_HALF: f64 = f64::from_bits(0x3ff0_a2b2 << 32);
    let near = std::f64::consts::LOG2_E * x + 0.5;
    let nearest = (near + SHIFT) - SHIFT;
    let rounded = if nearest > near { nearest - 1.0 } else { nearest };
    let powers = if x < LN_2_AND_A_HALF { 1.0 } else { rounded };
    let powers = if x < HALF_LN_2 { 0.0 } else { powers };
    let y = exp_of_rest(x - powers * LN_2[0], powers * LN_2[1]);
    y * f64::from_bits(((powers + SHIFT).to_bits() + 1023) << 52)
}

/// e to the power of `high` − `low`, which is at most half of ln 2.
#[inline(always)]
fn exp_of_rest(high: f64, low: f64) -> f64 {
    const P: [f64; 5] = [
        1.666_666_666_666_660_2e-1,
        -2.777_777_777_701_559_3e-3,
        6.613_756_321_437_934e-5,
        -1.653_390_220_546_525_2e-6,
        4.138_136_797_057_238_5e-8,
    ];
    let x = high - low;
    let square = x * x;
    let c = x - square * (P[0] + square * (P[1] + square * (P[2] + square * (P[3] + square * P[4]))));
    1.0 + (x * c / (2.0 - c) - low + high)
}

/// 1.5 · 2^52, which shifts the units of numbers of both signs to the lowest bit.
const SHIFT_SIGNED: f64 = 1.5 * SHIFT;

/// eˣ of a number from −700 to 700, to the last bits.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    let powers = (std::f64::consts::LOG2_E * x + SHIFT_SIGNED) - SHIFT_SIGNED;
    let (high, low) = (x - powers * LN_2[0], powers * LN_2[1]);
    let y = exp_of_rest(high, low);
    y * f64::from_bits((powers + (SHIFT_SIGNED + 1023.0)).to_bits() << 52)
}

/// ln(1 + x) of a finite number from 0 on, to the last bits.
#[inline(always)]
pub fn ln_1p(x: f64) -> f64 {
    let sum = 1.0 + x;
    // What is lost in the sum counts for as much as it is of it.
    ln_of_normal(sum) + (x - (sum - 1.0)) / sum
}

/// e to the power of each number, as `libm::exp` gives it.
pub fn exponentials(numbers: &mut [f64]) {
    const MODERATE: RangeInclusive<f64> = 1e-8..=700.0;
    for numbers in numbers.chunks_mut(STRIP) {
        let mut given = [1.0; STRIP];
        given[..numbers.len()].copy_from_slice(numbers);
        Simd::chosen().run(Exponentials(numbers));
        let odd = given.iter().zip(numbers).filter(|(given, _)| !MODERATE.contains(*given));
        odd.for_each(|(given, number)| *number = libm::exp(*given));
    }
}

/// The exponentials of moderate numbers.
struct Exponentials<'a>(&'a mut [f64]);

impl Task for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.0.iter_mut().for_each(|number| *number = exp_of_moderate(*number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random_bits() -> impl FnMut() -> u64 {
        let mut state = 1u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state
        }
    }

    fn check(found: &[f64], expected: impl Fn(f64) -> f64, numbers: &[f64]) {
        for (number, found) in numbers.iter().zip(found) {
            let expected = expected(*number);
            let is_same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            assert!(is_same, "{number:e}: {found} and {expected}");
        }
    }

    const ODD: [f64; 7] = [0.0, -0.0, -1.0, 5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];

    #[test]
    fn logarithms_are_those_of_the_library() {
        let mut random = random_bits();
        let mut numbers: Vec<f64> = (0..200_000).map(|_| f64::from_bits(random() >> 1)).collect();
        numbers.extend((0..2_000).map(|at| 0.5 + f64::from(at) / 1_000.0));
        let edges = [1.0, f64::MIN_POSITIVE, f64::MAX, std::f64::consts::SQRT_2, std::f64::consts::FRAC_1_SQRT_2];
        numbers.extend(edges.iter().flat_map(|edge| [edge.next_down(), *edge, edge.next_up()]));
        for numbers in [numbers.clone(), vec![0.5, 2.0], [numbers, ODD.to_vec()].concat()] {
            let mut found = vec![0.0; numbers.len()];
            logarithms(&numbers, &mut found);
            check(&found, libm::log, &numbers);
        }
    }

    #[test]
    fn single_functions_agree_with_the_library_to_the_last_bits() {
        let mut random = random_bits();
        let mut number = |from: f64, to: f64| from + (random() >> 11) as f64 / (1u64 << 53) as f64 * (to - from);
        for (from, to) in [(-700.0, 700.0), (-30.0, 30.0), (-1.0, 1.0), (-1e-9, 1e-9)] {
            for x in (0..20_000).map(|_| number(from, to)).chain([0.0, from, to]) {
                assert!((exp(x) / libm::exp(x) - 1.0).abs() < 4e-16, "{x}");
                let y = libm::exp(x);
                assert!(y < 1e-300 || (ln_1p(y) / libm::log1p(y) - 1.0).abs() < 6e-16, "{y}");
            }
        }
        assert_eq!((exp(0.0), ln_1p(0.0)), (1.0, 0.0));
    }

    #[test]
    fn exponentials_are_those_of_the_library() {
        let mut random = random_bits();
        let mut number = |most: f64| (random() >> 11) as f64 / (1u64 << 53) as f64 * most;
        let mut numbers: Vec<f64> = [1e-7, 1.0, 3.0, 40.0, 800.0]
            .iter()
            .flat_map(|most| (0..40_000).map(|_| number(*most)).collect::<Vec<_>>())
            .collect();
        let edges = [1e-8, 700.0, 0.5 * std::f64::consts::LN_2, 1.5 * std::f64::consts::LN_2, 710.0];
        numbers.extend(edges.iter().flat_map(|edge| [edge.next_down(), *edge, edge.next_up()]));
        numbers.extend((0..100).map(|at| f64::from(at) * std::f64::consts::LN_2 / 2.0));
        numbers.extend(ODD);
        let mut found = numbers.clone();
        exponentials(&mut found);
        check(&found, libm::exp, &numbers);
    }
}
