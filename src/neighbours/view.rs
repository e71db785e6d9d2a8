//! A view of kept rows: how inputs are seen where rows are compared, and the distances in it.

use polars::prelude::PolarsResult;

use crate::simd::Simd;

use super::asinh::{Asinh, ViewOfTile};
use super::index::Index;
use super::index_search::{IndexSearch, Room};
use super::log_odds::{LogOdds, OddsOfTile};
use super::nearest::{rank_weights, Nearest, Numbered, Search, MOST_NEIGHBOURS, NONE, SLOTS};

/// What scaled inputs become where rows are compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Transform {
    /// They stay.
    Scaled,
    Asinh(Asinh),
    LogOdds(LogOdds),
}

impl Transform {
    /// Rows, `[n, inputs]`, in the view.
    pub fn rows(&self, rows: &[f32]) -> PolarsResult<Vec<f32>> {
        match self {
            Self::Scaled => Ok(rows.to_vec()),
            Self::Asinh(view) => view.rows(rows),
            Self::LogOdds(view) => view.rows(rows),
        }
    }

    /// What is wrong with its numbers, if anything is.
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Scaled => None,
            Self::Asinh(view) => view.fault(),
            Self::LogOdds(view) => view.fault(),
        }
    }

    /// A tile, `[inputs, tile]`, in the view; `out` has room for it.
    fn tile<'a>(&self, simd: Simd, tile: &'a [f32], out: &'a mut [f32]) -> &'a [f32] {
        match self {
            Self::Scaled => return tile,
            Self::Asinh(view) => simd.run(ViewOfTile { view, tile, out }),
            Self::LogOdds(view) => simd.run(OddsOfTile { view, tile, out }),
        }
        out
    }

    /// Whether rows that differ may be the same in the view.
    fn merges_rows(&self) -> bool {
        matches!(self, Self::LogOdds(_))
    }
}

/// Numbered transform a view has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewKind {
    Scaled,
    Asinh,
    LogOdds,
}

impl ViewKind {
    /// The views of several draws, whose rows are too few for ranks.
    pub const SEVERAL_DRAWS: &[Self] = &[Self::Scaled, Self::Asinh];
    /// The views of one draw.
    pub const ONE_DRAW: &[Self] = &[Self::Asinh, Self::LogOdds];

    /// Returns the views of that number of draws.
    pub fn for_draws(draws: usize) -> &'static [Self] {
        if draws > 1 {
            Self::SEVERAL_DRAWS
        } else {
            Self::ONE_DRAW
        }
    }
}

/// Rows of all draws in one view.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub transform: Transform,
    /// `[draws, kept, inputs]`; none where the view is that of the scaled rows themselves
    rows: Vec<f32>,
    /// The multiplier that makes a reconstruction error of a distance
    pub unit: f32,
    /// Per kept row of one draw: the multiplier for rows whose nearest neighbour it is; empty for
    /// several draws
    pub factors: Vec<f32>,
    /// Of the rows of one draw; None where it would not make the search faster
    index: Option<Index>,
}

/// Rows of tiles, and what they are compared with.
#[derive(Clone, Copy)]
pub struct Compared<'a> {
    /// The kept rows, scaled, `[draws, kept, inputs]`
    pub scaled: &'a [f32],
    pub draws: usize,
    pub inputs: usize,
    /// The number of nearest kept rows of each draw whose distances count
    pub neighbours: usize,
    /// Scaled, `[tiles, inputs, tile]`
    pub tiles: &'a [f32],
    pub tile: usize,
    /// The number of rows, without the padding
    pub rows: usize,
}

impl View {
    /// Makes the view of scaled rows, `[draws, kept, inputs]`.
    pub fn new(transform: Transform, scaled: &[f32], [draws, inputs]: [usize; 2], unit: f32) -> PolarsResult<Self> {
        let rows = if transform == Transform::Scaled { vec![] } else { transform.rows(scaled)? };
        let simd = Simd::chosen();
        let index = if draws == 1 && simd.multiplies_bytes() { Index::new(&rows, inputs, simd)? } else { None };
        Ok(Self { transform, rows, unit, factors: vec![], index })
    }

    pub fn bytes(&self) -> usize {
        (self.rows.len() + self.factors.len()) * size_of::<f32>() + self.index.as_ref().map_or(0, Index::bytes)
    }

    /// Adds the mean over the draws of each row's distance to `out`.
    pub fn add_distances(&self, compared: Compared, out: &mut [f32]) {
        let share = 1.0 / compared.draws as f32;
        let numbered = if self.factors.is_empty() { Numbered::None } else { Numbered::NearestTwo };
        self.each_tile(compared, numbered, |tile| {
            let Tile { first, rows, nearest, .. } = &tile;
            let out = &mut out[*first..first + rows];
            if nearest.are_plain && self.factors.is_empty() {
                out.iter_mut().zip(&nearest.distances).for_each(|(out, distance)| *out += share * distance);
                return;
            }
            for (at, out) in out.iter_mut().enumerate() {
                *out += share
                    * if !nearest.is_plain(at, compared.neighbours) {
                        self.neighbours(compared, &tile, at).map(|found| found.weight * found.square.sqrt()).sum()
                    } else if self.factors.is_empty() {
                        nearest.distances[at]
                    } else {
                        nearest.distances[at] * self.factors[nearest.numbers[0][at] as usize]
                    };
            }
        });
    }

    /// Calls `take` with some rows and each draw in turn, then with the next rows.
    fn each_tile(&self, compared: Compared, numbered: Numbered, mut take: impl FnMut(Tile)) {
        let Compared { scaled, draws, inputs, neighbours, tiles, tile, rows, .. } = compared;
        let simd = Simd::chosen();
        let wide = simd.tile_rows();
        let (mut own, mut in_view) = (vec![0f32; inputs * wide], vec![0f32; inputs * wide]);
        let mut room = Room::default();
        let size = scaled.len() / draws;
        let kept = if self.rows.is_empty() { scaled } else { &self.rows };
        for first in (0..rows).step_by(wide) {
            let here = wide.min(rows - first);
            // A GPU's tiles are single rows.
            let numbers = if tile == wide {
                &tiles[first * inputs..][..inputs * wide]
            } else {
                for (input, numbers) in own.chunks_exact_mut(wide).enumerate() {
                    for (at, number) in numbers[..here].iter_mut().enumerate() {
                        *number = compared.number(first + at, input);
                    }
                }
                own.as_slice()
            };
            let numbers = self.transform.tile(simd, numbers, &mut in_view);
            for (draw, kept) in kept.chunks_exact(size).enumerate() {
                let nearest = match &self.index {
                    Some(index) => {
                        simd.run(IndexSearch { index, kept, numbers, rows: here, neighbours, room: &mut room })
                    }
                    None => simd.run(Search { kept, inputs, numbers, neighbours, numbered }),
                };
                take(Tile { draw, first, rows: here, nearest });
            }
        }
    }

    /// The kept rows of a draw that a row of a tile is compared with, and their weights.
    fn neighbours(&self, compared: Compared, tile: &Tile, at: usize) -> impl Iterator<Item = Neighbour> {
        let squares = &tile.nearest.squares;
        let row = tile.first + at;
        let equal = squares[0][at] == 0.0;
        let is_itself = equal && (!self.transform.merges_rows() || compared.draw_has(tile.draw, row));
        let mut found = [Neighbour::default(); MOST_NEIGHBOURS];
        let mut count = 0;
        for slot in (usize::from(is_itself)..SLOTS).filter(|slot| squares[*slot][at] != NONE) {
            if count < compared.neighbours {
                found[count] = Neighbour::from_slot(&tile.nearest, slot, at);
                count += 1;
            }
        }
        // A draw of a single row, which is the row itself.
        if count == 0 {
            (found[0], count) = (Neighbour::from_slot(&tile.nearest, 0, at), 1);
        }
        let factor = self.factors.get(found[0].number).copied().unwrap_or(1.0);
        let weights = rank_weights(count).map(|weight| weight * factor);
        found.into_iter().zip(weights).take(count).map(|(found, weight)| Neighbour { weight, ..found })
    }
}

/// Some rows, and the draw that they are compared with.
struct Tile {
    draw: usize,
    /// The first of the rows, and their number
    first: usize,
    rows: usize,
    nearest: Nearest,
}

/// A kept row of a draw that a row is compared with.
#[derive(Clone, Copy, Default)]
struct Neighbour {
    number: usize,
    /// The square of their distance
    square: f32,
    weight: f32,
}

impl Neighbour {
    fn from_slot(nearest: &Nearest, slot: usize, at: usize) -> Self {
        let square = nearest.squares[slot][at];
        Self { number: nearest.numbers[slot][at] as usize, square, weight: 1.0 }
    }
}

impl Compared<'_> {
    pub fn number(&self, row: usize, input: usize) -> f32 {
        self.tiles[(row / self.tile * self.inputs + input) * self.tile + row % self.tile]
    }

    /// Whether a row is one of a draw.
    fn draw_has(&self, draw: usize, row: usize) -> bool {
        let size = self.scaled.len() / self.draws;
        let is_row = |kept: &[f32]| kept.iter().enumerate().all(|(input, kept)| *kept == self.number(row, input));
        self.scaled[draw * size..][..size].chunks_exact(self.inputs).any(is_row)
    }
}
