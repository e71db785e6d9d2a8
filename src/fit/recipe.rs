//! The recipe of a fit: prepare, train, finish. A GPU trains the networks of many fits together.

use polars::prelude::PolarsResult;

use crate::data::{Columns, Labels};
use crate::engine::{self, Device, Job, Training};
use crate::options::Options;
use crate::pool;

use super::classify;
use super::prepared::Prepared;
use super::task::{Fit, Fitted, Given};
use super::try_map_ok;

/// Fits a model on the rows of `columns`. With labels, known anomalies take the place of synthetic
/// ones.
///
/// # Errors
/// `NoData` for too few rows, and `ComputeError` or `SchemaMismatch` for options, labels or a
/// feature that can't be used, or a training that diverged.
pub fn fit_with_labels(
    columns: &Columns,
    labels: Option<&Labels>,
    options: &Options,
    device: Device,
) -> PolarsResult<Fitted> {
    fit(&Fit { given: Given::table(columns, labels), options }, device)
}

/// Runs one fit on a device.
pub fn fit(fit: &Fit, device: Device) -> PolarsResult<Fitted> {
    let (prepared, mut weights) = Prepared::new(fit)?;
    if let Some(labelled) = prepared.to_classify() {
        let trained = classify::train(&mut weights, &labelled, &prepared.options, device)?;
        return prepared.finish(weights, trained, device);
    }
    let members = prepared.members(&weights)?;
    let trained = engine::train(&mut weights, members, &Training(&prepared.options), device)?;
    prepared.finish(weights, trained, device)
}

/// Runs fits that do not depend on one another, each with its own error.
///
/// On the CPU they run side by side. On a GPU, all networks of a shape train together, and the
/// CPU's threads do what comes before and after. Returns `Err` only if the device fails.
pub fn fit_many(fits: Vec<Fit>, device: Device) -> PolarsResult<Vec<PolarsResult<Fitted>>> {
    // Classifiers train on the CPU.
    if device == Device::Cpu || fits.len() < 2 || fits.iter().any(|fit| fit.options.classifies()) {
        return pool::map(fits, |one| Ok(fit(&one, device)));
    }
    let prepared = pool::map(fits, |one| Ok(Prepared::new(&one)))?;
    let trained = try_map_ok(prepared, |prepared| {
        let jobs = prepared.into_iter().map(|(prepared, weights)| prepared.job(weights));
        let jobs = jobs.collect::<PolarsResult<Vec<Job>>>()?;
        Ok(engine::train_together(jobs, device)?.into_iter().map(Ok).collect())
    })?;
    let finish =
        |((prepared, _), (weights, trained)): ((Prepared, _), _)| prepared.finish(weights, trained, Device::Cpu);
    pool::map(trained, |trained| Ok(trained.and_then(finish)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Weights;
    use crate::fit::finish::report;
    use crate::fit::prepared::{draw_networks, members};
    use crate::model::Report;
    use crate::options::Preset;
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Makes rows on a curve, so that there is something to learn.
    fn curve(count: usize) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut rows = Array2::zeros((count, 3));
        for mut row in rows.rows_mut() {
            let t: f32 = rng.random();
            row.assign(&ndarray::aview1(&[t, t * t, 1.0 - t]));
        }
        rows
    }

    /// Trains networks on the rows.
    fn train(rows: &Array2<f32>, mut weights: Weights, options: &Options) -> PolarsResult<(Weights, Report)> {
        let members = members(rows, None, None, &weights, options)?;
        let trained = engine::train(&mut weights, members, &Training(options), Device::Cpu)?;
        let report = report(trained, &weights, rows.nrows(), options)?;
        Ok((weights, report))
    }

    fn trained(members: usize, options: &Options) -> (Weights, Report) {
        let options = Options { members, max_features: 1.0, hidden: vec![16, 8], latent: 4, ..options.clone() };
        let rows = curve(600);
        let networks = draw_networks(&rows, None, &options).unwrap();
        train(&rows, networks, &options).unwrap()
    }

    fn paper() -> Options {
        Options { epochs: 40, learning_rate: 1e-3, ..Options::preset(Preset::Paper) }
    }

    #[test]
    fn training_lowers_both_losses() {
        for options in [paper(), Options::preset(Preset::Default)] {
            let (_, report) = trained(1, &options);
            assert!(report.after.cross_entropy < 0.95 * report.before.cross_entropy, "{report:?}");
            assert!(report.after.reconstruction < 0.5 * report.before.reconstruction, "{report:?}");
        }
    }

    #[test]
    fn a_member_of_an_ensemble_trains_as_it_would_alone() {
        // They are the same to the bit, though the ensemble's members train side by side on the
        // plugin's threads, and the lone one on this thread.
        let ((together, _), (alone, _)) = (trained(3, &paper()), trained(1, &paper()));
        assert_eq!(together.member(0).unwrap(), alone.flat());
    }

    #[test]
    fn a_training_that_diverges_is_an_error() {
        // Rows of 1e30, whose squared errors are no f32.
        let rows = curve(100) * 1e30;
        let options = Options { members: 2, ..paper() };
        let networks = draw_networks(&rows, None, &options).unwrap();
        let error = train(&rows, networks, &options).unwrap_err();
        assert!(error.to_string().contains("diverged"), "{error}");
    }

    #[test]
    fn the_seed_decides() {
        let weights = |seed| trained(2, &Options { seed, ..paper() }).0;
        assert_eq!(weights(5), weights(5));
        assert_ne!(weights(5), weights(6));
    }

    #[test]
    fn min_steps_adds_epochs() {
        let options = Options { epochs: 1, min_steps: 50, batch_size: 300, ..paper() };
        let (_, report) = trained(1, &options);
        assert!(report.steps >= 50 && report.epochs > 1, "{report:?}");
    }
}
