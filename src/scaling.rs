//! Feature scaling, fitted on the training rows: min–max, computed in f64, so that values near f32's limits survive.

/// Scaled values are held within ± this, so that a row far outside the training range still has a finite f32 score.
pub const CLIP: f64 = 1e6;

/// `scaled = (value − offset) / scale`, one offset and one scale a feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    pub offset: Vec<f64>,
    pub scale: Vec<f64>,
}

impl Scaling {
    /// Min–max scaling from each feature's smallest and largest finite training value.
    pub fn min_max(ranges: &[(f64, f64)]) -> Self {
        let offset = ranges.iter().map(|(low, _)| *low).collect();
        let scale = ranges.iter().map(|(low, high)| width(*low, *high)).collect();
        Self { offset, scale }
    }

    /// Feature `j`'s finite `value` in the scaled space.
    pub fn apply(&self, j: usize, value: f64) -> f32 {
        scaled(value, self.offset[j], self.scale[j])
    }

    /// Feature `j`'s finite `values` in the scaled space, into as many of `out`.
    pub fn apply_all(&self, j: usize, values: &[f64], out: &mut [f32]) {
        let (offset, scale) = (self.offset[j], self.scale[j]);
        out.iter_mut().zip(values).for_each(|(out, value)| *out = scaled(*value, offset, scale));
    }
}

#[inline(always)]
fn scaled(value: f64, offset: f64, scale: f64) -> f32 {
    // Halved, so that the difference of two huge values of opposite sign stays finite; halving is exact.
    let scaled = (value * 0.5 - offset * 0.5) / (scale * 0.5);
    scaled.clamp(-CLIP, CLIP) as f32
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

    #[test]
    fn the_largest_floats_stay_finite() {
        let scaling = Scaling::min_max(&[(f64::MIN, f64::MAX), (0.0, 5e-324)]);
        assert!(scaling.apply(0, f64::MAX).is_finite());
        assert!(scaling.apply(0, f64::MIN) < scaling.apply(0, f64::MAX));
        assert!(scaling.apply(1, f64::MAX).is_finite());
    }
}
