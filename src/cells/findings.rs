//! What cells know of a table's columns, for people who look at their data.

use serde::Serialize;

use super::nature::Meaning;
use super::parents::Aim;
use super::values::Description;
use super::{words, Cells};

/// A parent that explains nearly all of a column determines it.
#[cfg(test)]
const DETERMINES: f64 = 0.95;

/// What is known of one column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub meaning: Meaning,
    /// Whether the column holds texts, and yet numbers or dates.
    pub is_read: bool,
    /// Values that stand for missing ones, and their rows.
    pub placeholders: Vec<(String, u64)>,
    /// The columns that predict it, the best ones first, and how far, from 0 to 1.
    pub parents: Vec<(Vec<usize>, f64)>,
}

impl Finding {
    /// The columns that determine it.
    #[cfg(test)]
    pub fn determined_by(&self) -> Option<&[usize]> {
        let (columns, share) = self.parents.first()?;
        (*share >= DETERMINES).then_some(columns)
    }
}

impl Cells {
    /// What is known of each column.
    pub fn findings(&self, described: &[Description]) -> Vec<Finding> {
        let of_column = |(at, column): (usize, &super::column::Column)| {
            let sentinels = column.numbers.iter().flat_map(|numbers| &numbers.sentinels);
            let marker =
                |(text, count): (&String, &u64)| super::parse::is_marker(text).then(|| (words::short(text), *count));
            let vocabulary = described.get(at).and_then(|described| described.vocabulary);
            let texts = vocabulary.iter().flat_map(|of| of.values.iter().zip(of.counts)).filter_map(marker);
            let numbers = sentinels.map(|(value, count)| (words::exact(column, &described[at], *value), *count));
            let mut parents: Vec<(Vec<usize>, f64)> = vec![];
            for target in self.of_column[at].iter().map(|target| &self.targets[*target]) {
                for parent in target.parents.iter().filter(|_| matches!(target.aim, Aim::Value | Aim::Number)) {
                    let [first, second] = parent.columns;
                    let columns = if first == second { vec![first] } else { vec![first, second] };
                    match parents.iter_mut().find(|(known, _)| *known == columns) {
                        Some((_, share)) => *share = share.max(parent.determines),
                        None => parents.push((columns, parent.determines)),
                    }
                }
            }
            parents.sort_by(|a, b| b.1.total_cmp(&a.1));
            let meaning = column.nature.meaning;
            let is_read = column.texts.is_some() && meaning != Meaning::Category;
            Finding { meaning, is_read, placeholders: texts.chain(numbers).collect(), parents }
        };
        self.columns.iter().enumerate().map(of_column).collect()
    }
}
