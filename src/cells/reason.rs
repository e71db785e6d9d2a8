//! Why a cell is taken for wrong, in words: "state is TX; with zip 01907 it is MA in 99 % of 312 rows".

use super::batch::Batch;
use super::column::{Column, Meaning};
use super::events::{Own, Parts, OWN};
use super::evidence::Statement;
use super::parents::category::CategoryGivenParent;
use super::parents::form::{Coder, Form};
use super::parents::number::Expected;
use super::parents::two_numbers::{NumberOfTwo, Operation};
use super::parents::{Aim, From, NumberGiven, Parent, Relation, Target};
use super::values::Description;
use super::words::{self, percent, short};

/// A value is expected where at least this share of the rows has it.
const EXPECTED: f64 = 0.8;
/// A range is expected where it is at most this share of the column's own.
const NARROW: f64 = 0.5;
/// Numbers are mostly within so many spreads.
const MOSTLY: f64 = 2.1;
/// That a value is rare, or of an unusual form, is told only where nothing else says nearly as much.
const LESS_TELLING: f64 = 0.2;
/// A parent counts as disagreeing from this ratio on.
const DISAGREES: f32 = 0.5;
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The kind of evidence that speaks loudest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The value by itself.
    Own(Own),
    /// Another value of the row, or two.
    Parent,
    /// The cell predicts another one that has another value.
    Disagrees,
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
    fn column(&self, at: usize) -> &Column {
        &self.statement.columns[at]
    }

    fn batch(&self) -> &Batch<'_> {
        self.statement.batch
    }

    fn name(&self, at: usize) -> &str {
        self.described[at].name
    }

    /// The value of a cell; None where it is missing.
    fn value(&self, at: usize, row: usize) -> Option<String> {
        let text = words::text(&self.batch().given[at], &self.described[at], row);
        let column = self.column(at);
        let level = column.level(&self.batch().read[at], row);
        match text {
            Some(text) => Some(short(text)),
            None => (!level.is_missing).then(|| words::number(column, level.number, true)),
        }
    }

    /// A value in a sentence.
    fn shown(&self, at: usize, row: usize) -> String {
        self.value(at, row).unwrap_or_else(|| "missing".to_string())
    }

    /// Why a cell of a row is taken for wrong.
    pub fn reason(&self, at: usize, row: usize) -> Reason {
        let parts = self.parts(at, row);
        let (mut most, mut why) = (0.0, Why::Own(Own::Value));
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
                Own::Shape => LESS_TELLING,
                _ => 1.0,
            };
            if parts.get(kind) * factor > most {
                (most, why) = (parts.get(kind) * factor, Why::Own(kind));
            }
        }
        let mut by = None;
        for target in &self.statement.of_column[at] {
            let given = 1.0 / f64::from(self.statement.said[*target].mixed[row]);
            if given > most {
                (most, why, by) = (given, Why::Parent, self.loudest(*target, row).map(|parent| (*target, parent)));
            }
        }
        match (why, by) {
            (Why::Parent, Some((target, parent))) => self.from_parent(target, parent, row),
            (Why::Own(kind), _) if most > 3.0 => self.from_itself(at, row, kind),
            (Why::Own(kind), _) => self.from_child(at, row).unwrap_or_else(|| self.from_itself(at, row, kind)),
            _ => self.from_itself(at, row, Own::Value),
        }
    }

    /// What speaks against the value by itself.
    fn parts(&self, at: usize, row: usize) -> Parts {
        let column = self.column(at);
        let level = column.level(&self.batch().read[at], row);
        if level.is_missing {
            return column.parts_of_missing(false);
        }
        let place = self.batch().read[at].levels[row];
        match (words::text(&self.batch().given[at], &self.described[at], row), &column.texts) {
            (Some(text), Some(texts)) => {
                let counts = self.described[at].vocabulary.map_or(&[][..], |vocabulary| vocabulary.counts);
                let count = counts.get(place as usize).copied().unwrap_or(0);
                texts.parts(column, text, level.number, count, place, false)
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

    fn from_parent(&self, target: usize, parent: usize, row: usize) -> Reason {
        let target = &self.statement.targets[target];
        let parent = &target.parents[parent];
        let mut reason = Reason {
            why: Why::Parent,
            parents: if parent.columns[0] == parent.columns[1] {
                vec![parent.columns[0]]
            } else {
                parent.columns.to_vec()
            },
            value: self.value(target.column, row),
            expected: None,
            share: None,
            sentence: String::new(),
        };
        match &parent.relation {
            Relation::Category(given) => self.say_category(target, parent, given, row, &mut reason),
            Relation::Number(given) => self.say_number(target, parent, given, row, &mut reason),
        }
        reason
    }

    /// "state is TX; with zip 01907 it is MA in 99 % of 312 rows"
    fn say_category(&self, target: &Target, parent: &Parent, given: &CategoryGivenParent, row: usize, to: &mut Reason) {
        let name = self.name(target.column);
        let hour = |hour: u32| if hour < 24 { format!("{hour:02} h") } else { "missing".to_string() };
        let level = self.column(target.column).level(&self.batch().read[target.column], row);
        let own = match target.aim {
            Aim::Hour => format!("{name} is at {}", hour(u32::from(level.hour))),
            _ => format!("{name} is {}", self.shown(target.column, row)),
        };
        let (Some(coder), Some(child)) = (parent.coder, target.coder) else { return };
        let code = self.batch().codes[coder][row];
        let Some((usual, count, rows)) = given.usual(code) else {
            to.sentence = own;
            return;
        };
        let share = count as f64 / rows.max(1) as f64;
        let child = &self.coders[child];
        let other = match target.aim {
            Aim::Hour => hour(usual),
            _ if usual == child.count => "missing".to_string(),
            _ if usual > child.count => "another value".to_string(),
            _ => words::level(self.column(target.column), &self.described[target.column], usual as usize),
        };
        let with = self.parent_in_words(&self.coders[coder], code, parent.columns[0], row);
        to.share = Some((share, rows));
        if usual != self.batch().codes[target.coder.unwrap_or(0)][row] {
            to.sentence = format!("{own}; with {with} it is {other} in {} of {rows} rows", percent(share));
            to.expected = (share >= EXPECTED && usual < child.count).then_some(other);
        } else {
            to.sentence = format!("{own}, with {with} in {} of {rows} rows", percent(share));
        }
    }

    /// A parent's value in a form: "zip 01907", "flight beginning with AA", "no zip".
    fn parent_in_words(&self, coder: &Coder, code: u32, at: usize, row: usize) -> String {
        let name = self.name(at);
        if code == coder.count {
            return format!("no {name}");
        }
        let part = |text: &str| short(coder.form.part(text).unwrap_or(text));
        let text = words::text(&self.batch().given[at], &self.described[at], row);
        match (coder.form, text) {
            (Form::Hour, _) => format!("{name} at {code:02} h"),
            (Form::Weekday, _) => format!("{name} on a {}", WEEKDAYS[code as usize % 7]),
            (Form::Month, _) => format!("{name} in {}", MONTHS[code as usize % 12]),
            (Form::Last, Some(text)) => format!("{name} ending in {}", part(text)),
            (Form::First | Form::Prefix1 | Form::Prefix2 | Form::Prefix3, Some(text)) => {
                format!("{name} beginning with {}", part(text))
            }
            _ => format!("{name} {}", self.shown(at, row)),
        }
    }

    /// "price is 640; with item book it is 12 to 18"
    fn say_number(&self, target: &Target, parent: &Parent, given: &NumberGiven, row: usize, to: &mut Reason) {
        let own = format!("{} is {}", self.name(target.column), self.shown(target.column, row));
        let column = self.column(target.column);
        let (Some(expected), Some(numbers)) = (parent.expected(self.batch(), row), &column.numbers) else {
            to.sentence = own;
            return;
        };
        let is_log = given.from.is_log(numbers);
        let range = range(column, expected, is_log);
        let with = match &given.from {
            From::Two(two) => format!("{} is {range}", self.operation_in_words(two, parent.columns)),
            From::Groups(_) => match parent.coder {
                Some(coder) => {
                    let code = self.batch().codes[coder][row];
                    let with = self.parent_in_words(&self.coders[coder], code, parent.columns[0], row);
                    format!("with {with} it is {range}")
                }
                None => String::new(),
            },
            From::Line(_) => {
                let at = parent.columns[0];
                format!("with {} {} it is {range}", self.name(at), self.shown(at, row))
            }
        };
        if let (From::Groups(groups), Some(coder)) = (&given.from, parent.coder) {
            let group = groups.group(self.batch().codes[coder][row]);
            to.share = group.map(|group| (1.0, u64::from(groups.rows[group])));
        }
        to.sentence = format!("{own}; {with}");
        let scale = if is_log { numbers.log.as_ref().unwrap_or(&numbers.raw) } else { &numbers.raw };
        to.expected = (expected.spread <= NARROW * scale.spread).then_some(range);
    }

    fn operation_in_words(&self, two: &NumberOfTwo, columns: [usize; 2]) -> String {
        let [first, second] = columns.map(|at| self.name(at));
        let factor = two.factor.abs();
        let second = if (factor - 1.0).abs() < 1e-9 || two.operation != Operation::Sum {
            second.to_string()
        } else {
            format!("{factor} × {second}")
        };
        let whole = match two.operation {
            Operation::Product => format!("{first} × {second}"),
            Operation::Ratio => format!("{first} / {second}"),
            Operation::Sum if two.factor < 0.0 => format!("{first} − {second}"),
            Operation::Sum => format!("{first} + {second}"),
        };
        match two.operation {
            Operation::Sum => whole,
            _ if (two.factor - 1.0).abs() < 1e-9 => whole,
            _ => format!("{} × {whole}", two.factor),
        }
    }

    /// "sku SKU-1007 goes with price 7.25, not 64.99": a cell that predicts another one.
    fn from_child(&self, at: usize, row: usize) -> Option<Reason> {
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
        let of_child = self.from_parent(target, parent, row);
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
    fn from_itself(&self, at: usize, row: usize, kind: Own) -> Reason {
        let (column, name, value) = (self.column(at), self.name(at), self.shown(at, row));
        let rows = column.all.rows.max(1) as f64;
        let in_rows = |count: u64| match count {
            0 => "as in no other row".to_string(),
            count => format!("as in {} of the rows", percent(count as f64 / rows)),
        };
        let place = self.batch().read[at].levels[row] as usize;
        let known = self.described[at].vocabulary.map_or(column.counts.as_slice(), |vocabulary| vocabulary.counts);
        let count = known.get(place).copied().unwrap_or(0);
        let mut expected = None;
        let sentence = match kind {
            Own::Missing => format!("missing, {}", in_rows(column.missing_rows())),
            Own::Unread => format!("'{value}' among {}", of_meaning(column.nature.meaning)),
            Own::Format => {
                let usual = column.texts.as_ref().and_then(|texts| texts.format_in_words());
                format!("'{value}' is not written as most are ({})", usual.unwrap_or("another way"))
            }
            Own::Sentinel => {
                let count = column
                    .numbers
                    .as_ref()
                    .and_then(|numbers| numbers.sentinel(column.level(&self.batch().read[at], row).number));
                format!("{value} seems to stand for a missing value, {}", in_rows(count.unwrap_or(0)))
            }
            Own::Far | Own::Number => {
                let numbers = column.numbers.as_ref();
                let usual = numbers.map(|numbers| {
                    let scale = numbers.scale();
                    range(column, Expected { place: scale.centre, spread: scale.spread }, numbers.is_log)
                });
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
            Own::Value => format!("{name} is {value}, {}", in_rows(count)),
        };
        let value = self.value(at, row);
        Reason { why: Why::Own(kind), parents: vec![], value, expected, share: None, sentence }
    }

    /// The most frequent text of a column.
    fn usual_text(&self, at: usize) -> String {
        let values = self.described[at].vocabulary.map_or(&[][..], |vocabulary| vocabulary.values);
        let levels = &self.column(at).levels;
        let usual = values.iter().zip(levels).find(|(_, level)| !level.is_missing);
        usual.map_or(String::new(), |(text, _)| short(text))
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

/// The numbers that are usual where one is expected: "12 to 18", or one number.
fn range(column: &Column, expected: Expected, is_log: bool) -> String {
    let bound = |side: f64| {
        let place = expected.place + side * MOSTLY * expected.spread;
        words::number(column, if is_log { libm::exp(place) } else { place }, false)
    };
    let step = column.numbers.as_ref().map_or(0.0, |numbers| numbers.raw.step);
    let [low, middle, high] = [-1.0, 0.0, 1.0].map(bound);
    if !is_log && 2.0 * MOSTLY * expected.spread < 2.5 * step || low == high {
        return middle;
    }
    format!("{low} to {high}")
}
