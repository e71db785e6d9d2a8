//! What each feature adds to a row's score: the row is compared with an ordinary training row.
//!
//! A model keeps training rows that do not score among the highest tenth (`model::Ordinary`). A row is
//! compared with the one that is most like it among those that score lower, since a row of medians may
//! be one that no table has: where columns depend on one another, it is itself strange.
//!
//! The difference of both scores is shared out in two steps, and the contributions add up to it.
//!
//! 1. Between the parts of the score, by `Combiner::shares`: the networks, the tails, all evidence.
//!    Where networks and evidence agree that the row is strange, a part of the networks' share follows
//!    the evidence: what networks see in a row with a wrong cell is mostly that cell.
//! 2. Within each part. The evidence is a sum over cells: each cell gets its own difference. By how much
//!    the row is farther from the kept rows is shared out by the features' squared differences from the
//!    ordinary row. The networks' gradient is integrated along the straight line from the ordinary row to
//!    the row, in scaled features (integrated gradients: Sundararajan, Taly and Yan, 2017); a feature gets
//!    (xⱼ − x⁰ⱼ)·∫ ∂/∂xⱼ. Both are scaled so that all of them add up to the networks' share.

use ndarray::{Array2, ArrayView2};
use polars::prelude::*;

use crate::cells::Evidence;
use crate::combiner::{finite, Row, Shares};
use crate::data::Columns;
use crate::engine::{tiled, Device};
use crate::memory::{collected, zeros};
use crate::model::{ByInput, Model, Ordinary};
use crate::neighbours::Placed;

use super::batches::{by_batch, Batch, Worked};
use super::networks::Networks;

/// Rows at a time on the CPU: their activations stay in the cache.
const CHUNK: usize = 256;
/// Midpoints of the line at which the gradient is taken. A ReLU network's gradient is constant
/// between kinks: Gauss–Legendre nodes, which are for smooth functions, are worse than the same
/// number of midpoints.
pub const STEPS: usize = 8;
/// By how much a row scores lower, so that it is not the row itself, rounded otherwise.
const LOWER: f64 = 1e-6;
const WHAT: &str = "the explanations";

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

/// The rows that explanations compare with.
struct Compared<'a> {
    ordinary: &'a Ordinary,
    by_input: ByInput,
    /// Of each
    rows: Vec<Row>,
    scores: Vec<f64>,
    /// Where they are beside the kept rows
    placed: Option<Placed>,
}

/// The contributions of every row.
pub fn explain(model: &Model, columns: &Columns, device: Device) -> PolarsResult<Explanation> {
    let networks = Networks::open(model, device)?;
    let compared = Compared::new(model, &networks)?;
    let features = model.metadata().features.len();
    let worked = by_batch(model, columns, &networks.engine, CHUNK, (features, WHAT), |batch, out| {
        explain_batch(model, &networks, &compared, batch, out)
    })?;
    let contributions = Array2::from_shape_vec((columns.rows(), features), worked.numbers)
        .map_err(|error| polars_err!(ComputeError: "anorand: the contributions have another shape: {error}"))?;
    Ok(Explanation { contributions, missing: worked.missing })
}

/// The `top` largest contributions of every row, largest first; equal ones in the model's order. A
/// model has at least that number of features.
pub fn explain_top(model: &Model, columns: &Columns, top: usize, device: Device) -> PolarsResult<Worked<Contribution>> {
    let networks = Networks::open(model, device)?;
    let compared = Compared::new(model, &networks)?;
    let features = model.metadata().features.len();
    by_batch(model, columns, &networks.engine, CHUNK, (top, WHAT), |batch, out| {
        let mut contributions: Vec<f32> = zeros(batch.rows * features, WHAT)?;
        explain_batch(model, &networks, &compared, batch, &mut contributions)?;
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

impl<'a> Compared<'a> {
    fn new(model: &'a Model, networks: &Networks) -> PolarsResult<Self> {
        let ordinary = &model.statistics().ordinary;
        let inputs = model.inputs().count();
        let count = ordinary.rows.len() / inputs.max(1);
        let rows = ArrayView2::from_shape((count, inputs), &ordinary.rows);
        let rows = rows.map_err(|error| polars_err!(ComputeError: "anorand: the rows have another shape: {error}"))?;
        let (mut logits, mut errors) = (vec![0f32; count], vec![0f32; count]);
        let tiles = tiled(rows, networks.tile())?;
        networks.heads_into(&tiles, inputs, &mut logits, &mut errors)?;
        let placed = networks.place(&tiles, count)?;
        let evidence = |row: usize| ordinary.evidence.get(row).copied().unwrap_or_default();
        let combiner = &model.metadata().combiner;
        let score = |row: usize| f64::from(combiner.score(logits[row], errors[row], evidence(row)));
        let scores = (0..count).map(score).collect();
        let row = |row: usize| Row { heads: finite((logits[row], errors[row])), evidence: evidence(row) };
        let by_input = ordinary.by_input(inputs)?;
        Ok(Self { ordinary, by_input, rows: (0..count).map(row).collect(), scores, placed })
    }

    /// The scaled numbers of a row.
    fn scaled(&self, at: usize, inputs: usize) -> &[f32] {
        &self.ordinary.rows[at * inputs..][..inputs]
    }

    /// What the cells of a row add to the evidence against it.
    fn parts(&self, at: usize, features: usize) -> &[[f32; 2]] {
        self.ordinary.parts.get(at * features..(at + 1) * features).unwrap_or_default()
    }
}

/// The contributions of a batch of rows, row by row.
fn explain_batch(
    model: &Model,
    networks: &Networks,
    compared: &Compared,
    batch: &Batch,
    out: &mut [f32],
) -> PolarsResult<()> {
    let Batch { tiles, tile, inputs, rows, .. } = batch;
    // From where scores come from: heads that spread little turn another engine's rounding into a
    // visible part of a score.
    let (mut logits, mut errors) = (vec![0f32; *rows], vec![0f32; *rows]);
    networks.heads_into(tiles, *inputs, &mut logits, &mut errors)?;
    let evidence = evidence(model, batch)?;
    let against = |row: usize| evidence.rows.get(row).copied().unwrap_or_default();
    let owners = model.inputs().owners();
    let combiner = &model.metadata().combiner;
    let score = |row: usize| f64::from(combiner.score(logits[row], errors[row], against(row)));
    let scores: Vec<f64> = (0..*rows).map(score).collect();
    let nearest = nearest(compared, batch, &evidence, &scores, &owners);
    let shares = |row: usize| {
        let to = Row { heads: finite((logits[row], errors[row])), evidence: against(row) };
        combiner.shares(compared.rows[nearest[row]], to)
    };
    let shares: Vec<_> = (0..*rows).map(shares).collect();
    // The padding's weights stay 0.
    let mut weights = [(); 2].map(|()| vec![0f32; rows.div_ceil(*tile) * tile]);
    for (row, shares) in shares.iter().enumerate() {
        (weights[0][row], weights[1][row]) = (shares.slopes[0] as f32, shares.slopes[1] as f32);
    }
    let (way, sum) = along_the_way(networks, compared, &nearest, (tiles, *tile, *inputs), &weights)?;
    let placed = networks.place(tiles, *rows)?;
    let mut farther = vec![0f32; *inputs];
    let features = model.metadata().features.len();
    for (row, out) in out.chunks_exact_mut(features).enumerate() {
        let total = scores[row] - compared.scores[nearest[row]];
        let mut ways = vec![0f32; features];
        farther.fill(0.0);
        if let (Some(placed), Some(from)) = (&placed, &compared.placed) {
            placed.add_farther(row, (from, nearest[row]), &mut farther);
        }
        for (input, feature) in owners.iter().enumerate() {
            let at = place(row, input, *tile, *inputs);
            out[*feature] += sum[at] * way[at] / STEPS as f32 + weights[1][row] * farther[input];
            ways[*feature] += way[at].abs();
        }
        let shares = followed(shares[row], total);
        complete(out, &ways, shares.networks);
        let own = evidence.parts.get(row * features..(row + 1) * features).unwrap_or_default();
        for (share, part) in [(shares.evidence, 0), (shares.tails, 1)] {
            share_by_cells(out, own, compared.parts(nearest[row], features), part, share);
        }
    }
    Ok(())
}

/// Where a number of a row is in tiles, `[tiles, inputs, tile]`.
fn place(row: usize, input: usize, tile: usize, inputs: usize) -> usize {
    (row / tile * inputs + input) * tile + row % tile
}

/// Shares that add up to the total. Where the networks and the evidence agree that a row is strange, the
/// networks see in it what the cells can name: as far as the evidence goes, their share follows it.
fn followed(mut shares: Shares, total: f64) -> Shares {
    shares.networks += total - (shares.networks + shares.tails + shares.evidence);
    if shares.networks > 0.0 && shares.evidence > 0.0 {
        let follows = shares.networks * shares.evidence / (shares.networks + shares.evidence);
        shares.networks -= follows;
        shares.evidence += follows;
    }
    shares
}

fn evidence(model: &Model, batch: &Batch) -> PolarsResult<Evidence> {
    let Some(cells) = &model.statistics().cells else { return Ok(Evidence::default()) };
    let given = model.given(&batch.columns, &batch.coded)?;
    cells.evidence(&given.columns())
}

/// The ordinary row that each row of a batch is compared with. A value that is taken for wrong has
/// little weight: the row is compared with one that is like its other values.
fn nearest(compared: &Compared, batch: &Batch, evidence: &Evidence, scores: &[f64], owners: &[usize]) -> Vec<usize> {
    let Batch { tiles, tile, inputs, rows, .. } = batch;
    let features = owners.last().map_or(0, |last| last + 1);
    let (mut numbers, mut weights) = (vec![0f32; *inputs], vec![1f32; *inputs]);
    let nearest = |row: usize| {
        let parts = evidence.parts.get(row * features..(row + 1) * features);
        for (input, feature) in owners.iter().enumerate() {
            numbers[input] = tiles[place(row, input, *tile, *inputs)];
            weights[input] = parts.map_or(1.0, |parts| libm::expf(-2.0 * parts[*feature][0]));
        }
        compared.by_input.nearest(&numbers, &weights, |at| compared.scores[at] + LOWER < scores[row])
    };
    (0..*rows).map(nearest).collect()
}

/// Shares out what evidence adds between the cells, by how far each cell's evidence goes in that
/// direction; or evenly, if none does.
fn share_by_cells(out: &mut [f32], own: &[[f32; 2]], ordinary: &[[f32; 2]], part: usize, share: f64) {
    if share == 0.0 || own.len() != ordinary.len() || own.is_empty() {
        return;
    }
    let toward = |at: usize| (f64::from(own[at][part] - ordinary[at][part]) * share.signum()).max(0.0);
    let all: f64 = (0..own.len()).map(toward).sum();
    for (at, out) in out.iter_mut().enumerate() {
        let weight = if all > 0.0 { toward(at) / all } else { 1.0 / own.len() as f64 };
        *out += (share * weight) as f32;
    }
}

/// Of each input of rows in tiles, the way from the ordinary row to the row, and the sum of the
/// networks' gradients along it, at [`STEPS`] points.
fn along_the_way(
    networks: &Networks,
    compared: &Compared,
    nearest: &[usize],
    (tiles, tile, inputs): (&[f32], usize, usize),
    weights: &[Vec<f32>; 2],
) -> PolarsResult<(Vec<f32>, Vec<f32>)> {
    let mut from: Vec<f32> = zeros(tiles.len(), WHAT)?;
    for (row, at) in nearest.iter().enumerate() {
        for (input, number) in compared.scaled(*at, inputs).iter().enumerate() {
            from[place(row, input, tile, inputs)] = *number;
        }
    }
    let way: Vec<f32> = collected(tiles.iter().zip(&from).map(|(x, from)| x - from), WHAT)?;
    let mut sum: Vec<f32> = zeros(tiles.len(), WHAT)?;
    let mut point: Vec<f32> = zeros(tiles.len(), WHAT)?;
    for step in 0..STEPS {
        let share = (step as f32 + 0.5) / STEPS as f32;
        for (point, (way, from)) in point.iter_mut().zip(way.iter().zip(&from)) {
            *point = way * share + from;
        }
        networks.engine.add_input_gradients(&point, inputs, &weights[0], &weights[1], &mut sum)?;
    }
    Ok((way, sum))
}

/// Scales contributions so that they add up to `total`. What is left over goes to them in proportion to
/// their size. If all of them are 0, it goes to the features in proportion to the ways that the
/// gradient, zero all along them, was multiplied with; or evenly, if there is no way.
fn complete(contributions: &mut [f32], ways: &[f32], total: f64) {
    if !contributions.iter().all(|number| number.is_finite()) {
        // Activations overflow on the way: all that is known is how far the row is out.
        contributions.fill(0.0);
    }
    let own = contributions.to_vec();
    let sum: f64 = own.iter().map(|number| f64::from(*number)).sum();
    let positive = |numbers: &[f32]| numbers.iter().map(|number| f64::from(number.abs())).sum::<f64>();
    // Contributions that point the same way as the total are scaled; where they do not, they say
    // nothing about it, and their sizes are what is left.
    let (all, toward) = (positive(&own), sum * total > 0.0 && sum.abs() > 0.1 * positive(&own));
    for (at, contribution) in contributions.iter_mut().enumerate() {
        *contribution = if toward {
            (f64::from(own[at]) / sum * total) as f32
        } else if all > 0.0 {
            (total * f64::from(own[at].abs()) / all) as f32
        } else {
            let ways_all = positive(ways);
            let share = if ways_all > 0.0 { f64::from(ways[at].abs()) / ways_all } else { 1.0 / ways.len() as f64 };
            (total * share) as f32
        };
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
    fn contributions_add_up_to_the_difference_from_an_ordinary_row() {
        for preset in [Preset::Paper, Preset::Default, Preset::Novelty] {
            let model = model(preset);
            let columns = Columns::from_frame(&frame()).unwrap();
            let explained = explain(&model, &columns, Device::Cpu).unwrap().contributions;
            let scores = score(&model, &columns, Device::Cpu).unwrap();
            let networks = Networks::open(&model, Device::Cpu).unwrap();
            let compared = Compared::new(&model, &networks).unwrap();
            let high = f64::from(model.statistics().quantiles.body()[900]);
            // Training rows without themselves and new ones differ a little.
            assert!(compared.scores.iter().all(|score| *score < high + 0.1), "{:?} {high}", compared.scores);
            for (row, score) in explained.rows().into_iter().zip(scores.iter()) {
                let sum: f64 = row.iter().map(|number| f64::from(*number)).sum();
                let at = f64::from(score.unwrap()) - sum;
                let nearest = compared.scores.iter().map(|score| (score - at).abs()).fold(1.0, f64::min);
                assert!(nearest < 1e-3, "{at} {:?}", compared.scores);
            }
            // The faults stand out in their column.
            for row in [7, 70] {
                let row = explained.row(row);
                let stands_out = row[2] > 0.0 && row[2] >= row[0] && row[2] >= row[1];
                assert!(stands_out || preset == Preset::Paper, "{preset:?} {row}");
            }
        }
    }

    #[test]
    fn evidence_goes_to_the_cells_whose_evidence_differs() {
        let (own, ordinary) = ([[3.0, 0.0], [0.1, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.1, 0.0], [0.0, 0.0]]);
        let mut out = [0f32; 3];
        share_by_cells(&mut out, &own, &ordinary, 0, 0.4);
        assert_eq!(out, [0.3, 0.0, 0.1]);
        share_by_cells(&mut out, &own, &ordinary, 1, 0.3);
        assert!((out[1] - 0.1).abs() < 1e-6);
    }

    #[test]
    fn a_total_survives_contributions_that_are_far_larger() {
        for own in [vec![3e10f32], vec![1e10, 2e10], vec![-5e12, -1e12], vec![1e9, -1e9], vec![0.0, 0.0]] {
            let mut contributions = own.clone();
            complete(&mut contributions, &vec![0.5; own.len()], 0.045);
            let sum: f64 = contributions.iter().map(|number| f64::from(*number)).sum();
            assert!((sum - 0.045).abs() < 1e-6, "{contributions:?} of {own:?}");
        }
    }
}
