//! An ensemble's numbers: plain data, from which each engine builds what it needs.

use std::ops::Range;

use polars::prelude::{polars_bail, polars_ensure, PolarsResult};
use rand::Rng;

use crate::memory::reserved;

use super::shape::Shape;

/// m networks of one shape, side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    shape: Shape,
    /// The features that each member sees, `[m × shape.inputs]`
    inputs: Vec<usize>,
    /// Layer by layer as in [`Shape::layers`], weight then bias, each with m in front: `[m, inputs, outputs]`, `[m, outputs]`
    flat: Vec<f32>,
}

impl Weights {
    /// From the features that each member sees, and the numbers in the order of [`Weights::flat`].
    pub fn new(shape: Shape, inputs: Vec<usize>, flat: Vec<f32>) -> PolarsResult<Self> {
        let members = inputs.len() / shape.inputs.max(1);
        let expected = shape.parameters() * members;
        polars_ensure!(flat.len() == expected && members > 0, ComputeError:
            "anorand: an ensemble of {members} networks of this shape has {expected} parameters, got {}", flat.len());
        Ok(Self { shape, inputs, flat })
    }

    /// New networks, each drawn from a generator of its own: every layer from U(−1/√inputs, 1/√inputs).
    pub fn draw(shape: Shape, inputs: Vec<usize>, rngs: &mut [impl Rng]) -> PolarsResult<Self> {
        let mut flat = reserved(shape.parameters().saturating_mul(rngs.len()), "the networks")?;
        for layer in shape.layers() {
            let bound = 1.0 / (layer.inputs as f32).sqrt();
            for count in [layer.inputs * layer.outputs, layer.outputs] {
                for rng in rngs.iter_mut() {
                    flat.extend((0..count).map(|_| (2.0 * rng.random::<f32>() - 1.0) * bound));
                }
            }
        }
        Self::new(shape, inputs, flat)
    }

    /// Ensembles of one shape as one, member by member.
    pub fn joined(parts: &[&Self]) -> PolarsResult<Self> {
        let Some(first) = parts.first() else { polars_bail!(ComputeError: "anorand: there is no ensemble to join") };
        let members: usize = parts.iter().map(|part| part.members()).sum();
        let mut inputs = reserved(members * first.shape.inputs, "the networks")?;
        let mut flat = reserved(members * first.shape.parameters(), "the networks")?;
        parts.iter().for_each(|part| inputs.extend_from_slice(&part.inputs));
        for block in first.shape.member_ranges(1, 0) {
            for part in parts {
                let members = part.members();
                flat.extend_from_slice(&part.flat[block.start * members..block.end * members]);
            }
        }
        Self::new(first.shape.clone(), inputs, flat)
    }

    /// Some of the members, as an ensemble of their own.
    pub fn part(&self, members: Range<usize>) -> PolarsResult<Self> {
        let mut flat = reserved(members.len() * self.shape.parameters(), "the networks")?;
        for block in self.shape.member_ranges(1, 0) {
            let first = block.start * self.members();
            flat.extend_from_slice(&self.flat[first + block.len() * members.start..first + block.len() * members.end]);
        }
        let inputs = &self.inputs[members.start * self.shape.inputs..members.end * self.shape.inputs];
        Self::new(self.shape.clone(), inputs.to_vec(), flat)
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// m.
    pub fn members(&self) -> usize {
        self.inputs.len() / self.shape.inputs
    }

    /// The features that each member sees, `[m × shape.inputs]`.
    pub fn inputs(&self) -> &[usize] {
        &self.inputs
    }

    /// The features that a member sees.
    pub fn inputs_of(&self, member: usize) -> &[usize] {
        &self.inputs[member * self.shape.inputs..(member + 1) * self.shape.inputs]
    }

    /// All numbers, layer by layer.
    pub fn flat(&self) -> &[f32] {
        &self.flat
    }

    /// For an engine that has trained all members together.
    pub fn flat_mut(&mut self) -> &mut [f32] {
        &mut self.flat
    }

    /// A member's numbers, in the order of an ensemble of one.
    pub fn member(&self, member: usize) -> PolarsResult<Vec<f32>> {
        let mut numbers = reserved(self.shape.parameters(), "the networks")?;
        for range in self.shape.member_ranges(self.members(), member) {
            numbers.extend_from_slice(&self.flat[range]);
        }
        Ok(numbers)
    }

    /// Replaces a member's numbers, in the order of an ensemble of one.
    pub fn set_member(&mut self, member: usize, mut numbers: &[f32]) {
        for range in self.shape.member_ranges(self.members(), member) {
            let (layer, rest) = numbers.split_at(range.len());
            self.flat[range].copy_from_slice(layer);
            numbers = rest;
        }
    }

    pub fn all_finite(&self) -> bool {
        self.flat.iter().all(|number| number.is_finite())
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.flat.capacity() * size_of::<f32>() + self.inputs.capacity() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn shape() -> Shape {
        Shape { inputs: 5, hidden: vec![7, 4], latent: 3 }
    }

    fn ensemble(members: u64) -> Weights {
        let mut rngs: Vec<ChaCha8Rng> = (0..members).map(ChaCha8Rng::seed_from_u64).collect();
        Weights::draw(shape(), (0..5).cycle().take(5 * members as usize).collect(), &mut rngs).unwrap()
    }

    #[test]
    fn a_member_is_the_network_that_its_generator_draws_alone() {
        let together = ensemble(3);
        for member in 0..3 {
            let mut alone = [ChaCha8Rng::seed_from_u64(member as u64)];
            let alone = Weights::draw(shape(), (0..5).collect(), &mut alone).unwrap();
            assert_eq!(together.member(member).unwrap(), alone.flat());
        }
    }

    #[test]
    fn a_member_that_is_set_is_the_member_and_no_other_is_touched() {
        let (mut changed, before) = (ensemble(3), ensemble(3));
        let numbers: Vec<f32> = (0..shape().parameters()).map(|at| at as f32).collect();
        changed.set_member(1, &numbers);
        let all = |weights: &Weights| [0, 1, 2].map(|member| weights.member(member).unwrap());
        let [first, _, last] = all(&before);
        assert_eq!(all(&changed), [first, numbers, last]);
    }

    #[test]
    fn a_joined_ensemble_has_the_members_of_all_and_its_parts_are_the_ensembles() {
        let parts = [ensemble(2), ensemble(3)];
        let joined = Weights::joined(&[&parts[0], &parts[1]]).unwrap();
        let members: Vec<_> = (0..5).map(|member| joined.member(member).unwrap()).collect();
        let alone: Vec<_> = parts
            .iter()
            .flat_map(|part| (0..part.members()).map(|member| part.member(member).unwrap()).collect::<Vec<_>>())
            .collect();
        assert_eq!(members, alone);
        assert_eq!(joined.inputs(), [parts[0].inputs(), parts[1].inputs()].concat());
        assert_eq!([joined.part(0..2).unwrap(), joined.part(2..5).unwrap()], parts);
    }

    #[test]
    fn the_flat_buffer_has_a_fixed_length() {
        let message = Weights::new(shape(), (0..5).collect(), vec![0.0; 3]).unwrap_err().to_string();
        assert!(message.contains("got 3"), "{message}");
    }
}
