//! Dropout (Srivastava et al., 2014): in each step, each row loses some hidden units, and the others are enlarged so that the
//! mean stays.

use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use super::plan::{Layer, Plan};

/// A byte of the generator decides over a unit, so that rates are multiples of 1/256.
const STEPS: f64 = 256.0;

/// Which units are lost.
pub struct Dropout {
    /// Bytes below it lose their unit
    lost: u8,
    rng: ChaCha8Rng,
    /// Those of a row
    bytes: Vec<u8>,
}

impl Dropout {
    /// With this rate, from 0 to 0.99.
    pub fn new(rate: f64, rng: ChaCha8Rng) -> Self {
        Self { lost: (rate * STEPS).round() as u8, rng, bytes: vec![] }
    }

    /// Draws what the activations of some rows are multiplied with. A unit of a row has the same byte of the generator whatever
    /// the width of the vectors.
    pub fn draw(&mut self, plan: &Plan, rows: usize, tile: usize, masks: &mut [f32]) {
        let kept = (STEPS / (STEPS - f64::from(self.lost))) as f32;
        let hidden = || plan.layers.iter().filter(|layer| layer.relu);
        self.bytes.resize(hidden().map(|layer| layer.outputs).sum(), 0);
        for row in 0..rows {
            self.rng.fill_bytes(&mut self.bytes);
            let mut bytes = self.bytes.as_slice();
            for layer in hidden() {
                let (own, rest) = bytes.split_at(layer.outputs);
                bytes = rest;
                let units = masks[plan.outputs(layer, row / tile)][row % tile..].iter_mut().step_by(tile);
                for (mask, byte) in units.zip(own) {
                    *mask = if *byte < self.lost { 0.0 } else { kept };
                }
            }
        }
    }
}

/// Multiplies a layer's outputs, or their deltas, with the masks; nothing without dropout.
#[inline(always)]
pub fn drop_out(plan: &Plan, layer: &Layer, tiles: usize, masks: &[f32], numbers: &mut [f32]) {
    if masks.is_empty() {
        return;
    }
    for tile in 0..tiles {
        let outputs = plan.outputs(layer, tile);
        numbers[outputs.clone()].iter_mut().zip(&masks[outputs]).for_each(|(number, mask)| *number *= mask);
    }
}
