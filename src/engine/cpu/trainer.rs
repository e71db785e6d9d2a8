//! The training of one network on the CPU: all that a step needs, allocated once.

use crate::engine::adam::Corrections;
use crate::engine::shape::Shape;

use super::plan::{Buffers, Plan};
use crate::simd::Simd;
use super::step::{Batch, Differentiate, Losses, LossSums, State, Update};
use crate::simd::MOST_LANES;

/// A network in training.
pub struct Trainer {
    simd: Simd,
    state: State,
    /// The number of the network's parameters
    count: usize,
    steps: i32,
}

impl Trainer {
    /// From a network's numbers, in the order of an ensemble of one.
    pub fn new(simd: Simd, shape: &Shape, mut parameters: Vec<f32>) -> Self {
        let count = parameters.len();
        parameters.resize(count.next_multiple_of(MOST_LANES), 0.0);
        let zeros = || vec![0f32; parameters.len()];
        let (gradient, mean, square) = (zeros(), zeros(), zeros());
        let plan = Plan::new(shape, simd.tile_rows());
        let buffers = Buffers::new(&plan);
        Self { simd, state: State { plan, parameters, gradient, mean, square, buffers }, count, steps: 0 }
    }

    /// The network's numbers, in the order of an ensemble of one.
    pub fn parameters(&self) -> &[f32] {
        &self.state.parameters[..self.count]
    }

    /// One step of Adam on a batch.
    pub fn step(&mut self, batch: &Batch, learning_rate: f64) {
        self.simd.run(Differentiate { state: &mut self.state, batch });
        self.steps += 1;
        self.update(self.steps, learning_rate);
    }

    /// The gradient of eq. 4, in the order of the parameters.
    pub fn gradient(&mut self, batch: &Batch) -> &[f32] {
        self.simd.run(Differentiate { state: &mut self.state, batch });
        &self.state.gradient[..self.count]
    }

    fn update(&mut self, step: i32, learning_rate: f64) {
        self.simd.run(Update { state: &mut self.state, corrections: Corrections::of(step, learning_rate) });
    }

    /// Adds eq. 2 and 3 of rows to the sums.
    pub fn add_losses(&mut self, x: &[f32], synthetic: &[bool], sums: &mut LossSums) {
        self.simd.run(Losses { state: &mut self.state, x, synthetic, sums });
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
