//! Networks and rows for tests of the engines.

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::shape::Shape;
use super::weights::Weights;

pub fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| 3.0 * rng.random::<f32>() - 1.0).collect()
}

pub fn rows(count: usize, features: usize, seed: u64) -> Array2<f32> {
    Array2::from_shape_vec((count, features), numbers(count * features, seed)).unwrap()
}

/// Networks on some of `features` features.
pub fn ensemble(shape: &Shape, members: usize, features: usize) -> Weights {
    let mut rngs: Vec<ChaCha8Rng> = (0..members as u64).map(ChaCha8Rng::seed_from_u64).collect();
    let inputs = (0..members * shape.inputs).map(|at| at * 7 % features).collect();
    Weights::draw(shape.clone(), inputs, &mut rngs).unwrap()
}

/// Shapes of many kinds: none that a vector or a tile divides evenly is left out.
pub fn shapes() -> Vec<Shape> {
    let shape = |inputs, hidden: &[usize], latent| Shape { inputs, hidden: hidden.to_vec(), latent };
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
        // ND alone
        shape(12, &[17, 9], 0),
        shape(5, &[6], 0),
    ]
}

/// A third of them synthetic.
pub fn synthetic(rows: usize) -> Vec<bool> {
    (0..rows).map(|row| row % 3 == 2).collect()
}
