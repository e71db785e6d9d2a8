//! What a fuzzer calls with its bytes: a model file, options, columns. Each either gives an error that names the plugin, or
//! something that works; anything else is a panic, which the fuzzer reports.
//!
//! `fuzz/` calls these with coverage, on a nightly toolchain. The tests below call them with seeded mutations, on any.

// A broken contract is reported as a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use polars::prelude::*;

use crate::data::{Columns, Feature, Kind};
use crate::engine::Device;
use crate::fit::fit_with_labels;
use crate::model::Model;
use crate::options::{Missing, Noise, Options, Preset, UncheckedOptions};
use crate::scoring::score;

/// A model file, as it is, and with the checksum that its contents have.
pub fn model(bytes: &[u8]) {
    model_as_it_is(bytes);
    if let Some(sealed) = Model::sealed(bytes) {
        model_as_it_is(&sealed);
    }
}

/// A model file with the checksum that its contents have: refused, or written and read again as the same model. Nothing is
/// scored, so that a fuzzer gets through many files.
pub fn loader(bytes: &[u8]) {
    let sealed = Model::sealed(bytes);
    if let Some(model) = accepted(Model::from_bytes(sealed.as_deref().unwrap_or(bytes))) {
        write_and_read(&model);
    }
}

fn write_and_read(model: &Model) {
    let written = model.to_bytes().expect("what is read can be written");
    let again = Model::from_bytes(&written).expect("what is written can be read");
    assert_eq!(again.to_bytes().expect("as before"), written, "a model changes when it is read and written again");
}

/// A file is refused, or is a model that can be written again and gives every row a score.
fn model_as_it_is(bytes: &[u8]) -> bool {
    let Some(model) = accepted(Model::from_bytes(bytes)) else { return false };
    write_and_read(&model);
    for contamination in [1e-9, 0.01, 0.5, 1.0 - 1e-9] {
        assert!(model.threshold(contamination).is_ok_and(f64::is_finite), "the threshold of {contamination}");
    }
    let columns: Vec<Column> = model.metadata().features.iter().map(column_of).collect();
    // Two features of one name can't come from a fit, and are refused.
    let frame = DataFrame::new_infer_height(columns).expect("columns of one length");
    let columns = Columns::from_frame(&frame).expect("dtypes of features");
    if let Some(scores) = accepted(score(&model, &columns, Device::Cpu)) {
        assert_scores(&scores, frame.height());
    }
    true
}

/// Finite values of a feature, the most extreme ones among them.
fn column_of(feature: &Feature) -> Column {
    let name = PlSmallStr::from_str(&feature.name);
    let whole =
        |dtype| Series::new(name.clone(), [0i64, 1, 86_399, 1 << 40, -1]).cast(&dtype).expect("a cast of integers");
    match feature.kind {
        Kind::Number => Series::new(name, [0.0, -1.5, f64::MAX, f64::MIN, f64::MIN_POSITIVE]).into(),
        Kind::Date => {
            Series::new(name, [0i32, 1, 20_000, i32::MAX / 2, -1]).cast(&DataType::Date).expect("dates").into()
        }
        Kind::Datetime => {
            let zone = feature.dtype.contains(',').then_some(TimeZone::UTC);
            whole(DataType::Datetime(TimeUnit::Microseconds, zone)).into()
        }
        Kind::Duration => whole(DataType::Duration(TimeUnit::Microseconds)).into(),
        Kind::Time => {
            let nanoseconds = Series::new(name, [0i64, 1, 86_399_999_999_999, 1 << 40, 5]);
            nanoseconds.cast(&DataType::Time).expect("times").into()
        }
        Kind::Category => Series::new(name, ["", "a", "b", "naïve", "x"]).into(),
    }
}

/// Options as the map that a caller gives, in JSON: refused by name, or within the ranges that files are checked against.
pub fn options(bytes: &[u8]) {
    let Ok(given) = serde_json::from_slice::<UncheckedOptions>(bytes) else { return };
    for labelled in [false, true] {
        if let Some(options) = accepted(given.clone().check(labelled)) {
            options.check_ranges().expect("checked options are in their ranges");
            let written = serde_json::to_string(&options).expect("options are written");
            assert_eq!(serde_json::from_str::<Options>(&written).expect("what is written is read"), options);
        }
    }
}

/// A small table of columns of any dtype, and what a fit on it does: refused, or every row has a score (or none, if it is skipped).
pub fn columns(bytes: &[u8]) {
    let Some((&[kind, missing, width], values)) = bytes.split_first_chunk() else { return };
    let width = usize::from(width % 4) + 1;
    let rows = (values.len() / (9 * width)).min(64);
    let column = |j: usize| {
        let name = PlSmallStr::from_string(format!("x{j}"));
        let of = &values[j * rows * 9..(j + 1) * rows * 9];
        // Each value is a byte that says whether it is there, and eight bytes.
        let value = |nine: &[u8]| nine[1..].try_into().map_or([0; 8], |eight: [u8; 8]| eight);
        let numbers = of.chunks_exact(9).map(|nine| (nine[0] % 8 != 0).then(|| value(nine)));
        let series = match (kind >> (2 * j)) & 3 {
            0 => Series::new(name, numbers.map(|n| n.map(f64::from_le_bytes)).collect::<Vec<_>>()),
            1 => Series::new(name, numbers.map(|n| n.map(i64::from_le_bytes)).collect::<Vec<_>>()),
            2 => Series::new(name, numbers.map(|n| n.map(|n| format!("{}", n[0] % 5))).collect::<Vec<_>>()),
            _ => {
                let dtype = match missing >> 4 {
                    0..4 => DataType::Datetime(TimeUnit::Microseconds, None),
                    4..8 => DataType::Datetime(TimeUnit::Nanoseconds, Some(TimeZone::UTC)),
                    8..12 => DataType::Duration(TimeUnit::Milliseconds),
                    _ => DataType::Int64,
                };
                let numbers = Series::new(name, numbers.map(|n| n.map(i64::from_le_bytes)).collect::<Vec<_>>());
                numbers.cast(&dtype).expect("a cast of integers")
            }
        };
        Column::from(series)
    };
    let frame = DataFrame::new(rows, (0..width).map(column).collect()).expect("columns of one length");
    let choices = [Missing::Indicator, Missing::Null, Missing::Impute, Missing::Error];
    let preset = if missing & 8 == 0 { Preset::Default } else { Preset::Paper };
    let preset = Options::preset(preset);
    let noise = if missing & 4 == 0 { preset.noise } else { Noise::Smote };
    let missing = choices[usize::from(missing & 3)];
    let options = Options { missing, noise, members: 2, epochs: 1, min_steps: 0, max_epochs: 1, ..preset };
    let Some(columns) = accepted(Columns::from_frame(&frame)) else { return };
    let Some(fitted) = accepted(fit_with_labels(&columns, None, &options, Device::Cpu)) else { return };
    let bytes = fitted.model.to_bytes().expect("a fitted model can be written");
    let model = Model::from_bytes(&bytes).expect("a fitted model can be read");
    if let Some(scores) = accepted(score(&model, &columns, Device::Cpu)) {
        assert_eq!(scores.len(), rows);
        let skipped = if missing == Missing::Null { rows } else { 0 };
        assert!(scores.null_count() <= skipped, "a row has no score");
        assert!(scores.iter().flatten().all(|score| score > 0.0 && score < 1.0), "a score is not in (0, 1)");
    }
}

/// The value, or None for an error that says whose it is.
fn accepted<T>(result: PolarsResult<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains("anorand: "), "an error without its sender: {message}");
            None
        }
    }
}

fn assert_scores(scores: &Float32Chunked, rows: usize) {
    assert_eq!(scores.len(), rows);
    for score in scores.iter() {
        assert!(score.is_some_and(|score| score > 0.0 && score < 1.0), "a finite row has the score {score:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rand::seq::IndexedRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// The models of all formats, in tests/golden.
    fn seeds() -> Vec<Vec<u8>> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
        paths.sort();
        let files = paths.into_iter().map(|path| std::fs::read(path).unwrap());
        files.chain(fitted().iter().cloned()).collect()
    }

    /// Rows whose columns depend on one another.
    fn table(from: i32) -> Columns {
        let rows = || from..from + 300;
        let item = |row: i32| ["book", "lamp", "desk", "N/A"][(row * 7 % 23 % 4) as usize];
        let number = |row: i32| f64::from(row * 37 % 101) / 4.0;
        let frame = df!(
            "item" => rows().map(item).collect::<Vec<_>>(),
            "price" => rows().map(|row| (row * 7 % 23 % 4) as f64 * 9.5).collect::<Vec<_>>(),
            "x" => rows().map(|row| (row % 19 != 0).then(|| number(row))).collect::<Vec<_>>(),
            "y" => rows().map(|row| 2.0 * number(row) + f64::from(row % 3)).collect::<Vec<_>>(),
            "total" => rows().map(|row| number(row) * (row * 7 % 23 % 4) as f64 * 9.5).collect::<Vec<_>>(),
            "text" => rows().map(|row| format!("{}", row * 13 % 57)).collect::<Vec<_>>(),
            "at" => rows().map(|row| i64::from(row) * 86_400_000_000 + i64::from(row * 5 % 9) * 3_600_000_000).collect::<Vec<_>>(),
        );
        let mut frame = frame.unwrap();
        let times = frame.column("at").unwrap().cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
        frame.with_column(times).unwrap();
        Columns::from_frame(&frame).unwrap()
    }

    fn small() -> Options {
        Options {
            members: 2,
            epochs: 1,
            min_steps: 0,
            max_epochs: 1,
            hidden: vec![4],
            ..Options::preset(Preset::Novelty)
        }
    }

    /// A model with cells, and one that went on from it.
    fn fitted() -> &'static [Vec<u8>] {
        static FITTED: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        FITTED.get_or_init(|| {
            let first = fit_with_labels(&table(0), None, &small(), Device::Cpu).unwrap().model;
            let second = after(&first).unwrap();
            [first, second].map(|model| model.to_bytes().unwrap()).to_vec()
        })
    }

    /// A model that goes on from another one.
    fn after(model: &Model) -> PolarsResult<Model> {
        let (columns, options) = (table(400), small());
        let start = Some(crate::fit::Start { model, replayed: None });
        let given = crate::fit::Given { start, ..crate::fit::Given::table(&columns, None) };
        crate::fit::fit(&crate::fit::Fit { given, options: &options }, Device::Cpu).map(|fitted| fitted.model)
    }

    /// Models with cells, with one to three changes.
    fn mutated_cells(count: usize) -> impl Iterator<Item = Vec<u8>> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        (0..count).map(move |_| {
            let mut bytes = fitted().choose(&mut rng).unwrap().clone();
            for _ in 0..rng.random_range(1..4) {
                mutate(&mut bytes, &mut rng);
            }
            bytes
        })
    }

    #[test]
    fn mutated_cells_are_refused_or_read_as_they_are_written() {
        mutated_cells(3_000).for_each(|bytes| loader(&bytes));
    }

    #[test]
    fn mutated_cells_are_refused_or_score_every_row() {
        mutated_cells(2_000).for_each(|bytes| model(&bytes));
    }

    #[test]
    fn a_fit_goes_on_from_mutated_cells_or_refuses_them() {
        let sealed = mutated_cells(1_500).filter_map(|bytes| Model::sealed(&bytes));
        let mut count = 0;
        for model in sealed.filter_map(|bytes| accepted(Model::from_bytes(&bytes))) {
            if let Some(next) = accepted(after(&model)) {
                write_and_read(&next);
                count += 1;
            }
        }
        assert!(count > 50, "{count} fits");
    }

    const NUMBERS: [f64; 11] =
        [0.0, -0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 1e30, f64::MIN_POSITIVE, 0.5];
    const WORDS: [&str; 11] =
        ["0", "-1", "1", "2", "4096", "1e999", "-1e-300", "18446744073709551615", "null", "\"x\"", "[]"];

    /// One change of a model file: of a byte, a number of a tensor, a number of the header, or its length.
    fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
        let header = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length) as usize);
        let numbers = (8 + header).min(bytes.len());
        match rng.random_range(0..10) {
            0..4 if numbers + 8 <= bytes.len() => {
                let at = rng.random_range(0..=(bytes.len() - numbers - 8) / 4) * 4 + numbers;
                let number = *NUMBERS.choose(rng).unwrap();
                match rng.random_range(0..3) {
                    0 => bytes[at..at + 4].copy_from_slice(&(number as f32).to_le_bytes()),
                    1 => bytes[at..at + 8].copy_from_slice(&number.to_le_bytes()),
                    _ => bytes[at..at + 8].copy_from_slice(&rng.random::<u64>().to_le_bytes()),
                }
            }
            4..8 => replace_number_of_header(bytes, numbers, rng),
            8 => {
                let at = rng.random_range(0..bytes.len());
                bytes[at] ^= 1 << rng.random_range(0..8);
            }
            _ => bytes.truncate(rng.random_range(1..=bytes.len())),
        }
    }

    /// Another number, or another kind of value, in place of one of the header, whose length is put right.
    fn replace_number_of_header(bytes: &mut Vec<u8>, end: usize, rng: &mut ChaCha8Rng) {
        let digit = |at: &usize| bytes[*at].is_ascii_digit() && !bytes[*at - 1].is_ascii_alphanumeric();
        let starts: Vec<usize> = (9..end).filter(digit).collect();
        let Some(&start) = starts.choose(rng) else { return };
        let after = (start..end).find(|at| !matches!(bytes[*at], b'0'..=b'9' | b'.' | b'e' | b'-')).unwrap_or(end);
        let word = WORDS.choose(rng).unwrap().as_bytes();
        let length = (end - 8) + word.len() - (after - start);
        bytes.splice(start..after, word.iter().copied());
        bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
    }

    #[test]
    fn a_seed_is_a_model_with_its_own_checksum() {
        for seed in seeds() {
            assert_eq!(Model::sealed(&seed), Some(seed.clone()));
            assert!(model_as_it_is(&seed));
        }
    }

    #[test]
    fn a_sealed_mutation_reaches_what_lies_behind_the_checksum() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let refused = |bytes: &[u8]| Model::from_bytes(bytes).err().map_or(String::new(), |error| error.to_string());
        let mut behind = 0;
        for _ in 0..500 {
            let mut bytes = seeds().swap_remove(0);
            mutate(&mut bytes, &mut rng);
            behind += usize::from(refused(&bytes).contains("damaged") && Model::sealed(&bytes).is_some());
        }
        assert!(behind > 100, "{behind} of 500 mutations came to the checksum");
    }

    /// Models with one to three changes.
    fn mutated(count: usize) -> impl Iterator<Item = Vec<u8>> {
        let seeds = seeds();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        (0..count).map(move |_| {
            let mut bytes = seeds.choose(&mut rng).unwrap().clone();
            for _ in 0..rng.random_range(1..4) {
                mutate(&mut bytes, &mut rng);
            }
            bytes
        })
    }

    #[test]
    fn mutated_models_are_refused_or_read_as_they_are_written() {
        mutated(10_000).for_each(|bytes| loader(&bytes));
    }

    #[test]
    fn mutated_models_are_refused_or_score_every_row() {
        mutated(5_000).for_each(|bytes| model(&bytes));
    }

    #[test]
    fn mutated_options_are_refused_or_in_range() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let defaults = serde_json::to_value(Options::preset(Preset::Default)).unwrap();
        let keys: Vec<String> = defaults.as_object().unwrap().keys().cloned().collect();
        for _ in 0..20_000 {
            let mut given = defaults.clone();
            for _ in 0..rng.random_range(1..4) {
                let word: serde_json::Value = serde_json::from_str(WORDS.choose(&mut rng).unwrap()).unwrap_or_default();
                given[keys.choose(&mut rng).unwrap()] = word;
            }
            options(given.to_string().as_bytes());
        }
    }

    /// Found with coverage: the error of a single row, whose time lies beyond the calendar.
    #[test]
    fn a_table_that_once_was_a_panic_is_refused() {
        columns(&[0x53, 0x28, 0x10, 0x21, 0, 0, 0, 0, 0x28, 0x10, 0, 0x78, 0x33]);
    }

    #[test]
    fn any_small_table_is_refused_or_scored() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        for _ in 0..300 {
            let length = rng.random_range(0..1_200usize);
            let mut bytes: Vec<u8> = (0..length).map(|_| rng.random()).collect();
            for at in (0..length.saturating_sub(8)).step_by(5) {
                if rng.random_range(0..4) == 0 {
                    bytes[at..at + 8].copy_from_slice(&NUMBERS.choose(&mut rng).unwrap().to_le_bytes());
                }
            }
            columns(&bytes);
        }
    }
}
