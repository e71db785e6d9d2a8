//! The layers of a network in training, and where each finds its numbers.

use std::ops::Range;

use polars::prelude::PolarsResult;

use crate::engine::shape::Shape;
use crate::memory::zeros;

/// Rows that go through a layer together: its weights come from the cache once for all, and the rows' own numbers stay in it.
const TOGETHER: usize = 64;

/// The layers, and where they find their numbers.
pub struct Plan {
    pub inputs: usize,
    /// Tiles that go through a layer together
    pub tiles: usize,
    /// ND, encoder, decoder, each from its input on
    pub layers: Vec<Layer>,
    /// The same in the order of the backward pass
    pub backward: Vec<usize>,
    pub logit: Place,
    /// None for a network that is ND alone
    pub reconstruction: Option<Place>,
    /// Rows of all matrices
    rows: usize,
    /// The number of rows of a tile
    tile: usize,
}

pub struct Layer {
    pub inputs: usize,
    pub outputs: usize,
    pub weight: usize,
    pub bias: usize,
    pub from: Place,
    pub to: Place,
    pub relu: bool,
    pub source: Source,
}

/// Where a layer's input or output is: some rows of a matrix `[tiles, height, tile]`. The matrices lie in one buffer, in the
/// order in which they are computed, so that a layer's input comes before its output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Rows of all matrices before this one
    before: usize,
    row: usize,
    height: usize,
}

impl Place {
    /// Its first number, in a buffer of `tiles` tiles of `tile` rows.
    pub fn first(self, tiles: usize, tile: usize) -> usize {
        (self.before * tiles + self.row) * tile
    }

    /// From a tile to the next.
    pub fn stride(self, tile: usize) -> usize {
        self.height * tile
    }
}

/// What a layer's input is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The features: they need no gradient.
    Features,
    Hidden,
    /// (z0, z1), whose ReLU is left to ND, which has a gradient for z0 too
    Latent,
    /// z0, as ND's last layer sees it
    Z0,
}

/// A tile's numbers, `[rows, tile]` each.
pub struct Buffers {
    pub activations: Vec<f32>,
    /// Gradients of the layers' affine outputs, each at its activation's place
    pub deltas: Vec<f32>,
    /// A layer's deltas, its outputs as lanes
    pub panels: Vec<f32>,
    /// A column of a gradient that is not a whole vector wide
    pub spare: Vec<f32>,
    /// What multiplies a bias, for all rows of a tile
    pub ones: Vec<f32>,
    /// What dropout multiplies each activation with, at its place; empty without dropout
    pub masks: Vec<f32>,
}

impl Plan {
    /// For a network, with tiles of `tile` rows.
    pub fn new(shape: &Shape, tile: usize) -> Self {
        let depth = shape.depth();
        let shapes = shape.layers();
        let sizes = || shapes.iter().map(|layer| (layer.inputs, layer.outputs));
        let width = |layer: usize| shapes[layer].outputs;
        let inputs = shape.inputs;
        let (z0, z1) = (width(depth - 2), shape.latent);
        let encoder = if shape.has_autoencoder() { depth..2 * depth - 1 } else { 0..0 };
        let latent = inputs + (0..depth - 2).chain(encoder).map(width).sum::<usize>();

        // Matrices of ND and encoder come before (z0, z1), those of logit and decoder after it.
        let (mut early, mut late) = (inputs, latent + z0 + z1);
        let matrix = |next: &mut usize, height: usize| Place { before: take(next, height), row: 0, height };
        let z = Place { before: latent, row: 0, height: z0 + z1 };
        let mut number = 0;
        let mut layers: Vec<Layer> = Vec::with_capacity(shapes.len());
        for (at, (inputs, outputs)) in sizes().enumerate() {
            let (block, place) = (at / depth, at % depth);
            let last = place == depth - 1;
            let to = match (block, place) {
                (0, place) if place == depth - 2 => z,
                (1, _) if last => Place { row: z0, ..z },
                (0, _) if last => matrix(&mut late, outputs),
                (2, _) => matrix(&mut late, outputs),
                _ => matrix(&mut early, outputs),
            };
            let (source, from) = match (block, place) {
                (2, 0) => (Source::Latent, z),
                (_, 0) => (Source::Features, Place { before: 0, row: 0, height: inputs }),
                (0, _) if last && shape.has_autoencoder() => (Source::Z0, z),
                (0, _) if last => (Source::Hidden, z),
                _ => (Source::Hidden, layers[at - 1].to),
            };
            let (weight, bias) = (take(&mut number, inputs * outputs), take(&mut number, outputs));
            layers.push(Layer { inputs, outputs, weight, bias, from, to, relu: !last, source });
        }
        let blocks: &[usize] = if shape.has_autoencoder() { &[2, 0, 1] } else { &[0] };
        let backward = blocks.iter().flat_map(|block| (block * depth..(block + 1) * depth).rev()).collect();
        let logit = layers[depth - 1].to;
        let reconstruction = layers.get(3 * depth - 1).map(|layer| layer.to);
        Self { inputs, tiles: TOGETHER / tile, layers, backward, logit, reconstruction, rows: late, tile }
    }

    /// The place of a layer's outputs of one tile, in the buffers.
    pub fn outputs(&self, layer: &Layer, tile: usize) -> Range<usize> {
        let first = layer.to.first(self.tiles, self.tile) + tile * layer.to.stride(self.tile);
        first..first + layer.outputs * self.tile
    }

    /// The widest layer, input and output included.
    pub fn widest(&self) -> usize {
        self.layers.iter().map(|layer| layer.inputs.max(layer.outputs)).max().unwrap_or(0)
    }
}

/// The next `count` places.
fn take(next: &mut usize, count: usize) -> usize {
    let first = *next;
    *next += count;
    first
}

impl Buffers {
    pub fn new(plan: &Plan) -> PolarsResult<Self> {
        let (tile, widest) = (plan.tile, plan.widest());
        let room = |count: usize| zeros(count, "the activations");
        // A tile's rows are more than a vector's lanes.
        Ok(Self {
            activations: room(plan.rows * plan.tiles * tile)?,
            deltas: room(plan.rows * plan.tiles * tile)?,
            panels: room(plan.tiles * (widest + tile) * tile)?,
            spare: room(widest * tile)?,
            ones: vec![1.0; tile],
            masks: vec![],
        })
    }
}
