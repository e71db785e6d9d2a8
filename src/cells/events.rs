//! What speaks against a value in its own column, without the row's other values.

/// The kinds of evidence of a value's own column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// The value is missing, where few are.
    Missing,
    /// A text among numbers, or among dates.
    Unread,
    /// A date that is written in another way.
    Format,
    /// A text that was read in the wrong encoding.
    Garbled,
    /// A number or a date that stands for a missing value.
    Sentinel,
    /// A number far out.
    Far,
    /// A negative number, zero or a fraction where few are.
    Kind,
    /// A value that is much rarer than all others.
    Apart,
    /// Nearly a much commoner text.
    NearDuplicate,
    /// A text of an unusual shape.
    Shape,
    /// A rare value.
    Value,
    /// A number in the tail of its column.
    Number,
}

/// All kinds, in the order of their numbers.
pub const OWN: [Own; 12] = [
    Own::Missing,
    Own::Unread,
    Own::Format,
    Own::Garbled,
    Own::Sentinel,
    Own::Far,
    Own::Kind,
    Own::Apart,
    Own::NearDuplicate,
    Own::Shape,
    Own::Value,
    Own::Number,
];

/// What a number far out, a value apart, a rare one and a number in the tail count for.
const FAR: f64 = 0.5;
const APART: f64 = 0.2;
pub const VALUE: f64 = 0.3;
pub const NUMBER: f64 = 0.5;

/// The evidence of an event: one over its rate among the training rows, of which a training row
/// itself is no part.
pub fn of_event(count: u64, rows: u64, is_left_out: bool) -> f64 {
    let count = count.saturating_sub(u64::from(is_left_out)) as f64;
    (rows as f64 + 1.0) / (count + 0.5)
}

/// The evidence of each kind against one value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts([f64; OWN.len()]);

impl Parts {
    /// With the evidence of one more kind.
    pub fn add(&mut self, kind: Own, evidence: f64) {
        self.0[kind as usize] += evidence * kind.weight();
    }

    pub fn get(&self, kind: Own) -> f64 {
        self.0[kind as usize]
    }

    /// What counts as it is, and what counts only as far as other values don't explain it.
    pub fn sums(&self) -> Sums {
        let fixed = OWN.iter().filter(|kind| !matches!(kind, Own::Value | Own::Number));
        let fixed: f64 = fixed.map(|kind| self.get(*kind)).sum();
        Sums { fixed: fixed as f32, value: self.get(Own::Value) as f32, number: self.get(Own::Number) as f32 }
    }
}

impl Own {
    fn weight(self) -> f64 {
        match self {
            Self::Far => FAR,
            Self::Apart => APART,
            Self::Value => VALUE,
            Self::Number => NUMBER,
            _ => 1.0,
        }
    }
}

/// The evidence against a value in its own column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    pub fixed: f32,
    /// How rare the value is, before what explains it.
    pub value: f32,
    /// How far out the number is, before what explains it.
    pub number: f32,
}

impl Sums {
    /// Those of a number that nothing but its place in the tail speaks against.
    pub fn of_number(evidence: f32) -> Self {
        Self { number: (f64::from(evidence) * NUMBER) as f32, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_counts_by_its_rate_without_the_row_itself() {
        assert_eq!(of_event(0, 999, false), 2000.0);
        assert_eq!(of_event(1, 999, true), 2000.0);
        assert_eq!(of_event(10, 999, true), 1000.0 / 9.5);
    }

    #[test]
    fn what_can_be_explained_stands_apart() {
        let mut parts = Parts::default();
        parts.add(Own::Missing, 10.0);
        parts.add(Own::Far, 10.0);
        parts.add(Own::Value, 10.0);
        parts.add(Own::Number, 10.0);
        assert_eq!(parts.sums(), Sums { fixed: 15.0, value: 3.0, number: 5.0 });
        let mut number = Parts::default();
        number.add(Own::Number, 0.3);
        assert_eq!(number.sums(), Sums::of_number(0.3));
    }
}
