//! Columns in an order: a start that is never after its end, a least value that is never above the
//! greatest. A row that breaks the order of two columns has an event in both.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::column::Column;
use super::events::of_event;
use super::nature::Meaning;

/// An order is one that at most this share of the rows breaks, of at least so many with both values.
const BROKEN: f64 = 0.002;
const FEWEST: u64 = 100;
/// It says something where at least this share of the rows would break it if the values of the one
/// column stood in other rows.
const OTHERWISE: f64 = 0.1;
/// The rows that pairs of columns are looked at first.
const GLANCE: usize = 600;
/// The most columns among which orders are looked for, and the most orders.
const MOST_COLUMNS: usize = 64;
pub const MOST_ORDERS: usize = 64;

/// Two columns of which the first is not above the second in nearly all rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub low: usize,
    pub high: usize,
    /// The rows that break the order, and those that have both values.
    pub broken: u64,
    pub rows: u64,
}

impl Order {
    /// Whether a column is one of both.
    pub fn has(&self, column: usize) -> bool {
        [self.low, self.high].contains(&column)
    }

    /// Whether a row breaks it; not where a value is missing.
    pub fn is_broken(&self, numbers: &[Cow<[f64]>], row: usize) -> bool {
        let number = |at: usize| numbers[at].get(row).copied().unwrap_or(f64::NAN);
        number(self.low) > number(self.high)
    }

    /// The evidence against both values of a row that breaks it.
    pub fn evidence(&self, is_left_out: bool) -> f64 {
        of_event(self.broken, self.rows, is_left_out)
    }

    /// Counts the rows of a batch that `is_counted`.
    fn count(&self, batch: &Batch, is_counted: impl Fn(usize) -> bool) -> [u64; 2] {
        let has_both = |row: &usize| [self.low, self.high].iter().all(|at| !batch.numbers[*at][*row].is_nan());
        let rows = (0..batch.rows).filter(|row| is_counted(*row)).filter(has_both);
        rows.fold([0, 0], |[broken, rows], row| [broken + u64::from(self.is_broken(&batch.numbers, row)), rows + 1])
    }

    /// The same order with the rows of a batch that `is_counted`, where it had others.
    pub fn recount(&self, batch: &Batch, is_counted: impl Fn(usize) -> bool) -> Option<Self> {
        let is_there = [self.low, self.high].iter().all(|at| batch.numbers[*at].len() == batch.rows);
        let [broken, rows] = is_there.then(|| self.count(batch, is_counted))?;
        Some(Self { broken, rows, ..*self })
    }

    /// Whether few enough rows break it.
    pub fn holds(&self) -> bool {
        self.rows >= FEWEST && self.broken as f64 <= BROKEN * self.rows as f64
    }
}

/// The orders of the rows that are `counted`.
pub fn find(columns: &[Column], batch: &Batch, is_counted: impl Fn(usize) -> bool) -> Vec<Order> {
    let is_usable = |at: &usize| {
        let column = &columns[*at];
        let is_measured = column.nature.meaning == Meaning::Date || !column.nature.is_discrete;
        is_measured && batch.numbers[*at].len() == batch.rows
    };
    let usable: Vec<usize> = (0..columns.len()).filter(is_usable).collect();
    if usable.len() > MOST_COLUMNS {
        return vec![];
    }
    let kind = |at: usize| (columns[at].nature.meaning, columns[at].time.is_some());
    let mut found = vec![];
    for (at, first) in usable.iter().enumerate() {
        for second in usable[at + 1..].iter().filter(|second| kind(*first) == kind(**second)) {
            let order = glance([*first, *second], batch).map(|[low, high]| Order { low, high, broken: 0, rows: 0 });
            let order = order.and_then(|order| order.recount(batch, &is_counted)).filter(Order::holds);
            found.extend(order);
        }
    }
    found.truncate(MOST_ORDERS);
    found
}

/// The order that two columns have in some rows, if it says something.
fn glance([first, second]: [usize; 2], batch: &Batch) -> Option<[usize; 2]> {
    let (a, b) = (&batch.numbers[first], &batch.numbers[second]);
    let step = batch.rows.div_ceil(GLANCE).max(1);
    let taken = (0..batch.rows).step_by(step).filter(|row| !a[*row].is_nan() && !b[*row].is_nan());
    let taken: Vec<(f64, f64)> = taken.map(|row| (a[row], b[row])).collect();
    let above = |pairs: &mut dyn Iterator<Item = (f64, f64)>| pairs.filter(|(low, high)| low > high).count();
    let broken = [above(&mut taken.iter().copied()), above(&mut taken.iter().map(|(a, b)| (*b, *a)))];
    let most = (5.0 * BROKEN * taken.len() as f64) as usize;
    let is_order = |at: usize| broken[at] <= most && broken[1 - at] > most;
    // The values of the other rows, of which each gets one from the other half.
    let half = taken.len() / 2;
    let others = || taken.iter().enumerate().map(|(at, pair)| (*pair, taken[(at + half) % taken.len()]));
    let says = |at: usize| {
        let pairs = others().map(|((a, b), (other_a, other_b))| if at == 0 { (a, other_b) } else { (b, other_a) });
        pairs.filter(|(low, high)| low > high).count() as f64 >= OTHERWISE * taken.len() as f64
    };
    match (is_order(0), is_order(1)) {
        (true, _) if says(0) => Some([first, second]),
        (_, true) if says(1) => Some([second, first]),
        _ => None,
    }
}

/// Whether orders that come from a file can be those of its columns.
pub fn are_usable(orders: &[Order], columns: &[Column]) -> bool {
    let has_numbers = |at: usize| columns.get(at).is_some_and(|column| column.numbers.is_some());
    let is_usable = |order: &Order| {
        let Order { low, high, broken, rows } = *order;
        low != high && has_numbers(low) && has_numbers(high) && broken <= rows && rows < 1 << 50
    };
    orders.len() <= MOST_ORDERS && orders.iter().all(is_usable)
}

#[cfg(test)]
mod tests {
    use super::super::known_numbers::MOST_NUMBERS;
    use super::super::values::CellColumn;
    use super::*;

    fn found(given: &[&[f64]]) -> Vec<Order> {
        let given: Vec<CellColumn> = given.iter().map(|numbers| CellColumn::Number(numbers)).collect();
        let columns: Vec<Column> =
            given.iter().map(|column| Column::fit(column, None, None, MOST_NUMBERS, None)).collect();
        let read = columns.iter().zip(&given).map(|(column, given)| column.read(given)).collect();
        let batch = Batch::from_read(&columns, &given, read);
        find(&columns, &batch, |row| row != 7)
    }

    #[test]
    fn an_order_is_found_where_few_rows_break_it_and_where_it_says_something() {
        let number = |at: usize, by: usize| (at * by % 1_009) as f64 + 0.5;
        let low: Vec<f64> = (0..1_000).map(|at| number(at, 37)).collect();
        let high: Vec<f64> = (0..1_000).map(|at| low[at] + number(at, 71) / 10.0).collect();
        let mut broken = high.clone();
        (broken[7], broken[50]) = (-5.0, f64::NAN);
        let order = |low, high, broken, rows| Order { low, high, broken, rows };
        assert_eq!(found(&[&broken, &low]), [order(1, 0, 0, 998)]);
        broken[60] = -5.0;
        assert_eq!(found(&[&low, &broken]), [order(0, 1, 1, 998)]);
        broken[70..80].fill(-5.0);
        assert_eq!(found(&[&low, &broken]), []);
        let far: Vec<f64> = (0..1_000).map(|at| 1e6 + number(at, 71)).collect();
        let other: Vec<f64> = (0..1_000).map(|at| number(at, 71)).collect();
        assert_eq!(found(&[&low, &far]), []);
        assert_eq!(found(&[&low, &other]), []);
    }
}
