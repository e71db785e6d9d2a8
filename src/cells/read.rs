//! A column of some rows: what each value is, and what speaks against it by itself.

use std::borrow::Cow;
use std::ops::Range;

use super::column::{Column, Level};
use super::events::Sums;
use super::judged::Judged;
use super::known_numbers::numbers_of;
use super::nature::Meaning;
use super::numbers::Numbers;
use super::strips::{strips, STRIP};
use super::values::{CellColumn, Vocabulary, NULL};

/// A column of some rows.
pub enum Read<'a> {
    /// Of values that recur: the level of each row.
    Levels(Levels),
    /// Of numbers that hardly do.
    Measured(Measured<'a>),
}

/// The level of each row: the place of a known one, or of one of the further levels after them.
pub struct Levels {
    pub levels: Vec<u32>,
    pub more: Vec<Level>,
    /// The known levels as the training rows see them, each without itself.
    pub left_out: Option<Vec<Level>>,
}

/// Numbers of which most are ordinary, so that nothing but their tail speaks against them.
pub struct Measured<'a> {
    pub numbers: Cow<'a, [f64]>,
    /// What the tail says against each, by [`Sums::of_number`].
    evidence: Vec<f32>,
    /// The rows whose number is missing or not ordinary.
    others: Vec<(usize, Level)>,
    is_left_out: bool,
}

impl Levels {
    /// The level of a row of a column.
    #[inline(always)]
    fn level<'a>(&'a self, column: &'a Column, row: usize) -> &'a Level {
        let (known, at) = (self.left_out.as_deref().unwrap_or(&column.levels), self.levels[row] as usize);
        known.get(at).unwrap_or_else(|| &self.more[at - known.len()])
    }
}

impl<'a> Measured<'a> {
    /// From numbers of a column that `of` describes; NaN is missing.
    pub fn new(column: &Column, of: &Numbers, numbers: Cow<'a, [f64]>, is_left_out: bool) -> Self {
        let level = |value: f64| match value.is_nan() {
            true => column.level_of_missing(is_left_out),
            false => column.level_of_number(value, u64::from(is_left_out), is_left_out),
        };
        let rare = if column.nature.meaning == Meaning::Number { of.rare_oddities() } else { [false; 3] };
        let mut evidence = vec![0.0; numbers.len()];
        let mut others = vec![];
        let (mut judged, mut of_tails, mut are_ordinary) = (Judged::none(), [0.0; STRIP], [false; STRIP]);
        for rows in strips(numbers.len()) {
            let values = &numbers[rows.clone()];
            judged.judge(of, values);
            of.ends.evidence_of_strip(&judged.away[..values.len()], is_left_out, &mut of_tails);
            of.are_ordinary(values, judged.on_scale(of, values), rare, &mut are_ordinary);
            let out = evidence[rows.clone()].iter_mut().zip(of_tails);
            out.for_each(|(out, of_tail)| *out = Sums::of_number(of_tail).number);
            let odd = values.iter().zip(are_ordinary).enumerate().filter(|(_, (_, is_ordinary))| !is_ordinary);
            others.extend(odd.map(|(at, (value, _))| (rows.start + at, level(*value))));
        }
        Self { numbers, evidence, others, is_left_out }
    }

    /// The level of a row, if it is not ordinary.
    fn other(&self, row: usize) -> Option<Level> {
        let at = self.others.binary_search_by_key(&row, |(other, _)| *other).ok()?;
        Some(self.others[at].1)
    }
}

impl Read<'_> {
    /// Whether each row is judged without itself, as training rows are.
    pub fn is_left_out(&self) -> bool {
        match self {
            Self::Levels(read) => read.left_out.is_some(),
            Self::Measured(read) => read.is_left_out,
        }
    }

    pub fn rows(&self) -> usize {
        match self {
            Self::Levels(read) => read.levels.len(),
            Self::Measured(read) => read.numbers.len(),
        }
    }

    /// The place of a row's value among those that the column knows, or one that none of them has.
    pub fn place(&self, row: usize) -> u32 {
        match self {
            Self::Levels(read) => read.levels[row],
            Self::Measured(_) => u32::MAX,
        }
    }
}

/// What speaks against the values of a strip by themselves, see [`Sums`].
pub struct Own {
    pub fixed: [f32; STRIP],
    pub value: [f32; STRIP],
    pub number: [f32; STRIP],
}

impl Own {
    pub fn none() -> Self {
        Self { fixed: [0.0; STRIP], value: [0.0; STRIP], number: [0.0; STRIP] }
    }

    /// Takes that of a row.
    fn take(&mut self, at: usize, own: Sums) {
        (self.fixed[at], self.value[at], self.number[at]) = (own.fixed, own.value, own.number);
    }

    /// Takes that of the rows of a column.
    pub fn read(&mut self, column: &Column, read: &Read, rows: Range<usize>) {
        match read {
            Read::Levels(read) => {
                rows.enumerate().for_each(|(at, row)| self.take(at, read.level(column, row).own));
            }
            Read::Measured(read) => {
                self.fixed.fill(0.0);
                self.value.fill(0.0);
                self.number[..rows.len()].copy_from_slice(&read.evidence[rows.clone()]);
                let first = read.others.partition_point(|(row, _)| *row < rows.start);
                let others = read.others[first..].iter().take_while(|(row, _)| *row < rows.end);
                others.for_each(|(row, level)| self.take(row - rows.start, level.own));
            }
        }
    }
}

impl Column {
    /// What new rows have.
    pub fn read<'a>(&self, column: &CellColumn<'a>) -> Read<'a> {
        self.read_rows(column, None)
    }

    /// What the training rows have, each judged without itself.
    pub fn read_training<'a>(&self, column: &CellColumn<'a>, vocabulary: Option<&Vocabulary>) -> Read<'a> {
        self.read_rows(column, Some(self.known_levels(vocabulary, true)))
    }

    /// `left_out` are the known levels where each row is judged without itself.
    fn read_rows<'a>(&self, column: &CellColumn<'a>, left_out: Option<Vec<Level>>) -> Read<'a> {
        let (known, is_left_out) = (self.known_count() as u32, left_out.is_some());
        let count = u64::from(is_left_out);
        if let CellColumn::Text { codes, others } = column {
            let last = known + others.len() as u32;
            let level = |code: &u32| match *code {
                code if code < known => code,
                NULL => known,
                code => code.saturating_add(1).min(last),
            };
            let more = others.iter().map(|text| self.level_of_text(text, count, NULL, is_left_out)).collect();
            return Read::Levels(Levels { levels: codes.iter().map(level).collect(), more, left_out });
        }
        let (_, values) = numbers_of(column);
        if let Some(numbers) = self.numbers.as_ref().filter(|_| !self.nature.is_discrete) {
            return Read::Measured(Measured::new(self, numbers, values, is_left_out));
        }
        let mut more = vec![];
        let level = |value: &f64| {
            if value.is_nan() {
                return known;
            }
            if let Ok(at) = self.known.binary_search_by(|known| known.total_cmp(value)) {
                return at as u32;
            }
            more.push(self.level_of_number(*value, count, is_left_out));
            known + more.len() as u32
        };
        let levels = values.iter().map(level).collect();
        Read::Levels(Levels { levels, more, left_out })
    }

    /// The level of a row.
    pub fn level(&self, read: &Read, row: usize) -> Level {
        match read {
            Read::Levels(read) => *read.level(self, row),
            Read::Measured(read) => read.other(row).unwrap_or_else(|| {
                let number = read.numbers[row];
                let own = Sums { number: read.evidence[row], ..Sums::default() };
                Level { number, hour: self.hour_of(number), is_missing: false, own }
            }),
        }
    }
}
