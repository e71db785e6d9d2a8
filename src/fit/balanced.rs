//! Known anomalies as half of each batch, whatever their share of the table, with uniform noise on top.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::engine::TrainingSet;
use crate::options::Options;

use super::deck::Deck;
use super::rows::Rows;
use super::uniform::NoiseBox;

/// Normal rows, each once in an epoch, beside the same number of known anomalies, each as often as any other.
pub struct Balanced<'a> {
    rows: Rows<'a>,
    normal: Vec<usize>,
    known: Vec<usize>,
    noise: NoiseBox,
    /// Rows that are not noise, and noise, of a full batch
    shares: (usize, usize),
}

impl<'a> Balanced<'a> {
    pub fn new(rows: Rows<'a>, normal: Vec<usize>, known: Vec<usize>, noise: NoiseBox, options: &Options) -> Self {
        Self { rows, normal, known, noise, shares: options.batch_shares() }
    }
}

impl TrainingSet for Balanced<'_> {
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut dyn FnMut(&[f32], &[bool])) {
        let mut order: Vec<usize> = (0..self.normal.len()).collect();
        order.shuffle(rng);
        let (others, noise) = self.shares;
        let real = others.div_ceil(2);
        let mut deck = Deck::new(self.known.clone());
        let (mut x, mut synthetic) = (vec![], vec![]);
        for batch in order.chunks(real) {
            x.clear();
            batch.iter().for_each(|at| self.rows.push(self.normal[*at], &mut x));
            let known: Vec<usize> = batch.iter().filter_map(|_| deck.draw(rng)).collect();
            known.iter().for_each(|row| self.rows.push(*row, &mut x));
            let noise = (noise * batch.len()).div_ceil(real);
            self.noise.draw_into(&mut x, noise, rng);
            synthetic.clear();
            synthetic.resize(batch.len(), false);
            synthetic.resize(batch.len() + known.len() + noise, true);
            each(&x, &synthetic);
        }
    }
}
