//! Makes the synthetic anomalies of §5.1: a few rows, grown by SMOTE, with Gaussian noise added.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, Axis};
use polars::prelude::{PlHashSet, PolarsResult};
use rand::seq::index;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::engine::{NoiseBox, TrainingSet};
use crate::memory::{collected, matrix};
use crate::options::Options;
use crate::pool;

use super::fixed::Fixed;
use super::sampler::shuffled;

/// SMOTE looks for neighbours among at most this number of rows of X0, which are drawn at random.
///
/// So memory stays linear in the rows, and the time for a synthetic row is bounded. SMOTE is exact
/// up to 400,000 training rows at 2 %.
const NEIGHBOR_POOL: usize = 8_192;

/// Makes a training set of X1, the rows that stay as they are, and X0¹, the synthetic anomalies.
///
/// Both come from the rows `sampled` of scaled rows `[n, d]`, with the features `inputs`.
pub fn training_set<'a>(
    table: ArrayView2<'a, f32>,
    inputs: &[usize],
    sampled: Vec<usize>,
    options: &Options,
    rng: &mut ChaCha8Rng,
) -> PolarsResult<TrainingSet<'a>> {
    let (seeds, synthetic) = sizes(sampled.len(), options);
    let order = shuffled(sampled.len(), rng)?;
    let mut own = matrix(synthetic, inputs.len(), "the synthetic anomalies")?;
    let (mut x0, grown) = own.view_mut().split_at(Axis(0), seeds);
    x0.indexed_iter_mut().for_each(|((at, input), number)| *number = table[[sampled[order[at]], inputs[input]]]);
    smote(x0.view(), grown, options.neighbors, rng)?;
    let std = options.noise_std as f32;
    // About one draw in 80 needs ln or exp, which rand_distr takes from the platform, not from
    // libm. These are f64. If the last bit differs, the resulting f32 differs once in some hundred
    // million of those draws.
    own.mapv_inplace(|value| {
        let noise: f32 = StandardNormal.sample(rng);
        value + std * noise
    });
    let normal = collected(order[seeds..].iter().map(|at| sampled[*at]), "the rows of all members")?;
    let anomalies = collected(table.nrows()..table.nrows() + synthetic, "the synthetic anomalies")?;
    let order = Box::new(Fixed::new(normal, anomalies, options));
    Ok(TrainingSet { table, inputs: inputs.to_vec(), own, noise: NoiseBox::default(), order })
}

/// The number of rows that become X0, and the number of synthetic rows that they grow to.
fn sizes(rows: usize, options: &Options) -> (usize, usize) {
    let seeds = ((rows as f64 * options.noise_fraction).round() as usize).clamp(1, rows - 1);
    let normal = (rows - seeds) as f64;
    // `synthetic_fraction` is a share of the whole training set, normal rows included.
    let synthetic = (normal * options.synthetic_fraction / (1.0 - options.synthetic_fraction)).round() as usize;
    (seeds, synthetic.max(seeds))
}

/// The place of a synthetic row: at `share` of the line from `parent` to its neighbour at `rank`,
/// if it has a neighbour.
struct Place {
    parent: usize,
    rank: Option<usize>,
    share: f32,
}

/// Fills `rows` by SMOTE: each lies at a random place on the line from a row of `x0` to one of its
/// `neighbors` nearest rows.
fn smote(x0: ArrayView2<f32>, mut rows: ArrayViewMut2<f32>, neighbors: usize, rng: &mut impl Rng) -> PolarsResult<()> {
    let pool_rows = neighbor_pool(x0.nrows(), rng);
    let in_pool: PlHashSet<usize> = pool_rows.iter().copied().collect();
    // All draws come first. The threads then look for the neighbours of each parent once, and the
    // number of threads does not matter.
    let draw = |_| {
        let parent = rng.random_range(0..x0.nrows());
        let others = pool_rows.len() - usize::from(in_pool.contains(&parent));
        let nearest = others.min(neighbors);
        let rank = (nearest > 0).then(|| rng.random_range(0..nearest));
        Place { parent, rank, share: rng.random() }
    };
    let places = collected((0..rows.nrows()).map(draw), "the synthetic anomalies")?;
    let mut by_parent = collected(0..places.len(), "the synthetic anomalies")?;
    by_parent.sort_unstable_by_key(|at| places[*at].parent);
    let siblings: Vec<&[usize]> = by_parent.chunk_by(|a, b| places[*a].parent == places[*b].parent).collect();
    // Only the neighbours that were drawn are kept: a parent may have a thousand.
    let ends = pool::map(siblings.clone(), |siblings| {
        let parent = places[siblings[0]].parent;
        let nearest = nearest(x0, &pool_rows, parent, neighbors);
        // A lone row of X0 is its own neighbour.
        let end = |at: &usize| places[*at].rank.and_then(|rank| nearest.get(rank).copied()).unwrap_or(parent);
        Ok(siblings.iter().map(end).collect::<Vec<usize>>())
    })?;
    for (at, end) in siblings.into_iter().zip(ends).flat_map(|(siblings, ends)| siblings.iter().zip(ends)) {
        let Place { parent, share, .. } = places[*at];
        for ((value, a), b) in rows.row_mut(*at).iter_mut().zip(x0.row(parent)).zip(x0.row(end)) {
            *value = a + share * (b - a);
        }
    }
    Ok(())
}

fn neighbor_pool(rows: usize, rng: &mut impl Rng) -> Vec<usize> {
    if rows <= NEIGHBOR_POOL {
        return (0..rows).collect();
    }
    index::sample(rng, rows, NEIGHBOR_POOL).into_vec()
}

/// The `count` rows of the pool that are nearest to `parent`, without `parent` itself. Rows at
/// equal distances come in the pool's order.
fn nearest(x0: ArrayView2<f32>, pool: &[usize], parent: usize, count: usize) -> Vec<usize> {
    let from = x0.row(parent);
    let mut distances: Vec<(f32, usize)> =
        pool.iter().filter(|row| **row != parent).map(|row| (squared_distance(from, x0.row(*row)), *row)).collect();
    if distances.len() > count {
        distances.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        distances.truncate(count);
    }
    // The order is fixed, so that a draw among them depends on the seed alone.
    distances.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    distances.into_iter().map(|(_, row)| row).collect()
}

fn squared_distance(a: ArrayView1<f32>, b: ArrayView1<f32>) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::batches::tests::{epoch, random_rows, rng, Epoch};
    use crate::options::Preset;
    use ndarray::{array, Array2};

    fn grown(x0: &Array2<f32>, count: usize, neighbors: usize) -> Array2<f32> {
        let mut rows = Array2::zeros((count, x0.ncols()));
        smote(x0.view(), rows.view_mut(), neighbors, &mut rng()).unwrap();
        rows
    }

    fn paper_epoch(rows: &Array2<f32>, options: &Options) -> (Epoch, usize) {
        let inputs: Vec<usize> = (0..rows.ncols()).collect();
        let set = crate::fit::batches::draw(rows.view(), None, &inputs, options, &mut rng()).unwrap();
        let epoch = epoch(&set, &mut rng());
        let normal = epoch.synthetic.iter().filter(|synthetic| !**synthetic).count();
        (epoch, normal)
    }

    #[test]
    fn a_smote_row_lies_between_a_row_and_one_of_its_nearest() {
        let x0 = random_rows(40, 3);
        let pool: Vec<usize> = (0..40).collect();
        for row in grown(&x0, 200, 5).rows() {
            let between = (0..40).any(|parent| {
                nearest(x0.view(), &pool, parent, 5).iter().any(|other| on_segment(row, x0.row(parent), x0.row(*other)))
            });
            assert!(between, "{row}");
        }
    }

    fn on_segment(point: ArrayView1<f32>, a: ArrayView1<f32>, b: ArrayView1<f32>) -> bool {
        let whole = squared_distance(a, b).sqrt();
        let parts = squared_distance(a, point).sqrt() + squared_distance(point, b).sqrt();
        (parts - whole).abs() < 1e-5
    }

    #[test]
    fn nearest_agrees_with_sorting_all_distances() {
        let x0 = random_rows(60, 4);
        let pool: Vec<usize> = (0..60).collect();
        for parent in 0..60 {
            let mut all: Vec<usize> = (0..60).filter(|row| *row != parent).collect();
            all.sort_by(|a, b| {
                squared_distance(x0.row(parent), x0.row(*a)).total_cmp(&squared_distance(x0.row(parent), x0.row(*b)))
            });
            assert_eq!(nearest(x0.view(), &pool, parent, 5), all[..5]);
        }
    }

    #[test]
    fn fewer_rows_than_neighbours_are_all_neighbours() {
        let x0 = random_rows(3, 2);
        assert_eq!(nearest(x0.view(), &[0, 1, 2], 0, 5).len(), 2);
        assert!(grown(&x0, 10, 1_000).iter().all(|value| (0.0..=1.0).contains(value)));
    }

    #[test]
    fn a_lone_row_is_its_own_neighbour() {
        let x0 = array![[0.25f32, 0.5]];
        for row in grown(&x0, 4, 5).rows() {
            assert_eq!(row, x0.row(0));
        }
    }

    #[test]
    fn two_percent_become_five_percent_of_the_training_set() {
        let (epoch, normal) = paper_epoch(&random_rows(1_000, 4), &Options::preset(Preset::Paper));
        assert_eq!((normal, epoch.synthetic.len()), (980, 980 + 52));
    }

    #[test]
    fn noise_has_its_size() {
        let options = Options { noise_std: 3.0, ..Options::preset(Preset::Paper) };
        let (epoch, _) = paper_epoch(&random_rows(4_000, 5), &options);
        let synthetic: Vec<f32> = epoch
            .x
            .chunks(5)
            .zip(&epoch.synthetic)
            .filter(|(_, synthetic)| **synthetic)
            .flat_map(|(row, _)| row.to_vec())
            .collect();
        // Uniform rows have variance 1/12, SMOTE rows a little less: the rest is noise.
        let std = Array2::from_shape_vec((synthetic.len(), 1), synthetic).unwrap().std(0.0);
        assert!((2.8..3.2).contains(&std), "{std}");
    }

    #[test]
    fn two_rows_are_enough() {
        let (epoch, normal) = paper_epoch(&random_rows(2, 1), &Options::preset(Preset::Paper));
        assert_eq!((normal, epoch.synthetic.len()), (1, 2));
    }

    #[test]
    fn a_large_x0_searches_a_bounded_pool() {
        assert_eq!(neighbor_pool(NEIGHBOR_POOL, &mut rng()).len(), NEIGHBOR_POOL);
        assert_eq!(neighbor_pool(10 * NEIGHBOR_POOL, &mut rng()).len(), NEIGHBOR_POOL);
    }
}
