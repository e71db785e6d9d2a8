//! Quantiles of scores that come in batches, or that several processes count.

use polars::prelude::{polars_bail, polars_ensure, polars_err, PlHashMap, PolarsResult};
use serde::{Deserialize, Serialize};

use super::quantiles::ScoreQuantiles;

/// Scores that come batch by batch, counted: their quantiles are exact by rank, and to 4e-6 of a
/// score by value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreCounts {
    /// By the leading bits of a score from 0 to 1, which rise with it
    counts: PlHashMap<u32, u64>,
    rows: u64,
    /// The highest scores so far, and perhaps others
    highest: Vec<f32>,
}

/// The bits of a score that do not count.
const FINE: u32 = 7;

/// The leading bits of a score.
fn leading(score: f32) -> u32 {
    score.clamp(0.0, 1.0).to_bits() >> FINE
}

impl ScoreCounts {
    pub fn add(&mut self, scores: impl Iterator<Item = f32>) {
        for score in scores {
            *self.counts.entry(leading(score)).or_default() += 1;
            self.rows += 1;
            self.highest.push(score);
            if self.highest.len() >= 16 * ScoreQuantiles::MOST_SCORES {
                self.prune();
            }
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

    /// The same counts in parts, each with a share of the different scores, as text for another
    /// process; empty ones are left out.
    pub fn split(mut self, parts: usize) -> PolarsResult<Vec<(usize, String)>> {
        self.prune();
        let mut split = vec![Self::default(); parts.max(1)];
        let part_of = |bits: u32| bits as usize % parts.max(1);
        for (bits, count) in self.counts {
            let part = &mut split[part_of(bits)];
            part.counts.insert(bits, count);
            part.rows += count;
        }
        self.highest.into_iter().for_each(|score| split[part_of(leading(score))].highest.push(score));
        let written = |(part, of): (usize, Self)| {
            let text = serde_json::to_string(&of);
            Ok((part, text.map_err(|error| polars_err!(ComputeError: "anorand: counts can't be written: {error}"))?))
        };
        split.into_iter().enumerate().filter(|(_, of)| of.rows > 0).map(written).collect()
    }

    /// Adds the scores that another process has counted.
    ///
    /// # Errors
    /// `ComputeError` if they can't have come from counting scores.
    pub fn add_counted(&mut self, text: &str) -> PolarsResult<()> {
        let other: Self = serde_json::from_str(text)
            .map_err(|error| polars_err!(ComputeError: "anorand: these are not counts of scores: {error}"))?;
        let damaged = || polars_err!(ComputeError: "anorand: these counts of scores are damaged");
        let rows = other.counts.values().try_fold(0, |sum: u64, count| sum.checked_add(*count)).ok_or_else(damaged)?;
        let are_scores = other.highest.iter().all(|score| (0.0..=1.0).contains(score));
        let are_counted = other.counts.keys().all(|bits| *bits <= leading(1.0));
        if rows != other.rows || other.highest.len() as u64 > rows || !are_scores || !are_counted {
            return Err(damaged());
        }
        self.rows = self.rows.checked_add(rows).ok_or_else(damaged)?;
        for (bits, count) in other.counts {
            *self.counts.entry(bits).or_default() += count;
        }
        self.highest.extend(other.highest);
        self.prune();
        Ok(())
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
        let last = ScoreQuantiles::BODY - 1;
        let mut body = Vec::with_capacity(last + 1);
        let mut counts: Vec<(u32, u64)> = self.counts.iter().map(|(bits, count)| (*bits, *count)).collect();
        counts.sort_unstable();
        let (mut at, mut up_to) = (0, 0u64);
        for k in 0..last {
            let rank = (k as f64 / last as f64 * (rows - 1) as f64).round() as u64;
            while up_to + counts[at].1 <= rank {
                up_to += counts[at].1;
                at += 1;
            }
            let middle = (counts[at].0 << FINE) | 1 << (FINE - 1);
            body.push(f32::from_bits(middle).min(*highest));
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

    #[test]
    fn what_several_processes_count_comes_to_what_one_counts_in_any_order() {
        let whole = counted(&scores()).quantiles().unwrap();
        let of = |part: &[f32]| counted(part).split(5).unwrap();
        let mut parts: Vec<(usize, String)> = scores().chunks(9_001).flat_map(of).collect();
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
            (":2,", ":3,", "damaged"),
            (":1,", ":18446744073709551615,", "damaged"),
            ("{\"counts\":{\"", "{\"counts\":{\"9", "damaged"),
            ("rows", "row", "unknown field"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let refused = ScoreCounts::default().add_counted(&changed).unwrap_err().to_string();
            assert!(refused.contains(said), "{changed}: {refused}");
        }
        let mut lacking = ScoreCounts::default();
        let without = |score: &str| text.replace(&format!("{score},"), "").replace(&format!(",{score}"), "");
        lacking.add_counted(&without("0.25")).unwrap();
        assert!(lacking.quantiles().unwrap_err().to_string().contains("highest ones are missing"));
    }
}
