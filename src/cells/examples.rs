//! Tables for tests: columns by name, and cells fitted on them.

use crate::data::Kind;

use super::tensors::Values;
use super::{AllRows, CellColumn, Cells, CellsMetadata, Description, Earlier, Evidence, Reason, Vocabulary, NULL};

/// The values of a column.
#[derive(Clone)]
pub enum Column {
    Numbers(Vec<f64>),
    Times(Kind, Vec<f64>),
    Texts(Vec<Option<String>>),
}

/// A table.
#[derive(Clone)]
pub struct Table(pub Vec<(&'static str, Column)>);

/// The texts of a column, the most frequent first.
#[derive(Default)]
pub struct Words {
    values: Vec<String>,
    counts: Vec<u64>,
}

pub fn numbers(count: usize, number: impl Fn(usize) -> f64) -> Column {
    Column::Numbers((0..count).map(number).collect())
}

pub fn texts(count: usize, text: impl Fn(usize) -> String) -> Column {
    Column::Texts((0..count).map(|row| Some(text(row))).collect())
}

/// A number from 0 to 1 that looks random.
pub fn random(row: usize, stream: u64) -> f64 {
    let mut x = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
    for _ in 0..3 {
        x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    (x >> 11) as f64 / (1u64 << 53) as f64
}

/// A number that looks normally distributed.
pub fn normal(row: usize, stream: u64) -> f64 {
    (0..12).map(|part| random(row, stream * 12 + part)).sum::<f64>() - 6.0
}

/// One of some things, the first ones more often.
pub fn pick(row: usize, stream: u64, count: usize) -> usize {
    let share = random(row, stream);
    ((share * share * 0.7 + share * 0.3) * count as f64) as usize
}

impl Words {
    fn new(values: &Column) -> Option<Self> {
        let Column::Texts(texts) = values else { return None };
        let mut sorted: Vec<&String> = texts.iter().flatten().collect();
        sorted.sort();
        let mut counted: Vec<(String, u64)> = vec![];
        for text in sorted {
            match counted.last_mut() {
                Some((last, count)) if last == text => *count += 1,
                _ => counted.push((text.clone(), 1)),
            }
        }
        Some(Self::in_order(counted))
    }

    fn in_order(mut counted: Vec<(String, u64)>) -> Self {
        counted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let (values, counts) = counted.into_iter().unzip();
        Self { values, counts }
    }

    /// The texts of both.
    fn plus(&self, other: &Self) -> Self {
        let mut counted: std::collections::BTreeMap<&String, u64> = Default::default();
        for of in [self, other] {
            of.values.iter().zip(&of.counts).for_each(|(text, count)| *counted.entry(text).or_default() += count);
        }
        Self::in_order(counted.into_iter().map(|(text, count)| (text.clone(), count)).collect())
    }

    fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary { values: &self.values, counts: &self.counts, other_rows: 0 }
    }
}

/// Cells, and what they were fitted on.
pub struct Fitted {
    pub cells: Cells,
    pub training: Evidence,
    names: Vec<&'static str>,
    words: Vec<Option<Words>>,
}

/// Texts as codes.
enum Coded {
    Numbers(Vec<f64>),
    Times(Kind, Vec<f64>),
    Texts(Vec<u32>, Vec<String>),
}

impl Table {
    pub fn fit(&self) -> Fitted {
        let words: Vec<Option<Words>> = self.0.iter().map(|(_, values)| Words::new(values)).collect();
        let names = self.0.iter().map(|(name, _)| *name).collect();
        let mut fitted = Fitted {
            cells: Cells::new(vec![], vec![], vec![], vec![], None),
            training: Evidence::default(),
            names,
            words,
        };
        let coded = fitted.coded(self);
        let (cells, training) = Cells::fit_cells(&given(&coded), &fitted.described(), None, None).unwrap();
        (fitted.cells, fitted.training) = (cells, training);
        fitted
    }

    /// A fit that goes on from an earlier one; some of the rows may be replayed.
    pub fn fit_after(&self, earlier: &Fitted, replayed: Option<&[bool]>) -> Fitted {
        let rows = self.rows();
        let new: Vec<usize> = (0..rows).filter(|row| !replayed.is_some_and(|marks| marks[*row])).collect();
        let new = self.pick(&new);
        let words = new.0.iter().zip(&earlier.words).map(|((_, values), before)| {
            Words::new(values).zip(before.as_ref()).map(|(words, before)| before.plus(&words))
        });
        let words = words.collect();
        let names = self.0.iter().map(|(name, _)| *name).collect();
        let mut fitted = Fitted {
            cells: Cells::new(vec![], vec![], vec![], vec![], None),
            training: Evidence::default(),
            names,
            words,
        };
        let of_new = fitted.coded(&new);
        let of_new = given(&of_new);
        let all = of_new.iter().zip(&earlier.cells.columns).map(|(column, before)| {
            let AllRows { rows, missing } = AllRows::count(column);
            AllRows { rows: rows + before.all.rows, missing: missing + before.all.missing }
        });
        let all: Vec<AllRows> = all.collect();
        let coded = fitted.coded(self);
        let before = Earlier { cells: &earlier.cells, described: earlier.described(), replayed };
        let found = Cells::fit_cells(&given(&coded), &fitted.described(), Some(&all), Some(&before)).unwrap();
        (fitted.cells, fitted.training) = found;
        fitted
    }

    pub fn rows(&self) -> usize {
        match &self.0[0].1 {
            Column::Numbers(numbers) | Column::Times(_, numbers) => numbers.len(),
            Column::Texts(texts) => texts.len(),
        }
    }

    /// Some of the rows.
    pub fn pick(&self, rows: &[usize]) -> Self {
        let pick = |values: &Column| match values {
            Column::Numbers(numbers) => Column::Numbers(rows.iter().map(|row| numbers[*row]).collect()),
            Column::Times(kind, numbers) => Column::Times(*kind, rows.iter().map(|row| numbers[*row]).collect()),
            Column::Texts(texts) => Column::Texts(rows.iter().map(|row| texts[*row].clone()).collect()),
        };
        Self(self.0.iter().map(|(name, values)| (*name, pick(values))).collect())
    }

    /// The same table with other values in a column.
    pub fn with_column(&self, column: &str, values: Column) -> Self {
        let of =
            |(name, old): &(&'static str, Column)| (*name, if *name == column { values.clone() } else { old.clone() });
        Self(self.0.iter().map(of).collect())
    }

    /// The same table with another value in a row.
    pub fn with(&self, row: usize, column: &str, value: &str) -> Self {
        let mut table = self.clone();
        for (name, values) in &mut table.0 {
            match values {
                _ if *name != column => {}
                Column::Numbers(numbers) | Column::Times(_, numbers) => {
                    numbers[row] = value.parse().unwrap_or(f64::NAN);
                }
                Column::Texts(texts) => texts[row] = (!value.is_empty()).then(|| value.to_string()),
            }
        }
        table
    }

    /// The first rows.
    pub fn head(&self, rows: usize) -> Self {
        let head = |values: &Column| match values {
            Column::Numbers(numbers) => Column::Numbers(numbers[..rows].to_vec()),
            Column::Times(kind, numbers) => Column::Times(*kind, numbers[..rows].to_vec()),
            Column::Texts(texts) => Column::Texts(texts[..rows].to_vec()),
        };
        Self(self.0.iter().map(|(name, values)| (*name, head(values))).collect())
    }
}

fn given(coded: &[Coded]) -> Vec<CellColumn<'_>> {
    let given = coded.iter().map(|coded| match coded {
        Coded::Numbers(values) => CellColumn::Number(values),
        Coded::Times(kind, values) => CellColumn::Time { kind: *kind, values },
        Coded::Texts(codes, others) => CellColumn::Text { codes, others },
    });
    given.collect()
}

impl Fitted {
    pub fn described(&self) -> Vec<Description<'_>> {
        let of = self.names.iter().zip(&self.words);
        of.map(|(name, words)| Description {
            name,
            vocabulary: words.as_ref().map(Words::vocabulary),
            is_boolean: false,
        })
        .collect()
    }

    fn coded(&self, table: &Table) -> Vec<Coded> {
        let coded = table.0.iter().zip(&self.words).map(|((_, values), words)| match (values, words) {
            (Column::Numbers(numbers), _) => Coded::Numbers(numbers.clone()),
            (Column::Times(kind, numbers), _) => Coded::Times(*kind, numbers.clone()),
            (Column::Texts(texts), words) => {
                let known = words.as_ref().map_or(&[][..], |words| words.values.as_slice());
                let mut others: Vec<String> = vec![];
                let mut code = |text: &String| {
                    if let Some(at) = known.iter().position(|known| known == text) {
                        return at as u32;
                    }
                    let at = others.iter().position(|other| other == text).unwrap_or_else(|| {
                        others.push(text.clone());
                        others.len() - 1
                    });
                    (known.len() + at) as u32
                };
                let codes = texts.iter().map(|text| text.as_ref().map_or(NULL, &mut code)).collect();
                Coded::Texts(codes, others)
            }
        });
        coded.collect()
    }

    pub fn evidence(&self, table: &Table) -> Evidence {
        self.cells.evidence(&given(&self.coded(table))).unwrap()
    }

    pub fn reason(&self, table: &Table, column: &str, row: usize) -> Reason {
        let coded = self.coded(table);
        let given = given(&coded);
        self.cells.look_up(&given).unwrap().reason(&self.described(), self.place(column), row)
    }

    pub fn place(&self, column: &str) -> usize {
        self.names.iter().position(|name| *name == column).unwrap()
    }

    /// The cells after a way through a file.
    pub fn restored(&self, change: impl Fn(&mut CellsMetadata, &mut Vec<Values>)) -> Result<Cells, String> {
        let entry = serde_json::to_string(&self.cells.metadata()).unwrap();
        let mut metadata: CellsMetadata = serde_json::from_str(&entry).unwrap();
        let mut tensors = self.cells.tensors();
        change(&mut metadata, &mut tensors);
        Cells::from_tensors(&metadata, &tensors, &self.described())
    }

    /// The evidence by cells that were restored.
    pub fn evidence_of(&self, cells: &Cells, table: &Table) -> Evidence {
        cells.evidence(&given(&self.coded(table))).unwrap()
    }

    /// The share of the training rows whose evidence is at least that of a new row.
    pub fn share_above(&self, evidence: f64) -> f64 {
        let above = self.training.rows.iter().filter(|row| row.all >= evidence).count();
        above as f64 / self.training.rows.len() as f64
    }
}
