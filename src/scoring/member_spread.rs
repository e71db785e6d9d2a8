//! How far the members of an ensemble agree: the standard deviation of their scores.

use crate::cells::RowEvidence;
use crate::simd::{Task, Vector};

use crate::combiner::Combiner;

/// Computes the standard deviation of the members' scores. Each is eq. 8 of the member's own heads
/// in the place of the ensemble's. For one member it is 0.
pub struct Spread<'a> {
    pub combiner: &'a Combiner,
    pub members: usize,
    /// The number of rows of a tile
    pub tile: usize,
    /// `[tiles, m, 2, tile]`: a logit of each row, then an error of each row
    pub heads: &'a [f32],
    /// Of each row, if the combination takes it
    pub evidence: Option<&'a [RowEvidence]>,
    /// A number for each row
    pub out: &'a mut [f32],
}

impl Task for Spread<'_> {
    type Output = ();

    /// Loops plainly over the rows of a tile, so that the compiler makes vectors of it.
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { combiner, members, tile, heads, evidence, out } = self;
        let mut scores = vec![0f32; members * tile];
        // The last tile has fewer rows, and its padding has no evidence.
        let mut against = vec![RowEvidence::default(); tile];
        for (at, (heads, out)) in heads.chunks_exact(2 * members * tile).zip(out.chunks_mut(tile)).enumerate() {
            let evidence = evidence.map(|evidence| {
                against[..out.len()].copy_from_slice(&evidence[at * tile..][..out.len()]);
                against.as_slice()
            });
            for (heads, scores) in heads.chunks_exact(2 * tile).zip(scores.chunks_exact_mut(tile)) {
                let (logits, errors) = heads.split_at(tile);
                scores.copy_from_slice(logits);
                combiner.combine(scores, errors, evidence);
            }
            for (row, out) in out.iter_mut().enumerate() {
                *out = deviation(scores.iter().skip(row).step_by(tile)) as f32;
            }
        }
    }
}

/// Divides the squares by the number of numbers, of which there is at least one.
#[inline(always)]
fn deviation<'a>(numbers: impl Iterator<Item = &'a f32> + Clone) -> f64 {
    let (count, sum) = numbers.clone().fold((0.0, 0.0), |(count, sum), number| (count + 1.0, sum + f64::from(*number)));
    let mean = sum / count;
    let squares = numbers.fold(0.0, |squares, number| squares + (f64::from(*number) - mean).powi(2));
    (squares / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combiner::{Heads, Weighting};
    use crate::options::Combination;
    use crate::simd::Simd;

    #[test]
    fn it_is_the_deviation_of_the_scores_of_each_members_own_heads() {
        const ROWS: usize = 70;
        let number = |at: usize| libm::sin(at as f64 * 1.7) as f32;
        let training = Heads { logit: (0..50).map(number).collect(), error: (50..100).map(number).collect() };
        let evidence: Vec<RowEvidence> = (0..ROWS)
            .map(|row| RowEvidence {
                all: f64::from(number(row)) + 2.0,
                tails: f64::from(number(7 * row)) + 1.0,
                conflict: f64::from(number(3 * row)) + 5.0,
            })
            .collect();
        for combination in [Combination::Probability, Combination::Robust, Combination::Cells] {
            let combiner = Combiner::fit(&training, &evidence[..50], combination, Weighting::default());
            for (simd, members) in Simd::available().into_iter().flat_map(|simd| [(simd, 1), (simd, 5)]) {
                let tile = simd.tile_rows();
                let mut heads: Vec<f32> = (0..ROWS.div_ceil(tile) * members * 2 * tile).map(number).collect();
                // A member whose activations overflow.
                heads[0] = f32::NAN;
                let mut out = vec![0f32; ROWS];
                let of_rows = Some(evidence.as_slice());
                simd.run(Spread {
                    combiner: &combiner,
                    members,
                    tile,
                    heads: &heads,
                    evidence: of_rows,
                    out: &mut out,
                });
                for (row, found) in out.iter().enumerate() {
                    let scores: Vec<f64> = (0..members)
                        .map(|member| {
                            let at = (row / tile * members + member) * 2 * tile + row % tile;
                            f64::from(combiner.score(heads[at], heads[at + tile], evidence[row]))
                        })
                        .collect();
                    let mean = scores.iter().sum::<f64>() / members as f64;
                    let expected =
                        (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / members as f64).sqrt();
                    assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
                    assert!(members > 1 || *found == 0.0);
                }
            }
        }
    }
}
