//! Each kind of relation and of event: a wrong value is found, its column is named, and the reason
//! is the right one.

use crate::data::Kind;

use super::events::Own;
use super::examples::{normal, numbers, pick, random, texts, Column, Fitted, Table};
use super::nature::Meaning;
use super::reason::Why;
use super::tensors::Values;

const ROWS: usize = 2_000;
const ITEMS: [&str; 8] = ["book", "lamp", "desk", "chair", "shelf", "clock", "mirror", "carpet"];
const PRICES: [f64; 8] = [12.5, 39.0, 249.0, 99.9, 149.0, 24.9, 79.0, 320.0];
const TOWNS: [&str; 10] = [
    "Springfield",
    "Riverton",
    "Lakewood",
    "Fairview",
    "Georgetown",
    "Ashland",
    "Burlington",
    "Berlin",
    "Clinton",
    "Oxford",
];

/// A table with some columns that have nothing to do with the others.
fn table(columns: Vec<(&'static str, Column)>) -> Table {
    let others = vec![
        ("amount", numbers(ROWS, |row| (20.0 * libm::exp(normal(row, 90))).round())),
        ("group", texts(ROWS, |row| ["a", "b", "c", "d"][pick(row, 91, 4)].to_string())),
        ("temperature", numbers(ROWS, |row| (200.0 + 50.0 * normal(row, 92)).round() / 10.0)),
    ];
    Table([columns, others].concat())
}

/// Checks that a wrong value is among the oddest 1 % of the rows, and that its column is named;
/// returns its reason.
fn found(table: &Table, column: &str, wrong: &str) -> super::Reason {
    let fitted = table.fit();
    let row = 7;
    let new = table.head(20).with(row, column, wrong);
    let evidence = fitted.evidence(&new);
    let share = fitted.share_above(evidence.rows[row].all);
    let reason = fitted.reason(&new, column, row);
    assert!(share <= 0.01, "{share}: {reason:?}");
    let width = table.0.len();
    let cells = &evidence.cells[row * width..(row + 1) * width];
    let first = (0..width).max_by(|a, b| cells[*a].total_cmp(&cells[*b])).unwrap();
    assert_eq!(table.0[first].0, column, "{cells:?} {reason:?}");
    let clean = fitted.evidence(&table.head(20)).rows[row].all;
    assert!(fitted.share_above(clean) > 0.02, "the row is odd without its fault");
    reason
}

fn items() -> Table {
    let item = |row: usize| pick(row, 1, 8);
    table(vec![
        ("item", texts(ROWS, move |row| ITEMS[item(row)].to_string())),
        ("price", numbers(ROWS, move |row| PRICES[item(row)])),
        ("kind", texts(ROWS, move |row| ["small", "large", "odd"][item(row) % 3].to_string())),
    ])
}

#[test]
fn a_category_that_another_determines() {
    let table = table(vec![
        ("zip", texts(ROWS, |row| format!("{:05}", 1_000 + 7 * pick(row, 1, 40)))),
        ("state", texts(ROWS, |row| ["MA", "NH", "VT", "ME", "CT"][pick(row, 1, 40) % 5].to_string())),
    ]);
    let reason = found(&table, "state", "TX");
    assert_eq!((reason.why, reason.parents), (Why::Parent, vec![0]));
    let row = 7;
    let expected = ["MA", "NH", "VT", "ME", "CT"][pick(row, 1, 40) % 5];
    assert_eq!(reason.expected.as_deref(), Some(expected));
    assert!(reason.sentence.starts_with("state is TX; with zip 0"), "{}", reason.sentence);
    assert!(reason.sentence.contains(&format!("it is {expected} in 100 % of ")), "{}", reason.sentence);
}

#[test]
fn a_fixed_price_of_another_article() {
    let reason = found(&items(), "price", "79.5");
    assert_eq!(reason.why, Why::Parent);
    let other = if PRICES[pick(7, 1, 8)] == 320.0 { "249" } else { "320" };
    let reason = found(&items(), "price", other);
    assert!(reason.sentence.starts_with(&format!("price is {other}; with item ")), "{}", reason.sentence);
}

#[test]
fn an_article_that_goes_with_no_other_value() {
    let item = pick(7, 1, 8);
    let other = ITEMS[(item + 1) % 8];
    found(&items(), "item", other);
}

#[test]
fn a_price_that_varies_within_its_article() {
    let price = |row: usize| (PRICES[pick(row, 1, 8)] * (100.0 + normal(row, 2))).round() / 100.0;
    let table =
        table(vec![("item", texts(ROWS, |row| ITEMS[pick(row, 1, 8)].to_string())), ("price", numbers(ROWS, price))]);
    let reason = found(&table, "price", "640");
    assert!(reason.sentence.starts_with("price is 640; with item ") && reason.sentence.contains(" it is "));
    assert!(reason.expected.is_some_and(|range| range.contains(" to ")));
}

#[test]
fn a_number_off_its_line() {
    let x = |row: usize| (10_000.0 + 3_000.0 * normal(row, 1)).round() / 1_000.0;
    let table = table(vec![
        ("x", numbers(ROWS, x)),
        ("y", numbers(ROWS, move |row| ((2.0 * x(row) + 0.3 * normal(row, 2)) * 1_000.0).round() / 1_000.0)),
    ]);
    let wrong = if x(7) > 10.0 { "14.5" } else { "25.5" };
    let reason = found(&table, "y", wrong);
    assert!(reason.sentence.starts_with(&format!("y is {wrong}; with x ")), "{}", reason.sentence);
}

#[test]
fn a_total_that_is_not_quantity_times_price() {
    let quantity = |row: usize| (1 + pick(row, 1, 9)) as f64;
    let price = |row: usize| (500.0 + 4_000.0 * random(row, 2)).round() / 100.0;
    let table = table(vec![
        ("quantity", numbers(ROWS, quantity)),
        ("price", numbers(ROWS, price)),
        ("total", numbers(ROWS, move |row| (quantity(row) * price(row) * 100.0).round() / 100.0)),
    ]);
    let right = quantity(7) * price(7);
    let wrong = format!("{:.2}", right * 1.3);
    let reason = found(&table, "total", &wrong);
    assert_eq!(reason.parents, [0, 1], "{}", reason.sentence);
    assert!(reason.sentence.contains("; quantity × price is "), "{}", reason.sentence);
}

#[test]
fn a_tax_by_the_rate_of_another_country() {
    const RATES: [f64; 4] = [0.19, 0.055, 0.25, 0.081];
    let country = |row: usize| pick(row, 1, 4);
    let amount = |row: usize| (100.0 * (1.5 * normal(row, 2) + 4.0).exp()).round() / 100.0;
    let tax = move |row: usize| (RATES[country(row)] * amount(row) * 100.0).round() / 100.0;
    let table = table(vec![
        ("country", texts(ROWS, |row| ["DE", "FR", "SE", "CH"][country(row)].to_string())),
        ("amount", numbers(ROWS, amount)),
        ("tax", numbers(ROWS, tax)),
    ]);
    let wrong = format!("{:.2}", amount(7) * RATES[(country(7) + 1) % 4]);
    let reason = found(&table, "tax", &wrong);
    assert_eq!(reason.parents, [0, 1], "{}", reason.sentence);
    let is_said = reason.sentence.contains("; with country ") && reason.sentence.contains(" and amount ");
    assert!(is_said, "{}", reason.sentence);
}

#[test]
fn an_end_that_is_not_start_plus_length() {
    const DAY: f64 = 86_400e6;
    let start = |row: usize| (18_000.0 + (400.0 * random(row, 1) * 1440.0).round() / 1440.0) * DAY;
    let minutes = |row: usize| (10.0 + 300.0 * random(row, 2)).round();
    let table = table(vec![
        ("start", Column::Times(Kind::Datetime, (0..ROWS).map(start).collect())),
        ("minutes", numbers(ROWS, minutes)),
        ("end", Column::Times(Kind::Datetime, (0..ROWS).map(|row| start(row) + minutes(row) * 60e6).collect())),
    ]);
    let wrong = start(7) + (minutes(7) + 200.0) * 60e6;
    let reason = found(&table, "end", &wrong.to_string());
    assert_eq!(reason.parents, [0, 1], "{}", reason.sentence);
}

#[test]
fn a_date_long_after_another() {
    let ordered = |row: usize| (18_000.0 + 900.0 * random(row, 1)).floor();
    let table = table(vec![
        ("ordered", Column::Times(Kind::Date, (0..ROWS).map(ordered).collect())),
        ("sent", Column::Times(Kind::Date, (0..ROWS).map(|row| ordered(row) + (1 + pick(row, 2, 6)) as f64).collect())),
    ]);
    let wrong = if ordered(7) > 18_450.0 { ordered(7) - 300.0 } else { ordered(7) + 300.0 };
    let reason = found(&table, "sent", &wrong.to_string());
    assert!(reason.sentence.contains("; with ordered 20"), "{}", reason.sentence);
}

#[test]
fn an_hour_that_a_job_never_starts_at() {
    let job = |row: usize| pick(row, 1, 6);
    let start = move |row: usize| {
        let hour = 3.0 * job(row) as f64 + (random(row, 2) * 59.0).floor() / 60.0;
        (18_000.0 + (300.0 * random(row, 3)).floor() + hour / 24.0) * 86_400e6
    };
    let table = table(vec![
        ("job", texts(ROWS, move |row| format!("job_{}", job(row)))),
        ("starts", Column::Times(Kind::Datetime, (0..ROWS).map(start).collect())),
    ]);
    let wrong = (18_100.0 + (3.0 * ((job(7) + 2) % 6) as f64 + 0.5) / 24.0) * 86_400e6;
    let reason = found(&table, "starts", &wrong.to_string());
    assert!(reason.sentence.contains(" h; with job job_"), "{}", reason.sentence);
}

#[test]
fn prefixes_predict() {
    let airline = |row: usize| pick(row, 1, 5);
    let table = table(vec![
        (
            "flight",
            texts(ROWS, move |row| format!("{}{}", ["AA", "UA", "DL", "WN", "B6"][airline(row)], 100 + row % 977)),
        ),
        ("hub", texts(ROWS, move |row| ["DFW", "ORD", "ATL", "MDW", "JFK"][airline(row)].to_string())),
    ]);
    let wrong = if airline(7) == 2 { "ORD" } else { "ATL" };
    let reason = found(&table, "hub", wrong);
    assert!(reason.sentence.contains("with flight beginning with "), "{}", reason.sentence);
}

#[test]
fn a_price_a_hundredth_of_the_usual() {
    let table =
        table(vec![("price", numbers(ROWS, |row| (5_000.0 * libm::exp(0.8 * normal(row, 1))).round() / 100.0))]);
    let reason = found(&table, "price", "0.52");
    assert!(matches!(reason.why, Why::Own(Own::Far | Own::Number)));
    assert!(reason.sentence.starts_with("price is 0.52; most are "), "{}", reason.sentence);
}

#[test]
fn dates_and_numbers_that_stand_for_missing_ones_whether_or_not_they_are_known() {
    let day = |row: usize| (18_628.0 + 1_200.0 * random(row, 1)).floor();
    let days = |row: usize| if row % 200 == 9 { 2_932_896.0 } else { day(row) };
    let of =
        |days: &dyn Fn(usize) -> f64| table(vec![("day", Column::Times(Kind::Date, (0..ROWS).map(days).collect()))]);
    for table in [of(&day), of(&days)] {
        let reason = found(&table, "day", "2932896");
        assert!(reason.sentence.contains("9999-12-31"), "{}", reason.sentence);
        // 5000-01-01
        found(&table, "day", "1106685");
        found(&table, "day", "0");
    }
    let reason = found(&of(&days), "day", "2932896");
    assert_eq!(reason.why, Why::Own(Own::Sentinel));
    assert_eq!(reason.sentence, "9999-12-31 seems to stand for a missing value, as in 0.5 % of the training rows");
}

#[test]
fn a_date_in_another_format() {
    let day = |row: usize| format!("2021-{:02}-{:02}", 1 + row % 12, 1 + (row * 7) % 28);
    let table = table(vec![("day", texts(ROWS, day))]);
    let reason = found(&table, "day", "3/5/2021");
    assert!(reason.sentence.starts_with("'3/5/2021' is not written as most are (year-month-day)"));
}

#[test]
fn a_typing_error() {
    let table = table(vec![("town", texts(ROWS, |row| TOWNS[pick(row, 1, 10)].to_string()))]);
    let reason = found(&table, "town", "Berlni");
    assert_eq!(reason.sentence, "'Berlni' looks like 'Berlin'");
    assert_eq!(reason.expected.as_deref(), Some("Berlin"));
}

#[test]
fn a_missing_value_where_few_are() {
    let town = |row: usize| if row % 500 == 9 { String::new() } else { TOWNS[pick(row, 1, 10)].to_string() };
    let table = table(vec![("town", texts(ROWS, town))]);
    assert_eq!(found(&table, "town", "").sentence, "missing, as in 0.2 % of the training rows");
    assert_eq!(found(&table, "town", "N/A").sentence, "'N/A' stands for a missing value, as in no training row");
    assert_eq!(found(&table, "temperature", "").sentence, "missing, as in no training row");
}

#[test]
fn a_unit_among_numbers() {
    let ounces = |row: usize| format!("{}.0", [12, 16, 24, 32][pick(row, 1, 4)]);
    let table = table(vec![
        ("ounces", texts(ROWS, ounces)),
        ("grams", texts(ROWS, |row| format!("{:.1}", 900.0 * random(row, 3)))),
    ]);
    assert_eq!(found(&table, "ounces", "12.0 oz").sentence, "'12.0 oz' among numbers");
    assert_eq!(found(&table, "grams", "310.5 g").sentence, "'310.5 g' among numbers");
}

#[test]
fn a_fault_that_repeats_among_the_training_rows_is_still_rare() {
    let state = |row: usize| if row % 100 == 7 { "TX".to_string() } else { format!("S{}", pick(row, 1, 12) % 4) };
    let table =
        table(vec![("town", texts(ROWS, |row| format!("town {}", pick(row, 1, 12)))), ("state", texts(ROWS, state))]);
    let fitted = table.fit();
    let mut rows: Vec<f64> = fitted.training.rows.iter().map(|row| row.all).collect();
    rows.sort_by(|a, b| b.total_cmp(a));
    let wrong: Vec<f64> = (7..ROWS).step_by(100).map(|row| fitted.training.rows[row].all).collect();
    let found = wrong.iter().filter(|evidence| **evidence >= rows[ROWS / 50]).count();
    assert!(found * 10 >= wrong.len() * 8, "{found} of {}", wrong.len());
}

#[test]
fn of_many_columns_the_promising_ones_are_looked_at() {
    const NAMES: [&str; 20] = [
        "n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7",
        "t8", "t9",
    ];
    let others = NAMES.iter().enumerate().map(|(at, name)| {
        let stream = 200 + at as u64;
        let column = match at {
            0..10 => numbers(ROWS, move |row| (random(row, stream) * (8.0 + 3.0 * at as f64)).floor()),
            _ => texts(ROWS, move |row| format!("v{}", pick(row, stream, 3 * at - 20))),
        };
        (*name, column)
    });
    let zip = ("zip", texts(ROWS, |row| format!("{:05}", 1_000 + 7 * pick(row, 1, 40))));
    let state = ("state", texts(ROWS, |row| ["MA", "NH", "VT", "ME", "CT"][pick(row, 1, 40) % 5].to_string()));
    let sum = ("sum", numbers(ROWS, |row| (random(row, 208) * 32.0).floor() + (random(row, 209) * 35.0).floor()));
    let table = table(others.chain([zip, state, sum]).collect());
    let wrong = if pick(7, 1, 40) % 5 == 1 { "ME" } else { "NH" };
    assert_eq!(found(&table, "state", wrong).parents, [20]);
    let sum = (random(7, 208) * 32.0).floor() + (random(7, 209) * 35.0).floor();
    let reason = found(&table, "sum", &(sum + 9.0).to_string());
    assert_eq!(reason.parents, [8, 9], "{}", reason.sentence);
}

#[test]
fn findings_tell_what_columns_are() {
    let fitted = items().fit();
    let findings = fitted.cells.findings(&fitted.described());
    assert_eq!(findings[1].determined_by(), Some(&[0][..]));
    assert_eq!((findings[1].meaning, findings[1].is_read), (Meaning::Number, false));
    let table = table(vec![(
        "n",
        texts(ROWS, |row| match row % 50 {
            3 => "N/A".to_string(),
            4 => "-999".to_string(),
            _ => format!("{:.1}", 100.0 * random(row, 3)),
        }),
    )]);
    let fitted = table.fit();
    let finding = fitted.cells.findings(&fitted.described()).remove(0);
    assert!(finding.is_read && finding.parents.is_empty());
    assert_eq!(finding.placeholders, [("N/A".to_string(), 40), ("-999".to_string(), 40)]);
}

#[test]
fn cells_go_through_a_file() {
    let table = items();
    let fitted = table.fit();
    let restored = fitted.restored(|_, _| {}).unwrap();
    assert_eq!(fitted.evidence_of(&restored, &table), fitted.evidence(&table));
    let specs = fitted.cells.metadata().specs().unwrap();
    let tensors = fitted.cells.tensors();
    assert_eq!(specs.len(), tensors.len());
    for (spec, tensor) in specs.iter().zip(&tensors) {
        let len = match tensor {
            Values::F64(values) => values.len(),
            Values::U64(values) => values.len(),
            Values::U32(values) => values.len(),
        };
        assert_eq!(len, spec.size.iter().product::<usize>(), "{}", spec.name);
    }
}

/// Puts each of some odd numbers in each place of each tensor: no panic, whatever is read.
#[test]
fn a_damaged_file_is_an_error_or_other_cells() {
    let table = items();
    let fitted: Fitted = table.fit();
    let tensors = fitted.cells.tensors();
    for (at, tensor) in tensors.iter().enumerate() {
        let len = match tensor {
            Values::F64(values) => values.len(),
            Values::U64(values) => values.len(),
            Values::U32(values) => values.len(),
        };
        for place in (0..len).step_by(len.div_ceil(12).max(1)) {
            for odd in [0.0, -1.0, 1.0, 1e300, f64::NAN, f64::INFINITY, 4e9] {
                let restored = fitted.restored(|_, tensors| match &mut tensors[at] {
                    Values::F64(values) => values[place] = odd,
                    Values::U64(values) => values[place] = odd as u64,
                    Values::U32(values) => values[place] = odd as u32,
                });
                if let Ok(cells) = restored {
                    let evidence = fitted.evidence_of(&cells, &table.head(20));
                    assert!(evidence.rows.iter().all(|row| row.all.is_finite()), "tensor {at}");
                }
            }
        }
        let shorter = fitted.restored(|_, tensors| match &mut tensors[at] {
            Values::F64(values) => values.truncate(len.saturating_sub(1)),
            Values::U64(values) => values.truncate(len.saturating_sub(1)),
            Values::U32(values) => values.truncate(len.saturating_sub(1)),
        });
        assert!(len == 0 || shorter.is_err(), "tensor {at}");
    }
}

#[test]
fn damaged_metadata_are_an_error() {
    let fitted = items().fit();
    let faults: [&dyn Fn(&mut super::CellsMetadata); 6] = [
        &|of| of.columns.truncate(1),
        &|of| of.coders[0].0 = 99,
        &|of| of.targets[0].column = 99,
        &|of| of.targets[0].parents[0].columns = [99, 99],
        &|of| of.targets[0].coder = Some(99),
        &|of| of.columns[1].known = 1 << 60,
    ];
    for fault in faults {
        assert!(fitted.restored(|metadata, _| fault(metadata)).is_err());
    }
}
