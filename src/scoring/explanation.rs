//! What each feature adds to a row's score: integrated gradients (Sundararajan, Taly and Yan, 2017)
//! from the training medians, and the surprisals of the row's values.
//!
//! A score is a function of two heads, which are functions of the row, and of the surprisals of its
//! values where the combination takes them. With Δ the difference between the row and the reference
//! row (all features at their training medians), there are two cases.
//!
//! The row as a whole explains its score ([`Decision::Whole`]):
//!
//! ```text
//! Δscore = a·Δlogit + b·Δerror + c·Δsum
//! ```
//!
//! where a, b and c are the score's secant slopes between the two rows, and the sum is that of the
//! surprisals. The gradient of a·logit + b·error is integrated along the straight line from one row
//! to the other, in scaled features; feature j gets (xⱼ − refⱼ)·∫ ∂/∂xⱼ, and c times the difference
//! of its surprisals.
//!
//! The most surprising value explains it ([`Decision::Value`]): Δscore is shared out by the Shapley
//! values of the highest of the surprisals.
//!
//! The contributions add up to Δscore. What the quadrature leaves over is shared out in proportion
//! to them.

use ndarray::{Array2, ArrayView2};
use polars::prelude::*;

use crate::combiner::{finite, Decision, Row};
use crate::data::{Columns, OfValue, Surprise};
use crate::engine::{tiled, Device};
use crate::memory::{collected, zeros};
use crate::model::Model;

use super::batches::{by_batch, Batch, Worked};
use super::networks::Networks;

/// Rows at a time on the CPU: their activations stay in the cache.
const CHUNK: usize = 256;
/// Midpoints of the line at which the gradient is taken. A ReLU network's gradient is constant
/// between kinks: Gauss–Legendre nodes, which are for smooth functions, are worse than the same
/// number of midpoints.
pub const STEPS: usize = 16;

pub struct Explanation {
    /// `[rows, features]`, features in the model's order
    pub contributions: Array2<f32>,
    /// Which rows are null, if any
    pub missing: Option<BooleanChunked>,
}

/// What a feature, by its place in the model, adds to a row's score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contribution {
    pub feature: u32,
    pub amount: f32,
}

/// The row that explanations start from.
struct Reference<'a> {
    /// Scaled, `[inputs]`
    row: &'a [f32],
    heads: [f64; 2],
    /// Of its values
    values: Values,
}

/// The contributions of every row.
pub fn explain(model: &Model, columns: &Columns, device: Device) -> PolarsResult<Explanation> {
    let row = model.scaled_reference();
    let networks = Networks::open(model, device)?;
    let reference = reference(model, &networks, &row)?;
    let features = model.metadata().features.len();
    let worked = by_batch(model, columns, &networks.engine, CHUNK, (features, "the explanations"), |batch, out| {
        explain_batch(model, &networks, &reference, batch, out)
    })?;
    let contributions = Array2::from_shape_vec((columns.rows(), features), worked.numbers)
        .map_err(|error| polars_err!(ComputeError: "anorand: the contributions have another shape: {error}"))?;
    Ok(Explanation { contributions, missing: worked.missing })
}

/// The `top` largest contributions of every row, largest first; equal ones in the model's order. A
/// model has at least that number of features.
pub fn explain_top(model: &Model, columns: &Columns, top: usize, device: Device) -> PolarsResult<Worked<Contribution>> {
    let row = model.scaled_reference();
    let networks = Networks::open(model, device)?;
    let reference = reference(model, &networks, &row)?;
    let features = model.metadata().features.len();
    by_batch(model, columns, &networks.engine, CHUNK, (top, "the explanations"), |batch, out| {
        let mut contributions: Vec<f32> = zeros(batch.rows * features, "the explanations")?;
        explain_batch(model, &networks, &reference, batch, &mut contributions)?;
        let mut order: Vec<u32> = Vec::with_capacity(features);
        for (out, row) in out.chunks_exact_mut(top).zip(contributions.chunks_exact(features)) {
            let before = |a: &u32, b: &u32| row[*b as usize].total_cmp(&row[*a as usize]).then(a.cmp(b));
            order.clear();
            order.extend(0..features as u32);
            if top < features {
                order.select_nth_unstable_by(top - 1, before);
            }
            order[..top].sort_unstable_by(before);
            for (out, feature) in out.iter_mut().zip(&order) {
                *out = Contribution { feature: *feature, amount: row[*feature as usize] };
            }
        }
        Ok(())
    })
}

fn reference<'a>(model: &Model, networks: &Networks, row: &'a [f32]) -> PolarsResult<Reference<'a>> {
    let heads = heads_of_reference(networks, row)?;
    let mut values = Values::default();
    if let Some(surprisals) = &model.statistics().surprisals {
        let coded = model.coded_reference();
        for (j, feature) in model.metadata().features.iter().enumerate() {
            values.add(surprisals.of_reference(j, feature.kind, &coded), surprisals.none);
        }
    }
    Ok(Reference { row, heads, values })
}

fn heads_of_reference(networks: &Networks, reference: &[f32]) -> PolarsResult<[f64; 2]> {
    let row = ArrayView2::from_shape((1, reference.len()), reference);
    let row = row.map_err(|error| polars_err!(ComputeError: "anorand: the reference has another shape: {error}"))?;
    let (mut logit, mut error) = ([0.0], [0.0]);
    networks.heads_into(&tiled(row, networks.tile())?, reference.len(), &mut logit, &mut error)?;
    Ok(finite((logit[0], error[0])))
}

/// The contributions of a batch of rows, row by row.
fn explain_batch(
    model: &Model,
    networks: &Networks,
    reference: &Reference,
    batch: &Batch,
    out: &mut [f32],
) -> PolarsResult<()> {
    let Batch { coded, tiles, tile, inputs, rows } = batch;
    // From where scores come from: heads that spread little turn another engine's rounding into a
    // visible part of a score.
    let (mut logits, mut errors) = (vec![0f32; *rows], vec![0f32; *rows]);
    networks.heads_into(tiles, *inputs, &mut logits, &mut errors)?;
    let heads: Vec<(f32, f32)> = logits.into_iter().zip(errors).collect();
    let values = values_of(model, coded)?;
    let combiner = &model.metadata().combiner;
    let start = Row { heads: reference.heads, surprise: reference.values.surprise };
    let row = |(heads, values): (&(f32, f32), &Values)| Row { heads: finite(*heads), surprise: values.surprise };
    let decisions: Vec<Decision> = heads.iter().zip(&values).map(|of| combiner.decide(start, row(of))).collect();
    // The padding's weights stay 0.
    let mut weights = [(); 2].map(|()| vec![0f32; rows.div_ceil(*tile) * tile]);
    for (row, decision) in decisions.iter().enumerate() {
        if let Decision::Whole([logit, error, _]) = decision {
            weights[0][row] = *logit as f32;
            weights[1][row] = *error as f32;
        }
    }
    let (way, sum) = along_the_way(networks, reference.row, (tiles, *tile, *inputs), &weights)?;
    let at_start = f64::from(combiner.score(start.heads[0] as f32, start.heads[1] as f32, start.surprise));
    let place = |row: usize, input: usize| (row / tile * inputs + input) * tile + row % tile;
    let owners = model.inputs().owners();
    let features = model.metadata().features.len();
    for (row, out) in out.chunks_exact_mut(features).enumerate() {
        let (logit, error) = heads[row];
        let total = f64::from(combiner.score(logit, error, values[row].surprise)) - at_start;
        match decisions[row] {
            Decision::Value => share_of_highest(&values[row].deciding, total, out),
            Decision::Whole([_, _, slope]) => {
                let mut ways = vec![0f32; features];
                for (input, feature) in owners.iter().enumerate() {
                    let at = place(row, input);
                    out[*feature] += sum[at] * way[at] / STEPS as f32;
                    ways[*feature] += way[at].abs();
                }
                let (of, from) = (&values[row], &reference.values);
                for (out, (of, from)) in out.iter_mut().zip(of.surprisals.iter().zip(&from.surprisals)) {
                    *out += (slope * (of - from)) as f32;
                }
                let deciding = of.deciding.iter().zip(&from.deciding).map(|(of, from)| (of - from) as f32);
                complete(out, [&ways, &deciding.collect::<Vec<f32>>()], total);
            }
        }
    }
    Ok(())
}

/// The surprisals of a row's values: each held to ln(n + 1), what each counts where the highest
/// decides, and both together.
#[derive(Clone, Default)]
struct Values {
    surprisals: Vec<f64>,
    deciding: Vec<f64>,
    surprise: Surprise,
}

impl Values {
    /// With the next feature's; `none` is ln(n + 1).
    fn add(&mut self, value: OfValue, none: f64) {
        self.surprisals.push(value.surprisal.min(none));
        self.deciding.push(value.deciding);
        self.surprise.add(value, none);
    }
}

fn values_of(model: &Model, coded: &Columns) -> PolarsResult<Vec<Values>> {
    let mut rows = vec![Values::default(); coded.rows()];
    let Some(surprisals) = &model.statistics().surprisals else { return Ok(rows) };
    surprisals.each(coded, model.inputs(), |row, _, value| rows[row].add(value, surprisals.none))?;
    Ok(rows)
}

/// Of each input of rows in tiles, the way from the reference to the row, and the sum of the
/// gradients along it, at [`STEPS`] points.
fn along_the_way(
    networks: &Networks,
    reference: &[f32],
    (tiles, tile, inputs): (&[f32], usize, usize),
    weights: &[Vec<f32>; 2],
) -> PolarsResult<(Vec<f32>, Vec<f32>)> {
    let from = tiles_of_reference(reference, tile, tiles.len())?;
    let way: Vec<f32> = collected(tiles.iter().zip(&from).map(|(x, from)| x - from), "the explanations")?;
    let mut sum: Vec<f32> = zeros(tiles.len(), "the explanations")?;
    let mut point: Vec<f32> = zeros(tiles.len(), "the explanations")?;
    let equal = networks.kept_equals(tiles, weights[1].len());
    for step in 0..STEPS {
        let share = (step as f32 + 0.5) / STEPS as f32;
        for (point, (way, from)) in point.iter_mut().zip(way.iter().zip(&from)) {
            *point = way * share + from;
        }
        networks.add_input_gradients(&point, inputs, [&weights[0], &weights[1]], &equal, &mut sum)?;
    }
    Ok((way, sum))
}

/// Shares out a total by the Shapley values of the highest of some numbers; a number that is not
/// above 0 gets nothing.
fn share_of_highest(numbers: &[f64], total: f64, out: &mut [f32]) {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    let highest = order.last().map_or(0.0, |at| numbers[*at]);
    let (mut before, mut share) = (0.0, 0.0);
    for (place, at) in order.iter().enumerate() {
        let step = numbers[*at].max(0.0) - before;
        before += step;
        share += step / (order.len() - place) as f64;
        out[*at] = (total * share / highest.max(f64::MIN_POSITIVE)) as f32;
    }
}

/// The reference row in the place of every row: `len` numbers, `[tiles, features, tile]`.
fn tiles_of_reference(reference: &[f32], tile: usize, len: usize) -> PolarsResult<Vec<f32>> {
    let mut tiles: Vec<f32> = zeros(len, "the explanations")?;
    for (numbers, number) in tiles.chunks_exact_mut(tile).zip(reference.iter().cycle()) {
        numbers.fill(*number);
    }
    Ok(tiles)
}

/// Makes the contributions add up to `total`: what is left over goes to them in proportion to their
/// size. Where all of them are 0, it goes to the features in proportion to the first of `instead`
/// that is not: the ways that the gradient, zero all along them, was multiplied with, or what
/// decides scores by the most surprising value, which may be that of both rows. A feature that is
/// at its median gets nothing.
fn complete(contributions: &mut [f32], instead: [&[f32]; 2], total: f64) {
    if !contributions.iter().all(|number| number.is_finite()) {
        // Activations overflow on the way: all that is known is how far the row is out.
        contributions.fill(0.0);
    }
    let size = |numbers: &[f32]| numbers.iter().map(|number| f64::from(number.abs())).sum::<f64>();
    let own = contributions.to_vec();
    let [way, deciding] = instead;
    let Some(shares) = [&own, way, deciding].into_iter().find(|shares| size(shares) > 0.0) else { return };
    let (all, sum) = (size(shares), own.iter().map(|number| f64::from(*number)).sum::<f64>());
    for (contribution, share) in contributions.iter_mut().zip(shares) {
        // Contributions of heads that hardly spread may be far larger than the total, which must
        // survive the difference.
        let share = f64::from(share.abs()) / all;
        *contribution = ((f64::from(*contribution) - sum * share) + total * share) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::fit_with_labels;
    use crate::options::{Options, Preset};
    use crate::scoring::score;

    fn frame() -> DataFrame {
        let t: Vec<f64> = (0..300).map(|at| f64::from(at) / 30.0).collect();
        let curve: Vec<f64> = t.iter().map(|t| t.sin()).collect();
        let mut third: Vec<f64> = t.iter().zip(&curve).map(|(t, curve)| t * curve).collect();
        (third[7], third[70]) = (40.0, -1e7);
        df!("t" => t, "curve" => curve, "third" => third).unwrap()
    }

    fn model(preset: Preset) -> Model {
        let options = Options { epochs: 20, ..Options::preset(preset) };
        fit_with_labels(&Columns::from_frame(&frame()).unwrap(), None, &options, Device::Cpu).unwrap().model
    }

    #[test]
    fn contributions_add_up_to_the_scores_difference_from_the_reference() {
        for preset in [Preset::Paper, Preset::Default, Preset::Novelty] {
            let model = model(preset);
            let columns = Columns::from_frame(&frame()).unwrap();
            let explained = explain(&model, &columns, Device::Cpu).unwrap().contributions;
            let scores = score(&model, &columns, Device::Cpu).unwrap();
            let medians = &model.statistics().medians;
            let reference = df!("t" => [medians[0]], "curve" => [medians[1]], "third" => [medians[2]]).unwrap();
            let reference = Columns::from_frame(&reference).unwrap();
            let at_reference = score(&model, &reference, Device::Cpu).unwrap().get(0).unwrap();
            for (row, score) in explained.rows().into_iter().zip(scores.iter()) {
                let difference = f64::from(score.unwrap()) - f64::from(at_reference);
                let sum: f64 = row.iter().map(|number| f64::from(*number)).sum();
                assert!((sum - difference).abs() < 1e-4, "{sum} {difference}");
            }
        }
    }

    #[test]
    fn the_quadrature_leaves_little_to_share_out() {
        let model = model(Preset::Default);
        let reference = model.scaled_reference();
        let networks = Networks::open(&model, Device::Cpu).unwrap();
        let columns = Columns::from_frame(&frame()).unwrap();
        let rows = model.scaled_rows(&columns).unwrap();
        let tiles = tiled(rows.view(), networks.tile()).unwrap();
        let heads = crate::scoring::heads_of_model(&model, rows.view(), Device::Cpu).unwrap();
        let start = heads_of_reference(&networks, &reference).unwrap();
        // a = 1, b = 0 and a = 0, b = 1: each head's own integral against its difference.
        let ones = vec![1f32; tiles.len() / 3];
        let zeros = vec![0f32; tiles.len() / 3];
        for (weights, ends, start) in
            [((&ones, &zeros), &heads.logit, start[0]), ((&zeros, &ones), &heads.error, start[1])]
        {
            let from = |place: usize| reference[place / networks.tile() % 3];
            let both = [weights.0.clone(), weights.1.clone()];
            let (_, sum) = along_the_way(&networks, &reference, (&tiles, networks.tile(), 3), &both).unwrap();
            let parts = |row: usize| {
                let place = |j| (row / networks.tile() * 3 + j) * networks.tile() + row % networks.tile();
                (0..3)
                    .map(place)
                    .map(|at| f64::from(sum[at] * (tiles[at] - from(at))) / STEPS as f64)
                    .collect::<Vec<_>>()
            };
            let sizes: Vec<f64> = (0..300).map(|row| parts(row).iter().map(|part| part.abs()).sum()).collect();
            let largest = sizes.iter().copied().fold(0.0, f64::max);
            for row in 0..300 {
                let rest = f64::from(ends[row]) - start - parts(row).iter().sum::<f64>();
                // Beside a kink, a row close to the reference has little but the error.
                assert!(
                    rest.abs() < 0.02 * sizes[row] + 2e-3 * largest,
                    "{row}: {rest} of {} and {largest}",
                    sizes[row]
                );
            }
        }
    }

    #[test]
    fn the_highest_is_shared_out_by_what_each_adds_to_it() {
        let mut out = [0f32; 4];
        share_of_highest(&[8.0, -1.0, 10.0, 0.0], 20.0, &mut out);
        assert_eq!(out, [8.0, 0.0, 12.0, 0.0]);
    }

    #[test]
    fn a_row_at_the_reference_has_no_contributions() {
        let model = model(Preset::Default);
        let medians = &model.statistics().medians;
        let reference = df!("t" => [medians[0]], "curve" => [medians[1]], "third" => [medians[2]]).unwrap();
        let explained = explain(&model, &Columns::from_frame(&reference).unwrap(), Device::Cpu).unwrap();
        assert!(explained.contributions.iter().all(|number| *number == 0.0));
    }

    #[test]
    fn a_total_survives_contributions_that_are_far_larger() {
        for own in [vec![3e10f32], vec![1e10, 2e10], vec![-5e12, -1e12]] {
            let mut contributions = own.clone();
            complete(&mut contributions, [&[], &[]], 0.045);
            let sum: f64 = contributions.iter().map(|number| f64::from(*number)).sum();
            assert!((sum - 0.045).abs() < 1e-3, "{contributions:?} of {own:?}");
        }
    }
}
