//! An order of rows that comes from what they hold, not from where they stand: rows that were sorted, joined or partitioned in
//! another way come out in the same order. Rows with equal contents are interchangeable.

use polars::prelude::*;

use super::columns::Columns;
use super::labels::Labels;

/// Odd, with bits all over: each step of the hash multiplies by it.
const FACTOR: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;

/// A running hash of a row. With 128 bits, two different rows among a billion collide with a probability of 10⁻²¹.
#[derive(Clone, Copy)]
struct RowHash(u128);

impl RowHash {
    fn add(&mut self, bits: u64) {
        let mixed = (self.0 ^ u128::from(bits)).wrapping_mul(FACTOR);
        self.0 = mixed ^ (mixed >> 67);
    }
}

impl Columns {
    /// The numbers of all rows, in an order of their contents; labels are a part of these.
    pub fn content_order(&self, labels: Option<&Labels>) -> PolarsResult<IdxCa> {
        let mut hashes = vec![RowHash(FACTOR); self.rows()];
        let mut values = vec![];
        for j in 0..self.features().len() {
            match self.text(j)? {
                Some(text) => {
                    for (hash, value) in hashes.iter_mut().zip(text.str()?.iter()) {
                        hash.add(value.map_or(0, |value| 1 + value.len() as u64));
                        for part in value.unwrap_or_default().as_bytes().chunks(8) {
                            let mut bytes = [0; 8];
                            bytes[..part.len()].copy_from_slice(part);
                            hash.add(u64::from_le_bytes(bytes));
                        }
                    }
                }
                None => {
                    self.read(j, &mut values)?;
                    // Zero has two signs, and a missing value many bits.
                    let bits = |value: &f64| if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() };
                    hashes.iter_mut().zip(&values).for_each(|(hash, value)| hash.add(bits(value)));
                }
            }
        }
        if let Some(labels) = labels {
            for (row, hash) in hashes.iter_mut().enumerate() {
                hash.add(labels.get(row).map_or(2, u64::from));
            }
        }
        let mut order: Vec<IdxSize> = (0..self.rows() as IdxSize).collect();
        order.sort_by_key(|row| hashes[*row as usize].0);
        Ok(IdxCa::from_vec(PlSmallStr::EMPTY, order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> DataFrame {
        df!(
            "a" => [Some(1.0), Some(0.0), Some(-0.0), None, Some(f64::NAN), Some(1.0)],
            "b" => [Some("x"), Some("x"), Some("x"), Some(""), Some(""), None]
        )
        .unwrap()
    }

    fn in_order(frame: &DataFrame, labels: Option<&Labels>) -> DataFrame {
        let order = Columns::from_frame(frame).unwrap().content_order(labels).unwrap();
        frame.take(&order).unwrap()
    }

    #[test]
    fn any_order_of_the_rows_gives_the_same_one() {
        let expected = in_order(&frame(), None);
        let order = |rows: &[IdxSize]| frame().take(&IdxCa::from_vec("".into(), rows.to_vec())).unwrap();
        for rows in [[5, 4, 3, 2, 1, 0], [2, 0, 1, 5, 3, 4], [3, 5, 0, 4, 2, 1]] {
            let found = in_order(&order(&rows), None);
            // A null and a NaN are the same missing value, and so are the zeros: only then may rows have changed places.
            let canonical = |frame: &DataFrame| {
                let values: Vec<Option<f64>> = frame.column("a").unwrap().f64().unwrap().iter().collect();
                let values: Vec<Option<u64>> =
                    values.into_iter().map(|v| v.filter(|v| !v.is_nan()).map(|v| (v + 0.0).to_bits())).collect();
                values
            };
            assert_eq!(canonical(&found), canonical(&expected));
            assert!(found.column("b").unwrap().equals_missing(expected.column("b").unwrap()));
        }
    }

    #[test]
    fn labels_are_a_part_of_a_row() {
        let frame = df!("a" => [1.0; 4]).unwrap();
        let labels = |values: [Option<bool>; 4]| Labels::from_series(&Series::new("y".into(), values)).unwrap();
        let one = labels([Some(true), None, Some(false), Some(true)]);
        let other = labels([Some(false), Some(true), Some(true), None]);
        let columns = Columns::from_frame(&frame).unwrap();
        let seen = |labels: &Labels| -> Vec<Option<bool>> {
            let order = columns.content_order(Some(labels)).unwrap();
            order.iter().flatten().map(|row| labels.get(row as usize)).collect()
        };
        assert_eq!(seen(&one), seen(&other));
    }

    #[test]
    fn a_value_is_not_taken_for_its_neighbours() {
        let pairs = df!("a" => ["xy", "x"], "b" => ["z", "yz"]).unwrap();
        let swapped = pairs.reverse();
        assert!(in_order(&pairs, None).equals(&in_order(&swapped, None)));
    }
}
