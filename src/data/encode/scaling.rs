//! The scaling of inputs, fitted on the training rows: min–max; the same on a range that a few
//! values can't move, logarithmic beyond it; or asinh of robust scores, which keeps outliers of
//! heavy tails apart without letting them squeeze the rest. Computed in f64, so that values near
//! f32's limits survive.

use crate::options::ScalingKind;
use crate::simd::{Simd, Task, Vector};

use super::inputs::{Input, Inputs};
use super::statistics::{FeatureStatistics, NORMAL_IQR};

/// Scaled values are held within ± this, so that a row far outside the training range still has a
/// finite f32 score.
pub const CLIP: f64 = 1e6;

/// `scaled = (value − offset) / scale`, one offset and one scale for each input; for `asinh`, asinh
/// of that; for `robust`, s = scaled beyond \[0, 1\] becomes 1 + ln s, or −ln(1 − s). Of a bin, it is
/// s, held to \[0, 1\].
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    pub kind: ScalingKind,
    pub offset: Vec<f64>,
    pub scale: Vec<f64>,
}

impl Scaling {
    /// Fits the scaling of all inputs to each feature's training values, and to the edges of its bins.
    pub fn fit(statistics: &[FeatureStatistics], inputs: &Inputs, edges: &[Vec<f64>], kind: ScalingKind) -> Self {
        let mut lines = vec![];
        for (j, ((_, inputs), feature)) in inputs.enumerated().zip(statistics).enumerate() {
            lines.extend(inputs.iter().map(|input| match (input.range(), kind) {
                (Some((low, high)), _) => (low, width(low, high)),
                (None, _) if input.bin().is_some() => bin(input.bin(), edges.get(j)),
                (None, ScalingKind::Minmax) => (feature.low, width(feature.low, feature.high)),
                (None, ScalingKind::Robust) => held(feature),
                (None, ScalingKind::Asinh) => (feature.median, spread(feature)),
            }));
        }
        let (offset, scale) = lines.into_iter().unzip();
        Self { kind, offset, scale }
    }

    /// Min–max scaling from each input's smallest and largest finite training value.
    #[cfg(test)]
    pub fn min_max(ranges: &[(f64, f64)]) -> Self {
        let offset = ranges.iter().map(|(low, _)| *low).collect();
        let scale = ranges.iter().map(|(low, high)| width(*low, *high)).collect();
        Self { kind: ScalingKind::Minmax, offset, scale }
    }

    /// The finite `value` of `input`, which is input `j`, in the scaled space.
    pub fn apply(&self, j: usize, input: Input, value: f64) -> f32 {
        self.shape(input)(scaled(value, self.offset[j], self.scale[j]) as f32)
    }

    /// What becomes of a number on an input's line.
    fn shape(&self, input: Input) -> fn(f32) -> f32 {
        match self.kind {
            _ if input.bin().is_some() => |scaled| scaled.clamp(0.0, 1.0),
            ScalingKind::Minmax => |scaled| scaled,
            ScalingKind::Robust => logarithmic_beyond,
            ScalingKind::Asinh => asinh,
        }
    }

    /// The `values` of `input`, which is input `j`, in the scaled space, into its place in the tiles; for one that is not
    /// finite `fill`, and its row is marked as `incomplete`.
    pub fn scale_tiles<T: Copy + Into<f64>>(
        &self,
        (j, input): (usize, Input),
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
            match self.kind {
                _ if input.bin().is_some() => out.iter_mut().for_each(|out| *out = out.clamp(0.0, 1.0)),
                ScalingKind::Minmax => {}
                ScalingKind::Robust => out.iter_mut().for_each(|out| *out = logarithmic_beyond(*out)),
                ScalingKind::Asinh => out.iter_mut().for_each(|out| *out = asinh(*out)),
            }
        }
    }
}

/// The line of a bin, from its lower edge to its upper one.
fn bin(bin: Option<usize>, edges: Option<&Vec<f64>>) -> (f64, f64) {
    let ends = bin.zip(edges).and_then(|(bin, edges)| edges.get(bin..bin + 2));
    ends.map_or((0.0, 1.0), |ends| (ends[0], width(ends[0], ends[1])))
}

/// Where an input's numbers go: tiles of rows, `[tiles, inputs, tile]`.
pub struct Tiles<'a> {
    pub tile: usize,
    pub inputs: usize,
    pub input: usize,
    pub tiles: &'a mut [f32],
}

impl Tiles<'_> {
    /// The input's numbers in each tile.
    fn places(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let (tile, from) = (self.tile, self.input * self.tile);
        self.tiles.chunks_exact_mut(self.inputs * tile).map(move |rows| &mut rows[from..from + tile])
    }
}

/// The line that scaled values of one input lie on.
struct Line {
    offset: f64,
    scale: f64,
    fill: f64,
}

/// Values of one input onto its line, by the widest vectors of f64.
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

/// IQR / 1.349, which a few outliers do not move; the standard deviation of the values if the
/// quartiles coincide.
fn spread(feature: &FeatureStatistics) -> f64 {
    let between = width(feature.quartiles[0] / NORMAL_IQR, feature.quartiles[1] / NORMAL_IQR);
    let constant = feature.quartiles[0] == feature.quartiles[1];
    if constant && feature.deviation > f64::MIN_POSITIVE * 4.0 && feature.deviation.is_finite() {
        return feature.deviation;
    }
    between
}

/// The offset and width of a feature's range, held to `REACH` interquartile ranges beyond the
/// quartiles: wide enough for what is usual in a heavy tail, and not moved by a few absurd values.
fn held(feature: &FeatureStatistics) -> (f64, f64) {
    const REACH: f64 = 20.0;
    let [first, third] = feature.spread_quartiles;
    let reach = REACH * (third - first);
    let (low, high) = (feature.low.max(first - reach), feature.high.min(third + reach));
    (low, width(low, high))
}

/// 0 to 1 as it is, beyond it by the logarithm of the distance; smooth at both ends.
fn logarithmic_beyond(scaled: f32) -> f32 {
    match scaled {
        above if above > 1.0 => 1.0 + libm::logf(above),
        below if below < 0.0 => -libm::logf(1.0 - below),
        inside => inside,
    }
}

fn asinh(number: f32) -> f32 {
    libm::asinh(f64::from(number)) as f32
}

#[inline(always)]
fn scaled(value: f64, offset: f64, scale: f64) -> f64 {
    // Halved, so that the difference of two huge values of opposite sign stays finite; halving is
    // exact.
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
        assert_eq!([-2.0, 2.0, 6.0].map(|v| scaling.apply(0, Input::Value, v)), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_constant_feature_becomes_zero() {
        let scaling = Scaling::min_max(&[(3.0, 3.0)]);
        assert_eq!(scaling.apply(0, Input::Value, 3.0), 0.0);
        assert_eq!(scaling.apply(0, Input::Value, 5.0), 2.0);
    }

    fn fitted(values: &mut [f64]) -> Scaling {
        Scaling::fit(&[FeatureStatistics::from_values(values, false)], &Inputs::values(1), &[], ScalingKind::Asinh)
    }

    #[test]
    fn asinh_is_of_robust_scores() {
        let mut values: Vec<f64> = (0..1_001).map(f64::from).collect();
        values.push(1e8);
        let scaling = fitted(&mut values);
        let robust = (700.0 - 500.5) / (500.0 / 1.349);
        assert!((f64::from(scaling.apply(0, Input::Value, 700.0)) - f64::asinh(robust)).abs() < 1e-2);
        assert!(scaling.apply(0, Input::Value, 1e8) > scaling.apply(0, Input::Value, 1e7));
        let (mut out, mut incomplete) = ([0.0; 4], [false; 3]);
        let mut tiles = Tiles { tile: 2, inputs: 1, input: 0, tiles: &mut out };
        scaling.scale_tiles((0, Input::Value), &[700.0, f64::NAN, -3.0], 1.0, &mut tiles, &mut incomplete);
        assert_eq!(
            out,
            [700.0, 1.0, -3.0, 0.0].map(|value| if value == 0.0 { 0.0 } else { scaling.apply(0, Input::Value, value) })
        );
        assert_eq!(incomplete, [false, true, false]);
    }

    #[test]
    fn a_robust_range_is_not_moved_by_an_absurd_value_and_keeps_the_order_beyond() {
        let robust = |values: &mut [f64]| {
            Scaling::fit(&[FeatureStatistics::from_values(values, false)], &Inputs::values(1), &[], ScalingKind::Robust)
        };
        let mut values: Vec<f64> = (0..1_001).map(f64::from).collect();
        let clean = robust(&mut values.clone());
        values.push(1e12);
        let dirty = robust(&mut values);
        assert_eq!((clean.offset[0], clean.scale[0]), (0.0, 1_000.0));
        assert!(dirty.scale[0] < 15_000.0);
        let scaled: Vec<f32> =
            [-1e9, -1.0, 0.0, 300.0, 1e6, 1e12].map(|value| dirty.apply(0, Input::Value, value)).to_vec();
        assert!(scaled.is_sorted() && scaled[5] < 30.0, "{scaled:?}");
    }

    #[test]
    fn a_feature_that_is_mostly_one_value_is_scaled_by_its_deviation() {
        let mut values = [vec![0.0; 90], vec![5.0; 10]].concat();
        let scaling = fitted(&mut values);
        assert!((scaling.scale[0] - 1.5).abs() < 1e-9, "{:?}", scaling.scale);
        assert_eq!(fitted(&mut [3.0; 8]).apply(0, Input::Value, 4.0), f64::asinh(1.0) as f32);
    }

    #[test]
    fn the_largest_floats_stay_finite() {
        let scaling = Scaling::min_max(&[(f64::MIN, f64::MAX), (0.0, 5e-324)]);
        assert!(scaling.apply(0, Input::Value, f64::MAX).is_finite());
        assert!(scaling.apply(0, Input::Value, f64::MIN) < scaling.apply(0, Input::Value, f64::MAX));
        assert!(scaling.apply(1, Input::Value, f64::MAX).is_finite());
        let scaling = fitted(&mut [f64::MIN, -1.0, 0.0, 1.0, f64::MAX]);
        assert!(scaling.apply(0, Input::Value, f64::MAX).is_finite());
        assert!(scaling.apply(0, Input::Value, f64::MIN) < scaling.apply(0, Input::Value, f64::MAX));
    }
}
