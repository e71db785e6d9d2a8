//! The matrix products of a layer, forward and back, as one kernel over a tile.
//!
//! All three are `to[row] = Σ scalar[row, k] · vector[k]`: forward, a row is an output, and k an input; back, the other way
//! round; for the gradient of a weight, a row is an input, k a row of the tile, and a vector holds outputs. So each number
//! is one sum in one order, whatever the width of the vectors.

use crate::simd::{Vector, MOST_LANES, VECTORS};

/// Where a sum starts.
#[derive(Clone, Copy)]
pub enum Start {
    Zero,
    /// A number for each row, the same in all lanes.
    Bias(*const f32),
    /// What is there already.
    Present,
}

/// What becomes of a sum.
#[derive(Clone, Copy)]
pub enum Finish {
    Linear,
    Relu,
    /// 0 where the number at the same place in this matrix, laid out as `to`, is not above 0: back through a ReLU.
    Gate(*const f32),
}

/// Matrices by their first number and their strides.
#[derive(Clone, Copy)]
pub struct Product {
    pub depth: usize,
    pub scalars: *const f32,
    pub scalar_stride: usize,
    pub scalar_row_stride: usize,
    pub vectors: *const f32,
    pub vector_stride: usize,
    pub vector_column_stride: usize,
    pub to: *mut f32,
    pub to_row_stride: usize,
    pub start: Start,
    pub finish: Finish,
    pub tiles: Tiles,
    /// Room for the scalars of a block, gathered there where their stride is too large for the cache to keep them for all tiles.
    pub gathered: Option<*mut f32>,
}

/// What a product does with several tiles. Either way, a block of scalars or sums serves all of them while it is near.
#[derive(Clone, Copy)]
pub enum Tiles {
    /// A product for each, with the same scalars; the strides between tiles in `vectors` and `to`.
    Each { count: usize, vectors: usize, to: usize },
    /// One sum over all; the strides between tiles in `scalars` and `vectors`.
    Sum { count: usize, scalars: usize, vectors: usize },
}

impl Product {
    /// The first `rows` rows, N vectors wide.
    ///
    /// # Safety
    /// The CPU has the vector's instructions. The pointers reach all that the sizes say, for `rows`
    /// rows and N vectors: numbers to read, and numbers to write that nothing else uses. `gathered`
    /// has room for the scalars of [`Vector::OUTPUTS`] rows.
    #[inline(always)]
    pub unsafe fn run<V: Vector, const N: usize>(&self, rows: usize) {
        // SAFETY: rows `at .. at + J` are among the caller's `rows`; eight are taken together only
        // where `OUTPUTS` is 8, and it is never less than 4.
        unsafe {
            let mut at = 0;
            while V::OUTPUTS == 8 && rows - at >= 8 {
                self.blocks::<V, 8, N>(at);
                at += 8;
            }
            while rows - at >= 4 {
                self.blocks::<V, 4, N>(at);
                at += 4;
            }
            while at < rows {
                self.blocks::<V, 1, N>(at);
                at += 1;
            }
        }
    }

    /// Rows `at .. at + J`, of all tiles.
    ///
    /// # Safety
    /// As of [`Product::run`]; rows `at .. at + J` are among its rows, and J is at most
    /// [`Vector::OUTPUTS`].
    #[inline(always)]
    unsafe fn blocks<V: Vector, const J: usize, const N: usize>(&self, at: usize) {
        // SAFETY: `at` is a row, and `tile` a tile, of the product that the caller vouches for.
        // `room` has `J * depth` numbers, since J is at most `OUTPUTS`.
        unsafe {
            let mut product = *self;
            product.scalars = self.scalars.add(at * self.scalar_row_stride);
            if let Some(room) = self.gathered {
                for k in 0..self.depth {
                    for row in 0..J {
                        *room.add(k * J + row) =
                            *product.scalars.add(k * self.scalar_stride + row * self.scalar_row_stride);
                    }
                }
                (product.scalars, product.scalar_stride, product.scalar_row_stride) = (room, J, 1);
            }
            match self.tiles {
                Tiles::Each { count, vectors, to } => {
                    for tile in 0..count {
                        product.vectors = self.vectors.add(tile * vectors);
                        product.block::<V, J, N>(at, tile * to);
                    }
                }
                Tiles::Sum { .. } => product.block::<V, J, N>(at, 0),
            }
        }
    }

    /// Rows `at .. at + J`, whose scalars come first, `to_tile` numbers from the first tile on. Their sums stay in registers
    /// from the first k to the last.
    ///
    /// # Safety
    /// As of [`Product::run`]; rows `at .. at + J` are among its rows, and `to_tile` is where one
    /// of its tiles begins.
    #[inline(always)]
    unsafe fn block<V: Vector, const J: usize, const N: usize>(&self, at: usize, to_tile: usize) {
        // SAFETY: the caller vouches for the product. The bias has a number for each row; `to`, and
        // a gate laid out as `to`, have N vectors in each row; `tile` is below the number of tiles.
        unsafe {
            let corner = at * self.to_row_stride + to_tile;
            let to = self.to.add(corner);
            let mut sums = [[V::splat(0.0); N]; J];
            for (row, sum) in sums.iter_mut().enumerate() {
                for (beside, sum) in sum.iter_mut().enumerate() {
                    match self.start {
                        Start::Zero => {}
                        Start::Bias(bias) => *sum = V::splat(*bias.add(at + row)),
                        Start::Present => *sum = V::load(to.add(row * self.to_row_stride + beside * V::LANES)),
                    }
                }
            }
            match self.tiles {
                Tiles::Each { .. } => self.add_tile(self.scalars, self.vectors, &mut sums),
                Tiles::Sum { count, scalars: scalar_tile, vectors: vector_tile } => {
                    for tile in 0..count {
                        let (scalars, vectors) =
                            (self.scalars.add(tile * scalar_tile), self.vectors.add(tile * vector_tile));
                        self.add_tile(scalars, vectors, &mut sums);
                    }
                }
            }
            for (row, sum) in sums.iter().enumerate() {
                for (beside, sum) in sum.iter().enumerate() {
                    let place = row * self.to_row_stride + beside * V::LANES;
                    let sum = match self.finish {
                        Finish::Linear => *sum,
                        // This way round, a sum that is no number stays none: a row that overflows must not look like zeros.
                        Finish::Relu => V::splat(0.0).max(*sum),
                        Finish::Gate(gate) => sum.where_positive(V::load(gate.add(corner + place))),
                    };
                    sum.store(to.add(place));
                }
            }
        }
    }

    /// # Safety
    /// The CPU has the vector's instructions. From `scalars` and `vectors` on, there is all that J
    /// rows and N vectors of the product's depth need.
    #[inline(always)]
    unsafe fn add_tile<V: Vector, const J: usize, const N: usize>(
        &self,
        mut scalars: *const f32,
        mut vectors: *const f32,
        sums: &mut [[V; N]; J],
    ) {
        // SAFETY: k is below `depth`, `row` below J and `beside` below N: the caller vouches for
        // all of these. After the last k, both pointers may lie beyond their matrices, so they are
        // advanced without a promise (`wrapping_add`) and not read any more.
        unsafe {
            // Pointers, since a bound checked for each k would cost as much as its arithmetic.
            for _ in 0..self.depth {
                let mut vector = [V::splat(0.0); N];
                for (beside, vector) in vector.iter_mut().enumerate() {
                    *vector = V::load(vectors.add(beside * self.vector_column_stride));
                }
                for (row, sum) in sums.iter_mut().enumerate() {
                    let scalar = V::splat(*scalars.add(row * self.scalar_row_stride));
                    for (sum, vector) in sum.iter_mut().zip(vector) {
                        *sum = vector.mul_add(scalar, *sum);
                    }
                }
                scalars = scalars.wrapping_add(self.scalar_stride);
                vectors = vectors.wrapping_add(self.vector_stride);
            }
        }
    }
}

/// The tiles that go through a layer together.
#[derive(Clone, Copy)]
pub struct Stack {
    pub tiles: usize,
    /// The strides between tiles, in the layer's input and in its output
    pub from: usize,
    pub to: usize,
}

impl Stack {
    /// One tile alone.
    pub const ONE: Self = Self { tiles: 1, from: 0, to: 0 };

    /// Whether a buffer of tiles with this stride reaches the first `rows` rows of every tile.
    #[inline(always)]
    fn reaches<V: Vector>(self, buffer: &[f32], stride: usize, rows: usize) -> bool {
        buffer.len() >= (self.tiles - 1) * stride + rows * V::TILE
    }
}

/// A layer of more weights than these does not stay in the cache from tile to tile, least of all with strides of a power of 2.
const FAR: usize = 32_768;

/// `to = from·W + b` of tiles, with ReLU if asked.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
pub unsafe fn affine<V: Vector>(
    weights: &[f32],
    bias: &[f32],
    from: &[f32],
    to: &mut [f32],
    relu: bool,
    stack: Stack,
    room: &mut [f32],
) {
    let (inputs, outputs) = (weights.len() / bias.len(), bias.len());
    assert!(stack.reaches::<V>(from, stack.from, inputs) && stack.reaches::<V>(to, stack.to, outputs));
    let far = stack.tiles > 1 && weights.len() > FAR;
    assert!(!far || room.len() >= inputs * V::OUTPUTS);
    let product = Product {
        depth: inputs,
        scalars: weights.as_ptr(),
        scalar_stride: outputs,
        scalar_row_stride: 1,
        vectors: from.as_ptr(),
        vector_stride: V::TILE,
        vector_column_stride: V::LANES,
        to: to.as_mut_ptr(),
        to_row_stride: V::TILE,
        start: Start::Bias(bias.as_ptr()),
        finish: if relu { Finish::Relu } else { Finish::Linear },
        tiles: Tiles::Each { count: stack.tiles, vectors: stack.from, to: stack.to },
        gathered: far.then_some(room.as_mut_ptr()),
    };
    // SAFETY: the caller knows that the CPU has the vector's instructions. `weights` has `inputs *
    // outputs` numbers and `bias` `outputs`, by the divisions above; `from`, `to` and `room` are
    // checked by the assertions. `to` and `room` are borrowed mutably, so nothing else uses them.
    unsafe { product.run::<V, VECTORS>(outputs) };
}

/// What becomes of the gradient of a layer's input.
#[derive(Clone, Copy)]
pub struct Back<'a> {
    /// The input's activations, where it comes out of a ReLU.
    pub relu: Option<&'a [f32]>,
    /// The input serves another layer too, whose gradient is there already.
    pub sum: bool,
}

/// `d_from = W·d` of tiles: the gradient of a layer's input from that of its output.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
pub unsafe fn d_input<V: Vector>(
    weights: &[f32],
    outputs: usize,
    d: &[f32],
    d_from: &mut [f32],
    back: Back,
    stack: Stack,
) {
    let inputs = weights.len() / outputs;
    assert!(stack.reaches::<V>(d, stack.to, outputs) && stack.reaches::<V>(d_from, stack.from, inputs));
    assert!(back.relu.is_none_or(|activations| stack.reaches::<V>(activations, stack.from, inputs)));
    let product = Product {
        depth: outputs,
        scalars: weights.as_ptr(),
        scalar_stride: 1,
        scalar_row_stride: outputs,
        vectors: d.as_ptr(),
        vector_stride: V::TILE,
        vector_column_stride: V::LANES,
        to: d_from.as_mut_ptr(),
        to_row_stride: V::TILE,
        start: if back.sum { Start::Present } else { Start::Zero },
        finish: back.relu.map_or(Finish::Linear, |activations| Finish::Gate(activations.as_ptr())),
        tiles: Tiles::Each { count: stack.tiles, vectors: stack.to, to: stack.from },
        gathered: None,
    };
    // SAFETY: the caller knows that the CPU has the vector's instructions. `weights` has at least
    // `inputs * outputs` numbers, by the division above; `d`, `d_from` and the activations are
    // checked by the assertions. `d_from` is borrowed mutably, so nothing else uses it.
    unsafe { product.run::<V, VECTORS>(inputs) };
}

/// The length of a tile in [`panels`], for a layer of `outputs` outputs.
pub fn panel_len<V: Vector>(outputs: usize) -> usize {
    outputs.next_multiple_of(V::LANES) * V::TILE
}

/// A layer's `[outputs, tile]` as `[outputs / lanes, tile, lanes]`, so that outputs are lanes; tile by tile.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
pub unsafe fn panels<V: Vector>(d: &[f32], outputs: usize, panels: &mut [f32], stack: Stack) {
    let len = panel_len::<V>(outputs);
    assert!(stack.reaches::<V>(d, stack.to, outputs) && panels.len() >= stack.tiles * len);
    for (tile, panels) in panels.chunks_exact_mut(len).take(stack.tiles).enumerate() {
        let d = &d[tile * stack.to..];
        for (at, panel) in (0..outputs).step_by(V::LANES).zip(panels.chunks_exact_mut(V::LANES * V::TILE)) {
            let outputs = V::LANES.min(outputs - at);
            // SAFETY: `d` reaches `outputs` more rows of a tile from here on, by the assertion. A
            // panel has `V::TILE` rows of `V::LANES` numbers, and `outputs` is at most `V::LANES`.
            unsafe { transpose(d[at * V::TILE..].as_ptr(), V::TILE, [outputs, V::TILE], panel.as_mut_ptr(), V::LANES) };
        }
    }
}

/// Adds to `gradient` = ∂L/∂W `[inputs, outputs]` what the rows of tiles bring: `fromᵀ·d`, d in [`panels`].
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
pub unsafe fn add_gradient<V: Vector>(
    from: &[f32],
    panels: &[f32],
    gradient: &mut [f32],
    outputs: usize,
    spare: &mut [f32],
    stack: Stack,
) {
    let inputs = gradient.len() / outputs;
    assert!(stack.reaches::<V>(from, stack.from, inputs) && panels.len() >= stack.tiles * panel_len::<V>(outputs));
    assert!(spare.len() >= inputs * V::LANES);
    let panel = V::LANES * V::TILE;
    let product = Product {
        depth: V::TILE,
        scalars: from.as_ptr(),
        scalar_stride: 1,
        scalar_row_stride: V::TILE,
        vectors: panels.as_ptr(),
        vector_stride: V::LANES,
        vector_column_stride: panel,
        to: gradient.as_mut_ptr(),
        to_row_stride: outputs,
        start: Start::Present,
        finish: Finish::Linear,
        tiles: Tiles::Sum { count: stack.tiles, scalars: stack.from, vectors: panel_len::<V>(outputs) },
        gathered: None,
    };
    // SAFETY: the caller knows that the CPU has the vector's instructions. `gradient` has at least
    // `inputs * outputs` numbers, by the division above; `from`, `panels` and `spare` are checked
    // by the assertions. The first products are no wider than the outputs that are left. The last
    // one writes to `spare`, which has a vector for each input, and reads a panel, which is filled
    // up to a whole vector. `gradient` and `spare` are borrowed mutably, so nothing else uses them.
    unsafe {
        let mut at = 0;
        while outputs - at >= 2 * V::LANES {
            let vectors = product.vectors.add(at * V::TILE);
            Product { vectors, to: product.to.add(at), ..product }.run::<V, 2>(inputs);
            at += 2 * V::LANES;
        }
        if outputs - at >= V::LANES {
            let vectors = product.vectors.add(at * V::TILE);
            Product { vectors, to: product.to.add(at), ..product }.run::<V, 1>(inputs);
            at += V::LANES;
        }
        let left = outputs - at;
        if left > 0 {
            // A vector that is not full of outputs would reach into the next row.
            for (spare, row) in spare.chunks_exact_mut(V::LANES).zip(gradient.chunks_exact(outputs)) {
                spare[..left].copy_from_slice(&row[at..]);
            }
            let vectors = product.vectors.add(at * V::TILE);
            Product { vectors, to: spare.as_mut_ptr(), to_row_stride: V::LANES, ..product }.run::<V, 1>(inputs);
            for (spare, row) in spare.chunks_exact(V::LANES).zip(gradient.chunks_exact_mut(outputs)) {
                row[at..].copy_from_slice(&spare[..left]);
            }
        }
    }
}

/// `[rows, columns]` with a stride of `from_row` between rows, as `[columns, rows]` with a stride of `to_row` between columns.
///
/// # Safety
/// `from` reaches all numbers to read, and `to` all numbers to write, which nothing else uses.
#[inline(always)]
pub unsafe fn transpose(from: *const f32, from_row: usize, [rows, columns]: [usize; 2], to: *mut f32, to_row: usize) {
    // SAFETY: `row` is below `rows` and `column` below `columns`, and so are the three that follow
    // each in a square; the caller promises that both pointers reach these.
    unsafe {
        const SIDE: usize = 4;
        let (square_rows, square_columns) = (rows - rows % SIDE, columns - columns % SIDE);
        for row in (0..square_rows).step_by(SIDE) {
            for column in (0..square_columns).step_by(SIDE) {
                transpose_square(from.add(row * from_row + column), from_row, to.add(column * to_row + row), to_row);
            }
            for column in square_columns..columns {
                for row in row..row + SIDE {
                    *to.add(column * to_row + row) = *from.add(row * from_row + column);
                }
            }
        }
        for row in square_rows..rows {
            for column in 0..columns {
                *to.add(column * to_row + row) = *from.add(row * from_row + column);
            }
        }
    }
}

/// Four by four numbers.
///
/// # Safety
/// From `from` on there are four rows of four numbers, and from `to` on room for as many.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_square(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    // SAFETY: the caller's promise. Every x86-64 CPU has these instructions, which need no
    // alignment.
    unsafe {
        use std::arch::x86_64::{_mm_loadu_ps, _mm_storeu_ps, _MM_TRANSPOSE4_PS};
        let [mut a, mut b, mut c, mut d] = [0, 1, 2, 3].map(|at| _mm_loadu_ps(from.add(at * from_row)));
        _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
        _mm_storeu_ps(to, a);
        _mm_storeu_ps(to.add(to_row), b);
        _mm_storeu_ps(to.add(2 * to_row), c);
        _mm_storeu_ps(to.add(3 * to_row), d);
    }
}

/// # Safety
/// From `from` on there are four rows of four numbers, and from `to` on room for as many.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
unsafe fn transpose_square(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    // SAFETY: the caller's promise. A `[f32; 4]` needs no more alignment than an `f32`.
    unsafe {
        let square: [[f32; 4]; 4] = std::array::from_fn(|row| *from.add(row * from_row).cast::<[f32; 4]>());
        for column in 0..4 {
            *to.add(column * to_row).cast::<[f32; 4]>() = square.map(|row| row[column]);
        }
    }
}

/// ‖x − x̂‖₂ of the rows of a tile; of those whose squares overflow in f32, computed in f64. The others keep their bits.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
pub unsafe fn finite_norms<V: Vector>(x: &[f32], reconstruction: &[f32]) -> [V; VECTORS] {
    // SAFETY: the caller knows that the CPU has the vector's instructions. `numbers` has room for
    // `VECTORS` of the widest vectors.
    unsafe {
        let mut all = norms::<V>(x, reconstruction);
        let mut numbers = [0f32; VECTORS * MOST_LANES];
        for (at, norm) in all.iter().enumerate() {
            norm.store(numbers[at * V::LANES..].as_mut_ptr());
        }
        if numbers[..V::TILE].iter().all(|norm| norm.is_finite()) {
            return all;
        }
        for (row, norm) in numbers[..V::TILE].iter_mut().enumerate().filter(|(_, norm)| !norm.is_finite()) {
            let residuals = x.chunks_exact(V::TILE).zip(reconstruction.chunks_exact(V::TILE));
            let squares = residuals.map(|(x, y)| (f64::from(x[row]) - f64::from(y[row])).powi(2));
            *norm = squares.sum::<f64>().sqrt() as f32;
        }
        for (at, norm) in all.iter_mut().enumerate() {
            *norm = V::load(numbers[at * V::LANES..].as_ptr());
        }
        all
    }
}

/// ‖x − x̂‖₂ of the rows of a tile; infinite where a square overflows in f32.
///
/// # Safety
/// The CPU has the vector's instructions.
#[inline(always)]
pub unsafe fn norms<V: Vector>(x: &[f32], reconstruction: &[f32]) -> [V; VECTORS] {
    // SAFETY: the caller knows that the CPU has the vector's instructions. `VECTORS` vectors are a
    // tile, and both chunks have the numbers of one.
    unsafe {
        let mut squares = [V::splat(0.0); VECTORS];
        for (x, reconstruction) in x.chunks_exact(V::TILE).zip(reconstruction.chunks_exact(V::TILE)) {
            for (at, square) in squares.iter_mut().enumerate() {
                let lanes = at * V::LANES..;
                let residual = V::load(x[lanes.clone()].as_ptr()).sub(V::load(reconstruction[lanes].as_ptr()));
                *square = residual.mul_add(residual, *square);
            }
        }
        let mut norms = squares;
        for norm in &mut norms {
            *norm = norm.sqrt();
        }
        norms
    }
}
