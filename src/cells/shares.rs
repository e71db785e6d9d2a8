//! What the rows of an earlier model and new rows count for, where a fit goes on from a model.

/// The least share that a row counts for, so that weights have sums.
const LEAST_SHARE: f64 = 1e-4;

/// What a row of each side counts for, so that both sides have the weight of all their rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    pub earlier: f64,
    pub new: f64,
    /// How many rows one of the new rows at hand stands for.
    pub factor: f64,
    /// Whether there were at least as many earlier rows as there are new ones.
    pub is_earlier_larger: bool,
}

impl Shares {
    /// From the numbers of all rows of each side, and of those among them that are counted.
    pub fn new([earlier, new]: [u64; 2], [seen, at_hand]: [u64; 2]) -> Self {
        let per = |all: u64, seen: u64| (all as f64 / seen.max(1) as f64).max(1.0);
        let (of_earlier, factor) = (per(earlier, seen), per(new, at_hand));
        let most = of_earlier.max(factor);
        let share = |of: f64| (of / most).max(LEAST_SHARE);
        Self { earlier: share(of_earlier), new: share(factor), factor, is_earlier_larger: earlier >= new }
    }

    /// A count of rows of both sides; one that a side has is no less than one.
    pub fn count(&self, earlier: u64, new: u64) -> u64 {
        scaled(earlier, self.earlier).saturating_add(scaled(new, self.new))
    }
}

/// A share of a count, at least one of one that is not 0.
pub fn scaled(count: u64, share: f64) -> u64 {
    match share == 1.0 || count == 0 {
        true => count,
        false => ((count as f64 * share).round() as u64).max(1),
    }
}
