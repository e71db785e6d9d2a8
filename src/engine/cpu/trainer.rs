//! The training of one network on the CPU: all that a step needs, allocated once.

use crate::adam::Corrections;
use crate::shape::Shape;

use super::tile_rows;

/// Rows that go through a layer together: its weights come from the cache once for all, and the rows' own numbers stay in it.
const TOGETHER: usize = 64;

/// Rows of a batch, and what they count in the loss.
pub struct Batch<'a> {
    /// `[rows, inputs]`, row by row
    pub x: &'a [f32],
    /// y of each row
    pub synthetic: &'a [bool],
    /// Of every row: w / rows of the batch (eq. 3 and 4)
    pub ce_weight: f32,
    /// Of a normal row: (1 − w) / normal rows of the batch (eq. 2 and 4)
    pub ae_weight: f32,
}

/// Sums over some rows: eq. 3, and eq. 2 over the normal ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSums {
    pub cross_entropy: f64,
    pub reconstruction: f64,
}

/// A network in training. Without the CPU's support, nothing is computed; [`tile_rows`] says so.
pub struct Trainer {
    pub(super) plan: Plan,
    /// Layer by layer, weight then bias, as in a fleet of one; then zeros, so that a last vector is full. So are the next three.
    pub(super) parameters: Vec<f32>,
    pub(super) gradient: Vec<f32>,
    /// Adam's running means of the gradient, and of its square
    pub(super) mean: Vec<f32>,
    pub(super) square: Vec<f32>,
    /// How many of them are the network's
    count: usize,
    steps: i32,
    pub(super) buffers: Buffers,
}

/// The layers, and where they find their numbers.
pub struct Plan {
    pub(super) inputs: usize,
    /// Tiles that go through a layer together
    pub(super) tiles: usize,
    /// ND, encoder, decoder, each from its input on
    pub(super) layers: Vec<Layer>,
    /// The same in the order of the backward pass
    pub(super) backward: Vec<usize>,
    pub(super) logit: Place,
    pub(super) reconstruction: Place,
    /// Rows of all matrices
    rows: usize,
}

pub struct Layer {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) weight: usize,
    pub(super) bias: usize,
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) relu: bool,
    pub(super) source: Source,
}

/// Where a layer's input or output is: some rows of a matrix `[tiles, height, tile]`. The matrices lie in one buffer, in the
/// order in which they are computed, so that a layer's input comes before its output.
#[derive(Clone, Copy)]
pub struct Place {
    /// Rows of the matrices before this one
    before: usize,
    row: usize,
    height: usize,
}

impl Place {
    /// The first number, in a buffer of so many tiles of so many rows.
    pub(super) fn first(self, tiles: usize, tile: usize) -> usize {
        (self.before * tiles + self.row) * tile
    }

    /// Numbers from a tile to the next.
    pub(super) fn apart(self, tile: usize) -> usize {
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
    pub(super) activations: Vec<f32>,
    /// Gradients of the layers' affine outputs, each at its activation's place
    pub(super) deltas: Vec<f32>,
    /// A layer's deltas, its outputs as lanes
    pub(super) panels: Vec<f32>,
    /// A column of a gradient that is not a whole vector wide
    pub(super) spare: Vec<f32>,
    /// What multiplies a bias, for all rows of a tile
    pub(super) ones: Vec<f32>,
}

impl Plan {
    fn new(shape: &Shape) -> Self {
        let depth = shape.depth();
        let shapes = shape.layers();
        let sizes = || shapes.iter().map(|layer| (layer.inputs as usize, layer.outputs as usize));
        let width = |layer: usize| shapes[layer].outputs as usize;
        let inputs = shape.inputs as usize;
        let (z0, z1) = (width(depth - 2), width(2 * depth - 1));
        let latent = inputs + (0..depth - 2).chain(depth..2 * depth - 1).map(width).sum::<usize>();

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
                (0, _) if last => (Source::Z0, z),
                _ => (Source::Hidden, layers[at - 1].to),
            };
            let (weight, bias) = (take(&mut number, inputs * outputs), take(&mut number, outputs));
            layers.push(Layer { inputs, outputs, weight, bias, from, to, relu: !last, source });
        }
        let backward = (2 * depth..3 * depth).rev().chain((0..depth).rev()).chain((depth..2 * depth).rev()).collect();
        let (logit, reconstruction) = (layers[depth - 1].to, layers[3 * depth - 1].to);
        let tiles = tile_rows().map_or(1, |tile| TOGETHER / tile);
        Self { inputs, tiles, layers, backward, logit, reconstruction, rows: late }
    }
}

/// The next `count` places.
fn take(next: &mut usize, count: usize) -> usize {
    let first = *next;
    *next += count;
    first
}

impl Buffers {
    fn new(plan: &Plan) -> Self {
        let tile = tile_rows().unwrap_or(0);
        let widest = plan.layers.iter().map(|layer| layer.inputs.max(layer.outputs)).max().unwrap_or(0);
        // A tile's rows are more than a vector's lanes.
        Self {
            activations: vec![0.0; plan.rows * plan.tiles * tile],
            deltas: vec![0.0; plan.rows * plan.tiles * tile],
            panels: vec![0.0; plan.tiles * (widest + tile) * tile],
            spare: vec![0.0; widest * tile],
            ones: vec![1.0; tile],
        }
    }
}

impl Trainer {
    /// From a network's numbers, in the order of a fleet of one.
    pub fn new(shape: &Shape, mut parameters: Vec<f32>) -> Self {
        const WIDEST_VECTOR: usize = 16;
        let count = parameters.len();
        parameters.resize(count.next_multiple_of(WIDEST_VECTOR), 0.0);
        let zeros = || vec![0f32; parameters.len()];
        let (gradient, mean, square) = (zeros(), zeros(), zeros());
        let plan = Plan::new(shape);
        let buffers = Buffers::new(&plan);
        Self { plan, parameters, gradient, mean, square, count, steps: 0, buffers }
    }

    /// The network's numbers, in the order of a fleet of one.
    pub fn parameters(&self) -> &[f32] {
        &self.parameters[..self.count]
    }

    /// One step of Adam on a batch.
    pub fn step(&mut self, batch: &Batch, learning_rate: f64) {
        self.differentiate(batch);
        self.steps += 1;
        self.update(&Corrections::of(self.steps, learning_rate));
    }

    /// The gradient of eq. 4.
    fn differentiate(&mut self, batch: &Batch) {
        #[cfg(target_arch = "x86_64")]
        match tile_rows() {
            // SAFETY: tile_rows has found the CPU's support.
            Some(super::vector::TILE_512) => unsafe { super::step::differentiate_512(self, batch) },
            Some(_) => unsafe { super::step::differentiate_256(self, batch) },
            None => {}
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = batch;
    }

    fn update(&mut self, corrections: &Corrections) {
        #[cfg(target_arch = "x86_64")]
        match tile_rows() {
            // SAFETY: tile_rows has found the CPU's support.
            Some(super::vector::TILE_512) => unsafe { super::step::update_512(self, corrections) },
            Some(_) => unsafe { super::step::update_256(self, corrections) },
            None => {}
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = corrections;
    }

    /// Eq. 2 and 3 of rows, as sums.
    pub fn losses(&mut self, x: &[f32], synthetic: &[bool]) -> LossSums {
        #[cfg(target_arch = "x86_64")]
        match tile_rows() {
            // SAFETY: tile_rows has found the CPU's support.
            Some(super::vector::TILE_512) => return unsafe { super::step::losses_512(self, x, synthetic) },
            Some(_) => return unsafe { super::step::losses_256(self, x, synthetic) },
            None => {}
        }
        let _ = (x, synthetic);
        LossSums::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Network, Targets};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use tch::{Device, Tensor};

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| 3.0 * rng.random::<f32>() - 1.0).collect()
    }

    fn network(shape: &Shape) -> Network {
        let selection: Vec<i64> = (0..shape.inputs).collect();
        Network::draw(shape.clone(), &selection, &mut [ChaCha8Rng::seed_from_u64(5)], Device::Cpu).unwrap()
    }

    fn shapes() -> Vec<Shape> {
        let shape = |inputs, hidden: &[i64], latent| Shape { inputs, hidden: hidden.to_vec(), latent };
        vec![
            shape(20, &[32, 16], 16),
            shape(6, &[32, 16], 16),
            shape(1, &[1], 1),
            shape(7, &[1], 3),
            shape(1, &[40], 17),
            shape(35, &[70, 33, 9], 5),
            shape(5, &[8, 7, 6, 5, 4, 5, 6, 7], 2),
            // A layer whose weights are gathered
            shape(9, &[150, 301], 37),
        ]
    }

    /// The gradient of eq. 4 on `rows` rows, a third of them synthetic: by this module, and by network.rs.
    fn both(shape: &Shape, rows: usize) -> (Vec<f32>, Vec<f32>) {
        let network = network(shape);
        let x = numbers(rows * shape.inputs as usize, 1);
        let synthetic: Vec<bool> = (0..rows).map(|row| row % 3 == 2).collect();
        let batch = Batch { x: &x, synthetic: &synthetic, ce_weight: 0.4, ae_weight: 0.3 };
        let mut trainer = Trainer::new(shape, network.to_flat().unwrap());
        trainer.differentiate(&batch);

        let column = |number: &dyn Fn(bool) -> f32| {
            let numbers: Vec<f32> = synthetic.iter().map(|synthetic| number(*synthetic)).collect();
            Tensor::from_slice(&numbers).view([1, -1, 1])
        };
        let targets = Targets {
            synthetic: column(&|synthetic| if synthetic { 1.0 } else { 0.0 }),
            ce_weight: column(&|_| batch.ce_weight),
            ae_weight: column(&|synthetic| if synthetic { 0.0 } else { batch.ae_weight }),
        };
        let x = Tensor::from_slice(&x).view([1, rows as i64, shape.inputs]);
        let gradients = network.gradient_buffer().unwrap();
        network.backward(&x, &network.forward(&x).unwrap(), &targets, &gradients).unwrap();
        (trainer.gradient[..trainer.count].to_vec(), Vec::try_from(&gradients.flat).unwrap())
    }

    #[test]
    fn gradients_agree_with_those_by_libtorch() {
        if tile_rows().is_none() {
            return;
        }
        for shape in shapes() {
            for rows in [1, 2, 15, 16, 33, 128, 300] {
                let (ours, theirs) = both(&shape, rows);
                let size = theirs.iter().fold(0f32, |size, number| size.max(number.abs()));
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    assert!((ours - theirs).abs() <= 1e-5 * size, "{shape:?}, {rows} rows: {ours} {theirs} of {size}");
                }
            }
        }
    }

    #[test]
    fn adam_agrees_with_its_definition_in_f64() {
        if tile_rows().is_none() {
            return;
        }
        let shape = Shape { inputs: 3, hidden: vec![4], latent: 2 };
        let start = network(&shape).to_flat().unwrap();
        let mut trainer = Trainer::new(&shape, start.clone());
        let mut expected: Vec<(f64, f64, f64)> = start.iter().map(|number| (f64::from(*number), 0.0, 0.0)).collect();
        for step in 1..=30 {
            let gradient = numbers(start.len(), step as u64);
            trainer.gradient[..start.len()].copy_from_slice(&gradient);
            trainer.update(&Corrections::of(step, 0.01));
            for ((parameter, mean, square), gradient) in expected.iter_mut().zip(gradient) {
                let gradient = f64::from(gradient);
                *mean = 0.9 * *mean + 0.1 * gradient;
                *square = 0.999 * *square + 0.001 * gradient * gradient;
                let (mean, square) = (*mean / (1.0 - 0.9f64.powi(step)), *square / (1.0 - 0.999f64.powi(step)));
                *parameter -= 0.01 * mean / (square.sqrt() + 1e-8);
            }
        }
        for (ours, (expected, ..)) in trainer.parameters().iter().zip(expected) {
            assert!((f64::from(*ours) - expected).abs() < 2e-6, "{ours} {expected}");
        }
        assert!(trainer.parameters[start.len()..].iter().all(|padding| *padding == 0.0));
    }

    #[test]
    fn a_perfect_reconstruction_has_no_gradient_and_no_nan() {
        let shape = Shape { inputs: 2, hidden: vec![2], latent: 1 };
        let mut trainer = Trainer::new(&shape, vec![0.0; shape.parameters() as usize]);
        let batch = Batch { x: &[0.0; 6], synthetic: &[false; 3], ce_weight: 0.0, ae_weight: 1.0 };
        trainer.differentiate(&batch);
        assert_eq!(trainer.gradient.iter().map(|number| number.abs()).sum::<f32>(), 0.0);
        trainer.step(&batch, 0.1);
        assert!(trainer.parameters().iter().all(|number| *number == 0.0));
    }

    #[test]
    fn losses_are_those_of_equations_2_and_3() {
        if tile_rows().is_none() {
            return;
        }
        let shape = Shape { inputs: 6, hidden: vec![9, 4], latent: 3 };
        let (network, x) = (network(&shape), numbers(50 * 6, 2));
        let synthetic: Vec<bool> = (0..50).map(|row| row % 4 == 0).collect();
        let sums = Trainer::new(&shape, network.to_flat().unwrap()).losses(&x, &synthetic);
        let (logit, error) = network.heads(&Tensor::from_slice(&x).view([50, 6])).unwrap();
        let (logit, error): (Vec<f32>, Vec<f32>) = (Vec::try_from(logit).unwrap(), Vec::try_from(error).unwrap());
        let mut expected = LossSums::default();
        for ((logit, error), synthetic) in logit.iter().zip(&error).zip(&synthetic) {
            let p = 1.0 / (1.0 + (-f64::from(*logit)).exp());
            expected.cross_entropy -= if *synthetic { p.ln() } else { (1.0 - p).ln() };
            expected.reconstruction += if *synthetic { 0.0 } else { f64::from(*error) };
        }
        assert!((sums.cross_entropy - expected.cross_entropy).abs() < 1e-4, "{sums:?} {expected:?}");
        assert!((sums.reconstruction - expected.reconstruction).abs() < 1e-4, "{sums:?} {expected:?}");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn both_widths_of_vector_train_to_the_same_bits() {
        use super::super::{step, vector};
        if tile_rows() != Some(vector::TILE_512) {
            return;
        }
        for shape in shapes() {
            let start = network(&shape).to_flat().unwrap();
            let [mut wide, mut narrow] = [(); 2].map(|()| Trainer::new(&shape, start.clone()));
            let x = numbers(70 * shape.inputs as usize, 3);
            let synthetic: Vec<bool> = (0..70).map(|row| row % 3 == 0).collect();
            let batch = Batch { x: &x, synthetic: &synthetic, ce_weight: 0.01, ae_weight: 0.02 };
            for at in 1..5 {
                // SAFETY: tile_rows has found AVX-512, which comes with AVX2 and FMA.
                unsafe {
                    step::differentiate_512(&mut wide, &batch);
                    step::update_512(&mut wide, &Corrections::of(at, 0.01));
                    step::differentiate_256(&mut narrow, &batch);
                    step::update_256(&mut narrow, &Corrections::of(at, 0.01));
                    assert_eq!(
                        step::losses_512(&mut wide, &x, &synthetic),
                        step::losses_256(&mut narrow, &x, &synthetic)
                    );
                }
            }
            assert_eq!(wide.parameters(), narrow.parameters());
        }
    }
}
