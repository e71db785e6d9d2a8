//! Another view of scaled inputs: asinh of robust standard scores. In it, what is usual for a
//! feature has the same size in all of them, and what is far out counts by its logarithm.

use ndarray::Array2;
use polars::prelude::PolarsResult;

use crate::data::NORMAL_IQR;
use crate::memory::{collected, reserved};
use crate::pool;
use crate::robust::{deviation, nth};
use crate::simd::{Task, Vector};

/// asinh((x − centre) / scale) of each input x.
#[derive(Clone, Debug, PartialEq)]
pub struct Asinh {
    centre: Vec<f32>,
    scale: Vec<f32>,
}

/// A scale is at least this, so that the square of a score is a finite f32: scaled inputs are held
/// within ±1e6.
const LEAST_SCALE: f32 = 1e-12;

impl Asinh {
    pub fn new(centre: Vec<f32>, scale: Vec<f32>) -> Self {
        Self { centre, scale }
    }

    /// Fits medians, and interquartile ranges in standard deviations, of at least one row, `[n,
    /// inputs]`; where the quartiles coincide, the standard deviation; of a constant input, 1.
    pub fn fit(rows: &Array2<f32>) -> PolarsResult<Self> {
        let lines = pool::map((0..rows.ncols()).collect(), |input| {
            let column = collected(rows.column(input).iter().copied(), "the inputs of the kept rows")?;
            Ok(line(column))
        })?;
        let (centre, scale) = lines.into_iter().unzip();
        Ok(Self { centre, scale })
    }

    pub fn centre(&self) -> &[f32] {
        &self.centre
    }

    pub fn scale(&self) -> &[f32] {
        &self.scale
    }

    /// What is wrong with its numbers, if anything is.
    pub fn fault(&self) -> Option<String> {
        let usable = |scale: &f32| scale.is_finite() && *scale >= LEAST_SCALE;
        let good = self.centre.iter().all(|centre| centre.is_finite()) && self.scale.iter().all(usable);
        (!good).then(|| "a centre of its kept rows is not finite, or a scale of theirs not above 0".to_string())
    }

    /// Rows, `[n, inputs]`, in this view.
    pub fn rows(&self, rows: &[f32]) -> PolarsResult<Vec<f32>> {
        let lines = self.centre.iter().zip(&self.scale).cycle();
        let numbers = rows.iter().zip(lines).map(|(number, (centre, scale))| asinh((number - centre) / scale));
        let mut found = reserved(rows.len(), "the kept rows")?;
        found.extend(numbers);
        Ok(found)
    }
}

/// A tile, `[inputs, tile]`, in the view, into `out`.
pub struct ViewOfTile<'a> {
    pub view: &'a Asinh,
    pub tile: &'a [f32],
    pub out: &'a mut [f32],
}

impl Task for ViewOfTile<'_> {
    type Output = ();

    /// Plain loops over the rows, which the compiler makes vectors of.
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { view, tile, out } = self;
        let lines = view.centre.iter().zip(&view.scale);
        for ((tile, out), (centre, scale)) in tile.chunks_exact(V::TILE).zip(out.chunks_exact_mut(V::TILE)).zip(lines) {
            for (number, out) in tile.iter().zip(out) {
                *out = asinh((number - centre) / scale);
            }
        }
    }
}

/// The centre and the scale of some numbers.
fn line(mut numbers: Vec<f32>) -> (f32, f32) {
    let count = numbers.len();
    let [first, median, third] = [1, 2, 3].map(|quarters| nth(&mut numbers, quarters * (count - 1) / 4));
    let between = (f64::from(third) - f64::from(first)) / NORMAL_IQR;
    let usable = |scale: &f64| *scale >= f64::from(LEAST_SCALE);
    let scale = [between, deviation(&numbers)].into_iter().find(usable).unwrap_or(1.0);
    (median, scale as f32)
}

/// asinh to 2e-7 of its absolute value, or of 1. It has no branch and rounds each operation, so
/// that a loop over it becomes vectors, and all of them give the same bits.
#[inline(always)]
fn asinh(number: f32) -> f32 {
    let size = number.abs();
    ln_from_one(size + (size * size + 1.0).sqrt()).copysign(number)
}

/// The natural logarithm of a finite number from 1 on.
#[inline(always)]
fn ln_from_one(number: f32) -> f32 {
    // number = 2^exponent · mantissa, the mantissa from √½ to √2.
    const ROOT_HALF: u32 = 0x3f35_04f3;
    const MANTISSA: u32 = 0x007f_ffff;
    // Wrapping, for what a file may hold: numbers that are not finite, of which nothing is made.
    let shifted = number.to_bits().wrapping_add(0x3f80_0000 - ROOT_HALF);
    let exponent = (shifted >> 23) as i32 - 127;
    let mantissa = f32::from_bits((shifted & MANTISSA).wrapping_add(ROOT_HALF));
    // ln m = 2·artanh((m − 1) / (m + 1))
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let z = s * s;
    let series = 1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
    exponent as f32 * std::f32::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Simd;

    #[test]
    fn asinh_is_that_of_f64() {
        let sizes = (0..2_000).map(|at| libm::exp((f64::from(at) - 700.0) / 32.0));
        for number in sizes.flat_map(|size| [size as f32, -size as f32]).chain([0.0]) {
            let expected = libm::asinh(f64::from(number));
            let error = (f64::from(asinh(number)) - expected).abs() / expected.abs().max(1.0);
            assert!(error < 2e-7, "{number} {error}");
        }
        assert!(asinh(1e18).is_finite());
    }

    #[test]
    fn the_view_has_robust_standard_scores_whatever_the_vectors() {
        let rows = Array2::from_shape_fn((401, 3), |(row, input)| match input {
            0 => row as f32,
            1 => {
                if row < 40 {
                    2.0
                } else {
                    0.0
                }
            }
            _ => 7.0,
        });
        let view = Asinh::fit(&rows).unwrap();
        assert_eq!(view.centre(), [200.0, 0.0, 7.0]);
        let deviation = 2.0 * (40.0 / 401.0 * 361.0 / 401.0f32).sqrt();
        for (found, expected) in view.scale().iter().zip([200.0 / 1.349, deviation, 1.0]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
        assert_eq!(view.fault(), None);
        let given: Vec<f32> = rows.iter().copied().collect();
        let expected = view.rows(&given).unwrap();
        assert!((f64::from(expected[3 * 350]) - libm::asinh(150.0 / (200.0 / 1.349))).abs() < 1e-6);
        for simd in Simd::available() {
            let tile = simd.tile_rows();
            let tiles = crate::engine::tiled(rows.view(), tile).unwrap();
            let mut out = vec![0f32; 3 * tile];
            simd.run(ViewOfTile { view: &view, tile: &tiles[..3 * tile], out: &mut out });
            for (at, found) in out.iter().enumerate() {
                assert_eq!(*found, expected[at % tile * 3 + at / tile]);
            }
        }
    }

    #[test]
    fn faults_are_named() {
        for (centre, scale) in [(f32::NAN, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, f32::INFINITY), (0.0, 1e-20)] {
            assert!(Asinh::new(vec![centre], vec![scale]).fault().unwrap().contains("kept rows"), "{centre} {scale}");
        }
    }
}
