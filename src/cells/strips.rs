//! Rows are worked on in strips: so few that their numbers stay in the nearest cache, in loops that
//! the compiler makes vectors of. None of these loops adds up rows, so that their bits depend
//! neither on the strips nor on the vectors.

use std::ops::Range;

/// The most rows of a strip.
pub const STRIP: usize = 256;

/// Some rows, strip by strip.
pub fn strips(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(STRIP).map(move |start| start..(start + STRIP).min(rows))
}
