//! What each feature adds to a row's score: integrated gradients (Sundararajan, Taly and Yan, 2017) from the training medians.
//!
//! A score is a function of two heads, and the heads are functions of the row. With Δ the difference between the row and the
//! reference row (all features at their training medians), eq. 8 gives exactly
//!
//! ```text
//! Δscore = a·Δlogit + b·Δerror
//! ```
//!
//! where a and b are the score's secant slopes between the two rows. The gradient of a·logit + b·error is then integrated along
//! the straight line from one row to the other, in scaled features; feature j gets (xⱼ − refⱼ)·∫ ∂/∂xⱼ. The contributions add
//! up to the score's difference but for the error of the quadrature, which is shared out in proportion to them.

use ndarray::{Array2, ArrayView2};
use polars::prelude::*;
use tch::{Device, TchError, Tensor};

use crate::columns::Columns;
use crate::libtorch::numbers;
use crate::model::Model;
use crate::network::Network;
use crate::{rows, scoring};

/// Rows at a time on the CPU: their activations stay in the cache.
const CHUNK: usize = 256;
/// Midpoints of the line at which the gradient is taken.
pub const STEPS: usize = 64;

pub struct Explanation {
    /// `[rows, features]`, features in the model's order
    pub contributions: Array2<f32>,
    /// Which rows are null, if any
    pub missing: Option<BooleanChunked>,
}

/// The contributions of every row.
pub fn explain(model: &Model, columns: &Columns, device: Device) -> PolarsResult<Explanation> {
    let reference = model.scaled_reference();
    let worked =
        rows::by_chunk(model, columns, CHUNK, device, |network, x| explain_rows(model, network, &reference, x))?;
    let contributions = Array2::from_shape_vec((columns.rows(), reference.len()), worked.numbers)
        .map_err(|error| polars_err!(ComputeError: "anorand: the contributions have another shape: {error}"))?;
    Ok(Explanation { contributions, missing: worked.missing })
}

/// The contributions of rows x `[rows, features]`, as many.
fn explain_rows(model: &Model, network: &Network, reference: &[f32], x: &Tensor) -> Result<Tensor, TchError> {
    let (device, width) = (x.device(), reference.len());
    let from = Tensor::f_from_slice(reference)?.f_view([1, width as i64])?.f_to_device(device)?;
    // From where scores come from: heads that spread little turn another engine's rounding into a visible part of a score.
    let heads = |rows: &[f32]| {
        let rows = ArrayView2::from_shape((rows.len() / width, width), rows)?;
        scoring::heads_of_few(network, model.fused(), rows)
    };
    let start = heads(reference)?[0];
    let ends = heads(&numbers(x)?)?;
    let combiner = &model.metadata().combiner;
    let slopes: Vec<[f64; 2]> = ends.iter().map(|end| combiner.secants(start, *end)).collect();
    let column = |at: usize| -> Result<Tensor, TchError> {
        let numbers: Vec<f32> = slopes.iter().map(|pair| pair[at] as f32).collect();
        Tensor::f_from_slice(&numbers)?.f_view([-1, 1])?.f_to_device(device)
    };
    let (logit_slope, error_slope) = (column(0)?, column(1)?);

    let way = x.f_sub(&from)?;
    let mut sum = way.f_zeros_like()?;
    for step in 0..STEPS {
        let share = (step as f64 + 0.5) / STEPS as f64;
        let point = way.f_mul_scalar(share)?.f_add(&from)?;
        sum = sum.f_add_(&network.input_gradient(&point, &logit_slope, &error_slope)?)?;
    }
    let mut contributions = numbers(&sum.f_mul_(&way)?.f_mul_scalar_(1.0 / STEPS as f64)?)?;
    let way = numbers(&way)?;
    let totals = ends
        .iter()
        .zip(&slopes)
        .map(|(end, [a, b])| a * (f64::from(end.0) - f64::from(start.0)) + b * (f64::from(end.1) - f64::from(start.1)));
    for ((row, way), total) in contributions.chunks_mut(width).zip(way.chunks(width)).zip(totals) {
        complete(row, way, total);
    }
    Tensor::f_from_slice(&contributions)?.f_view([-1, width as i64])
}

/// Makes the contributions add up to `total`: what is left over goes to them in proportion to their size. A feature that is at
/// its median gets nothing.
fn complete(contributions: &mut [f32], way: &[f32], total: f64) {
    let rest = total - contributions.iter().map(|number| f64::from(*number)).sum::<f64>();
    let size = |numbers: &[f32]| numbers.iter().map(|number| f64::from(number.abs())).sum::<f64>();
    let mut shares = contributions.to_vec();
    if size(&shares) == 0.0 {
        // The gradient is zero all along the way, yet the heads differ: by rounding alone.
        shares.copy_from_slice(way);
    }
    let all = size(&shares);
    if all > 0.0 {
        for (contribution, share) in contributions.iter_mut().zip(&shares) {
            *contribution += (rest * f64::from(share.abs()) / all) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::fit;
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
        fit(&Columns::from_frame(&frame()).unwrap(), &options, Device::Cpu).unwrap()
    }

    #[test]
    fn contributions_add_up_to_the_scores_difference_from_the_reference() {
        for preset in [Preset::Paper, Preset::Default] {
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
        let columns = Columns::from_frame(&frame()).unwrap();
        // a = 1, b = 0 and a = 0, b = 1: each head's own integral against its difference.
        for slopes in [[1f32, 0.0], [0.0, 1.0]] {
            let worst = rows::by_chunk(&model, &columns, 1_000, Device::Cpu, |network, x| {
                let from = Tensor::from_slice(&reference).view([1, 3]);
                let column = |number: f32| x.narrow(1, 0, 1).full_like(f64::from(number));
                let way = x - &from;
                let mut sum = way.zeros_like();
                for step in 0..STEPS {
                    let point = &from + &way * ((step as f64 + 0.5) / STEPS as f64);
                    sum += network.input_gradient(&point, &column(slopes[0]), &column(slopes[1])).unwrap();
                }
                let parts = sum * way / STEPS as f64;
                let head = |x: &Tensor| {
                    let (logit, error) = network.heads(x).unwrap();
                    logit * f64::from(slopes[0]) + error * f64::from(slopes[1])
                };
                let size = parts.abs().sum_dim_intlist([1i64].as_slice(), false, tch::Kind::Double);
                let rest = (head(x) - head(&from)) - parts.sum_dim_intlist([1i64].as_slice(), false, tch::Kind::Double);
                // Beside a kink, a row close to the reference has little but the error.
                let allowed = &size * 0.02 + size.max() * 1e-3;
                Ok((rest.abs() / allowed).max())
            });
            let worst = worst.unwrap().numbers[0];
            assert!(worst < 1.0, "{worst}");
        }
    }

    #[test]
    fn a_row_at_the_reference_has_no_contributions() {
        let model = model(Preset::Default);
        let medians = &model.statistics().medians;
        let reference = df!("t" => [medians[0]], "curve" => [medians[1]], "third" => [medians[2]]).unwrap();
        let explained = explain(&model, &Columns::from_frame(&reference).unwrap(), Device::Cpu).unwrap();
        assert!(explained.contributions.iter().all(|number| *number == 0.0));
    }
}
