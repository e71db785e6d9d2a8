//! Both heads of a model: those of its networks, and the rows that it keeps beside them.

use polars::prelude::*;

use crate::engine::{Device, Engine, Weights};
use crate::model::Model;
use crate::neighbours::{KeptRows, Placed};

/// A model's networks on a device, and its kept rows, whose distances are a part of the
/// reconstruction error.
pub struct Networks<'a> {
    pub engine: Engine<'a>,
    kept: Option<&'a KeptRows>,
}

impl<'a> Networks<'a> {
    pub fn open(model: &'a Model, device: Device) -> PolarsResult<Self> {
        Ok(Self { engine: Engine::open(model.weights(), device)?, kept: model.statistics().kept.as_ref() })
    }

    /// Opens the networks of a model in the making, with the rows that it keeps.
    pub fn with_kept(weights: &'a Weights, kept: Option<&'a KeptRows>, device: Device) -> PolarsResult<Self> {
        Ok(Self { engine: Engine::open(weights, device)?, kept })
    }

    pub fn tile(&self) -> usize {
        self.engine.tile()
    }

    /// Computes both heads; see [`Engine::heads_into`].
    pub fn heads_into(&self, tiles: &[f32], inputs: usize, logits: &mut [f32], errors: &mut [f32]) -> PolarsResult<()> {
        self.engine.heads_into(tiles, inputs, logits, errors)?;
        if let Some(kept) = self.kept {
            kept.add_errors(tiles, self.tile(), errors);
        }
        Ok(())
    }

    /// Computes both heads, and each member's own; see [`Engine::member_heads_into`]. The distance is in
    /// each member's error.
    pub fn member_heads_into(
        &self,
        tiles: &[f32],
        inputs: usize,
        (logits, errors): (&mut [f32], &mut [f32]),
        members: &mut [f32],
    ) -> PolarsResult<()> {
        self.engine.member_heads_into(tiles, inputs, (&mut *logits, &mut *errors), members)?;
        let Some(kept) = self.kept else { return Ok(()) };
        let tile = self.tile();
        let mut distances = vec![0f32; errors.len()];
        kept.add_errors(tiles, tile, &mut distances);
        let in_tile = members.len() / errors.len().div_ceil(tile).max(1);
        let of_tiles =
            errors.chunks_mut(tile).zip(distances.chunks(tile)).zip(members.chunks_exact_mut(in_tile.max(1)));
        for ((errors, distances), members) in of_tiles {
            // Of each member, logits and then errors.
            let of_members = members.chunks_exact_mut(2 * tile).map(|heads| &mut heads[tile..]);
            for errors in of_members.chain([errors]) {
                errors.iter_mut().zip(distances).for_each(|(error, distance)| *error += distance);
            }
        }
        Ok(())
    }

    /// Where rows are beside the kept rows, if there are any; see [`KeptRows::place`].
    pub fn place(&self, tiles: &[f32], rows: usize) -> PolarsResult<Option<Placed>> {
        self.kept.map(|kept| kept.place(tiles, self.tile(), rows)).transpose()
    }
}
