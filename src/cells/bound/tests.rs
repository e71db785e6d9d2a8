use std::time::Instant;

use super::super::examples::{normal, numbers, pick, random, texts, Column, Table};
use super::MOST_BYTES;

const ROWS: usize = 3_000;

/// Columns of all kinds, in groups that depend on one another.
fn wide(columns: usize, rows: usize) -> Table {
    let column = |at: usize| -> Column {
        let (group, stream) = (at as u64 / 8, 1_000 + at as u64);
        match at % 8 {
            0 => texts(rows, move |row| format!("v{}", pick(row, group, 300))),
            1 => texts(rows, move |row| format!("w{}", pick(row, group, 300) % 40)),
            2 => numbers(rows, move |row| pick(row, group, 300) as f64 * 1.5 + normal(row, stream)),
            3 => numbers(rows, move |row| normal(row, group)),
            4 => numbers(rows, move |row| 2.0 * normal(row, group) + 0.1 * normal(row, stream)),
            5 => numbers(rows, move |row| (40.0 * random(row, stream)).floor()),
            6 => texts(rows, move |row| format!("{:.2}", 100.0 * random(row, group + 7))),
            _ => numbers(rows, move |row| libm::exp(normal(row, stream))),
        }
    };
    let names: Vec<&'static str> = (0..columns).map(|at| &*format!("c{at}").leak()).collect();
    Table(names.into_iter().enumerate().map(|(at, name)| (name, column(at))).collect())
}

#[test]
fn cells_of_wide_tables_stay_within_their_bound() {
    for (columns, rows) in [(25, ROWS), (200, ROWS / 2), (1_000, 400)] {
        let fitted = wide(columns, rows).fit();
        let bytes = fitted.cells.file_bytes();
        assert!(bytes <= MOST_BYTES, "{columns}: {bytes}");
        assert!(fitted.restored(|_, _| ()).unwrap() == fitted.cells);
    }
}

/// `cargo test --lib cells::bound -- --ignored --nocapture` on an idle machine.
#[test]
#[ignore = "a bench: it prints times"]
fn the_time_of_wide_tables() {
    for (columns, rows) in [(25, ROWS), (200, ROWS), (1_000, 1_000)] {
        let table = wide(columns, rows);
        let start = Instant::now();
        let fitted = table.fit();
        println!("{columns} columns, {rows} rows: {:.2?}, {} bytes", start.elapsed(), fitted.cells.file_bytes());
    }
}

#[test]
fn everything_can_be_forgotten() {
    let table = wide(40, 500);
    for most in [1 << 18, 1 << 16, 40_000, 20_000, 0] {
        let mut fitted = table.fit();
        fitted.cells.keep_within(most);
        assert!(fitted.restored(|_, _| ()).unwrap() == fitted.cells);
        assert_eq!(fitted.evidence(&table.head(5)).rows.len(), 5);
    }
}
