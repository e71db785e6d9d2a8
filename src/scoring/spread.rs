//! Scores, and how far the members of the ensemble agree on them.

use polars::prelude::*;

use crate::data::Columns;
use crate::engine::Device;
use crate::memory::zeros;
use crate::model::Model;
use crate::simd::Simd;

use super::batches::by_batch;
use super::member_spread::Spread;
use super::networks::Networks;
use super::{named, score, CHUNK};

/// Computes [`super::score`] and the standard deviation of the members' scores, which is 0 for one
/// member. Refuses a distilled model.
pub fn score_and_spread(
    model: &Model,
    columns: &Columns,
    device: Device,
) -> PolarsResult<(Float32Chunked, Float32Chunked)> {
    let (combiner, members) = (&model.metadata().combiner, model.weights().members());
    if let Some(distilled) = &model.metadata().distilled {
        polars_bail!(ComputeError:
            "anorand: spread=True needs the members of an ensemble, but the model is one network that was distilled from {}: fit it \
             without distil=True", distilled.members);
    }
    if members == 1 {
        let scores = score(model, columns, device)?;
        let zeros = scores.apply_values(|_| 0.0).with_name("spread".into());
        return Ok((scores, zeros));
    }
    let networks = Networks::open(model, device)?;
    let worked =
        by_batch(model, columns, &networks.engine, CHUNK, (1, "the scores"), |batch, out: &mut [[f32; 2]]| {
            let rows = batch.rows;
            let room = |count: usize| zeros::<f32>(count, "the members' heads");
            let (mut scores, mut errors, mut spreads) = (room(rows)?, room(rows)?, room(rows)?);
            let mut heads = room(rows.div_ceil(batch.tile) * batch.tile * members * 2)?;
            networks.member_heads_into(&batch.tiles, batch.inputs, (&mut scores, &mut errors), &mut heads)?;
            let evidence = model.evidence(&batch.columns, &batch.coded)?;
            let evidence = evidence.as_deref();
            combiner.combine(&mut scores, &errors, evidence);
            let (heads, out_of, tile) = (heads.as_slice(), spreads.as_mut_slice(), batch.tile);
            Simd::chosen().run(Spread { combiner, members, tile, heads, evidence, out: out_of });
            for (out, both) in out.iter_mut().zip(scores.iter().zip(&spreads)) {
                *out = [*both.0, *both.1];
            }
            Ok(())
        })?;
    let part = |at: usize| worked.numbers.iter().map(|both| both[at]).collect();
    let missing = worked.missing.as_ref();
    Ok((named("score", part(0), missing), named("spread", part(1), missing)))
}
