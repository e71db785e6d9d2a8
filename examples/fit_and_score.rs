//! AnoRand in a Rust program, without Python: fit, keep the model as bytes, score with it, and pick a threshold.
//!
//! `cargo run --example fit_and_score`

use polars::prelude::*;
use polars_anorand::{fit, score, Columns, Device, Model, Options, Preset};

fn main() -> PolarsResult<()> {
    // A sensor whose temperature follows its load, but for three readings.
    let load: Vec<f64> = (0..600).map(|t| 50.0 + 30.0 * (f64::from(t) / 40.0).sin()).collect();
    let mut temperature: Vec<f64> = load.iter().map(|load| 20.0 + 0.5 * load).collect();
    for (at, odd) in [(100, 62.0), (300, 25.0), (450, 90.0)] {
        temperature[at] = odd;
    }
    let readings = df!("load" => load, "temperature" => temperature)?;
    let columns = Columns::from_frame(&readings)?;

    let options = Options::preset(Preset::Default);
    let bytes = fit(&columns, None, &options, Device::Cpu)?.model.to_bytes()?;
    let model = Model::from_bytes(&bytes)?;
    println!("A model of {} features, {} bytes", model.metadata().features.len(), bytes.len());

    let scores = score(&model, &columns, Device::Cpu)?;
    let threshold = model.threshold(0.005)?;
    println!("Readings whose score is above {threshold:.4}, the top 0.5 %:");
    for (time, score) in scores.iter().enumerate() {
        if let Some(score) = score.filter(|score| f64::from(*score) > threshold) {
            println!("  t = {time:3}  score {score:.4}");
        }
    }
    Ok(())
}
