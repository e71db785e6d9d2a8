//! Why a cell is taken for wrong, in words: "state is TX; with zip 01907 it is MA in 99 % of 312
//! rows".

use super::batch::Batch;
use super::column::Column;
use super::events::{Own, Parts, OWN};
use super::evidence::Statement;
use super::nature::Meaning;
use super::numbers::Oddity;
use super::orders::Order;
use super::parents::form::Coder;
use super::parents::{Aim, Relation, Target};
use super::values::Description;
use super::words::{self, percent, short, Usual};

/// That a value is rare, or of an unusual form, is told only where nothing else says nearly as
/// much.
const LESS_TELLING: f64 = 0.2;
/// Evidence above this says something.
const SPEAKS: f64 = 3.0;
/// A value that this share of the rows has is usual.
const COMMON: f64 = 0.1;
/// A parent counts as disagreeing from this ratio on.
const DISAGREES: f32 = 0.5;

/// The kind of evidence that speaks loudest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The value by itself.
    Own(Own),
    /// Another value of the row, or two.
    Parent,
    /// The cell predicts another one that has another value.
    Disagrees,
    /// Nothing but the networks, which look at all values together.
    Together,
}

/// Why a cell is taken for wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    pub why: Why,
    /// The columns whose values speak against it.
    pub parents: Vec<usize>,
    /// The value; None where it is missing.
    pub value: Option<String>,
    /// What is expected instead, where that is likely.
    pub expected: Option<String>,
    /// The share of the rows that have what is expected, and of how many rows.
    pub share: Option<(f64, u64)>,
    /// A sentence.
    pub sentence: String,
}

/// Rows whose evidence was worked out, and the names of the columns.
pub struct Reasons<'a> {
    pub statement: Statement<'a>,
    pub coders: &'a [Coder],
    pub described: &'a [Description<'a>],
}

impl Reasons<'_> {
    pub fn column(&self, at: usize) -> &Column {
        &self.statement.columns[at]
    }

    pub fn batch(&self) -> &Batch<'_> {
        self.statement.batch
    }

    pub fn name(&self, at: usize) -> &str {
        self.described[at].name
    }

    /// The value of a cell; None where it is missing.
    pub fn value(&self, at: usize, row: usize) -> Option<String> {
        let text = words::text(&self.batch().given[at], &self.described[at], row);
        let column = self.column(at);
        let level = column.level(&self.batch().read[at], row);
        match text {
            Some(text) => Some(short(text)),
            None => (!level.is_missing).then(|| words::exact(column, &self.described[at], level.number)),
        }
    }

    /// A value in a sentence.
    pub fn shown(&self, at: usize, row: usize) -> String {
        self.value(at, row).unwrap_or_else(|| "missing".to_string())
    }

    /// Why a cell of a row is taken for wrong.
    pub fn reason(&self, at: usize, row: usize) -> Reason {
        let parts = self.parts(at, row);
        let (mut most, mut own) = (0.0, Own::Value);
        let explained = |aim: Aim| {
            let targets =
                self.statement.of_column[at].iter().filter(|target| self.statement.targets[**target].aim == aim);
            let given = targets.map(|target| 1.0 / f64::from(self.statement.said[*target].mixed[row]));
            given.fold(1.0, f64::min)
        };
        for kind in OWN {
            let factor = match kind {
                Own::Value => LESS_TELLING * explained(Aim::Value),
                Own::Number => explained(Aim::Number),
                Own::Shape | Own::Apart => LESS_TELLING,
                _ => 1.0,
            };
            if parts.get(kind) * factor > most {
                (most, own) = (parts.get(kind) * factor, kind);
            }
        }
        let (mut why, mut by) = (Why::Own(own), None);
        for target in &self.statement.of_column[at] {
            let given = 1.0 / f64::from(self.statement.said[*target].mixed[row]);
            if given > most {
                (most, why, by) = (given, Why::Parent, self.loudest(*target, row).map(|parent| (*target, parent)));
            }
        }
        let order = self.broken_order(at, row);
        if let Some(order) = order.filter(|order| order.evidence(false) > most) {
            return self.out_of_order(order, at, row);
        }
        let is_vague = matches!(why, Why::Own(Own::Value | Own::Apart | Own::Shape));
        if is_vague && parts.get(Own::NearDuplicate) > SPEAKS {
            why = Why::Own(Own::NearDuplicate);
        }
        let if_unusual = |kind: Own| self.is_unusual(at, row, kind).then(|| self.by_itself(at, row, kind));
        let found = match (why, by) {
            (Why::Parent, Some((target, parent))) if most > SPEAKS => {
                self.by_parent(target, parent, row).or_else(|| if_unusual(own))
            }
            (Why::Own(kind), _) if most > SPEAKS => Some(self.by_itself(at, row, kind)),
            (Why::Own(kind), _) => self.by_child(at, row).or_else(|| if_unusual(kind)),
            _ => self.by_child(at, row),
        };
        found.unwrap_or_else(|| self.together(at, row))
    }

    /// The strictest order of a column that a row breaks.
    fn broken_order(&self, at: usize, row: usize) -> Option<&Order> {
        let of_column = self.statement.orders.iter().filter(|order| order.has(at));
        let broken = of_column.filter(|order| order.is_broken(&self.batch().numbers, row));
        broken.max_by(|a, b| a.evidence(false).total_cmp(&b.evidence(false)))
    }

    /// "end is 2024-01-05, before start, which is 2024-02-01, as in 0.1 % of the training rows"
    fn out_of_order(&self, order: &Order, at: usize, row: usize) -> Reason {
        let other = if order.low == at { order.high } else { order.low };
        let is_time = self.column(at).nature.meaning != Meaning::Number;
        let how = match (is_time, order.low == at) {
            (true, true) => "after",
            (true, false) => "before",
            (false, true) => "above",
            (false, false) => "below",
        };
        let (name, value) = (self.name(at), self.shown(at, row));
        let (against, other_value) = (self.name(other), self.shown(other, row));
        let share = as_in(order.broken, order.rows);
        Reason {
            why: Why::Parent,
            parents: vec![other],
            value: self.value(at, row),
            expected: None,
            share: None,
            sentence: format!("{name} is {value}, {how} {against}, which is {other_value}, {share}"),
        }
    }

    /// Whether a value is unusual by itself, however little it says.
    fn is_unusual(&self, at: usize, row: usize, kind: Own) -> bool {
        let column = self.column(at);
        let is_rare = |rows: u64| (rows as f64) < COMMON * column.all.rows as f64;
        match kind {
            Own::Missing => is_rare(column.missing_rows()),
            Own::Value | Own::Apart => column.nature.is_discrete && is_rare(self.rows_with(at, row)),
            Own::Shape => false,
            Own::Far | Own::Number => {
                let number = column.level(&self.batch().read[at], row).number;
                column.numbers.as_ref().is_some_and(|numbers| !Usual::of_column(numbers).has(number))
            }
            _ => true,
        }
    }

    /// A value that nothing speaks against but the networks.
    fn together(&self, at: usize, row: usize) -> Reason {
        let (name, value) = (self.name(at), self.shown(at, row));
        Reason {
            why: Why::Together,
            parents: vec![],
            value: self.value(at, row),
            expected: None,
            share: None,
            sentence: format!("{name} is {value}, {}", self.unlike()),
        }
    }

    /// What the networks say, in words.
    fn unlike(&self) -> &'static str {
        match self.statement.columns.len() {
            1 => "unlike most rows",
            _ => "which is unusual among similar rows",
        }
    }

    /// The number of training rows with a row's value.
    fn rows_with(&self, at: usize, row: usize) -> u64 {
        let place = self.batch().read[at].place(row) as usize;
        let known = self.described[at].vocabulary.map_or(self.column(at).counts.as_slice(), |known| known.counts);
        known.get(place).copied().unwrap_or(0)
    }

    /// What speaks against the value by itself.
    fn parts(&self, at: usize, row: usize) -> Parts {
        let column = self.column(at);
        let level = column.level(&self.batch().read[at], row);
        if level.is_missing {
            return column.parts_of_missing(false);
        }
        let place = self.batch().read[at].place(row);
        match (words::text(&self.batch().given[at], &self.described[at], row), &column.texts) {
            (Some(text), Some(texts)) => {
                let counts = self.described[at].vocabulary.map_or(&[][..], |vocabulary| vocabulary.counts);
                let count = counts.get(place as usize).copied().unwrap_or(0);
                column.parts_of_text(texts, text, level.number, count, place, false)
            }
            _ => {
                let count = column.counts.get(place as usize).copied().unwrap_or(0);
                column.parts_of_number(level.number, count, false)
            }
        }
    }

    /// The parent of a target that speaks loudest, and tells best what is expected.
    fn loudest(&self, target: usize, row: usize) -> Option<usize> {
        let Target { parents, .. } = &self.statement.targets[target];
        let said = &self.statement.said[target];
        let loud = |at: usize| {
            let sure = match (&parents[at].relation, parents[at].coder) {
                (Relation::Category(given), Some(coder)) => {
                    let usual = given.usual(self.batch().codes[coder][row]);
                    usual.map_or(0.01, |(_, count, rows)| count as f64 / rows.max(1) as f64)
                }
                _ => 1.0,
            };
            libm::log(sure) - libm::log(f64::from(said.ratios[at][row]))
        };
        (0..parents.len()).filter(|at| parents[*at].weight > 0.02).max_by(|a, b| loud(*a).total_cmp(&loud(*b)))
    }

    /// "sku SKU-1007 goes with price 7.25, not 64.99": a cell that predicts another one.
    fn by_child(&self, at: usize, row: usize) -> Option<Reason> {
        let mut loudest: Option<(f32, usize, usize)> = None;
        for (target, of) in self.statement.targets.iter().enumerate() {
            for (parent, one) in of.parents.iter().enumerate() {
                let ratio = self.statement.said[target].ratios[parent][row];
                if one.columns.contains(&at) && ratio < DISAGREES && loudest.is_none_or(|(low, ..)| ratio < low) {
                    loudest = Some((ratio, target, parent));
                }
            }
        }
        let (_, target, parent) = loudest?;
        let of_child = self.by_parent(target, parent, row)?;
        let child = self.statement.targets[target].column;
        Some(Reason {
            why: Why::Disagrees,
            parents: vec![child],
            value: self.value(at, row),
            expected: None,
            share: of_child.share,
            sentence: format!("{} is {}, but {}", self.name(at), self.shown(at, row), of_child.sentence),
        })
    }

    /// What a value says by itself.
    fn by_itself(&self, at: usize, row: usize, kind: Own) -> Reason {
        let (column, name, value) = (self.column(at), self.name(at), self.shown(at, row));
        let in_rows = |count: u64| as_in(count, column.all.rows);
        let place = self.batch().read[at].place(row) as usize;
        let count = self.rows_with(at, row);
        let mut expected = None;
        let sentence = match kind {
            Own::Missing => match words::text(&self.batch().given[at], &self.described[at], row) {
                Some(text) if !text.trim().is_empty() => {
                    format!("'{}' stands for a missing value, {}", short(text), in_rows(count))
                }
                _ => format!("missing, {}", in_rows(column.missing_rows())),
            },
            Own::Unread if !column.notation.is_plain() => {
                format!("'{value}' among numbers such as '{}'", self.usual_text(at))
            }
            Own::Unread => format!("'{value}' among {}", of_meaning(column.nature.meaning)),
            Own::Format => {
                let usual = column.texts.as_ref().and_then(|texts| texts.format_in_words());
                format!("'{value}' is not written as most are ({})", usual.unwrap_or("another way"))
            }
            Own::Garbled => format!("'{value}' was read in another encoding than it was written in"),
            Own::Sentinel => {
                let count = column
                    .numbers
                    .as_ref()
                    .and_then(|numbers| numbers.sentinel(column.level(&self.batch().read[at], row).number));
                format!("{value} seems to stand for a missing value, {}", in_rows(count.unwrap_or(0)))
            }
            Own::Far | Own::Number => {
                let usual = column.numbers.as_ref().map(|numbers| Usual::of_column(numbers).text(column));
                format!("{name} is {value}; most are {}", usual.unwrap_or_default())
            }
            Own::NearDuplicate => {
                let text = words::text(&self.batch().given[at], &self.described[at], row).unwrap_or_default();
                let like = column.texts.as_ref().and_then(|texts| texts.near_duplicate(text, count, place as u32));
                let like = like.map(|level| words::level(column, &self.described[at], level as usize));
                expected = like.clone();
                format!("'{value}' looks like '{}'", like.unwrap_or_default())
            }
            Own::Shape => format!("'{value}' has another form than most, as '{}' has", self.usual_text(at)),
            Own::Value | Own::Apart => format!("{name} is {value}, {}", in_rows(count)),
            Own::Kind => {
                let number = column.level(&self.batch().read[at], row).number;
                let odd = column.rare_oddity(number);
                let what = match odd.map(|(oddity, _)| oddity) {
                    Some(Oddity::Negative) => ", which is below zero",
                    Some(Oddity::Fraction) => ", which is not whole",
                    _ => "",
                };
                format!("{name} is {value}{what}, {}", in_rows(odd.map_or(0, |(_, count)| count)))
            }
        };
        let value = self.value(at, row);
        Reason { why: Why::Own(kind), parents: vec![], value, expected, share: None, sentence }
    }

    /// The text of a column with the most usual form, of some of its most frequent ones.
    fn usual_text(&self, at: usize) -> String {
        const SOME: usize = 100;
        let values = self.described[at].vocabulary.map_or(&[][..], |vocabulary| vocabulary.values);
        let column = self.column(at);
        let some = values.iter().zip(&column.levels).filter(|(_, level)| !level.is_missing).take(SOME);
        let oddity = |text: &str| column.texts.as_ref().map_or(0.0, |texts| texts.oddity_of_shape(text));
        let usual = some.map(|(text, _)| (oddity(text), text)).reduce(|a, b| if b.0 < a.0 { b } else { a });
        usual.map_or(String::new(), |(_, text)| short(text))
    }
}

/// How many of the training rows are like a row.
fn as_in(count: u64, rows: u64) -> String {
    match count {
        0 => "as in no training row".to_string(),
        count => format!("as in {} of the training rows", percent(count as f64 / rows.max(1) as f64)),
    }
}

fn of_meaning(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Number => "numbers",
        Meaning::Date => "dates",
        Meaning::Clock => "times",
        Meaning::Category => "other values",
    }
}
