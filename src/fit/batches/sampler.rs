//! Random orders, and draws in which every number comes equally often: their counts differ by at most one.

use polars::prelude::PolarsResult;
use rand::seq::SliceRandom;
use rand::Rng;

use crate::memory::collected;

/// The numbers below `count` in a drawn order.
pub fn shuffled(count: usize, rng: &mut impl Rng) -> PolarsResult<Vec<usize>> {
    let mut order = collected(0..count, "the order of the rows")?;
    order.shuffle(rng);
    Ok(order)
}

/// Cards to draw. A deck that is used up is shuffled again.
pub struct Deck {
    all: Vec<usize>,
    left: Vec<usize>,
}

impl Deck {
    /// Of these cards.
    pub fn new(all: Vec<usize>) -> Self {
        Self { all, left: vec![] }
    }

    /// The next card; None of an empty deck.
    pub fn draw(&mut self, rng: &mut impl Rng) -> Option<usize> {
        if self.left.is_empty() {
            self.shuffle(rng);
        }
        self.left.pop()
    }

    /// The next `count` cards, all different. A hand holds at most every card of the deck once.
    pub fn hand(&mut self, count: usize, rng: &mut impl Rng) -> Vec<usize> {
        let mut hand = self.left.split_off(self.left.len().saturating_sub(count));
        if hand.len() < count {
            self.shuffle(rng);
            // What the last deck still had stays in the hand, and is put aside in the new one.
            let mut rest: Vec<usize> = self.left.iter().copied().filter(|card| !hand.contains(card)).collect();
            let more = rest.split_off(rest.len().saturating_sub(count - hand.len()));
            self.left.retain(|card| !more.contains(card));
            hand.extend(more);
        }
        hand
    }

    fn shuffle(&mut self, rng: &mut impl Rng) {
        self.left.clone_from(&self.all);
        self.left.shuffle(rng);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn every_card_is_drawn_as_often_as_any_other() {
        let (mut deck, mut rng) = (Deck::new(vec![3, 5, 8]), ChaCha8Rng::seed_from_u64(0));
        let drawn: Vec<usize> = (0..30).filter_map(|_| deck.draw(&mut rng)).collect();
        for card in [3, 5, 8] {
            assert_eq!(drawn.iter().filter(|drawn| **drawn == card).count(), 10);
        }
        assert_eq!(Deck::new(vec![]).draw(&mut rng), None);
    }

    #[test]
    fn a_hand_has_no_card_twice_and_hands_share_the_deck_evenly() {
        let (mut deck, mut rng) = (Deck::new((0..7).collect()), ChaCha8Rng::seed_from_u64(1));
        let mut times = [0; 7];
        for _ in 0..20 {
            let mut hand = deck.hand(3, &mut rng);
            hand.iter().for_each(|card| times[*card] += 1);
            hand.sort_unstable();
            hand.dedup();
            assert_eq!(hand.len(), 3);
        }
        assert!(times.iter().all(|times| (8..=9).contains(times)), "{times:?}");
    }
}
