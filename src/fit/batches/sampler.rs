//! Random orders, and draws that take every item equally often.

use polars::prelude::PolarsResult;
use rand::seq::SliceRandom;
use rand::Rng;

use crate::memory::collected;

/// The numbers below `count` in a random order.
pub fn shuffled(count: usize, rng: &mut impl Rng) -> PolarsResult<Vec<usize>> {
    let mut order = collected(0..count, "the order of the rows")?;
    order.shuffle(rng);
    Ok(order)
}

/// Draws items in rounds: each round has every item once, in a new random order.
///
/// So the numbers of times that two items were drawn differ by at most one.
pub struct BalancedSampler {
    items: Vec<usize>,
    /// The items that are still to come in this round, the next one last.
    left: Vec<usize>,
}

impl BalancedSampler {
    pub fn new(items: Vec<usize>) -> Self {
        Self { items, left: vec![] }
    }

    /// Draws the next item; None if there are no items at all.
    pub fn next(&mut self, rng: &mut impl Rng) -> Option<usize> {
        if self.left.is_empty() {
            self.begin_round(rng);
        }
        self.left.pop()
    }

    /// Draws the next `count` items, all different: at most every item once.
    pub fn take(&mut self, count: usize, rng: &mut impl Rng) -> Vec<usize> {
        let mut taken = self.left.split_off(self.left.len().saturating_sub(count));
        if taken.len() < count {
            self.begin_round(rng);
            // An item that was just taken from the last round may not come again here. It stays in
            // the new round for later.
            let mut others: Vec<usize> = self.left.iter().copied().filter(|item| !taken.contains(item)).collect();
            let more = others.split_off(others.len().saturating_sub(count - taken.len()));
            self.left.retain(|item| !more.contains(item));
            taken.extend(more);
        }
        taken
    }

    fn begin_round(&mut self, rng: &mut impl Rng) {
        self.left.clone_from(&self.items);
        self.left.shuffle(rng);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn every_item_is_drawn_as_often_as_any_other() {
        let (mut sampler, mut rng) = (BalancedSampler::new(vec![3, 5, 8]), ChaCha8Rng::seed_from_u64(0));
        let drawn: Vec<usize> = (0..30).filter_map(|_| sampler.next(&mut rng)).collect();
        for item in [3, 5, 8] {
            assert_eq!(drawn.iter().filter(|drawn| **drawn == item).count(), 10);
        }
        assert_eq!(BalancedSampler::new(vec![]).next(&mut rng), None);
    }

    #[test]
    fn items_taken_together_differ_and_all_are_taken_evenly() {
        let (mut sampler, mut rng) = (BalancedSampler::new((0..7).collect()), ChaCha8Rng::seed_from_u64(1));
        let mut times = [0; 7];
        for _ in 0..20 {
            let mut taken = sampler.take(3, &mut rng);
            taken.iter().for_each(|item| times[*item] += 1);
            taken.sort_unstable();
            taken.dedup();
            assert_eq!(taken.len(), 3);
        }
        assert!(times.iter().all(|times| (8..=9).contains(times)), "{times:?}");
    }
}
