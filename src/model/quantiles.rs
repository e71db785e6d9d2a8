//! The quantiles of the training scores, kept in the model, so that a threshold or a percentile needs no refit.

const TAIL_FROM: f64 = 0.99;

/// Quantiles of the training scores: every 0.1 percentage points, and every 0.01 in the top 1 %.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreQuantiles {
    /// The quantiles at 0, 0.001, …, 1.
    body: Vec<f32>,
    /// The quantiles at 0.99, 0.9901, …, 1.
    tail: Vec<f32>,
}

impl ScoreQuantiles {
    /// How many quantiles there are, 0 and 1 included.
    pub const BODY: usize = 1_001;
    /// How many of them in the tail, 0.99 and 1 included.
    pub const TAIL: usize = 101;

    /// Of at least one score.
    pub fn of(scores: &[f32]) -> Self {
        let mut sorted = scores.to_vec();
        sorted.sort_unstable_by(f32::total_cmp);
        let quantiles = |from: f64, count: usize| {
            let share = |k: usize| from + (1.0 - from) * k as f64 / (count - 1) as f64;
            (0..count).map(|k| quantile_of_sorted(&sorted, share(k)) as f32).collect()
        };
        Self { body: quantiles(0.0, Self::BODY), tail: quantiles(TAIL_FROM, Self::TAIL) }
    }

    /// From the quantiles that [`ScoreQuantiles::body`] and [`ScoreQuantiles::tail`] gave.
    pub fn from_parts(body: Vec<f32>, tail: Vec<f32>) -> Self {
        Self { body, tail }
    }

    /// What is wrong with them, if no scores have such quantiles.
    pub fn fault(&self) -> Option<String> {
        for (name, kept, count) in [("body", &self.body, Self::BODY), ("tail", &self.tail, Self::TAIL)] {
            if kept.len() != count || !kept.iter().all(|score| (0.0..=1.0).contains(score)) {
                return Some(format!("the {name} of its score quantiles is not {count} numbers from 0 to 1"));
            }
            if !kept.is_sorted() {
                return Some(format!("the {name} of its score quantiles is not sorted"));
            }
        }
        None
    }

    pub fn body(&self) -> &[f32] {
        &self.body
    }

    pub fn tail(&self) -> &[f32] {
        &self.tail
    }

    /// The score below which a share of the training rows lies; linear between the quantiles kept.
    pub fn quantile(&self, share: f64) -> f64 {
        let share = share.clamp(0.0, 1.0);
        let (kept, position) = if share >= TAIL_FROM {
            (&self.tail, (share - TAIL_FROM) / (1.0 - TAIL_FROM))
        } else {
            (&self.body, share)
        };
        quantile_of_sorted(kept, position)
    }

    /// The share of the training rows whose score is lower; the inverse of [`ScoreQuantiles::quantile`].
    pub fn share_below(&self, score: f32) -> f32 {
        let share = if score > self.tail[0] {
            TAIL_FROM + (1.0 - TAIL_FROM) * position_in_sorted(&self.tail, score)
        } else {
            position_in_sorted(&self.body, score)
        };
        share as f32
    }
}

/// Where a number lies among sorted ones, 0 at the first and 1 at the last; linear between two of them.
fn position_in_sorted(sorted: &[f32], number: f32) -> f64 {
    let above = sorted.partition_point(|kept| *kept < number);
    if above == 0 {
        return 0.0;
    }
    if above == sorted.len() {
        return 1.0;
    }
    let (low, high) = (f64::from(sorted[above - 1]), f64::from(sorted[above]));
    let between = (f64::from(number) - low) / (high - low);
    ((above - 1) as f64 + between) / (sorted.len() - 1) as f64
}

/// The quantile of sorted numbers by linear interpolation, NumPy's default.
pub fn quantile_of_sorted(sorted: &[f32], share: f64) -> f64 {
    let position = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high) = (f64::from(sorted[below]), f64::from(sorted[above]));
    low + (position - below as f64) * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpys() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.75, 5.0), (1.0, 8.0)] {
            assert_eq!(quantile_of_sorted(&sorted, share), expected);
        }
    }

    #[test]
    fn they_are_fine_and_finer_at_the_top() {
        let scores: Vec<f32> = (0..=100_000).map(|k| k as f32 / 100_000.0).collect();
        let quantiles = ScoreQuantiles::of(&scores);
        for k in 0..=10_000 {
            let share = k as f64 / 10_000.0;
            let tolerance = if share >= TAIL_FROM { 1e-4 } else { 1e-3 };
            assert!((quantiles.quantile(share) - share).abs() < tolerance);
        }
    }

    #[test]
    fn the_share_below_undoes_the_quantile() {
        let scores: Vec<f32> = (0..50_000).map(|k| (k as f32 / 50_000.0).powi(3)).collect();
        let quantiles = ScoreQuantiles::of(&scores);
        for (below, score) in scores.iter().enumerate() {
            let share = below as f64 / scores.len() as f64;
            let tolerance = if share >= TAIL_FROM { 1e-4 } else { 1e-3 };
            assert!((f64::from(quantiles.share_below(*score)) - share).abs() <= tolerance, "{share}");
        }
        assert_eq!((quantiles.share_below(-1.0), quantiles.share_below(2.0)), (0.0, 1.0));
    }

    #[test]
    fn equal_scores_are_not_below_each_other() {
        let quantiles = ScoreQuantiles::of(&[0.2, 0.5, 0.5, 0.5, 0.9]);
        assert!(quantiles.share_below(0.5) <= 0.25);
        assert_eq!(ScoreQuantiles::of(&[0.5; 3]).share_below(0.5), 0.0);
    }

    #[test]
    fn one_score_is_every_quantile() {
        assert_eq!(ScoreQuantiles::of(&[0.5]).quantile(0.3), 0.5);
    }
}
