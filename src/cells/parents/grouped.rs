//! Rows sorted by a code.

/// Rows in groups: those with the same code, in the order of the codes.
pub struct Grouped {
    /// The codes that rows have, rising.
    pub keys: Vec<u32>,
    /// Where the rows of each begin, and where the last ones end.
    pub starts: Vec<u32>,
    pub rows: Vec<u32>,
}

impl Grouped {
    /// From the code of each row; those from `end` on have no group.
    pub fn new(codes: &[u32], end: u32) -> Self {
        let coded = codes.iter().enumerate().filter(|(_, code)| **code < end);
        let mut sorted: Vec<u64> = coded.map(|(row, code)| u64::from(*code) << 32 | row as u64).collect();
        sorted.sort_unstable();
        let (mut keys, mut starts) = (vec![], vec![]);
        for (at, pair) in sorted.iter().enumerate() {
            let code = (pair >> 32) as u32;
            if keys.last() != Some(&code) {
                keys.push(code);
                starts.push(at as u32);
            }
        }
        starts.push(sorted.len() as u32);
        Self { keys, starts, rows: sorted.into_iter().map(|pair| pair as u32).collect() }
    }

    /// The rows of each group.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        self.starts.windows(2).map(|pair| &self.rows[pair[0] as usize..pair[1] as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_by_their_codes() {
        let grouped = Grouped::new(&[7, 2, 9, 2, 7], 9);
        assert_eq!((grouped.keys.as_slice(), grouped.starts.as_slice()), (&[2, 7][..], &[0, 2, 4][..]));
        assert_eq!(grouped.groups().map(<[u32]>::to_vec).collect::<Vec<_>>(), [vec![1, 3], vec![0, 4]]);
        assert_eq!(Grouped::new(&[], 3).groups().len(), 0);
    }
}
