//! Ordinary training rows that a model keeps, so that explanations compare a row with one that exists.

use polars::prelude::PolarsResult;

use crate::cells::RowEvidence;
use crate::memory::collected;
use crate::simd::{Simd, Task, Vector};
use crate::tensors::{TensorsIn, TensorsOut};

/// Training rows that do not score among the highest tenth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ordinary {
    /// Scaled, `[rows, inputs]`
    pub rows: Vec<f32>,
    /// Against each row; nothing without cells
    pub evidence: Vec<RowEvidence>,
    /// What each cell adds to the evidence against its row, and to the tails of it,
    /// `[rows, features]`; nothing without cells
    pub parts: Vec<[f32; 2]>,
}

impl Ordinary {
    /// The most rows that a model keeps for explanations, and the most numbers in all.
    pub const MOST: usize = 256;
    const MOST_NUMBERS: usize = 1 << 17;

    /// The most rows that a model with this number of inputs keeps.
    pub fn most(inputs: usize) -> usize {
        (Self::MOST_NUMBERS / inputs.max(1)).clamp(16, Self::MOST)
    }

    /// Transposes the rows to `[inputs, rows]`; `inputs` is the number of the model's inputs.
    pub fn by_input(&self, inputs: usize) -> PolarsResult<ByInput> {
        let count = self.rows.len() / inputs.max(1);
        let number = |at: usize| self.rows[at % count * inputs + at / count];
        Ok(ByInput { numbers: collected((0..count * inputs).map(number), "the rows of an explanation")?, count })
    }

    /// Gives all of its numbers.
    pub fn write(&self, out: &mut TensorsOut) {
        out.put("ordinary.rows", &self.rows);
        if !self.evidence.is_empty() {
            let evidence: Vec<f64> = self.evidence.iter().flat_map(|row| [row.all, row.tails, row.conflict]).collect();
            out.put("ordinary.evidence", &evidence);
            out.put("ordinary.parts", self.parts.as_flattened());
        }
    }

    /// Takes what [`Ordinary::write`] gave.
    pub fn read(tensors: &TensorsIn, has_cells: bool) -> PolarsResult<Self> {
        let rows = tensors.numbers("ordinary.rows")?;
        if !has_cells {
            return Ok(Self { rows, ..Self::default() });
        }
        let evidence: Vec<[f64; 3]> = tensors.rows("ordinary.evidence")?;
        let evidence =
            evidence.into_iter().map(|[all, tails, conflict]| RowEvidence { all, tails, conflict }).collect();
        Ok(Self { rows, evidence, parts: tensors.rows("ordinary.parts")? })
    }

    /// Says what is wrong with its numbers, if anything is.
    pub fn fault(&self) -> Option<String> {
        let usable = self.rows.iter().all(|number| number.is_finite())
            && self
                .evidence
                .iter()
                .all(|row| [row.all, row.tails, row.conflict].iter().all(|number| number.is_finite()))
            && self.parts.as_flattened().iter().all(|number| number.is_finite());
        (!usable).then(|| "the rows that it compares with have numbers that are not finite".to_string())
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        size_of_val(self.rows.as_slice()) + size_of_val(self.evidence.as_slice()) + size_of_val(self.parts.as_slice())
    }
}

/// Ordinary rows, input by input, so that all of them are compared at once.
pub struct ByInput {
    /// `[inputs, rows]`
    numbers: Vec<f32>,
    count: usize,
}

impl ByInput {
    /// The row that is most like a scaled one, in the inputs that `weights` give weight, among those that
    /// `may_be`; among all, if none may. Differences beyond `FAR` count as that, so that one strange
    /// value does not decide.
    pub fn nearest(&self, row: &[f32], weights: &[f32], may_be: impl Fn(usize) -> bool) -> usize {
        let mut distances = [0f32; Ordinary::MOST];
        let distances = &mut distances[..self.count.min(Ordinary::MOST)];
        Simd::chosen().run(Distances { rows: self, row, weights, distances });
        let distances = || distances.iter().copied().enumerate();
        let nearer = |best: (usize, f32), next: (usize, f32)| if next.1 < best.1 { next } else { best };
        let nearest = distances().filter(|(at, _)| may_be(*at)).reduce(nearer);
        nearest.or_else(|| distances().reduce(nearer)).map_or(0, |best| best.0)
    }
}

/// The weighted sums of differences of a row from all others.
struct Distances<'a> {
    rows: &'a ByInput,
    row: &'a [f32],
    weights: &'a [f32],
    distances: &'a mut [f32],
}

impl Task for Distances<'_> {
    type Output = ();

    /// Plain loops over the rows, which the compiler makes vectors of.
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        const FAR: f32 = 1.0;
        let Self { rows, row, weights, distances } = self;
        let inputs = rows.numbers.chunks_exact(rows.count.max(1));
        for ((number, weight), others) in row.iter().zip(weights).zip(inputs) {
            for (distance, other) in distances.iter_mut().zip(others) {
                *distance += (number - other).abs().min(FAR) * weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_row_is_like_the_given_one_in_most_values() {
        let ordinary = Ordinary { rows: vec![0.0, 0.0, 0.0, 5.0, 5.0, 5.0], ..Ordinary::default() };
        let ordinary = ordinary.by_input(3).unwrap();
        let any = |_: usize| true;
        assert_eq!(ordinary.nearest(&[5.1, -100.0, 4.9], &[1.0; 3], any), 1);
        assert_eq!(ordinary.nearest(&[0.1, 0.2, 1e30], &[1.0; 3], any), 0);
        assert_eq!(ordinary.nearest(&[0.1, 5.0, 5.0], &[1.0, 0.0, 0.5], any), 0);
        assert_eq!(ordinary.nearest(&[0.1, 0.2, 0.3], &[1.0; 3], |at| at == 1), 1);
        assert_eq!(ordinary.nearest(&[0.1, 0.2, 0.3], &[1.0; 3], |_| false), 0);
    }
}
