//! Feature scaling, fitted on the training rows: min–max, or asinh of robust scores, which keeps outliers of heavy tails apart
//! without letting them squeeze the rest. Computed in f64, so that values near f32's limits survive.

use crate::options::ScalingKind;
use crate::simd::{Simd, Task, Vector};

use super::statistics::FeatureStatistics;

/// Scaled values are held within ± this, so that a row far outside the training range still has a finite f32 score.
pub const CLIP: f64 = 1e6;

/// `scaled = (value − offset) / scale`, one offset and one scale a feature; for `asinh`, asinh of that.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    pub kind: ScalingKind,
    pub offset: Vec<f64>,
    pub scale: Vec<f64>,
}

impl Scaling {
    /// From each feature's training values.
    pub fn of(statistics: &[FeatureStatistics], kind: ScalingKind) -> Self {
        match kind {
            ScalingKind::Minmax => {
                Self::min_max(&statistics.iter().map(|feature| (feature.low, feature.high)).collect::<Vec<_>>())
            }
            ScalingKind::Asinh => Self {
                kind,
                offset: statistics.iter().map(|feature| feature.median).collect(),
                scale: statistics.iter().map(spread).collect(),
            },
        }
    }

    /// Min–max scaling from each feature's smallest and largest finite training value.
    pub fn min_max(ranges: &[(f64, f64)]) -> Self {
        let offset = ranges.iter().map(|(low, _)| *low).collect();
        let scale = ranges.iter().map(|(low, high)| width(*low, *high)).collect();
        Self { kind: ScalingKind::Minmax, offset, scale }
    }

    /// Feature `j`'s finite `value` in the scaled space.
    pub fn apply(&self, j: usize, value: f64) -> f32 {
        let scaled = scaled(value, self.offset[j], self.scale[j]) as f32;
        match self.kind {
            ScalingKind::Minmax => scaled,
            ScalingKind::Asinh => asinh(scaled),
        }
    }

    /// Feature `j`'s `values` in the scaled space, into its place in the tiles; for one that is not finite `fill`, and its row is
    /// marked as `incomplete`.
    pub fn scale_tiles<T: Copy + Into<f64>>(
        &self,
        j: usize,
        values: &[T],
        fill: f64,
        target: &mut Tiles,
        incomplete: &mut [bool],
    ) {
        let simd = Simd::chosen();
        let line = Line { offset: self.offset[j], scale: self.scale[j], fill };
        let rows = values.chunks(target.tile).zip(incomplete.chunks_mut(target.tile));
        for ((values, incomplete), out) in rows.zip(target.places()) {
            simd.run(Scale { line: &line, values, out: &mut *out, incomplete });
            if self.kind == ScalingKind::Asinh {
                out.iter_mut().for_each(|out| *out = asinh(*out));
            }
        }
    }
}

/// Where a feature's numbers go: tiles of rows, `[tiles, features, tile]`.
pub struct Tiles<'a> {
    pub tile: usize,
    pub features: usize,
    pub feature: usize,
    pub tiles: &'a mut [f32],
}

impl Tiles<'_> {
    /// The feature's numbers in each tile.
    fn places(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let (tile, from) = (self.tile, self.feature * self.tile);
        self.tiles.chunks_exact_mut(self.features * tile).map(move |rows| &mut rows[from..from + tile])
    }
}

/// The line that scaled values of one feature lie on.
struct Line {
    offset: f64,
    scale: f64,
    fill: f64,
}

/// Values of one feature onto its line, by the widest vectors of f64.
struct Scale<'a, T> {
    line: &'a Line,
    values: &'a [T],
    out: &'a mut [f32],
    incomplete: &'a mut [bool],
}

impl<T: Copy + Into<f64>> Task for Scale<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Line { offset, scale, fill } = *self.line;
        for ((value, out), incomplete) in self.values.iter().zip(self.out).zip(self.incomplete) {
            let value: f64 = (*value).into();
            *incomplete |= !value.is_finite();
            *out = scaled(if value.is_finite() { value } else { fill }, offset, scale) as f32;
        }
    }
}

/// IQR / 1.349, which a few outliers do not move; the sample standard deviation if the quartiles coincide.
fn spread(feature: &FeatureStatistics) -> f64 {
    /// Between the quartiles of a normal distribution, in standard deviations.
    const NORMAL: f64 = 1.349;
    let between = width(feature.quartiles[0] / NORMAL, feature.quartiles[1] / NORMAL);
    let constant = feature.quartiles[0] == feature.quartiles[1];
    if constant && feature.deviation > f64::MIN_POSITIVE * 4.0 && feature.deviation.is_finite() {
        return feature.deviation;
    }
    between
}

fn asinh(number: f32) -> f32 {
    libm::asinh(f64::from(number)) as f32
}

#[inline(always)]
fn scaled(value: f64, offset: f64, scale: f64) -> f64 {
    // Halved, so that the difference of two huge values of opposite sign stays finite; halving is exact.
    let scaled = (value * 0.5 - offset * 0.5) / (scale * 0.5);
    scaled.clamp(-CLIP, CLIP)
}

/// The range of a feature; 1 for a constant one, so that its training rows become 0.
fn width(low: f64, high: f64) -> f64 {
    let width = high - low;
    if width < f64::MIN_POSITIVE * 4.0 {
        return 1.0;
    }
    width.min(f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_training_range_becomes_zero_to_one() {
        let scaling = Scaling::min_max(&[(-2.0, 6.0)]);
        assert_eq!([-2.0, 2.0, 6.0].map(|v| scaling.apply(0, v)), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_constant_feature_becomes_zero() {
        let scaling = Scaling::min_max(&[(3.0, 3.0)]);
        assert_eq!(scaling.apply(0, 3.0), 0.0);
        assert_eq!(scaling.apply(0, 5.0), 2.0);
    }

    fn of(values: &mut [f64]) -> Scaling {
        Scaling::of(&[FeatureStatistics::of(values, false)], ScalingKind::Asinh)
    }

    #[test]
    fn asinh_is_of_robust_scores() {
        let mut values: Vec<f64> = (0..1_001).map(f64::from).collect();
        values.push(1e8);
        let scaling = of(&mut values);
        let robust = (700.0 - 500.5) / (500.0 / 1.349);
        assert!((f64::from(scaling.apply(0, 700.0)) - f64::asinh(robust)).abs() < 1e-2);
        assert!(scaling.apply(0, 1e8) > scaling.apply(0, 1e7));
        let (mut out, mut incomplete) = ([0.0; 4], [false; 3]);
        let mut tiles = Tiles { tile: 2, features: 1, feature: 0, tiles: &mut out };
        scaling.scale_tiles(0, &[700.0, f64::NAN, -3.0], 1.0, &mut tiles, &mut incomplete);
        assert_eq!(out, [700.0, 1.0, -3.0, 0.0].map(|value| if value == 0.0 { 0.0 } else { scaling.apply(0, value) }));
        assert_eq!(incomplete, [false, true, false]);
    }

    #[test]
    fn a_feature_that_is_mostly_one_value_is_scaled_by_its_deviation() {
        let mut values = [vec![0.0; 90], vec![5.0; 10]].concat();
        let scaling = of(&mut values);
        assert!((scaling.scale[0] - 1.5).abs() < 1e-9, "{:?}", scaling.scale);
        assert_eq!(of(&mut [3.0; 8]).apply(0, 4.0), f64::asinh(1.0) as f32);
    }

    #[test]
    fn the_largest_floats_stay_finite() {
        let scaling = Scaling::min_max(&[(f64::MIN, f64::MAX), (0.0, 5e-324)]);
        assert!(scaling.apply(0, f64::MAX).is_finite());
        assert!(scaling.apply(0, f64::MIN) < scaling.apply(0, f64::MAX));
        assert!(scaling.apply(1, f64::MAX).is_finite());
        let scaling = of(&mut [f64::MIN, -1.0, 0.0, 1.0, f64::MAX]);
        assert!(scaling.apply(0, f64::MAX).is_finite());
        assert!(scaling.apply(0, f64::MIN) < scaling.apply(0, f64::MAX));
    }
}
