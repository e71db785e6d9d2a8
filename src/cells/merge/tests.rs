//! A fit that goes on from an earlier one knows both tables.

use crate::cells::examples::{normal, numbers, pick, random, texts, Column, Fitted, Table};
use crate::cells::parents::{From, Relation, Target};
use crate::cells::tensors::Values;

const ITEMS: [&str; 6] = ["book", "lamp", "desk", "chair", "shelf", "clock"];
const PRICES: [f64; 6] = [12.5, 39.0, 249.0, 99.9, 149.0, 24.9];

/// Items with their prices and kinds, a line, and columns that have nothing to do with others.
fn table(rows: usize, from: usize) -> Table {
    let item = move |row: usize| pick(row + from, 1, 6);
    let x = move |row: usize| (10_000.0 + 3_000.0 * normal(row + from, 2)).round() / 1_000.0;
    Table(vec![
        ("item", texts(rows, move |row| ITEMS[item(row)].to_string())),
        ("price", numbers(rows, move |row| PRICES[item(row)])),
        ("kind", texts(rows, move |row| ["small", "large", "odd"][item(row) % 3].to_string())),
        ("x", numbers(rows, x)),
        ("y", numbers(rows, move |row| ((2.0 * x(row) + 0.3 * normal(row + from, 3)) * 1e3).round() / 1e3)),
        ("amount", numbers(rows, move |row| (20.0 * libm::exp(normal(row + from, 4))).round())),
        (
            "level",
            numbers(
                rows,
                move |row| if random(row + from, 5) < 0.05 { f64::NAN } else { pick(row + from, 6, 5) as f64 },
            ),
        ),
    ])
}

fn target<'a>(fitted: &'a Fitted, column: &str) -> &'a Target {
    let at = fitted.place(column);
    fitted.cells.targets.iter().find(|target| target.column == at).unwrap()
}

/// The rows of all pairs of a category's parents.
fn pair_rows(fitted: &Fitted, column: &str) -> Vec<u64> {
    let rows = target(fitted, column).parents.iter().map(|parent| match &parent.relation {
        Relation::Category(given) => given.pairs.counts.iter().map(|count| u64::from(*count)).sum(),
        Relation::Number(_) => 0,
    });
    rows.collect()
}

/// Ways through a file that change nothing.
fn assert_readable(fitted: &Fitted) {
    assert!(fitted.restored(|_, _| ()).unwrap() == fitted.cells);
}

#[test]
fn what_two_tables_tell_is_what_both_together_tell() {
    let whole = table(2_000, 0).fit();
    let (first, rest): (Vec<usize>, Vec<usize>) = (0..2_000).partition(|row| *row < 1_200);
    let earlier = table(2_000, 0).pick(&first).fit();
    let merged = table(2_000, 0).pick(&rest).fit_after(&earlier, None);
    assert_readable(&merged);
    let new = table(500, 5_000);
    let wrong = new.with(3, "price", "320").with(7, "kind", "tiny").with(9, "y", "99").with(11, "level", "77");
    for (at, table) in [new, wrong].iter().enumerate() {
        let (a, b) = (whole.evidence(table), merged.evidence(table));
        let near = a.rows.iter().zip(&b.rows).filter(|(a, b)| (a.all - b.all).abs() < 0.25 + 0.2 * a.all).count();
        assert!(near >= 485, "{at}: {near}");
    }
    assert_eq!(merged.cells.seen, 2_000);
    let column = |of: &Fitted, name: &str| of.cells.columns[of.place(name)].clone();
    for name in ["price", "level"] {
        let (a, b) = (column(&whole, name), column(&merged, name));
        assert_eq!((&a.known, &a.counts), (&b.known, &b.counts), "{name}");
    }
    assert_eq!(pair_rows(&merged, "kind")[0], 2_000);
}

#[test]
fn what_only_the_earlier_rows_had_is_not_new() {
    let earlier = table(1_000, 0).fit();
    let only = Table(vec![
        ("item", texts(200, |_| "book".to_string())),
        ("price", numbers(200, |_| 12.5)),
        ("kind", texts(200, |_| "small".to_string())),
        ("x", numbers(200, |_| 10.0)),
        ("y", numbers(200, |row| 20.0 + 0.3 * normal(row, 3))),
        ("amount", numbers(200, |_| 20.0)),
        ("level", numbers(200, |_| 1.0)),
    ]);
    let merged = only.fit_after(&earlier, None);
    assert_readable(&merged);
    let usual = table(300, 7_000);
    let (a, b) = (earlier.evidence(&usual), merged.evidence(&usual));
    let mean = |rows: &[crate::cells::RowEvidence]| rows.iter().map(|row| row.all).sum::<f64>() / rows.len() as f64;
    assert!(mean(&b.rows) < 1.5 * mean(&a.rows) + 0.1, "{} {}", mean(&b.rows), mean(&a.rows));
}

#[test]
fn replayed_rows_are_not_counted_again() {
    let earlier = table(1_000, 0).fit();
    let without = table(300, 2_000).fit_after(&earlier, None);
    let both = Table(
        table(300, 2_000)
            .0
            .into_iter()
            .zip(table(400, 0).0)
            .map(|((name, new), (_, old))| {
                let values = match (new, old) {
                    (Column::Numbers(a), Column::Numbers(b)) => Column::Numbers([a, b].concat()),
                    (Column::Texts(a), Column::Texts(b)) => Column::Texts([a, b].concat()),
                    _ => panic!("columns of two kinds"),
                };
                (name, values)
            })
            .collect(),
    );
    let replayed: Vec<bool> = (0..700).map(|row| row >= 300).collect();
    let with = both.fit_after(&earlier, Some(&replayed));
    assert!(with.cells == without.cells);
    assert_eq!((with.training.rows.len(), with.cells.seen), (700, 1_300));
}

#[test]
fn a_day_without_a_column_keeps_what_was_known() {
    let earlier = table(1_000, 0).fit();
    for count in [0, 5] {
        let some = |row: usize| if row < count { 10.0 } else { f64::NAN };
        let day = table(200, 3_000).with_column("x", numbers(200, some)).with_column("price", numbers(200, some));
        let merged = day.fit_after(&earlier, None);
        assert_readable(&merged);
        for name in ["x", "price"] {
            let (a, b) = (&earlier.cells.columns[earlier.place(name)], &merged.cells.columns[merged.place(name)]);
            let (a, b) = (a.numbers.as_ref().unwrap(), b.numbers.as_ref().unwrap());
            assert!((a.raw.centre - b.raw.centre).abs() < 0.05 * a.raw.spread, "{name} {:?} {:?}", a.raw, b.raw);
            assert!((a.raw.spread / b.raw.spread - 1.0).abs() < 0.05, "{name}");
        }
        let of = |of: &Fitted| target(of, "y").parents.iter().map(|parent| parent.columns).collect::<Vec<_>>();
        assert_eq!(of(&merged), of(&earlier));
        assert_eq!(merged.evidence(&table(50, 9_000)).rows.len(), 50);
    }
}

#[test]
fn a_broken_day_changes_little_and_many_new_rows_change_all() {
    let earlier = table(2_000, 0).fit();
    let broken = |rows: usize| table(rows, 3_000).with_column("x", numbers(rows, |row| 1e6 + 50.0 * normal(row, 9)));
    let spread = |of: &Fitted| of.cells.columns[of.place("x")].numbers.as_ref().unwrap().raw;
    let day = broken(60).fit_after(&earlier, None);
    assert!(spread(&day).spread < 3.0 * spread(&earlier).spread, "{:?}", spread(&day));
    assert!((spread(&day).centre - 10.0).abs() < 1.0);
    // Kinds that follow from a level, and not from an item any more.
    let level = |row: usize| pick(row + 3_000, 6, 3);
    let other = table(4_000, 3_000)
        .with_column("level", numbers(4_000, move |row| level(row) as f64))
        .with_column("kind", texts(4_000, move |row| ["small", "large", "odd"][level(row)].to_string()));
    let merged = other.fit_after(&earlier, None);
    assert_readable(&merged);
    let parents: Vec<usize> = target(&merged, "kind").parents.iter().map(|parent| parent.columns[0]).collect();
    assert_eq!(parents[0], merged.place("level"), "{parents:?}");
    assert_eq!(merged.training.rows.len(), 4_000);
}

#[test]
fn a_month_of_days_stays_small_and_readable() {
    let mut fitted = table(400, 0).fit();
    for day in 1..=30 {
        fitted = table(100, 1_000 * day).fit_after(&fitted, None);
    }
    assert_readable(&fitted);
    let whole = table(3_400, 0).fit();
    for name in ["x", "y", "amount"] {
        let of = |of: &Fitted| of.cells.columns[of.place(name)].numbers.clone().unwrap();
        let (a, b) = (of(&whole), of(&fitted));
        assert!((a.raw.spread / b.raw.spread - 1.0).abs() < 0.25, "{name} {:?} {:?}", a.raw, b.raw);
        assert_eq!((a.rows, b.rows, a.is_log), (3_400, 3_400, b.is_log));
        assert!(b.ends.above.knots.len() < 90, "{}", b.ends.above.knots.len());
    }
    assert!(fitted.cells.bytes() < 3 * whole.cells.bytes());
}

#[test]
fn a_sample_has_the_weight_of_its_rows() {
    let shares = super::Shares::new([3_000, 1_000], [300, 1_000]);
    assert_eq!((shares.earlier, shares.new, shares.count(3, 40)), (1.0, 0.1, 7));
    assert_eq!((shares.count(0, 1), shares.count(0, 0)), (1, 0));
}

#[test]
fn an_earlier_model_with_absurd_numbers_gives_cells_that_can_be_read() {
    let earlier = table(600, 0).fit();
    for number in [1e299, -1e299, 1e-299, 0.0, 1.0] {
        for tensor in 0..earlier.cells.tensors().len() {
            let change = |_: &mut _, values: &mut Vec<Values>| match &mut values[tensor] {
                Values::F64(values) => values.iter_mut().step_by(3).for_each(|value| *value = number),
                Values::U64(values) => values.iter_mut().step_by(3).for_each(|value| *value = (1 << 48) - 1),
                Values::U32(values) => values.iter_mut().step_by(3).for_each(|value| *value = u32::MAX),
            };
            let Ok(cells) = earlier.restored(change) else { continue };
            let mut hostile = table(600, 0).fit();
            hostile.cells = cells;
            for rows in [30, 900] {
                assert_readable(&table(rows, 4_000).fit_after(&hostile, None));
            }
        }
    }
}

#[test]
fn groups_that_both_have_are_pooled() {
    let earlier = table(1_000, 0).fit();
    let merged = table(500, 3_000).fit_after(&earlier, None);
    let whole = table(1_000, 0).fit();
    let rows = |of: &Fitted| {
        let numbers = of.cells.targets.iter().flat_map(|target| &target.parents);
        let groups = numbers.filter_map(|parent| match &parent.relation {
            Relation::Number(given) => match &given.from {
                From::Groups(groups) => Some(groups.rows.iter().map(|rows| u64::from(*rows)).sum::<u64>()),
                _ => None,
            },
            _ => None,
        });
        groups.max().unwrap_or(0)
    };
    assert_eq!(rows(&whole) > 0, rows(&merged) > 0);
    assert!(rows(&merged) <= 1_500 && rows(&merged) >= rows(&whole), "{} {}", rows(&merged), rows(&whole));
}

#[test]
fn lines_of_groups_are_pooled_and_keep_their_slope() {
    let table = |rows: usize, from: usize| {
        let grade = move |row: usize| pick(row + from, 1, 4);
        let weight = move |row: usize| (100.0 * normal(row + from, 2).exp()).round() / 100.0;
        let price = move |row: usize| {
            (grade(row) as f64 + 1.7 * weight(row).max(0.01).ln() + 0.02 * normal(row + from, 3) + 6.0).exp().round()
        };
        Table(vec![
            ("grade", texts(rows, move |row| ["fair", "good", "better", "best"][grade(row)].to_string())),
            ("weight", numbers(rows, weight)),
            ("price", numbers(rows, price)),
        ])
    };
    let lines = |of: &Fitted| {
        let parents = target(of, "price").parents.clone();
        let lines = parents.into_iter().find_map(|parent| match parent.relation {
            Relation::Number(given) => match given.from {
                From::LineInGroups(lines) => Some(lines),
                _ => None,
            },
            Relation::Category(_) => None,
        });
        lines.unwrap()
    };
    for rows in [500, 3_000] {
        let earlier = table(1_000, 0).fit();
        let merged = table(rows, 3_000).fit_after(&earlier, None);
        assert_readable(&merged);
        let (before, after) = (lines(&earlier), lines(&merged));
        assert_eq!(before.slope, after.slope);
        assert!((after.slope - 1.7).abs() < 0.03, "{}", after.slope);
        assert_eq!(after.groups.rows.iter().sum::<u32>() as usize, 1_000 + rows);
        let apart = before.groups.centres.iter().zip(&after.groups.centres).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 0.05, "{before:?} {after:?}");
    }
}
