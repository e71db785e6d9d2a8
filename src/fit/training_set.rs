//! Synthetic anomalies, and what a member of the fleet is trained on with them, epoch by epoch.
//!
//! `smote` (§5.1): a few training rows, grown by SMOTE, disturbed with Gaussian noise; the same ones in every epoch.
//! `uniform`: noise all over the data's box, and beyond; fresh in every epoch.
//!
//! With labels, the known anomalies take their place: for `smote` as often as they occur; for `uniform` they are half of each
//! batch, beside a share of noise, which stands for the anomalies that nobody has labelled.

use ndarray::{s, Array2, ArrayView1, ArrayView2, Axis};
use rand::seq::{index, SliceRandom};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::options::{Noise, Options, ScalingKind};

/// SMOTE looks for neighbours among at most so many rows of X0, drawn at random where there are more: memory stays linear
/// in the rows, and time stays bounded a synthetic row. Below this, that is up to 400,000 training rows at 2 %, it is exact.
const NEIGHBOR_POOL: usize = 8_192;

/// One member's training data: `[rows, inputs]`, scaled.
pub enum TrainingSet {
    /// X1, the rows left as they are, then X0¹, the synthetic anomalies, or the known ones: the first `normal` rows have y = 0.
    Fixed { rows: Array2<f32>, normal: usize },
    /// All rows are normal; noise comes from the box.
    Uniform { rows: Array2<f32>, noise: NoiseBox },
    /// The first `normal` rows have y = 0; the others, known anomalies, are as many in each batch, and noise comes on top.
    Balanced { rows: Array2<f32>, normal: usize, noise: NoiseBox },
}

/// One epoch of one member: its rows in the order of their batches.
pub struct Epoch {
    /// `[rows, inputs]`, row by row
    pub x: Vec<f32>,
    /// y of each row
    pub synthetic: Vec<bool>,
    /// Rows of each batch
    pub batches: Vec<usize>,
}

impl TrainingSet {
    /// From at least two scaled rows `[n, d]`: `max_samples` of them, at most half, of the features `inputs`.
    pub fn draw(rows: ArrayView2<f32>, inputs: &[usize], options: &Options, rng: &mut impl Rng) -> Self {
        let sampled = match options.max_samples {
            0 => rows.select(Axis(1), inputs),
            _ => {
                let drawn = index::sample(rng, rows.nrows(), options.rows_of_member(rows.nrows())).into_vec();
                rows.select(Axis(0), &drawn).select(Axis(1), inputs)
            }
        };
        match options.noise {
            Noise::Smote => Self::smote(&sampled, options, rng),
            Noise::Uniform => Self::Uniform { rows: sampled, noise: NoiseBox::around(rows, inputs, options) },
        }
    }

    /// From scaled rows `[n, d]`, of which some are known anomalies: all of these, and `max_samples` of the others, of the
    /// features `inputs`.
    pub fn labelled(
        rows: ArrayView2<f32>,
        anomalies: &[bool],
        inputs: &[usize],
        options: &Options,
        rng: &mut impl Rng,
    ) -> Self {
        let (known, mut others): (Vec<usize>, Vec<usize>) = (0..rows.nrows()).partition(|row| anomalies[*row]);
        if (1..others.len()).contains(&options.max_samples) {
            others = index::sample(rng, others.len(), options.max_samples).iter().map(|at| others[at]).collect();
        }
        let normal = others.len();
        let noise = NoiseBox::around(rows, inputs, options);
        let rows = rows.select(Axis(0), &[others, known].concat()).select(Axis(1), inputs);
        match options.noise {
            Noise::Smote => Self::Fixed { rows, normal },
            Noise::Uniform => Self::Balanced { rows, normal, noise },
        }
    }

    fn smote(rows: &Array2<f32>, options: &Options, rng: &mut impl Rng) -> Self {
        let (seeds, synthetic) = sizes(rows.nrows(), options);
        let mut order: Vec<usize> = (0..rows.nrows()).collect();
        order.shuffle(rng);
        let x0 = rows.select(Axis(0), &order[..seeds]);
        let x1 = rows.select(Axis(0), &order[seeds..]);

        let normal = x1.nrows();
        let mut all = Array2::zeros((normal + synthetic, rows.ncols()));
        all.slice_mut(s![..normal, ..]).assign(&x1);
        all.slice_mut(s![normal..normal + seeds, ..]).assign(&x0);
        all.slice_mut(s![normal + seeds.., ..]).assign(&smote(x0.view(), synthetic - seeds, options.neighbors, rng));
        let std = options.noise_std as f32;
        all.slice_mut(s![normal.., ..]).mapv_inplace(|value| {
            let noise: f32 = StandardNormal.sample(rng);
            value + std * noise
        });
        Self::Fixed { rows: all, normal }
    }

    /// One epoch: every row once, in a drawn order.
    pub fn epoch(&self, options: &Options, rng: &mut impl Rng) -> Epoch {
        let (Self::Fixed { rows, .. } | Self::Uniform { rows, .. } | Self::Balanced { rows, .. }) = self;
        let in_turn = match self {
            Self::Balanced { normal, .. } => *normal,
            _ => rows.nrows(),
        };
        let mut order: Vec<usize> = (0..in_turn).collect();
        order.shuffle(rng);
        let mut epoch = Epoch { x: vec![], synthetic: vec![], batches: vec![] };
        match self {
            Self::Fixed { normal, .. } => {
                for batch in order.chunks(options.batch_size) {
                    for row in batch {
                        epoch.x.extend(rows.row(*row));
                        epoch.synthetic.push(row >= normal);
                    }
                    epoch.batches.push(batch.len());
                }
            }
            Self::Uniform { noise: noise_box, .. } => {
                let (real, noise) = options.batch_shares();
                for batch in order.chunks(real) {
                    batch.iter().for_each(|row| epoch.x.extend(rows.row(*row)));
                    // A last batch that is not full gets its share of noise.
                    let noise = (noise * batch.len()).div_ceil(real);
                    noise_box.draw_into(&mut epoch.x, noise, rng);
                    epoch.synthetic.extend(std::iter::repeat_n(false, batch.len()));
                    epoch.synthetic.extend(std::iter::repeat_n(true, noise));
                    epoch.batches.push(batch.len() + noise);
                }
            }
            Self::Balanced { normal, noise: noise_box, .. } => {
                let (others, noise) = options.batch_shares();
                let real = others.div_ceil(2);
                let mut deck = Vec::new();
                for batch in order.chunks(real) {
                    let known = batch.len();
                    let noise = (noise * batch.len()).div_ceil(real);
                    let anomalies = (0..known).map(|_| deal(&mut deck, *normal..rows.nrows(), rng));
                    for row in batch.iter().copied().chain(anomalies) {
                        epoch.x.extend(rows.row(row));
                    }
                    noise_box.draw_into(&mut epoch.x, noise, rng);
                    epoch.synthetic.extend(std::iter::repeat_n(false, batch.len()));
                    epoch.synthetic.extend(std::iter::repeat_n(true, known + noise));
                    epoch.batches.push(batch.len() + known + noise);
                }
            }
        }
        epoch
    }
}

/// Where uniform noise comes from: the box of the scaled data, widened on each side.
pub struct NoiseBox {
    low: Vec<f32>,
    width: Vec<f32>,
}

impl NoiseBox {
    fn around(rows: ArrayView2<f32>, inputs: &[usize], options: &Options) -> Self {
        let margin = options.noise_margin as f32;
        let (mut lows, mut widths) = (vec![], vec![]);
        for input in inputs {
            let (low, range) = match options.scaling {
                // Known, without another look at all rows.
                ScalingKind::Minmax => (0.0, 1.0),
                ScalingKind::Asinh => {
                    let ends = (f32::INFINITY, f32::NEG_INFINITY);
                    let column = rows.column(*input);
                    let (low, high) = column.iter().fold(ends, |(low, high), v| (low.min(*v), high.max(*v)));
                    (low, if high > low { high - low } else { 1.0 })
                }
            };
            lows.push(low - margin * range);
            widths.push((1.0 + 2.0 * margin) * range);
        }
        Self { low: lows, width: widths }
    }

    /// Adds so many rows of noise.
    fn draw_into(&self, x: &mut Vec<f32>, rows: usize, rng: &mut impl Rng) {
        for _ in 0..rows {
            x.extend(self.low.iter().zip(&self.width).map(|(low, width)| rng.random::<f32>() * width + low));
        }
    }
}

/// The next of a shuffled deck, so that all are drawn as often as each other.
fn deal(deck: &mut Vec<usize>, all: std::ops::Range<usize>, rng: &mut impl Rng) -> usize {
    if deck.is_empty() {
        deck.extend(all.clone());
        deck.shuffle(rng);
    }
    deck.pop().unwrap_or(all.start)
}

/// How many rows become X0, and how many synthetic rows there are in the end.
fn sizes(rows: usize, options: &Options) -> (usize, usize) {
    let seeds = ((rows as f64 * options.noise_fraction).round() as usize).clamp(1, rows - 1);
    let normal = (rows - seeds) as f64;
    // `synthetic_fraction` is the share of synthetic rows in the whole training set, normal rows included.
    let synthetic = (normal * options.synthetic_fraction / (1.0 - options.synthetic_fraction)).round() as usize;
    (seeds, synthetic.max(seeds))
}

/// SMOTE: each new row lies at a random place on the line from a row of `x0` to one of its `neighbors` nearest.
pub fn smote(x0: ArrayView2<f32>, count: usize, neighbors: usize, rng: &mut impl Rng) -> Array2<f32> {
    let pool = neighbor_pool(x0.nrows(), rng);
    let mut rows = Array2::zeros((count, x0.ncols()));
    for mut row in rows.rows_mut() {
        let parent = rng.random_range(0..x0.nrows());
        let nearest = nearest(x0, &pool, parent, neighbors);
        // A lone row of X0 has no neighbour: it is its own.
        let other = if nearest.is_empty() { parent } else { nearest[rng.random_range(0..nearest.len())] };
        let share: f32 = rng.random();
        for ((value, a), b) in row.iter_mut().zip(x0.row(parent)).zip(x0.row(other)) {
            *value = a + share * (b - a);
        }
    }
    rows
}

fn neighbor_pool(rows: usize, rng: &mut impl Rng) -> Vec<usize> {
    if rows <= NEIGHBOR_POOL {
        return (0..rows).collect();
    }
    index::sample(rng, rows, NEIGHBOR_POOL).into_vec()
}

/// The `count` rows of the pool that are nearest to `parent`, itself left out; equal distances in order of the pool.
fn nearest(x0: ArrayView2<f32>, pool: &[usize], parent: usize, count: usize) -> Vec<usize> {
    let from = x0.row(parent);
    let mut distances: Vec<(f32, usize)> =
        pool.iter().filter(|row| **row != parent).map(|row| (squared_distance(from, x0.row(*row)), *row)).collect();
    if distances.len() > count {
        distances.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        distances.truncate(count);
    }
    // In a fixed order, so that a draw among them depends on the seed alone.
    distances.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    distances.into_iter().map(|(_, row)| row).collect()
}

fn squared_distance(a: ArrayView1<f32>, b: ArrayView1<f32>) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;
    use ndarray::array;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(7)
    }

    fn random_rows(rows: usize, columns: usize) -> Array2<f32> {
        let mut rng = rng();
        Array2::from_shape_simple_fn((rows, columns), || rng.random())
    }

    fn paper_set(rows: &Array2<f32>, options: &Options) -> (Array2<f32>, usize) {
        let inputs: Vec<usize> = (0..rows.ncols()).collect();
        match TrainingSet::draw(rows.view(), &inputs, options, &mut rng()) {
            TrainingSet::Fixed { rows, normal } => (rows, normal),
            _ => panic!("the paper's noise is SMOTE's"),
        }
    }

    #[test]
    fn a_smote_row_lies_between_a_row_and_one_of_its_nearest() {
        let x0 = random_rows(40, 3);
        let pool: Vec<usize> = (0..40).collect();
        for row in smote(x0.view(), 200, 5, &mut rng()).rows() {
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
    }

    #[test]
    fn a_lone_row_is_its_own_neighbour() {
        let x0 = array![[0.25f32, 0.5]];
        for row in smote(x0.view(), 4, 5, &mut rng()).rows() {
            assert_eq!(row, x0.row(0));
        }
    }

    #[test]
    fn two_percent_become_five_percent_of_the_training_set() {
        let (rows, normal) = paper_set(&random_rows(1_000, 4), &Options::preset(Preset::Paper));
        assert_eq!(normal, 980);
        assert_eq!(rows.nrows(), 980 + 52);
    }

    #[test]
    fn normal_rows_are_training_rows_and_noise_has_its_size() {
        let rows = random_rows(4_000, 5);
        let options = Options { noise_std: 3.0, ..Options::preset(Preset::Paper) };
        let (set, normal) = paper_set(&rows, &options);
        let known: std::collections::HashSet<Vec<u32>> =
            rows.rows().into_iter().map(|row| row.iter().map(|v| v.to_bits()).collect()).collect();
        for row in set.rows().into_iter().take(normal) {
            assert!(known.contains(&row.iter().map(|v| v.to_bits()).collect::<Vec<_>>()));
        }
        let synthetic = set.slice(s![normal.., ..]);
        // Uniform rows have variance 1/12, SMOTE rows a little less: the rest is noise.
        let std = synthetic.std(0.0);
        assert!((2.8..3.2).contains(&std), "{std}");
    }

    #[test]
    fn two_rows_are_enough() {
        let (rows, normal) = paper_set(&random_rows(2, 1), &Options::preset(Preset::Paper));
        assert_eq!((normal, rows.nrows()), (1, 2));
    }

    #[test]
    fn a_large_x0_searches_a_bounded_pool() {
        assert_eq!(neighbor_pool(NEIGHBOR_POOL, &mut rng()).len(), NEIGHBOR_POOL);
        assert_eq!(neighbor_pool(10 * NEIGHBOR_POOL, &mut rng()).len(), NEIGHBOR_POOL);
    }

    #[test]
    fn an_epoch_has_every_row_once() {
        let rows = random_rows(300, 3);
        let options = Options { batch_size: 64, ..Options::preset(Preset::Paper) };
        let set = TrainingSet::draw(rows.view(), &[0, 1, 2], &options, &mut rng());
        let epoch = set.epoch(&options, &mut rng());
        let TrainingSet::Fixed { rows, normal } = set else { panic!("the paper's noise is SMOTE's") };
        assert_eq!(epoch.synthetic.iter().filter(|synthetic| !**synthetic).count(), normal);
        let sorted = |mut numbers: Vec<f32>| {
            numbers.sort_by(f32::total_cmp);
            numbers
        };
        assert_eq!(sorted(epoch.x.clone()), sorted(rows.iter().copied().collect()));
        assert_eq!(epoch.batches.iter().sum::<usize>(), rows.nrows());
    }

    #[test]
    fn uniform_noise_fills_the_widened_box_and_is_fresh() {
        let options = Options { max_samples: 0, ..Options::preset(Preset::Default) };
        let set = TrainingSet::draw(random_rows(640, 2).view(), &[1, 0], &options, &mut rng());
        let mut rng = rng();
        let noise = |epoch: &Epoch| -> Vec<f32> {
            let rows = epoch.x.chunks(2).zip(&epoch.synthetic);
            rows.filter(|(_, synthetic)| **synthetic).flat_map(|(row, _)| row.to_vec()).collect()
        };
        let (first, second) = (set.epoch(&options, &mut rng), set.epoch(&options, &mut rng));
        assert_eq!(first.batches, [128; 10]);
        assert_eq!(noise(&first).len(), 2 * 640);
        assert_ne!(noise(&first), noise(&second));
        let (low, high) = noise(&first).iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!((-0.5..-0.45).contains(&low) && (1.45..1.5).contains(&high), "{low} {high}");
    }

    /// 40 rows, every tenth of them an anomaly; the first feature is the row's number, the second whether it is one.
    fn labelled(options: &Options) -> TrainingSet {
        let anomalies: Vec<bool> = (0..40).map(|row| row % 10 == 0).collect();
        let rows = Array2::from_shape_fn(
            (40, 2),
            |(row, feature)| {
                if feature == 0 {
                    row as f32
                } else {
                    f32::from(anomalies[row])
                }
            },
        );
        TrainingSet::labelled(rows.view(), &anomalies, &[0, 1], options, &mut rng())
    }

    #[test]
    fn known_anomalies_replace_the_synthetic_ones_as_often_as_they_occur() {
        let options = Options { batch_size: 16, ..Options::preset(Preset::Paper) };
        let epoch = labelled(&options).epoch(&options, &mut rng());
        let mut seen: Vec<f32> = epoch.x.chunks(2).map(|row| row[0]).collect();
        seen.sort_by(f32::total_cmp);
        assert_eq!(seen, (0..40).map(|row| row as f32).collect::<Vec<_>>());
        for (row, synthetic) in epoch.x.chunks(2).zip(&epoch.synthetic) {
            assert_eq!(row[1] == 1.0, *synthetic);
        }
    }

    #[test]
    fn known_anomalies_are_half_of_each_batch_each_as_often_as_any_other_and_noise_comes_on_top() {
        let options = Options {
            batch_size: 20,
            synthetic_fraction: 0.1,
            scaling: ScalingKind::Asinh,
            ..Options::preset(Preset::Default)
        };
        let epoch = labelled(&options).epoch(&options, &mut rng());
        // 9 of the 36 normal rows, as many anomalies, and 2 rows of noise.
        assert_eq!(epoch.batches, [20; 4]);
        for synthetic in epoch.synthetic.chunks(20) {
            assert_eq!(synthetic.iter().filter(|synthetic| **synthetic).count(), 11);
        }
        let rows: Vec<&[f32]> = epoch.x.chunks(2).collect();
        for anomaly in [0.0, 10.0, 20.0, 30.0] {
            assert_eq!(rows.iter().filter(|row| row[0] == anomaly && row[1] == 1.0).count(), 9);
        }
        for (batch, synthetic) in rows.chunks(20).zip(epoch.synthetic.chunks(20)) {
            assert!(batch[..9].iter().all(|row| row[1] == 0.0) && synthetic[..9] == [false; 9]);
            assert!(batch[9..18].iter().all(|row| row[1] == 1.0) && synthetic[9..] == [true; 11]);
            for noise in &batch[18..] {
                assert!((-19.5..58.5).contains(&noise[0]) && (-0.5..1.5).contains(&noise[1]), "{noise:?}");
            }
        }
    }

    #[test]
    fn a_sample_of_labelled_rows_has_all_anomalies() {
        let options = Options { max_samples: 5, ..Options::preset(Preset::Default) };
        let TrainingSet::Balanced { rows, normal, .. } = labelled(&options) else { panic!("half of each batch") };
        assert_eq!((normal, rows.nrows()), (5, 9));
        assert_eq!(rows.column(1).to_vec(), [[0.0; 5].as_slice(), &[1.0; 4]].concat());
    }

    #[test]
    fn a_member_sees_its_own_rows_and_features() {
        let rows = random_rows(100, 4);
        let options = Options { max_samples: 10, ..Options::preset(Preset::Default) };
        let TrainingSet::Uniform { rows: drawn, .. } = TrainingSet::draw(rows.view(), &[2], &options, &mut rng())
        else {
            panic!("the default noise is uniform")
        };
        assert_eq!(drawn.dim(), (10, 1));
        assert!(drawn.iter().all(|value| rows.column(2).iter().any(|known| known == value)));
    }
}
