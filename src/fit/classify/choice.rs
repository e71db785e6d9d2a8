//! Which settings the members of a fit have, by the cross-entropy of held-out rows.
//!
//! Each setting trains three networks, each without another fifth of the rows, which it then judges. A
//! setting's weight is exp(−n · cross-entropy / 4), and the members are shared out by the weights.

use ndarray::Axis;
use polars::prelude::PolarsResult;
use rand::seq::SliceRandom;

use crate::engine::{Device, Shape, Weights};
use crate::job::{self, Unit};
use crate::options::Options;
use crate::pool;
use crate::scoring;

use super::{by_class, cross_entropy, draw_network, steps, Labelled, Space, Stream, TrainingOf, SETTINGS};

/// The number of parts of the rows, and how many of them are held out, one at a time.
const PARTS: usize = 5;
const HELD_OUT: usize = 3;
/// The most rows of a comparison, and of the anomalies among them where these are a small share.
const MOST_ROWS: usize = 3_000;
const LEAST_ANOMALIES: usize = 500;
/// How many nats of all rows' cross-entropy make a setting e times as good.
const TEMPERATURE: f64 = 4.0;

/// A setting for each member of a fit, the weakest first.
pub fn of_members(labelled: &Labelled, space: &Space, options: &Options) -> PolarsResult<Vec<(f64, f64)>> {
    let parts = parts(labelled, options)?;
    let rows: usize = parts.iter().map(Vec::len).sum();
    let inputs: Vec<usize> = (0..labelled.rows.ncols()).collect();
    let shape = Shape::of(options, inputs.len());
    let trainings: Vec<(usize, usize)> =
        (0..SETTINGS.len()).flat_map(|setting| (0..HELD_OUT).map(move |part| (setting, part))).collect();
    let steps = steps(rows - rows / PARTS, options);
    job::expect(Unit::Steps, steps * trainings.len());
    let held_out = pool::map(trainings, |(setting, part)| {
        let fitted: Vec<usize> =
            parts.iter().enumerate().filter(|(other, _)| *other != part).flat_map(|(_, rows)| rows.clone()).collect();
        let training = TrainingOf { labelled: labelled.borrowed(), space, rows: &fitted, inputs: &inputs };
        let mut rng = Stream::Classifier(part).generator(options.seed);
        let mut numbers = draw_network(&shape, labelled.share(), &mut rng);
        space.leave(&mut numbers, shape.hidden[0]);
        let numbers = training.run(&shape, numbers, SETTINGS[setting], steps, options, rng)?;
        let weights = Weights::new(shape.clone(), inputs.clone(), numbers)?;
        Ok(scoring::heads(&weights, labelled.rows.select(Axis(0), &parts[part]).view(), Device::Cpu)?.logit)
    })?;
    let anomalies: Vec<bool> = parts[..HELD_OUT].iter().flatten().map(|row| labelled.anomalies[*row]).collect();
    let losses = held_out.chunks(HELD_OUT).map(|logits| calibrated_loss(&logits.concat(), &anomalies));
    Ok(shared_out(&losses.collect::<Vec<_>>(), rows, options.members))
}

/// Draws the rows of a comparison, in parts with the same shares of anomalies.
fn parts(labelled: &Labelled, options: &Options) -> PolarsResult<Vec<Vec<usize>>> {
    let mut rng = Stream::HeldOut.generator(options.seed);
    let [mut anomalies, mut others] = by_class(labelled.anomalies)?;
    let share = MOST_ROWS as f64 / labelled.anomalies.len() as f64;
    let mut parts = vec![vec![]; PARTS];
    let mut at = 0;
    let most = ((anomalies.len() as f64 * share) as usize).max(LEAST_ANOMALIES);
    for (class, most) in [(&mut anomalies, most), (&mut others, MOST_ROWS)] {
        class.shuffle(&mut rng);
        for row in class.iter().take(most) {
            parts[at % PARTS].push(*row);
            at += 1;
        }
    }
    Ok(parts)
}

/// The mean cross-entropy of logits a·l + b, with the a and b that are best: of networks that are only too
/// sure, the order of the rows is what counts.
fn calibrated_loss(logits: &[f32], anomalies: &[bool]) -> f64 {
    const STEPS: usize = 50;
    const FAR: f64 = 30.0;
    let logits: Vec<f64> = logits.iter().map(|logit| f64::from(*logit).clamp(-FAR, FAR)).collect();
    let loss = |a: f64, b: f64| {
        let of_row = |(logit, anomaly): (&f64, &bool)| cross_entropy(a * logit + b, *anomaly);
        logits.iter().zip(anomalies).map(of_row).sum::<f64>() / logits.len() as f64
    };
    let (mut a, mut b) = (1.0, 0.0);
    let mut best = loss(a, b);
    // Newton's method, halved where a step goes too far.
    for _ in 0..STEPS {
        let (mut gradient, mut curve) = ([0.0; 2], [1e-3, 0.0, 1e-3]);
        for (logit, anomaly) in logits.iter().zip(anomalies) {
            let p = 1.0 / (1.0 + libm::exp(-(a * logit + b)));
            let (residual, weight) = (p - f64::from(u8::from(*anomaly)), p * (1.0 - p));
            gradient = [gradient[0] + residual * logit, gradient[1] + residual];
            curve = [curve[0] + weight * logit * logit, curve[1] + weight * logit, curve[2] + weight];
        }
        let determinant = curve[0] * curve[2] - curve[1] * curve[1];
        let step = [
            (curve[2] * gradient[0] - curve[1] * gradient[1]) / determinant,
            (curve[0] * gradient[1] - curve[1] * gradient[0]) / determinant,
        ];
        let halves = (0..10).map(|halving| 0.5f64.powi(halving));
        let found = halves.map(|size| (a - size * step[0], b - size * step[1])).find_map(|(a, b)| {
            let after = loss(a, b);
            (after < best - 1e-9).then_some((a, b, after))
        });
        let Some((next_a, next_b, after)) = found else { break };
        (a, b, best) = (next_a, next_b, after);
    }
    best
}

/// Shares out the members between the settings, the weakest first.
fn shared_out(losses: &[f64], rows: usize, members: usize) -> Vec<(f64, f64)> {
    let finite = |loss: &f64| if loss.is_finite() { *loss } else { f64::MAX };
    let best = losses.iter().map(finite).fold(f64::MAX, f64::min);
    let weights: Vec<f64> =
        losses.iter().map(|loss| libm::exp(-(finite(loss) - best) * rows as f64 / TEMPERATURE)).collect();
    let sum: f64 = weights.iter().sum();
    let mut counts: Vec<usize> =
        weights.iter().map(|weight| (weight / sum * members as f64 + 0.5).floor() as usize).collect();
    let most = (0..counts.len()).fold(0, |most, at| if weights[at] > weights[most] { at } else { most });
    let others: usize = counts.iter().enumerate().filter(|(at, _)| *at != most).map(|(_, count)| count).sum();
    counts[most] = members.saturating_sub(others);
    let mut settings: Vec<_> = counts.iter().zip(SETTINGS).flat_map(|(count, setting)| vec![setting; *count]).collect();
    settings.truncate(members);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_does_not_depend_on_how_sure_a_network_is() {
        let anomalies: Vec<bool> = (0..400).map(|at| at % 4 == 0).collect();
        let logit = |at: usize| if anomalies[at] { (at % 7) as f32 - 2.0 } else { (at % 5) as f32 - 4.0 };
        let of =
            |a: f32, b: f32| calibrated_loss(&(0..400).map(|at| a * logit(at) + b).collect::<Vec<_>>(), &anomalies);
        assert!((of(1.0, 0.0) - of(3.0, 2.0)).abs() < 1e-6);
        let chance = 0.25f64.ln() * -0.25 - 0.75 * 0.75f64.ln();
        assert!(of(1.0, 0.0) < 0.9 * chance);
        assert!((of(0.0, 0.0) - chance).abs() < 1e-6, "without any order, the share of anomalies is all there is");
    }

    #[test]
    fn members_are_shared_out_by_the_weights() {
        let [low, _, high] = SETTINGS;
        assert_eq!(shared_out(&[0.1, 0.5, 0.5], 1_000, 6), vec![low; 6]);
        assert_eq!(shared_out(&[0.5, 0.5, 0.1], 1_000, 2), vec![high; 2]);
        assert_eq!(shared_out(&[0.1; 3], 1_000, 6), SETTINGS.iter().flat_map(|one| [*one; 2]).collect::<Vec<_>>());
        assert_eq!(shared_out(&[f64::NAN, f64::NAN, 0.1], 1_000, 3), vec![high; 3]);
        for members in 1..9 {
            assert_eq!(shared_out(&[0.1, 0.1004, 0.1008], 5_000, members).len(), members);
        }
    }
}
