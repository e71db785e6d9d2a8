//! Draws what each member of the ensemble is trained on: its rows, and synthetic or known
//! anomalies.
//!
//! There are two kinds of synthetic anomalies. `smote` (§5.1) grows a few training rows by SMOTE
//! and adds Gaussian noise; they are the same in every epoch. `uniform` draws noise all over the
//! data's box and beyond; it is new in every epoch.
//!
//! With labels, known anomalies take their place. With `smote` they come as often as they occur in
//! the table. With `uniform` they are half of each batch, and a share of noise is added, for the
//! anomalies that nobody has labelled.
//!
//! The training sets of all members share the table's scaled rows, and have only the rows' numbers.

mod balanced;
mod fixed;
pub mod sampler;
mod smote;
mod uniform;

use ndarray::{Array2, ArrayView2};
use polars::prelude::PolarsResult;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::engine::{NoiseBox, Order, TrainingSet};
use crate::memory::{collected, reserved};
use crate::options::{Noise, Options};

use balanced::Balanced;
use fixed::Fixed;
use uniform::{noise_box, Uniform};

/// What memory is reserved for: each member has its own numbers of rows, and members may be many.
const ROWS: &str = "the rows of all members";

/// Draws a member's training set from at least two scaled rows `[n, d]`: `max_samples` of them, at
/// most half, with the features `inputs`. If some rows are replayed, half of the drawn rows are.
pub fn draw<'a>(
    rows: ArrayView2<'a, f32>,
    replayed: Option<&[bool]>,
    inputs: &[usize],
    options: &Options,
    rng: &mut ChaCha8Rng,
) -> PolarsResult<TrainingSet<'a>> {
    let sampled = match options.max_samples {
        0 => collected(0..rows.nrows(), ROWS)?,
        _ if replayed.is_some() => {
            let all = collected(0..rows.nrows(), ROWS)?;
            sampled(all, replayed, options.rows_of_member(rows.nrows()), rng)?
        }
        _ => collected(index::sample(rng, rows.nrows(), options.rows_of_member(rows.nrows())).iter(), ROWS)?,
    };
    match options.noise {
        Noise::Smote => smote::training_set(rows, inputs, sampled, options, rng),
        Noise::Uniform => Ok(TrainingSet {
            table: rows,
            inputs: inputs.to_vec(),
            own: Array2::default((0, inputs.len())),
            noise: noise_box(rows, inputs, options),
            order: Box::new(Uniform::new(sampled, options)),
        }),
    }
}

/// Draws `count` of the rows: half of them replayed ones and half of them others, as long as there
/// are enough of each.
fn sampled(
    rows: Vec<usize>,
    replayed: Option<&[bool]>,
    count: usize,
    rng: &mut ChaCha8Rng,
) -> PolarsResult<Vec<usize>> {
    let (old, new): (Vec<usize>, Vec<usize>) = match replayed {
        Some(replayed) => rows.into_iter().partition(|row| replayed[*row]),
        None => (vec![], rows),
    };
    let old_count = (count / 2).min(old.len()).max(count.saturating_sub(new.len()).min(old.len()));
    let new_count = (count - old_count).min(new.len());
    let mut drawn = reserved(old_count + new_count, ROWS)?;
    drawn.extend(index::sample(rng, new.len(), new_count).iter().map(|at| new[at]));
    drawn.extend(index::sample(rng, old.len(), old_count).iter().map(|at| old[at]));
    Ok(drawn)
}

/// The numbers of the known anomalies, and those of the other rows.
pub fn by_class(anomalies: &[bool]) -> PolarsResult<[Vec<usize>; 2]> {
    let count = anomalies.iter().filter(|anomaly| **anomaly).count();
    let (mut known, mut others) = (reserved(count, ROWS)?, reserved(anomalies.len() - count, ROWS)?);
    (0..anomalies.len()).for_each(|row| if anomalies[row] { known.push(row) } else { others.push(row) });
    Ok([known, others])
}

/// Draws a member's training set from scaled rows `[n, d]`, some of which are known anomalies: all
/// of these, and `max_samples` of the others, with the features `inputs`.
pub fn draw_labelled<'a>(
    rows: ArrayView2<'a, f32>,
    anomalies: &[bool],
    replayed: Option<&[bool]>,
    inputs: &[usize],
    options: &Options,
    rng: &mut ChaCha8Rng,
) -> PolarsResult<TrainingSet<'a>> {
    let [known, mut others] = by_class(anomalies)?;
    if (1..others.len()).contains(&options.max_samples) {
        others = sampled(others, replayed, options.max_samples, rng)?;
    }
    let (noise, order): (_, Box<dyn Order>) = match options.noise {
        Noise::Smote => (NoiseBox::default(), Box::new(Fixed::new(others, known, options))),
        Noise::Uniform => (noise_box(rows, inputs, options), Box::new(Balanced::new(others, known, options))),
    };
    Ok(TrainingSet { table: rows, inputs: inputs.to_vec(), own: Array2::default((0, inputs.len())), noise, order })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::options::{Preset, ScalingKind};
    use rand::{Rng, SeedableRng};

    pub fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(7)
    }

    pub fn random_rows(rows: usize, columns: usize) -> Array2<f32> {
        let mut rng = rng();
        Array2::from_shape_simple_fn((rows, columns), || rng.random())
    }

    /// The batches of an epoch, one after the other.
    #[derive(Default)]
    pub struct Epoch {
        pub x: Vec<f32>,
        pub synthetic: Vec<bool>,
        pub batches: Vec<usize>,
    }

    pub fn epoch(set: &TrainingSet, rng: &mut ChaCha8Rng) -> Epoch {
        let mut all = Epoch::default();
        set.epoch(rng, &mut |x, synthetic| {
            all.x.extend(x);
            all.synthetic.extend(synthetic);
            all.batches.push(synthetic.len());
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn an_epoch_has_every_row_once() {
        let rows = random_rows(300, 3);
        let options = Options { batch_size: 64, ..Options::preset(Preset::Paper) };
        let set = draw(rows.view(), None, &[0, 1, 2], &options, &mut rng()).unwrap();
        let [first, second] = [1, 2].map(|seed| epoch(&set, &mut ChaCha8Rng::seed_from_u64(seed)));
        assert_eq!(first.batches, [64, 64, 64, 64, 53]);
        assert_ne!(first.x, second.x);
        let sorted = |epoch: &Epoch| {
            let rows = epoch.x.chunks(3).zip(&epoch.synthetic);
            let mut rows: Vec<(bool, Vec<u32>)> =
                rows.map(|(row, synthetic)| (*synthetic, row.iter().map(|v| v.to_bits()).collect())).collect();
            rows.sort_unstable();
            rows
        };
        assert_eq!(sorted(&first), sorted(&second));
        let mut known: Vec<Vec<u32>> =
            rows.rows().into_iter().map(|row| row.iter().map(|v| v.to_bits()).collect()).collect();
        known.sort_unstable();
        let normal: Vec<_> = sorted(&first).into_iter().filter(|(synthetic, _)| !synthetic).collect();
        assert_eq!(normal.len(), 294);
        assert!(normal.iter().all(|(_, row)| known.binary_search(row).is_ok()));
    }

    /// The epoch of 40 rows, every tenth of them an anomaly. The first feature is the row's number,
    /// the second says whether it is an anomaly.
    fn labelled(options: &Options) -> Epoch {
        let anomalies: Vec<bool> = (0..40).map(|row| row % 10 == 0).collect();
        let number = |(row, feature)| if feature == 0 { row as f32 } else { f32::from(anomalies[row]) };
        let rows = Array2::from_shape_fn((40, 2), number);
        let set = draw_labelled(rows.view(), &anomalies, None, &[0, 1], options, &mut rng()).unwrap();
        epoch(&set, &mut rng())
    }

    #[test]
    fn known_anomalies_replace_the_synthetic_ones_as_often_as_they_occur() {
        let options = Options { batch_size: 16, ..Options::preset(Preset::Paper) };
        let epoch = labelled(&options);
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
        let epoch = labelled(&Options { max_samples: 0, ..options });
        // 9 of the 36 normal rows, the same number of anomalies, and 2 rows of noise.
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
        let epoch = labelled(&options);
        let rows: Vec<&[f32]> = epoch.x.chunks(2).zip(&epoch.synthetic).map(|(row, _)| row).collect();
        let normal = epoch.synthetic.iter().filter(|synthetic| !**synthetic).count();
        assert_eq!(normal, 5);
        // As many known anomalies as normal rows: each of the four, and one of them twice.
        for anomaly in [0.0, 10.0, 20.0, 30.0] {
            assert!(rows.iter().any(|row| row[0] == anomaly && row[1] == 1.0));
        }
    }

    #[test]
    fn half_of_a_members_rows_are_replayed_ones_as_far_as_they_go() {
        let replayed: Vec<bool> = (0..100).map(|row| row < 20).collect();
        let counted = |replayed: &[bool], count: usize| {
            let mut rows = sampled((0..100).collect(), Some(replayed), count, &mut rng()).unwrap();
            let old = rows.iter().filter(|row| replayed[**row]).count();
            rows.sort_unstable();
            rows.dedup();
            (old, rows.len() - old)
        };
        assert_eq!(counted(&replayed, 30), (15, 15));
        assert_eq!(counted(&replayed, 60), (20, 40));
        assert_eq!(counted(&[true; 100], 30), (30, 0));
        assert_eq!(counted(&[false; 100], 30), (0, 30));
        let mostly: Vec<bool> = (0..100).map(|row| row < 95).collect();
        assert_eq!(counted(&mostly, 30), (25, 5));
    }

    #[test]
    fn a_member_sees_its_own_rows_and_features() {
        let rows = random_rows(100, 4);
        let options = Options { max_samples: 10, ..Options::preset(Preset::Default) };
        let set = draw(rows.view(), None, &[2], &options, &mut rng()).unwrap();
        let epoch = epoch(&set, &mut rng());
        let normal: Vec<f32> = epoch
            .x
            .iter()
            .zip(&epoch.synthetic)
            .filter(|(_, synthetic)| !**synthetic)
            .map(|(value, _)| *value)
            .collect();
        assert_eq!(normal.len(), 10);
        assert!(normal.iter().all(|value| rows.column(2).iter().any(|known| known == value)));
    }
}
