//! Keeps the cells' part of a model file within a bound, whatever the table.
//!
//! The known numbers of columns are bounded before anything is fitted on them. Of the rest, groups
//! of few rows are forgotten first, then knots of tails, then the weakest parents.

use super::parents::{Parent, Relation};
use super::Cells;

/// The most bytes of a file.
pub const MOST_BYTES: usize = 2 << 20;
/// The names, the dtypes and the sizes of the tensors.
const NAMES: usize = 4_096;
/// The bytes of pairs and groups that are forgotten last.
const LAST_GROUPS: usize = 1 << 19;

/// One thing to forget.
enum Forget {
    /// The groups of fewer rows than this, while groups take many bytes, or always.
    Groups(u64),
    RareGroups(u64),
    /// Knots beyond this number in each tail.
    Knots(usize),
    /// Parents beyond this number of each target.
    Parents(usize),
}

/// What is forgotten, one after the other, until the rest fits.
const STEPS: [Forget; 33] = [
    Forget::RareGroups(2),
    Forget::RareGroups(3),
    Forget::RareGroups(4),
    Forget::RareGroups(6),
    Forget::RareGroups(9),
    Forget::RareGroups(14),
    Forget::RareGroups(20),
    Forget::RareGroups(30),
    Forget::RareGroups(50),
    Forget::RareGroups(100),
    Forget::RareGroups(300),
    Forget::RareGroups(1_000),
    Forget::Knots(48),
    Forget::Knots(32),
    Forget::Knots(24),
    Forget::Knots(16),
    Forget::Groups(20),
    Forget::Parents(2),
    Forget::Knots(12),
    Forget::Groups(100),
    Forget::Parents(1),
    Forget::Knots(8),
    Forget::Groups(300),
    Forget::Groups(1_000),
    Forget::Groups(3_000),
    Forget::Groups(10_000),
    Forget::Groups(30_000),
    Forget::Groups(100_000),
    Forget::Groups(1_000_000),
    Forget::Knots(4),
    Forget::Groups(u64::MAX),
    Forget::Knots(2),
    Forget::Parents(0),
];

#[cfg(test)]
mod tests;

impl Cells {
    /// Forgets what is least, as far as all would take too many bytes in a file.
    pub fn keep_within(&mut self, most: usize) {
        for step in STEPS {
            if self.file_bytes() <= most {
                return;
            }
            self.forget(step);
        }
    }

    fn forget(&mut self, step: Forget) {
        let groups: usize = self.targets.iter().flat_map(|target| &target.parents).map(Parent::file_bytes).sum();
        match step {
            Forget::RareGroups(_) if groups <= LAST_GROUPS => {}
            Forget::RareGroups(least) | Forget::Groups(least) => {
                for target in &mut self.targets {
                    let counts = &target.counts;
                    target.parents.iter_mut().for_each(|parent| parent.keep_frequent(least, counts, &self.coders));
                }
            }
            Forget::Knots(most) => {
                self.columns.iter_mut().flat_map(|column| &mut column.numbers).for_each(|of| of.ends.thin(most));
                for parent in self.targets.iter_mut().flat_map(|target| &mut target.parents) {
                    if let Relation::Number(given) = &mut parent.relation {
                        given.tail.thin(most);
                    }
                }
            }
            Forget::Parents(most) => {
                for target in &mut self.targets {
                    target.keep_heaviest(most);
                }
                self.targets.retain(|target| !target.parents.is_empty());
                self.index();
            }
        }
    }

    /// Bytes in a file: the tensors and the metadata, whose quotes are escaped.
    pub fn file_bytes(&self) -> usize {
        let metadata = self.metadata();
        let entry = serde_json::to_string(&metadata).unwrap_or_default();
        let quotes = entry.bytes().filter(|byte| *byte == b'"').count();
        let bytes = |spec: super::Spec| spec.size.iter().product::<usize>() * spec.dtype.bitsize() / 8;
        let tensors: usize = metadata.specs().into_iter().flatten().map(bytes).sum();
        entry.len() + quotes + tensors + NAMES
    }
}
