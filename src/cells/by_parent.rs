//! What a parent says about a value, in words.

use super::nature::Meaning;
use super::parents::category::CategoryGivenParent;
use super::parents::form::{Coder, Form};
use super::parents::two_numbers::{NumberOfTwo, Operation};
use super::parents::{Aim, From, NumberGiven, Parent, Relation, Target};
use super::reason::{Reason, Reasons, Why};
use super::words::{self, percent, short, Usual};

/// A value is expected where at least this share of the rows has it.
const EXPECTED: f64 = 0.8;
/// A number is said to be another one where at least this share of the rows has that.
const MOSTLY: f64 = 0.5;
/// A range is expected where it is at most this share of the column's own.
const NARROW: f64 = 0.5;
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

impl Reasons<'_> {
    /// What a parent expects instead of a value; None where that is what the value is.
    pub fn by_parent(&self, target: usize, parent: usize, row: usize) -> Option<Reason> {
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
        let is_other = match &parent.relation {
            Relation::Category(given) => self.say_category(target, parent, given, row, &mut reason),
            Relation::Number(given) => self.say_number(target, parent, given, row, &mut reason),
        };
        is_other.then_some(reason)
    }

    /// "state is TX; with zip 01907 it is MA in 99 % of 312 rows"
    fn say_category(
        &self,
        target: &Target,
        parent: &Parent,
        given: &CategoryGivenParent,
        row: usize,
        to: &mut Reason,
    ) -> bool {
        let name = self.name(target.column);
        let hour = |hour: u32| if hour < 24 { format!("{hour:02} h") } else { "missing".to_string() };
        let level = self.column(target.column).level(&self.batch().read[target.column], row);
        let own = match target.aim {
            Aim::Hour => format!("{name} is at {}", hour(u32::from(level.hour))),
            _ => format!("{name} is {}", self.shown(target.column, row)),
        };
        let (Some(coder), Some(child)) = (parent.coder, target.coder) else { return false };
        let code = self.batch().codes[coder][row];
        let Some((usual, count, rows)) = given.usual(code) else { return false };
        if usual == self.batch().codes[child][row] {
            return false;
        }
        let share = count as f64 / rows.max(1) as f64;
        let child = &self.coders[child];
        let other = match target.aim {
            Aim::Hour => hour(usual),
            _ if usual == child.count => "missing".to_string(),
            Aim::Presence => "there".to_string(),
            _ if usual > child.count => "another value".to_string(),
            _ => words::level(self.column(target.column), &self.described[target.column], usual as usize),
        };
        // That a number is mostly another one, and rather often any, says little in words.
        let has_sizes = self.column(target.column).numbers.is_some();
        if has_sizes && target.aim == Aim::Value && share < MOSTLY && usual < child.count {
            return false;
        }
        let with = self.parent_in_words(&self.coders[coder], code, parent.columns[0], row);
        to.share = Some((share, rows));
        to.sentence = format!("{own}; with {with} it is {other} in {} of {rows} rows", percent(share));
        to.expected = (share >= EXPECTED && usual < child.count && target.aim != Aim::Presence).then_some(other);
        true
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
            (form, Some(text)) if form.part(text) == Some(text.trim()) => format!("{name} {}", self.shown(at, row)),
            (Form::Bin, _) => format!("{name} {}", self.bin_in_words(code, at, row)),
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

    /// The numbers of a parent's bin: "12 to 18", "below 12", "from 18 on", or the row's own number.
    fn bin_in_words(&self, bin: u32, at: usize, row: usize) -> String {
        let column = self.column(at);
        let edges = column.numbers.as_ref().filter(|numbers| !numbers.edges_are_values);
        let Some(edges) = edges.map(|numbers| &numbers.edges) else { return self.shown(at, row) };
        let edge = |at: u32| edges.get(at as usize).map(|edge| words::number(column, *edge, false));
        match (bin.checked_sub(1).and_then(edge), edge(bin)) {
            (Some(low), Some(high)) if low != high => format!("{low} to {high}"),
            (None, Some(high)) => format!("below {high}"),
            (Some(low), None) => format!("from {low} on"),
            _ => self.shown(at, row),
        }
    }

    /// "price is 640; with item book it is 12 to 18"
    fn say_number(&self, target: &Target, parent: &Parent, given: &NumberGiven, row: usize, to: &mut Reason) -> bool {
        let own = format!("{} is {}", self.name(target.column), self.shown(target.column, row));
        let column = self.column(target.column);
        let (Some(expected), Some(numbers)) = (parent.expected(self.batch(), row), &column.numbers) else {
            return false;
        };
        let is_log = given.from.is_log(numbers);
        let usual = Usual::expected(column, expected, is_log);
        if usual.has(column.level(&self.batch().read[target.column], row).number) {
            return false;
        }
        let range = usual.text(column);
        let with = match &given.from {
            From::Two(two) => format!("{} is {range}", self.operation_in_words(two, parent.columns)),
            From::Groups(_) => format!("with {} it is {range}", self.group_in_words(parent, row)),
            From::Line(_) => format!("with {} it is {range}", self.named(parent.columns[0], row)),
            From::LineInGroups(_) => {
                let (group, number) = (self.group_in_words(parent, row), self.named(parent.columns[1], row));
                format!("with {group} and {number} it is {range}")
            }
        };
        if let (Some(groups), Some(coder)) = (given.from.groups(), parent.coder) {
            let group = groups.group(self.batch().codes[coder][row]);
            to.share = group.map(|group| (1.0, u64::from(groups.rows[group])));
        }
        to.sentence = format!("{own}; {with}");
        to.expected = (expected.spread <= NARROW * numbers.scale_of(is_log).spread).then_some(range);
        true
    }

    /// A column and its value: "price 640".
    fn named(&self, at: usize, row: usize) -> String {
        format!("{} {}", self.name(at), self.shown(at, row))
    }

    /// The value of a parent that is taken as a code.
    fn group_in_words(&self, parent: &Parent, row: usize) -> String {
        let at = parent.columns[0];
        match parent.coder {
            Some(coder) => self.parent_in_words(&self.coders[coder], self.batch().codes[coder][row], at, row),
            None => self.named(at, row),
        }
    }

    fn operation_in_words(&self, two: &NumberOfTwo, columns: [usize; 2]) -> String {
        let [first, second] = columns.map(|at| self.name(at));
        let factor = two.factor.abs();
        // Days per minute and the like are units.
        let is_unit = (factor - 1.0).abs() < 1e-9 || self.column(columns[0]).nature.meaning != Meaning::Number;
        let second = if is_unit || two.operation != Operation::Sum {
            second.to_string()
        } else {
            format!("{} × {second}", words::plain(factor, None))
        };
        let whole = match two.operation {
            Operation::Product => format!("{first} × {second}"),
            Operation::Ratio => format!("{first} / {second}"),
            Operation::Sum if two.factor < 0.0 => format!("{first} − {second}"),
            Operation::Sum => format!("{first} + {second}"),
            Operation::Difference if two.factor < 0.0 => format!("{second} − {first}"),
            Operation::Difference => format!("{first} − {second}"),
        };
        let are_times = self.column(columns[0]).nature.meaning != Meaning::Number;
        match two.operation {
            Operation::Sum => whole,
            Operation::Difference if are_times || (factor - 1.0).abs() < 1e-9 => whole,
            Operation::Difference => format!("{} × ({whole})", words::plain(factor, None)),
            _ if (two.factor - 1.0).abs() < 1e-9 => whole,
            _ => format!("{} × {whole}", words::plain(two.factor, None)),
        }
    }
}
