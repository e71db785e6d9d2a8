//! Quantiles of scores that come in batches, or that several processes count.

use std::collections::BTreeMap;

use polars::prelude::{polars_bail, polars_ensure, polars_err, PlHashMap, PolarsResult};
use serde::{Deserialize, Serialize};

use super::quantiles::ScoreQuantiles;

/// Scores that come batch by batch, counted. Their quantiles are exact by rank, and as long as
/// there are at most [`MOST_COUNTED`] different scores exact by value too. Beyond, scores that
/// differ by no more than 8e-6 of themselves may count as one; where most of those are a tie, as
/// one of the tied rows.
///
/// So a tie keeps its exact value, with which exact scores are compared. What is counted does not
/// depend on the order or on the processes that counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreCounts {
    /// The number of last bits of a score by which scores of a bucket may differ
    fine: u32,
    /// By the other bits of a score from 0 to 1, which rise with it
    buckets: PlHashMap<u32, Bucket>,
    rows: u64,
    /// The highest scores so far, and perhaps others
    highest: Vec<f32>,
}

/// The most different scores that are counted each by itself, and the most buckets unless they are
/// of [`MOST_FINE`] bits.
const MOST_COUNTED: usize = 1 << 18;
/// The most last bits by which scores of a bucket may differ.
const MOST_FINE: u32 = 7;

/// The scores of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bucket {
    count: u64,
    /// For each of the last bits, the number of scores that have it. Where more than half of the
    /// scores are one, these bits are known to be its own.
    having: [u64; MOST_FINE as usize],
}

impl Bucket {
    /// Of `count` scores with the last bits `last`.
    fn new(last: u32, count: u64) -> Self {
        let has = |bit: usize| last >> bit & 1 == 1;
        Self { count, having: std::array::from_fn(|bit| if has(bit) { count } else { 0 }) }
    }

    /// # Errors
    /// `None` if that is more than can be counted.
    fn add(&mut self, other: &Self) -> Option<()> {
        self.count = self.count.checked_add(other.count)?;
        // None of them is above the count.
        self.having.iter_mut().zip(other.having).for_each(|(having, other)| *having += other);
        Some(())
    }

    /// The last bits that more than half of the scores have.
    fn last(&self) -> u32 {
        (0..MOST_FINE).filter(|bit| self.having[*bit as usize] > self.count / 2).map(|bit| 1 << bit).sum()
    }

    /// Whether buckets of that many fine bits can be like this.
    fn is_possible(&self, fine: u32) -> bool {
        let (known, beyond) = self.having.split_at(fine as usize);
        self.count > 0 && known.iter().all(|having| *having <= self.count) && beyond.iter().all(|having| *having == 0)
    }
}

/// The counts as another process reads them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fine: u32,
    /// By bucket: the count, and then the numbers of those that have each of the fine bits
    counts: BTreeMap<u32, Vec<u64>>,
    rows: u64,
    highest: Vec<f32>,
}

fn bits(score: f32) -> u32 {
    // Not −0.0, whose bits are above all others.
    (score.clamp(0.0, 1.0) + 0.0).to_bits()
}

impl ScoreCounts {
    pub fn add(&mut self, scores: impl Iterator<Item = f32>) {
        for score in scores {
            let bits = bits(score);
            let last = bits & ((1 << self.fine) - 1);
            // It can't be more than can be counted: each is a row.
            let _ = self.buckets.entry(bits >> self.fine).or_default().add(&Bucket::new(last, 1));
            self.rows += 1;
            self.highest.push(score);
            if self.highest.len() >= 16 * ScoreQuantiles::MOST_SCORES {
                self.prune();
            }
            self.coarsen_to_fit();
        }
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn prune(&mut self) {
        let kept = ScoreQuantiles::MOST_SCORES;
        if self.highest.len() > kept {
            self.highest.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
            self.highest.truncate(kept);
        }
    }

    /// Makes the buckets as coarse as their number asks for. That depends on the different scores
    /// alone: a part of them never asks for coarser buckets than all of them.
    fn coarsen_to_fit(&mut self) {
        while self.buckets.len() > MOST_COUNTED && self.fine < MOST_FINE {
            self.coarsen(self.fine + 1);
        }
    }

    /// Joins buckets until their scores differ by `fine` bits.
    fn coarsen(&mut self, fine: u32) {
        while self.fine < fine {
            let buckets = std::mem::take(&mut self.buckets);
            for (bits, mut bucket) in buckets {
                bucket.having[self.fine as usize] = if bits & 1 == 1 { bucket.count } else { 0 };
                let _ = self.buckets.entry(bits >> 1).or_default().add(&bucket);
            }
            self.fine += 1;
        }
    }

    /// Splits the counts into parts, each with a share of the different scores, as text for another
    /// process; leaves empty ones out.
    pub fn split(mut self, parts: usize) -> PolarsResult<Vec<(usize, String)>> {
        self.prune();
        let written = || Written { fine: self.fine, counts: BTreeMap::new(), rows: 0, highest: vec![] };
        let mut split: Vec<Written> = (0..parts.max(1)).map(|_| written()).collect();
        // By bits that a bucket of any size has.
        let part = |bits: u32| (bits >> MOST_FINE) as usize % parts.max(1);
        for (bits, bucket) in &self.buckets {
            let part = &mut split[part(bits << self.fine)];
            let having = &bucket.having[..self.fine as usize];
            part.counts.insert(*bits, [&[bucket.count], having].concat());
            part.rows += bucket.count;
        }
        self.highest.iter().for_each(|score| split[part(bits(*score))].highest.push(*score));
        let text = |(part, written): (usize, Written)| {
            let text = serde_json::to_string(&written);
            Ok((part, text.map_err(|error| polars_err!(ComputeError: "anorand: counts can't be written: {error}"))?))
        };
        split.into_iter().enumerate().filter(|(_, written)| written.rows > 0).map(text).collect()
    }

    /// Adds the scores that another process has counted.
    ///
    /// # Errors
    /// `ComputeError` if they can't have come from counting scores.
    pub fn add_counted(&mut self, text: &str) -> PolarsResult<()> {
        let written: Written = serde_json::from_str(text)
            .map_err(|error| polars_err!(ComputeError: "anorand: these are not counts of scores: {error}"))?;
        let damaged = || polars_err!(ComputeError: "anorand: these counts of scores are damaged");
        let mut other = Self::read(written).ok_or_else(damaged)?;
        let fine = self.fine.max(other.fine);
        self.coarsen(fine);
        other.coarsen(fine);
        self.rows = self.rows.checked_add(other.rows).ok_or_else(damaged)?;
        for (bits, bucket) in other.buckets {
            self.buckets.entry(bits).or_default().add(&bucket).ok_or_else(damaged)?;
        }
        self.coarsen_to_fit();
        self.highest.extend(other.highest);
        self.prune();
        Ok(())
    }

    /// The counts that were written; None if they can't have come from counting scores.
    fn read(written: Written) -> Option<Self> {
        let Written { fine, counts, rows, highest } = written;
        if fine > MOST_FINE {
            return None;
        }
        let bucket = |(bits, counts): (u32, Vec<u64>)| {
            let (count, having) = counts.split_first()?;
            let mut bucket = Bucket { count: *count, ..Bucket::default() };
            bucket.having.get_mut(..having.len())?.copy_from_slice(having);
            (bits <= self::bits(1.0) >> fine && bucket.is_possible(fine)).then_some((bits, bucket))
        };
        let buckets = counts.into_iter().map(bucket).collect::<Option<PlHashMap<_, _>>>()?;
        let counted = buckets.values().try_fold(0, |sum: u64, bucket| sum.checked_add(bucket.count))?;
        let are_scores = highest.iter().all(|score| (0.0..=1.0).contains(score));
        let is_possible = counted == rows && highest.len() as u64 <= rows && are_scores;
        is_possible.then_some(Self { fine, buckets, rows, highest })
    }

    /// The quantiles of at least one score.
    pub fn quantiles(&mut self) -> PolarsResult<ScoreQuantiles> {
        self.prune();
        self.highest.sort_unstable_by(f32::total_cmp);
        let Some(highest) = self.highest.last() else {
            polars_bail!(NoData: "anorand: there is no score to take quantiles of");
        };
        let rows = self.rows as usize;
        polars_ensure!(self.highest.len() == ScoreQuantiles::scores_kept(rows), ComputeError:
            "anorand: {rows} scores were counted, but their highest ones are missing");
        let score = |(bits, bucket): (&u32, &Bucket)| (f32::from_bits(bits << self.fine | bucket.last()), bucket.count);
        let mut counts: Vec<(f32, u64)> = self.buckets.iter().map(score).collect();
        counts.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let last = ScoreQuantiles::BODY - 1;
        let mut body = Vec::with_capacity(last + 1);
        let (mut at, mut up_to) = (0, 0u64);
        for k in 0..last {
            let rank = (k as f64 / last as f64 * (rows - 1) as f64).round() as u64;
            while up_to + counts[at].1 <= rank {
                up_to += counts[at].1;
                at += 1;
            }
            body.push(counts[at].0.min(*highest));
        }
        body.push(*highest);
        Ok(ScoreQuantiles::from_parts(body, self.highest.clone(), rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> Vec<f32> {
        (0..50_000).map(|k| ((k * 7_919 % 50_000) as f32 + 0.5) / 50_000.0).collect()
    }

    fn counted(scores: &[f32]) -> ScoreCounts {
        let mut counts = ScoreCounts::default();
        scores.chunks(777).for_each(|part| counts.add(part.iter().copied()));
        counts
    }

    #[test]
    fn counted_scores_have_the_quantiles_of_all_of_them() {
        let (counted, exact) = (counted(&scores()).quantiles().unwrap(), ScoreQuantiles::from_scores(&scores()));
        assert_eq!(counted.top(), exact.top());
        assert_eq!(counted.threshold(0.01), exact.threshold(0.01));
        for (counted, exact) in counted.body().iter().zip(exact.body()) {
            // The distance between two ranks, and the rounding.
            assert!((counted - exact).abs() < 2e-5 + 4e-6 * exact, "{counted} {exact}");
        }
        assert!(counted.fault().is_none() && ScoreCounts::default().quantiles().is_err());
    }

    /// A tie of `share` of the rows, among more different scores than are counted each by itself.
    fn with_tie(rows: u32, tie: f32, share: f64) -> Vec<f32> {
        let tied = (share * f64::from(rows)) as u32;
        // Around the tie, every float is a score.
        let other = |k: u32| f32::from_bits(tie.to_bits() - (rows - tied) / 2 + k);
        (0..rows - tied).map(other).chain(std::iter::repeat_n(tie, tied as usize)).collect()
    }

    #[test]
    fn a_tie_has_its_exact_score_however_many_different_scores_there_are() {
        for (rows, fine) in [(20_000, 0), (400_000, 1), (1_500_000, 3)] {
            let scores = with_tie(rows, 0.7, 0.2);
            let mut counts = counted(&scores);
            assert_eq!(counts.fine, fine);
            assert!(counts.buckets.len() <= MOST_COUNTED);
            let (counted, exact) = (counts.quantiles().unwrap(), ScoreQuantiles::from_scores(&scores));
            for threshold in [0.01, 0.3, 0.5].map(|share| counted.threshold(share)) {
                let flagged = scores.iter().filter(|score| f64::from(**score) > threshold).count() as f64;
                assert!((counted.share_above(threshold) - flagged / f64::from(rows)).abs() < 2e-3);
            }
            for score in [0.7, 0.7f32.next_up(), 0.7f32.next_down()] {
                let (counted, exact) = (counted.share_below(score), exact.share_below(score));
                assert!((counted - exact).abs() < 2e-3, "{rows} {score} {counted} {exact}");
            }
        }
    }

    #[test]
    fn where_all_rows_tie_none_is_above_the_threshold() {
        for rows in [10, 4_096, 500_000] {
            let quantiles = counted(&vec![0.123_456_7; rows]).quantiles().unwrap();
            assert_eq!(quantiles.threshold(0.1), f64::from(0.123_456_7f32));
            assert_eq!(quantiles.share_below(0.123_456_7), 0.0);
        }
    }

    #[test]
    fn processes_that_count_by_buckets_of_other_sizes_come_to_what_one_counts() {
        let scores = with_tie(700_000, 0.3, 0.3);
        let whole = counted(&scores);
        let mut reversed = scores.clone();
        reversed.reverse();
        assert_eq!(counted(&reversed).buckets, whole.buckets);
        let parts = [&scores[..600_000], &scores[600_000..]].map(|part| counted(part).split(3).unwrap()).concat();
        let mut all = ScoreCounts::default();
        parts.iter().for_each(|(_, part)| all.add_counted(part).unwrap());
        assert_eq!((all.fine, &all.buckets), (whole.fine, &whole.buckets));
    }

    #[test]
    fn what_several_processes_count_comes_to_what_one_counts_in_any_order() {
        let whole = counted(&scores()).quantiles().unwrap();
        let split = |part: &[f32]| counted(part).split(5).unwrap();
        let mut parts: Vec<(usize, String)> = scores().chunks(9_001).flat_map(split).collect();
        for _ in 0..2 {
            parts.reverse();
            let mut all = ScoreCounts::default();
            parts.iter().for_each(|(_, part)| all.add_counted(part).unwrap());
            assert_eq!((all.rows(), all.quantiles().unwrap()), (50_000, whole.clone()));
        }
        assert!(ScoreCounts::default().split(5).unwrap().is_empty());
    }

    #[test]
    fn counts_that_no_scores_have_are_refused() {
        let (_, text) = counted(&[0.25, 0.5]).split(1).unwrap().remove(0);
        for (from, to, said) in [
            ("0.25", "1.25", "damaged"),
            ("0.25", "-0.25", "damaged"),
            ("0.25", "null", "not counts of scores"),
            ("0.25,", "0.25,0.3,", "damaged"),
            ("\"rows\":2,", "\"rows\":3,", "damaged"),
            ("[1]", "[18446744073709551615]", "damaged"),
            ("[1]", "[0]", "damaged"),
            ("[1]", "[1,1]", "damaged"),
            ("[1]", "[]", "damaged"),
            ("[1]", "[1,0,0,0,0,0,0,0,0]", "damaged"),
            ("\"fine\":0", "\"fine\":8", "damaged"),
            ("\"fine\":0", "\"fine\":7", "damaged"),
            ("rows", "row", "unknown field"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let refused = ScoreCounts::default().add_counted(&changed).unwrap_err().to_string();
            assert!(refused.contains(said), "{changed}: {refused}");
        }
        let mut lacking = ScoreCounts::default();
        // Of the highest scores alone: the counts have bits.
        let without = |score: &str| text.replace(&format!("{score},"), "").replace(&format!(",{score}"), "");
        lacking.add_counted(&without("0.25")).unwrap();
        assert!(lacking.quantiles().unwrap_err().to_string().contains("highest ones are missing"));
    }
}
