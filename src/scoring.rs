//! Rows → the two heads → α → the anomaly score (§5.4), in blocks that fit the cache, on as many threads as Polars has.

use std::sync::LazyLock;

use ndarray::ArrayView2;
use polars::prelude::*;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tch::{Device, Kind, TchError, Tensor};

use crate::columns::Columns;
use crate::libtorch::{torch_error, SingleThread};
use crate::model::Model;
use crate::network::Network;
use crate::options::Missing;
use crate::sketch::quantile_of_sorted;

/// Rows that go through the network at a time: their activations stay in the CPU's cache.
const CPU_BLOCK: usize = 1_024;
/// A GPU wants many rows a call.
const GPU_BLOCK: usize = 65_536;
/// Rows that one thread takes at a time.
const CHUNK: usize = 16_384;

/// Scores lie inside (0, 1): the nearest floats stand for what rounds to the ends.
const LOWEST: f32 = f32::MIN_POSITIVE;
const HIGHEST: f32 = 1.0 - f32::EPSILON / 2.0;

/// Both heads' anomaly probabilities for some rows, means over the fleet's members.
pub struct Heads {
    /// ŷ_mlp, ND's output
    pub nd: Vec<f32>,
    /// ŷ_AE of eq. 6
    pub ae: Vec<f32>,
}

impl Heads {
    /// Of scaled rows.
    pub fn of(network: &Network, rows: ArrayView2<f32>) -> PolarsResult<Self> {
        let features = rows.ncols();
        let rows = rows.as_standard_layout();
        // In standard layout, so a slice.
        let numbers = rows.as_slice().unwrap_or_default();
        let mut heads = Self { nd: vec![0.0; rows.nrows()], ae: vec![0.0; rows.nrows()] };
        heads_into(network, numbers, features, &mut heads.nd, &mut heads.ae).map_err(torch_error)?;
        Ok(heads)
    }

    /// α of eq. 7: the third quartiles of the two heads.
    pub fn alpha(&self) -> f32 {
        let q3 = |head: &[f32]| {
            let mut sorted = head.to_vec();
            sorted.sort_unstable_by(f32::total_cmp);
            quantile_of_sorted(&sorted, 0.75)
        };
        let (nd, ae) = (q3(&self.nd), q3(&self.ae));
        (ae / (nd + ae)) as f32
    }

    /// The anomaly scores.
    pub fn scores(&self, alpha: f32) -> Vec<f32> {
        self.nd.iter().zip(&self.ae).map(|(nd, ae)| combine(alpha, *nd, *ae)).collect()
    }
}

/// Eq. 8.
#[inline]
fn combine(alpha: f32, nd: f32, ae: f32) -> f32 {
    ((1.0 - alpha) * ae + alpha * nd).clamp(LOWEST, HIGHEST)
}

/// The anomaly score of every row; null for a row with a missing value, unless the model imputes or refuses such rows.
pub fn score(model: &Model, columns: &Columns, device: Device) -> PolarsResult<Float32Chunked> {
    let columns = columns.matched(&model.metadata().features)?;
    if model.metadata().options.missing == Missing::Error {
        if let Some(error) = columns.first_missing()? {
            return Err(error);
        }
    }
    let mut scores = vec![0f32; columns.rows()];
    let mut incomplete = vec![false; columns.rows()];
    on_device(model.network(), device, |network| {
        if columns.rows() <= CHUNK || device != Device::Cpu {
            return score_chunk(model, network, &columns, &mut scores, &mut incomplete);
        }
        let work = || {
            scores.par_chunks_mut(CHUNK).zip(incomplete.par_chunks_mut(CHUNK)).enumerate().try_for_each(
                |(at, (scores, incomplete))| {
                    let chunk = columns.slice(at * CHUNK, scores.len());
                    score_chunk(model, network, &chunk, scores, incomplete)
                },
            )
        };
        match pool() {
            Some(pool) => pool.install(work),
            None => score_chunk(model, network, &columns, &mut scores, &mut incomplete),
        }
    })?;
    let nulls = model.metadata().options.missing == Missing::Null && incomplete.contains(&true);
    let validity = nulls.then(|| incomplete.iter().map(|incomplete| !incomplete).collect());
    Ok(Float32Chunked::from_vec_validity(PlSmallStr::from_static("score"), scores, validity))
}

fn on_device<T>(network: &Network, device: Device, run: impl FnOnce(&Network) -> PolarsResult<T>) -> PolarsResult<T> {
    if device == Device::Cpu {
        return run(network);
    }
    let moved = Network::from_flat(network.shape().clone(), network.members(), &network.to_flat()?, device)?;
    run(&moved)
}

fn score_chunk(
    model: &Model,
    network: &Network,
    columns: &Columns,
    scores: &mut [f32],
    incomplete: &mut [bool],
) -> PolarsResult<()> {
    let features = model.metadata().features.len();
    let statistics = model.statistics();
    let mut rows = vec![0f32; columns.rows() * features];
    columns.scale_into(&statistics.scaling, &statistics.medians, &mut rows, incomplete)?;
    let mut ae = vec![0f32; columns.rows()];
    heads_into(network, &rows, features, scores, &mut ae).map_err(torch_error)?;
    let alpha = model.metadata().alpha;
    for (score, ae) in scores.iter_mut().zip(&ae) {
        *score = combine(alpha, *score, *ae);
    }
    Ok(())
}

/// Both heads of scaled rows (`rows`, row by row), block by block.
fn heads_into(
    network: &Network,
    rows: &[f32],
    features: usize,
    nd: &mut [f32],
    ae: &mut [f32],
) -> Result<(), TchError> {
    let _one = SingleThread::enter();
    let block = if network.device() == Device::Cpu { CPU_BLOCK } else { GPU_BLOCK };
    let blocks = rows.chunks(block * features).zip(nd.chunks_mut(block)).zip(ae.chunks_mut(block));
    for ((rows, nd), ae) in blocks {
        let size = [1, nd.len() as i64, features as i64];
        // SAFETY: the slice has exactly these numbers, in this layout, and outlives the tensor, which lives in this
        // iteration; the network only reads it.
        let x = unsafe {
            Tensor::f_from_blob(
                rows.as_ptr().cast(),
                &size,
                &[size[1] * size[2], size[2], 1],
                Kind::Float,
                Device::Cpu,
            )?
        };
        let x = x.f_to_device(network.device())?.f_expand([network.members(), size[1], size[2]], false)?;
        let (mut logit, mut error) = network.heads(&x)?;
        // Eq. 6 squashes the reconstruction error as ND squashes its logit.
        for (head, out) in [(logit.f_sigmoid_()?, nd), (error.f_sigmoid_()?, ae)] {
            let mean = head.f_mean_dim(Some([0i64].as_slice()), false, None::<Kind>)?.f_to_device(Device::Cpu)?;
            let count = out.len();
            mean.f_copy_data(out, count)?;
        }
    }
    Ok(())
}

/// The plugin's own threads, as many as Polars has: callers wait for them, so that threads at work never exceed the cores.
/// None if they can't be started; the caller's thread then does the work.
fn pool() -> Option<&'static ThreadPool> {
    static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
        let asked = std::env::var("POLARS_MAX_THREADS").ok().and_then(|threads| threads.parse().ok());
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        ThreadPoolBuilder::new()
            .num_threads(asked.unwrap_or_else(cores))
            .thread_name(|at| format!("anorand-{at}"))
            .build()
            .ok()
    });
    POOL.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_is_equation_7() {
        let heads = Heads { nd: vec![0.0, 0.1, 0.2, 0.3, 0.4], ae: vec![0.5, 0.6, 0.7, 0.8, 0.9] };
        assert!((heads.alpha() - 0.8 / (0.3 + 0.8)).abs() < 1e-6);
    }

    #[test]
    fn the_score_is_equation_8() {
        let heads = Heads { nd: vec![0.2], ae: vec![0.6] };
        assert!((heads.scores(0.25)[0] - (0.75 * 0.6 + 0.25 * 0.2)).abs() < 1e-7);
    }

    #[test]
    fn scores_stay_inside_zero_and_one() {
        let heads = Heads { nd: vec![0.0, 1.0], ae: vec![0.0, 1.0] };
        for score in heads.scores(0.5) {
            assert!(score > 0.0 && score < 1.0);
        }
    }
}
