//! Several parents of one child are a mixture: Σ wᵢ p(b|aᵢ), with the weights of the highest
//! likelihood of the training rows, each left out.

/// The lowest weight on the way, and how often the weights are improved.
const FLOOR: f64 = 0.001;
const STEPS: usize = 60;
/// The most that one parent says for or against a value.
pub const MOST: f32 = 1e5;

/// p(b|aᵢ) / p(b), kept within bounds.
pub fn bounded(ratio: f32) -> f32 {
    ratio.clamp(1.0 / MOST, MOST)
}

/// The weights of parents, from the bounded ratios of the same rows by each.
pub fn weights(ratios: &[Vec<f32>]) -> Vec<f64> {
    let parents = ratios.len();
    let mut weights = vec![1.0 / parents.max(1) as f64; parents];
    let rows = ratios.first().map_or(0, Vec::len);
    if parents < 2 || rows == 0 {
        return weights;
    }
    for _ in 0..STEPS {
        let mut shares = vec![0.0; parents];
        for row in 0..rows {
            let each = weights.iter().zip(ratios).map(|(weight, ratios)| weight * f64::from(ratios[row]));
            let sum: f64 = each.clone().sum();
            shares.iter_mut().zip(each).for_each(|(share, each)| *share += each / sum);
        }
        weights = shares.iter().map(|share| (share / rows as f64).max(FLOOR)).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_that_tells_more_weighs_more() {
        let useful: Vec<f32> = (0..100).map(|row| if row % 10 == 0 { 0.1 } else { 3.0 }).collect();
        let weights = weights(&[useful, vec![1.0; 100]]);
        assert!(weights[0] > 0.8 && (weights[0] + weights[1] - 1.0).abs() < 1e-12, "{weights:?}");
        assert_eq!(super::weights(&[vec![2.0]]), [1.0]);
        assert!(super::weights(&[]).is_empty());
        assert_eq!((bounded(0.0), bounded(f32::INFINITY)), (1e-5, 1e5));
    }
}
