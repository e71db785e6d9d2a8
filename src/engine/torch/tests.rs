//! The libtorch engine beside the CPU's, over the interface. Its own gradients are tested against autograd in its own crate.
//!
//! They need the engine's library and libtorch, so `cargo test` ignores them. `make test-engine` builds the one, installs the
//! other, says where both are (POLARS_ANORAND_TORCH and LIBTORCH), and runs them.

use ndarray::{Array2, ArrayView2};
use polars::prelude::PolarsResult;
use rand::seq::SliceRandom;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::engine::cpu::{self, Aim, Batch, Trainer};
use crate::engine::test_data::{ensemble, numbers, rows, shapes, synthetic};
use crate::engine::{
    tiled, BatchRows, Device, Job, Losses, Member, NoiseBox, Order, Shape, TakeRows, Trained, Training, TrainingSet,
    Weights,
};
use crate::options::{Options, Preset};
use crate::simd::Simd;

use super::epoch::{Epoch, Learner, Planned};
use super::library::call;
use super::material::Material;
use super::network::Network;
use super::train::{train, train_together};

fn close(ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len());
    let size = theirs.iter().fold(1f32, |size, number| size.max(number.abs()));
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() <= tolerance * size, "{ours} {theirs} of {size}");
    }
}

#[test]
#[ignore = "needs the engine: make test-engine"]
fn heads_latents_and_input_gradients_agree_with_the_cpus() {
    const FEATURES: usize = 37;
    for shape in shapes() {
        for (members, count) in [(1, 1), (3, 1_100)] {
            let (weights, rows) = (ensemble(&shape, members, FEATURES), rows(count, FEATURES, 5));
            let ours = cpu::Network::of(&weights, Simd::chosen());
            let theirs = Network::open(&weights, Device::Cpu).unwrap();
            let [tiles, flat] = [ours.tile_rows(), 1].map(|tile| tiled(rows.view(), tile).unwrap());
            let mut heads = [(); 4].map(|()| vec![0f32; count]);
            let [a, b, c, d] = &mut heads;
            ours.heads_into(&tiles, FEATURES, a, b);
            theirs.heads_into(&flat, FEATURES, c, d).unwrap();
            close(&heads[0], &heads[2], 1e-5);
            close(&heads[1], &heads[3], 1e-5);
            let mut own = vec![0f32; count.next_multiple_of(ours.tile_rows()) * members * 2];
            let [a, b, c, d] = &mut heads;
            ours.member_heads_into(&tiles, FEATURES, a, b, &mut own);
            let mut by_row = vec![0f32; count * members * 2];
            theirs.member_heads_into(&flat, FEATURES, (c, d), &mut by_row).unwrap();
            let tile = ours.tile_rows();
            let place = |at: usize| {
                let (row, member, head) = (at / (2 * members), at / 2 % members, at % 2);
                ((row / tile * members + member) * 2 + head) * tile + row % tile
            };
            let in_turn: Vec<f32> = (0..by_row.len()).map(|at| own[place(at)]).collect();
            close(&in_turn, &by_row, 1e-5);
            let mut latents = [(); 2].map(|()| vec![0f32; count * members * shape.latent_width()]);
            ours.latents_into(&tiles, FEATURES, &mut latents[0]);
            theirs.latents_into(&flat, FEATURES, &mut latents[1]).unwrap();
            close(&latents[0], &latents[1], 1e-5);
            let mut slopes = [8, 9].map(|seed| numbers(count.next_multiple_of(32), seed));
            slopes.iter_mut().for_each(|slopes| slopes[count..].fill(0.0));
            let padded = tiles.len() / FEATURES;
            let mut gradient = vec![0f32; tiles.len()];
            ours.add_input_gradients(&tiles, FEATURES, &slopes[0][..padded], &slopes[1][..padded], &mut gradient)
                .unwrap();
            // Added to what is there.
            let mut gradients = vec![1f32; flat.len()];
            theirs
                .add_input_gradients(&flat, FEATURES, &slopes[0][..count], &slopes[1][..count], &mut gradients)
                .unwrap();
            let tile = ours.tile_rows();
            let ours: Vec<f32> = (0..count * FEATURES)
                .map(|at| {
                    gradient[((at / FEATURES) / tile * FEATURES + at % FEATURES) * tile + (at / FEATURES) % tile] + 1.0
                })
                .collect();
            close(&ours, &gradients, 1e-4);
        }
    }
}

#[test]
#[ignore = "needs the engine: make test-engine"]
fn the_gradient_of_the_loss_agrees_with_the_cpus() {
    let options = Options { loss_weight: 0.4, ..Options::preset(Preset::Default) };
    let training = Training(&options);
    for shape in shapes() {
        let flat = ensemble(&shape, 1, shape.inputs).flat().to_vec();
        let weights = Weights::new(shape.clone(), (0..shape.inputs).collect(), flat).unwrap();
        for rows in [1, 2, 15, 16, 33, 128, 300] {
            let (x, synthetic) = (numbers(rows * shape.inputs, 1), synthetic(rows));
            let (ce_weight, ae_weight) = training.weights(&synthetic);
            let batch = Batch { x: &x, aim: Aim::Detect { synthetic: &synthetic, ce_weight, ae_weight } };
            let mut trainer = Trainer::new(Simd::chosen(), &shape, weights.flat()).unwrap();
            let ours = trainer.gradient(&batch);

            let mut network = Network::open(&weights, Device::Cpu).unwrap();
            let set = TrainingSet {
                table: ArrayView2::from_shape((rows, shape.inputs), &x).unwrap(),
                inputs: weights.inputs().to_vec(),
                own: Array2::default((0, shape.inputs)),
                noise: NoiseBox::default(),
                order: Box::new(AsTheyCome(synthetic)),
            };
            let member = Member { set, rng: ChaCha8Rng::seed_from_u64(0) };
            let mut learners = [Learner { member, training }];
            let planned = Planned::of_each(&mut learners).unwrap();
            let material = Material::of(learners.iter().map(|learner| &learner.member)).unwrap();
            material.begin(&mut network).unwrap();
            let batches = Epoch::joined(planned, &material).unwrap();
            let mut theirs = vec![0f32; ours.len()];
            let (epoch, out) = (batches.view(), theirs.as_mut_slice().into());
            // SAFETY: the handle is open, and the slices outlive the call, which alone uses
            // `theirs`.
            call(|engine, failure| unsafe { (engine.gradient)(network.handle(), &epoch, out, failure) }).unwrap();
            let size = theirs.iter().fold(0f32, |size, number| size.max(number.abs()));
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert!((ours - theirs).abs() <= 1e-5 * size, "{shape:?}, {rows} rows: {ours} {theirs} of {size}");
            }
        }
    }
}

/// One batch: all rows of the table.
struct AsTheyCome(Vec<bool>);

impl Order for AsTheyCome {
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut TakeRows) -> PolarsResult<()> {
        let rows: Vec<usize> = (0..self.0.len()).collect();
        each(&BatchRows { rows: &rows, synthetic: &self.0, noise: 0 }, rng)
    }
}

/// 48 rows of the table and 12 of the member's own, each once in a drawn order, and noise; the last batch is not full.
struct Drawn;

impl Order for Drawn {
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut TakeRows) -> PolarsResult<()> {
        let mut rows: Vec<usize> = (0..60).collect();
        rows.shuffle(rng);
        for (rows, noise) in rows.chunks(28).zip([14, 9, 2]) {
            let synthetic: Vec<bool> = rows.iter().map(|row| *row >= 48).collect();
            each(&BatchRows { rows, synthetic: &synthetic, noise }, rng)?;
        }
        Ok(())
    }
}

/// A set of this order, of three of five features.
fn drawn<'a>(table: &'a Array2<f32>, inputs: &[usize], seed: u64) -> Member<'a> {
    let set = TrainingSet {
        table: table.view(),
        inputs: inputs.to_vec(),
        own: rows(12, 3, seed),
        noise: NoiseBox { low: vec![-1.0, 0.0, 0.5], width: vec![4.0, seed as f32, 0.1] },
        order: Box::new(Drawn),
    };
    Member { set, rng: ChaCha8Rng::seed_from_u64(seed) }
}

fn agree((ours, fast): (&Weights, &Trained), (theirs, slow): (&Weights, &Trained)) {
    let near = |a: Losses, b: Losses| {
        (a.cross_entropy - b.cross_entropy).abs() < 1e-4 && (a.reconstruction - b.reconstruction).abs() < 1e-4
    };
    assert_eq!(fast.course, slow.course);
    assert!(near(fast.before, slow.before), "{:?} {:?}", fast.before, slow.before);
    assert!(near(fast.after, slow.after), "{:?} {:?}", fast.after, slow.after);
    assert_eq!(fast.between.len(), slow.between.len());
    assert!(fast.between.iter().zip(&slow.between).all(|(a, b)| near(a.losses, b.losses)));
    let difference = ours.flat().iter().zip(theirs.flat()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-4, "{difference}");
}

#[test]
#[ignore = "needs the engine: make test-engine"]
fn both_engines_train_to_the_same_network() {
    let shape = Shape { inputs: 3, hidden: vec![16, 8], latent: 4 };
    let options = Options { epochs: 1, min_steps: 100, learning_rate: 1e-3, ..Options::preset(Preset::Default) };
    let training = Training(&options);
    // Two members on one table, and a third on another.
    let tables = [rows(48, 5, 2), rows(48, 5, 3)];
    let start = ensemble(&shape, 3, 5);
    let members =
        || -> Vec<Member> { (0..3).map(|at| drawn(&tables[at / 2], start.inputs_of(at), at as u64)).collect() };
    let [mut ours, mut theirs] = [(); 2].map(|()| start.clone());
    let fast = cpu::train(Simd::chosen(), &mut ours, members(), &training).unwrap();
    let slow = train(&mut theirs, members(), &training, Device::Cpu).unwrap();
    assert_ne!(ours, start);
    agree((&ours, &fast), (&theirs, &slow));
}

#[test]
#[ignore = "needs the engine: make test-engine"]
fn ensembles_that_train_together_train_as_they_would_alone() {
    let shape = |hidden| Shape { inputs: 3, hidden: vec![hidden], latent: 2 };
    let usual = Options { epochs: 1, min_steps: 40, learning_rate: 1e-3, ..Options::preset(Preset::Default) };
    let other_loss = Options { loss_weight: 0.7, ..usual.clone() };
    let longer = Options { min_steps: 70, ..usual.clone() };
    let faster = Options { learning_rate: 2e-3, ..usual.clone() };
    // The first, the second and the last as one; the others have another course, rate or shape.
    let fits = [(&usual, 8, 2), (&other_loss, 8, 1), (&longer, 8, 2), (&faster, 8, 1), (&usual, 5, 1), (&usual, 8, 3)];
    let tables: Vec<Array2<f32>> = (0..fits.len()).map(|at| rows(48, 5, at as u64)).collect();
    let jobs = || {
        let job = |(at, (options, hidden, members)): (usize, (_, usize, usize))| {
            let weights = ensemble(&shape(hidden), members, 5);
            let member = |member| drawn(&tables[at], weights.inputs_of(member), (10 * at + member) as u64);
            let members = (0..members).map(member).collect();
            Job { weights, members, training: Training(options) }
        };
        fits.into_iter().enumerate().map(job)
    };
    let together = train_together(jobs().collect(), Device::Cpu).unwrap();
    assert_eq!(together.len(), fits.len());
    for (Job { mut weights, members, training }, (theirs, slow)) in jobs().zip(&together) {
        let fast = cpu::train(Simd::chosen(), &mut weights, members, &training).unwrap();
        agree((&weights, &fast), (theirs, slow));
    }
}

#[test]
#[ignore = "needs the engine: make test-engine"]
fn an_ensemble_that_makes_no_sense_is_an_error_and_not_a_crash() {
    let weights: Weights = ensemble(&Shape { inputs: 2, hidden: vec![3], latent: 1 }, 1, 2);
    let network = Network::open(&weights, Device::Cpu).unwrap();
    // Fewer features than the network sees.
    let (mut logit, mut error) = ([0.0], [0.0]);
    let message = network.heads_into(&[1.0], 1, &mut logit, &mut error).unwrap_err().to_string();
    assert!(message.contains("libtorch"), "{message}");
    let message = Network::open(&weights, Device::Cuda(63)).err().unwrap().to_string();
    assert!(message.contains("libtorch"), "{message}");
}
