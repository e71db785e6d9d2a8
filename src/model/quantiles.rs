//! The training scores as far as thresholds and percentiles need them, kept in the model, so that
//! neither needs a refit.
//!
//! Flagged at a contamination c are the smallest set of the highest-scored training rows, whole
//! ties together, that holds at least ⌈c·n⌉ of the n rows. If the set were more than three times as
//! large as that, or half of the rows or more, only the rows above its lowest score are flagged:
//! where a tie is that large, its rows are ordinary ones.
//!
//! Where c·n is below 1, the threshold is at least that of one row, and at least the score that the
//! [`Tail`] says a share c of ordinary rows reaches.

use crate::robust::quantile_of_sorted;

use super::tail::Tail;

/// The training scores: the highest ones exactly, all of them by quantiles.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreQuantiles {
    /// The quantiles at 0, 0.001, …, 1.
    body: Vec<f32>,
    /// The highest scores themselves, in rising order
    top: Vec<f32>,
    /// n, the number of all scored training rows
    rows: usize,
    /// What the highest scores say of those that are higher still
    tail: Tail,
}

/// A tie is flagged if the rows from it on are at most this times those that were asked for.
const MOST_TIED: usize = 3;

impl ScoreQuantiles {
    /// The number of quantiles of the body, 0 and 1 included.
    pub const BODY: usize = 1_001;
    /// The most scores that are kept exactly: thresholds of 1 % are exact up to 409,600 rows.
    pub const MOST_SCORES: usize = 4_096;

    /// Takes the quantiles of at least one score.
    pub fn from_scores(scores: &[f32]) -> Self {
        let mut sorted = scores.to_vec();
        sorted.sort_unstable_by(f32::total_cmp);
        let share = |k: usize| k as f64 / (Self::BODY - 1) as f64;
        let body = (0..Self::BODY).map(|k| quantile_of_sorted(&sorted, share(k)) as f32).collect();
        let rows = sorted.len();
        Self::from_parts(body, sorted.split_off(rows - Self::scores_kept(rows)), rows)
    }

    /// The number of scores that are kept exactly of a training with `rows` rows.
    pub fn scores_kept(rows: usize) -> usize {
        rows.min(Self::MOST_SCORES)
    }

    /// Takes the parts that [`ScoreQuantiles::body`] and [`ScoreQuantiles::top`] gave, of this
    /// number of rows.
    pub fn from_parts(body: Vec<f32>, top: Vec<f32>, rows: usize) -> Self {
        let tail = Tail::fit(&[], None, 0, rows);
        let mut all = Self { body, top, rows, tail };
        all.tail = all.fit_tail();
        all
    }

    /// The number of rows whose scores these are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn body(&self) -> &[f32] {
        &self.body
    }

    /// The highest scores, in rising order.
    pub fn top(&self) -> &[f32] {
        &self.top
    }

    /// What is wrong with it, if anything: as read from a file.
    pub fn fault(&self) -> Option<String> {
        let wrong = |scores: &[f32]| !scores.iter().all(|score| (0.0..=1.0).contains(score)) || !scores.is_sorted();
        for (name, kept) in [("quantiles of its training scores", self.body()), ("highest training scores", self.top())]
        {
            if kept.is_empty() || wrong(kept) {
                return Some(format!("the {name} are not numbers from 0 to 1 in rising order"));
            }
        }
        None
    }

    /// The score that separates the training rows that are flagged at a contamination from the
    /// others: flagged is what is above.
    pub fn threshold(&self, contamination: f64) -> f64 {
        let wanted = contamination * self.rows as f64;
        // A product like 0.07 · 100 is a rounding above 7.
        let by_rank = self.threshold_of_rows(((wanted - 1e-9).ceil() as usize).clamp(1, self.rows), contamination);
        if wanted < 1.0 - 1e-9 {
            by_rank.max(self.tail.score(contamination))
        } else {
            by_rank
        }
    }

    /// The threshold of the `wanted` highest rows, which are the share `contamination` of all rows.
    fn threshold_of_rows(&self, wanted: usize, contamination: f64) -> f64 {
        let lowest = match self.top.len().checked_sub(wanted) {
            Some(at) => self.top[at],
            None => match self.tie_in_body(contamination) {
                Ok(tie) => tie,
                Err(quantile) => return quantile,
            },
        };
        match self.rows_from(lowest) {
            (flagged, Some(below)) if 2 * flagged < self.rows && flagged <= MOST_TIED * wanted => {
                between(below, lowest)
            }
            _ => f64::from(lowest),
        }
    }

    /// The number of training rows whose score is at least `lowest`, which is one of the scores, and
    /// the highest score below it.
    fn rows_from(&self, lowest: f32) -> (usize, Option<f32>) {
        let first = self.top.partition_point(|score| *score < lowest);
        match first {
            // The tie may go on below the scores that are kept.
            0 if self.rows > self.top.len() => self.tied_in_body(lowest),
            0 => (self.rows, None),
            _ => (self.top.len() - first, Some(self.top[first - 1])),
        }
    }

    /// Makes the tail of the highest scores, whole ties together. A tie that is too large, or that all
    /// lower rows are in, is ordinary: the tail is then of the scores above it, if there are some.
    fn fit_tail(&self) -> Tail {
        let wanted = Tail::scores_wanted(self.rows);
        let mut lowest = self.top.get(self.top.len().saturating_sub(wanted)).map_or(0.0, |score| *score);
        let (count, below) = self.rows_from(lowest);
        let higher = self.top.get(self.top.partition_point(|score| *score <= lowest));
        if let Some(higher) = higher.filter(|_| count > MOST_TIED * wanted || below.is_none()) {
            lowest = *higher;
        }
        let (count, below) = self.rows_from(lowest);
        let first = self.top.partition_point(|score| *score < lowest);
        Tail::fit(&self.top[first..], below, count, self.rows)
    }

    /// How rare a score is among ordinary rows: about one in 10ˣ of them scores as high. It is −log₁₀
    /// of the share of the training rows with at least that score, linear in the share between two
    /// scores, and that of the tail for the highest ones and beyond.
    pub fn rarity(&self, score: f32) -> f32 {
        let rarity = match score < self.tail.start {
            true => -self.share_from(score).log10(),
            false => self.tail.rarity(score),
        };
        rarity.max(0.0) as f32
    }

    /// The share of the training rows with at least a score, which is below that of the tail.
    fn share_from(&self, score: f32) -> f64 {
        let Self { body, top, rows, .. } = self;
        let is_in_body = score < top[0] && *rows > top.len();
        let known = if is_in_body { body } else { top };
        let above = known.partition_point(|kept| *kept < score);
        let Some(low) = above.checked_sub(1).map(|at| known[at]) else { return 1.0 };
        let next = known.get(above).map_or(top[0], |next| *next);
        let high = if is_in_body { next.min(top[0]) } else { next };
        let [from_low, from_high] = [low, high].map(|kept| self.rows_from(kept).0 as f64 / *rows as f64);
        let between = (f64::from(score) - f64::from(low)) / (f64::from(high) - f64::from(low));
        from_low + between * (from_high - from_low)
    }

    /// The score at which the training rows begin that are a share of all of them, if it is a tie;
    /// the quantile if it is none.
    fn tie_in_body(&self, share: f64) -> Result<f32, f64> {
        let quantile = quantile_of_sorted(&self.body, 1.0 - share);
        let first = self.body.partition_point(|kept| f64::from(*kept) < quantile);
        match (self.body.get(first), self.body.get(first + 1)) {
            (Some(one), Some(next)) if one == next => Ok(*one),
            _ => Err(quantile),
        }
    }

    /// The number of training rows whose score is at least `lowest`, to a thousandth of them, and
    /// the highest score below it that is known.
    fn tied_in_body(&self, lowest: f32) -> (usize, Option<f32>) {
        let first = self.body.partition_point(|kept| *kept < lowest);
        let share = (self.body.len() - first) as f64 / (self.body.len() - 1) as f64;
        let below = first.checked_sub(1).map(|at| self.body[at]);
        ((share.min(1.0) * self.rows as f64).round() as usize, below)
    }

    /// The share of the training rows whose score is above a threshold: exact among the highest
    /// scores, to 0.001 below them.
    pub fn share_above(&self, threshold: f64) -> f64 {
        let Self { body, top, rows, .. } = self;
        if threshold < f64::from(top[0]) && *rows > top.len() {
            return 1.0 - position_after(body, threshold);
        }
        let above = top.len() - top.partition_point(|kept| f64::from(*kept) <= threshold);
        above as f64 / *rows as f64
    }

    /// The share of the training rows whose score is lower: exact among the highest scores, to
    /// 0.001 below them.
    pub fn share_below(&self, score: f32) -> f32 {
        let Self { body, top, rows, .. } = self;
        if score <= top[0] && *rows > top.len() {
            return position_in_sorted(body, score) as f32;
        }
        let below = rows - top.len() + top.partition_point(|kept| *kept < score);
        (below as f64 / *rows as f64) as f32
    }
}

/// A number between two scores that both are f32, and so not equal to either.
fn between(below: f32, above: f32) -> f64 {
    f64::midpoint(f64::from(below), f64::from(above))
}

/// Where a number lies among sorted ones, 0 at the first and 1 at the last; linear between two of
/// them.
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

/// Where a number lies among sorted ones, behind all that equal it; 0 before the first and 1 after
/// the last, and linear between two of them.
fn position_after(sorted: &[f32], number: f64) -> f64 {
    let above = sorted.partition_point(|kept| f64::from(*kept) <= number);
    if above == 0 || above == sorted.len() {
        return above as f64 / sorted.len() as f64;
    }
    let (low, high) = (f64::from(sorted[above - 1]), f64::from(sorted[above]));
    ((above - 1) as f64 + (number - low) / (high - low)) / (sorted.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combiner::score_of_nats;

    fn flagged(scores: &[f32], contamination: f64) -> usize {
        let threshold = ScoreQuantiles::from_scores(scores).threshold(contamination);
        scores.iter().filter(|score| f64::from(**score) > threshold).count()
    }

    fn rising(count: usize) -> Vec<f32> {
        (0..count).map(|k| (k as f32 + 0.5) / count as f32).collect()
    }

    #[test]
    fn distinct_scores_are_flagged_by_their_number() {
        for rows in [2, 3, 10, 100, 999, 1_000, 4_096, 5_000, 100_000] {
            for contamination in [1e-9, 0.001, 0.01, 0.02, 0.07, 0.3] {
                let wanted = (contamination * rows as f64 - 1e-9).ceil() as usize;
                if contamination * rows as f64 >= 1.0 && wanted <= ScoreQuantiles::MOST_SCORES && 2 * wanted < rows {
                    assert_eq!(flagged(&rising(rows), contamination), wanted, "{rows} {contamination}");
                }
            }
        }
        // Beyond the scores that are kept, to a thousandth.
        let many = flagged(&rising(100_000), 0.3);
        assert!((29_900..=30_100).contains(&many), "{many}");
    }

    #[test]
    fn a_share_of_less_than_a_row_flags_a_row_that_is_so_rare_and_no_other() {
        // Exponential in nats: none of them is rarer than it should be.
        let nats = |k: u32| -libm::log((f64::from(k) + 0.5) / 500.0);
        let mut scores: Vec<f32> = (0..500).map(|k| score_of_nats(nats(k)) as f32).collect();
        assert_eq!([1e-4, 1e-6, 1e-9].map(|share| flagged(&scores, share)), [0; 3]);
        scores[0] = score_of_nats(1e3) as f32;
        assert_eq!([1e-4, 1e-6, 1e-9].map(|share| flagged(&scores, share)), [1, 1, 0]);
        // Four rows that tie are more than three times one row.
        scores[..4].fill(score_of_nats(1e3) as f32);
        assert_eq!([0.002, 1e-4, 1e-6].map(|share| flagged(&scores, share)), [0; 3]);
    }

    /// 980 rising scores up to one half, and others.
    fn with_tie(tie: Vec<f32>) -> Vec<f32> {
        [rising(980).iter().map(|score| score / 2.0).collect(), tie].concat()
    }

    #[test]
    fn ties_are_flagged_whole_up_to_three_times_the_contamination() {
        let copies = with_tie(vec![0.9; 20]);
        assert_eq!(flagged(&copies, 0.01), 20);
        assert_eq!(flagged(&copies, 0.02), 20);
        assert_eq!(flagged(&copies, 0.021), 21);
        assert_eq!(flagged(&copies, 0.007), 20);
        assert_eq!(flagged(&[vec![0.2; 37], vec![0.8; 13]].concat(), 0.2), 13);
        // Among more rows than are kept exactly.
        assert_eq!(
            flagged(&[rising(97_000).iter().map(|score| score / 2.0).collect(), vec![0.8; 3_000]].concat(), 0.01),
            3_000
        );
        let many = [rising(780_000).iter().map(|score| score / 2.0).collect(), vec![0.8; 20_000]].concat();
        assert_eq!(flagged(&many, 0.01), 20_000);
    }

    #[test]
    fn of_a_larger_tie_only_the_rows_above_it_are_flagged() {
        let copies = with_tie(vec![0.9; 20]);
        assert_eq!(flagged(&copies, 0.006), 0);
        assert_eq!(flagged(&copies, 1e-6), 0);
        assert_eq!(flagged(&with_tie([vec![0.9; 20], vec![0.95; 3]].concat()), 0.004), 3);
        // Among more rows than are kept exactly.
        for (low, tied, high) in
            [(70_000, 30_000, 0), (70_000, 30_000, 7), (50_000, 49_000, 900), (492_000, 6_000, 2_000)]
        {
            let scores = [vec![0.2; low], vec![0.8; tied], vec![0.9; high]].concat();
            assert_eq!(flagged(&scores, 0.005), high, "{low} {tied} {high}");
        }
    }

    #[test]
    fn the_share_above_a_threshold_is_that_of_the_flagged_rows() {
        for scores in [with_tie(vec![0.9; 20]), rising(50_000), [vec![0.2; 70_000], vec![0.8; 30_000]].concat()] {
            let quantiles = ScoreQuantiles::from_scores(&scores);
            for contamination in [1e-4, 0.01, 0.1, 0.4] {
                let share = flagged(&scores, contamination) as f64 / scores.len() as f64;
                let found = quantiles.share_above(quantiles.threshold(contamination));
                assert!((found - share).abs() < 1.1e-3, "{contamination} {found} {share}");
            }
        }
    }

    #[test]
    fn nobody_is_flagged_where_it_would_be_half_of_the_rows() {
        for (low, high) in [(0, 50), (25, 25), (50_000, 50_000), (0, 100_000), (1, 1)] {
            let scores = [vec![0.2; low], vec![0.8; high]].concat();
            assert_eq!(flagged(&scores, 0.01), 0, "{low} {high}");
            // Yet another row beyond them is.
            let of_one = f64::max(0.01, 1.0 / scores.len() as f64);
            assert!(ScoreQuantiles::from_scores(&scores).threshold(of_one) < 0.81);
        }
    }

    #[test]
    fn rows_above_a_tie_of_half_of_the_rows_are_flagged_alone() {
        for (low, high) in [(10_000, 5), (4_095, 1), (3_000, 4), (90, 2)] {
            let scores = [vec![0.2; low / 3], vec![0.6; low], vec![0.8; high]].concat();
            assert_eq!(flagged(&scores, 0.05), high, "{low} {high}");
        }
        // Where they are the share that was asked for, they are no tie's neighbours.
        assert_eq!(flagged(&[vec![0.6; 100], vec![0.8; 18]].concat(), 0.05), 18);
    }

    #[test]
    fn percentiles_agree_with_thresholds() {
        for scores in [rising(1_000), rising(50_000), [vec![0.2; 37], vec![0.8; 13]].concat()] {
            let quantiles = ScoreQuantiles::from_scores(&scores);
            for score in &scores {
                let below = scores.iter().filter(|other| *other < score).count() as f64 / scores.len() as f64;
                let tolerance = if scores.len() <= 4_096 { 1e-7 } else { 1e-3 };
                assert!((f64::from(quantiles.share_below(*score)) - below).abs() <= tolerance, "{score}");
            }
            assert_eq!((quantiles.share_below(0.0), quantiles.share_below(0.999_999_9)), (0.0, 1.0));
        }
    }

    /// Scores with a heavy tail, with ties, of few rows and of more than are kept.
    fn tables() -> Vec<Vec<f32>> {
        let tied = [vec![0.2; 70_000], vec![0.6; 4_000], vec![0.8; 30_000]].concat();
        let apart = [vec![0.6; 9_000], vec![0.8; 2]].concat();
        vec![rising(2), rising(7), rising(300), rising(50_000), with_tie(vec![0.9; 20]), tied, apart, vec![0.5; 90]]
    }

    #[test]
    fn rarity_rises_with_the_score_and_has_no_jump() {
        for scores in tables() {
            let quantiles = ScoreQuantiles::from_scores(&scores);
            let rarities: Vec<f32> =
                (0..1 << 21).map(|at| quantiles.rarity((at as f32 + 0.5) / (1 << 21) as f32)).collect();
            assert!(rarities.is_sorted() && rarities[0] == 0.0, "{}", scores.len());
            let jump = rarities.windows(2).take(2_050_000).map(|pair| pair[1] - pair[0]).fold(0.0, f32::max);
            assert!(jump < 0.1, "{} {jump}", scores.len());
        }
    }

    #[test]
    fn the_rarity_of_a_training_row_is_its_rank_and_that_of_a_threshold_its_contamination() {
        for scores in tables() {
            let quantiles = ScoreQuantiles::from_scores(&scores);
            for score in scores.iter().filter(|score| **score < quantiles.tail.start).step_by(97) {
                let share = scores.iter().filter(|other| *other >= score).count() as f64 / scores.len() as f64;
                let found = 10f64.powf(f64::from(-quantiles.rarity(*score)));
                assert!((found - share).abs() < 2.1e-3, "{} {found} {share}", scores.len());
            }
            let of_one = quantiles.threshold(1.0 / scores.len() as f64);
            let of_no_row = |share: &f64| share * (scores.len() as f64) < 1.0;
            for contamination in [1e-5, 1e-6, 1e-9, 1e-12].into_iter().filter(of_no_row) {
                let threshold = quantiles.threshold(contamination);
                assert!(threshold >= of_one && threshold <= 1.0);
                let reached = f64::from(quantiles.rarity(threshold as f32)) + contamination.log10();
                assert!(reached > -0.1 && (reached < 0.1 || threshold == of_one), "{} {reached}", scores.len());
            }
        }
    }

    #[test]
    fn one_score_is_no_outlier() {
        assert_eq!(flagged(&[0.5], 0.3), 0);
    }
}
