//! The training of one network on the CPU: all that a step needs, allocated once.

use polars::prelude::PolarsResult;

use crate::engine::adam::Corrections;
use crate::engine::shape::Shape;
use crate::engine::train::LossSums;
use crate::memory::zeros;
use crate::simd::{Simd, MOST_LANES};

use super::plan::{Buffers, Plan};
use super::step::{Batch, Differentiate, Losses, State, Update};

/// A network in training.
pub struct Trainer {
    pub(super) simd: Simd,
    pub(super) state: State,
    /// The number of the network's parameters
    count: usize,
    steps: i32,
}

impl Trainer {
    /// From a network's numbers, in the order of an ensemble of one.
    pub fn new(simd: Simd, shape: &Shape, numbers: &[f32]) -> PolarsResult<Self> {
        let count = numbers.len();
        let room = || zeros(count.next_multiple_of(MOST_LANES), "the networks in training");
        let (mut parameters, gradient, mean, square): (Vec<f32>, _, _, _) = (room()?, room()?, room()?, room()?);
        parameters[..count].copy_from_slice(numbers);
        let plan = Plan::new(shape, simd.tile_rows());
        let buffers = Buffers::new(&plan)?;
        Ok(Self {
            simd,
            state: State { plan, parameters, gradient, mean, square, buffers, dropout: None },
            count,
            steps: 0,
        })
    }

    /// The network's numbers, in the order of an ensemble of one.
    #[cfg(test)]
    pub fn parameters(&self) -> &[f32] {
        &self.state.parameters[..self.count]
    }

    /// The network's numbers, in the order of an ensemble of one.
    pub fn into_parameters(self) -> Vec<f32> {
        let mut parameters = self.state.parameters;
        parameters.truncate(self.count);
        parameters
    }

    /// One step of Adam on a batch.
    pub fn step(&mut self, batch: &Batch, learning_rate: f64) {
        self.simd.run(Differentiate { state: &mut self.state, batch });
        self.steps += 1;
        self.update(self.steps, learning_rate);
    }

    /// The gradient of the loss, in the order of the parameters.
    #[cfg(test)]
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
    use crate::engine::cpu::step::{Aim, Target};
    use crate::engine::reference::{pass_with, Pass};
    use crate::engine::test_data::{ensemble, numbers, shapes, synthetic};
    use crate::engine::Weights;

    /// The loss in f64, of a network with other numbers.
    fn loss(network: &Weights, parameters: &[f64], batch: &Batch) -> f64 {
        let of_row = |(row, x): (usize, &[f32])| {
            let pass: Pass = pass_with(network, parameters, x.iter().map(|x| f64::from(*x)).collect());
            match batch.aim {
                Aim::Detect { synthetic, ce_weight, ae_weight } => {
                    let y = f64::from(u8::from(synthetic[row]));
                    let ce = (1.0 + (-pass.logit.abs()).exp()).ln() + pass.logit.max(0.0) - y * pass.logit;
                    f64::from(ce_weight) * ce + if synthetic[row] { 0.0 } else { f64::from(ae_weight) * pass.error() }
                }
                Aim::Match(targets) => {
                    let Target { logit, error, logit_weight, error_weight } = targets[row];
                    let part = |head: f64, target: f32, weight: f32| {
                        0.5 * f64::from(weight) * (head - f64::from(target)).powi(2)
                    };
                    part(pass.logit, logit, logit_weight) + part(pass.error(), error, error_weight)
                }
            }
        };
        batch.x.chunks(network.shape().inputs).enumerate().map(of_row).sum()
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss_in_any_direction() {
        for shape in shapes() {
            let network = ensemble(&shape, 1, shape.inputs);
            for rows in [1, 2, 15, 33, 70] {
                let (x, synthetic) = (numbers(rows * shape.inputs, 1), synthetic(rows));
                let detect = Aim::Detect { synthetic: &synthetic, ce_weight: 0.4, ae_weight: 0.3 };
                let wanted = numbers(4 * rows, 5);
                let target = |of: &[f32]| Target {
                    logit: of[0],
                    error: of[1].abs(),
                    logit_weight: of[2].abs(),
                    error_weight: of[3].abs(),
                };
                let targets: Vec<Target> = wanted.chunks(4).map(target).collect();
                for (simd, aim) in
                    Simd::available().into_iter().flat_map(|simd| [(simd, detect), (simd, Aim::Match(&targets))])
                {
                    let batch = Batch { x: &x, aim };
                    let mut trainer = Trainer::new(simd, &shape, network.flat()).unwrap();
                    let gradient = trainer.gradient(&batch).to_vec();
                    let direction = numbers(gradient.len(), 7);
                    let at = |step: f64| {
                        let moved = network.flat().iter().zip(&direction);
                        let moved: Vec<f64> = moved.map(|(p, d)| f64::from(*p) + step * f64::from(*d)).collect();
                        loss(&network, &moved, &batch)
                    };
                    // Small, so that few units cross their kink on the way.
                    let step = 1e-6;
                    let slope = (at(step) - at(-step)) / (2.0 * step);
                    let ours: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
                    let size = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
                    assert!(
                        (ours - slope).abs() < 1e-3 * (size + slope.abs()),
                        "{shape:?}, {rows} rows: {ours} {slope}"
                    );
                }
            }
        }
    }

    #[test]
    fn heads_that_are_right_have_no_gradient() {
        let shape = crate::engine::Shape { inputs: 6, hidden: vec![9, 4], latent: 3 };
        let (network, x) = (ensemble(&shape, 1, 6), numbers(40 * 6, 2));
        let parameters: Vec<f64> = network.flat().iter().map(|number| f64::from(*number)).collect();
        let target = |x: &[f32]| {
            let pass = pass_with(&network, &parameters, x.iter().map(|x| f64::from(*x)).collect());
            Target { logit: pass.logit as f32, error: pass.error() as f32, logit_weight: 1.0, error_weight: 1.0 }
        };
        let targets: Vec<Target> = x.chunks(6).map(target).collect();
        for simd in Simd::available() {
            let mut trainer = Trainer::new(simd, &shape, network.flat()).unwrap();
            let gradient = trainer.gradient(&Batch { x: &x, aim: Aim::Match(&targets) });
            assert!(gradient.iter().all(|number| number.abs() < 1e-4), "{gradient:?}");
        }
    }

    #[test]
    fn adam_agrees_with_its_definition_in_f64() {
        let shape = crate::engine::Shape { inputs: 3, hidden: vec![4], latent: 2 };
        let start = ensemble(&shape, 1, 3).flat().to_vec();
        for simd in Simd::available() {
            let mut trainer = Trainer::new(simd, &shape, &start).unwrap();
            let mut expected: Vec<(f64, f64, f64)> =
                start.iter().map(|number| (f64::from(*number), 0.0, 0.0)).collect();
            for step in 1..=30 {
                let gradient = numbers(start.len(), step as u64);
                trainer.state.gradient[..start.len()].copy_from_slice(&gradient);
                trainer.update(step, 0.01);
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
            assert!(trainer.state.parameters[start.len()..].iter().all(|padding| *padding == 0.0));
        }
    }

    #[test]
    fn a_perfect_reconstruction_has_no_gradient_and_no_nan() {
        let shape = crate::engine::Shape { inputs: 2, hidden: vec![2], latent: 1 };
        for simd in Simd::available() {
            let mut trainer = Trainer::new(simd, &shape, &vec![0.0; shape.parameters()]).unwrap();
            let batch =
                Batch { x: &[0.0; 6], aim: Aim::Detect { synthetic: &[false; 3], ce_weight: 0.0, ae_weight: 1.0 } };
            assert_eq!(trainer.gradient(&batch).iter().map(|number| number.abs()).sum::<f32>(), 0.0);
            trainer.step(&batch, 0.1);
            assert!(trainer.parameters().iter().all(|number| *number == 0.0));
        }
    }

    #[test]
    fn losses_are_those_of_equations_2_and_3() {
        let shape = crate::engine::Shape { inputs: 6, hidden: vec![9, 4], latent: 3 };
        let (network, x, synthetic) = (ensemble(&shape, 1, 6), numbers(50 * 6, 2), synthetic(50));
        let parameters: Vec<f64> = network.flat().iter().map(|number| f64::from(*number)).collect();
        let mut expected = LossSums::default();
        for (x, synthetic) in x.chunks(6).zip(&synthetic) {
            let pass = pass_with(&network, &parameters, x.iter().map(|x| f64::from(*x)).collect());
            let p = 1.0 / (1.0 + (-pass.logit).exp());
            expected.cross_entropy -= if *synthetic { p.ln() } else { (1.0 - p).ln() };
            expected.reconstruction += if *synthetic { 0.0 } else { pass.error() };
        }
        for simd in Simd::available() {
            let mut sums = LossSums::default();
            Trainer::new(simd, &shape, network.flat()).unwrap().add_losses(&x, &synthetic, &mut sums);
            assert!((sums.cross_entropy - expected.cross_entropy).abs() < 1e-4, "{sums:?} {expected:?}");
            assert!((sums.reconstruction - expected.reconstruction).abs() < 1e-4, "{sums:?} {expected:?}");
        }
    }

    #[test]
    fn every_instruction_set_trains_to_the_same_network_each_with_its_own_tiles() {
        for shape in shapes() {
            let start = ensemble(&shape, 1, shape.inputs).flat().to_vec();
            let (x, synthetic) = (numbers(70 * shape.inputs, 3), synthetic(70));
            let batch = Batch { x: &x, aim: Aim::Detect { synthetic: &synthetic, ce_weight: 0.01, ae_weight: 0.02 } };
            let trained = Simd::available().into_iter().map(|simd| {
                let mut trainer = Trainer::new(simd, &shape, &start).unwrap();
                (1..5).for_each(|_| trainer.step(&batch, 0.01));
                let mut sums = LossSums::default();
                trainer.add_losses(&x, &synthetic, &mut sums);
                (simd, trainer.parameters().to_vec(), sums)
            });
            let trained: Vec<_> = trained.collect();
            for (simd, parameters, sums) in &trained {
                if simd.fuses() == trained[0].0.fuses() {
                    assert_eq!((parameters, sums), (&trained[0].1, &trained[0].2), "{shape:?} {}", simd.name());
                } else {
                    // Adam's first steps have the size of the rate whatever the gradient's: one that is all rounding turns.
                    let apart = parameters.iter().zip(&trained[0].1).filter(|(a, b)| (*a - *b).abs() > 1e-4).count();
                    assert!(apart * 100 <= parameters.len(), "{shape:?}: {apart} of {}", parameters.len());
                }
            }
        }
    }
}
