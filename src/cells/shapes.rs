//! The shape of a text: which kinds of characters it has, in which order, how many; and how unusual
//! that is in its column.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

use super::parse;
use super::tails::{Rarity, Tail};

/// What is looked at: kinds of characters, their pattern without and with lengths, the length,
/// whether it is a date or a number, the share of digits.
const FEATURES: usize = 6;
/// What all features together count for the most unusual one.
const TOGETHER: f64 = 0.3;
/// The evidence falls with this power of the number of rows that have the text.
const ESTABLISHED: f64 = 0.25;
/// By how much the evidence rises beyond the most unusual training text.
const SLOPE: f64 = 0.25;
/// The fewest rows that texts are compared with.
const FEWEST: u64 = 20;
/// The most runs of a text's pattern.
const MOST_RUNS: usize = 40;
/// Of more values, so many are looked at: every k-th.
const MOST_VALUES: usize = 1 << 14;

/// The features of one text, as numbers or as hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape([u64; FEATURES]);

/// Takes hashes as they are.
#[derive(Default)]
pub struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A map from hashes; its order is never used.
pub type ByHash<V> = HashMap<u64, V, BuildHasherDefault<PassThrough>>;

/// The kind of a character: letters of any script, digits and white space each run together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Space,
    Symbol,
}

fn class(character: char) -> Class {
    match character {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Digit,
        ' ' => Class::Space,
        other if other.is_ascii() => {
            if other.is_ascii_whitespace() {
                Class::Space
            } else {
                Class::Symbol
            }
        }
        other if other.is_alphabetic() => Class::Letter,
        other if other.is_whitespace() => Class::Space,
        _ => Class::Symbol,
    }
}

/// A run of letters as one of: small, capital, capitalised, mixed, without case.
fn letters(run: &str) -> char {
    let mut all = run.chars();
    let first_is_large = all.next().is_some_and(char::is_uppercase);
    let (mut small, mut large) = (false, false);
    for letter in all {
        small |= letter.is_lowercase();
        large |= letter.is_uppercase();
    }
    match (first_is_large, small, large) {
        (true, _, false) if small => 'T',
        (true, false, _) => 'A',
        (false, _, false) if small || run.chars().next().is_some_and(char::is_lowercase) => 'a',
        (false, false, false) => 'L',
        _ => 'M',
    }
}

/// The shape of a text in the making.
#[derive(Default)]
struct Runs {
    /// Kinds of characters: symbols as they are, `l`, `u`, `9`, ` `, and `U` of other scripts.
    kinds: u128,
    /// One character a run.
    pattern: Vec<char>,
    /// The same with lengths.
    lengths: String,
    digits: usize,
    characters: usize,
}

impl Runs {
    fn read(text: &str) -> Self {
        let (pattern, lengths) = (Vec::with_capacity(MOST_RUNS), String::with_capacity(2 * MOST_RUNS));
        let mut runs = Self { pattern, lengths, ..Self::default() };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let of = class(first);
            let end = match of {
                Class::Symbol => first.len_utf8(),
                of => rest.find(|character| class(character) != of).unwrap_or(rest.len()),
            };
            let (run, after) = rest.split_at(end);
            runs.add(of, first, run);
            rest = after;
        }
        runs
    }

    fn add(&mut self, class: Class, first: char, run: &str) {
        let count = match run.is_ascii() {
            true => run.len(),
            false => {
                self.kinds |= 1 << u32::from(b'U');
                run.chars().count()
            }
        };
        self.characters += count;
        let mut kind = |character: char| self.kinds |= 1 << (u32::from(character) & 127);
        let symbol = match class {
            Class::Letter => {
                let symbol = letters(run);
                (symbol != 'A').then(|| kind('l'));
                (symbol != 'a').then(|| kind('u'));
                symbol
            }
            Class::Digit => {
                kind('9');
                self.digits += count;
                '9'
            }
            Class::Space => {
                kind(' ');
                ' '
            }
            Class::Symbol => {
                kind(first);
                first
            }
        };
        if self.lengths.len() < 60 {
            self.lengths.push(symbol);
            if matches!(class, Class::Letter | Class::Digit) {
                match u8::try_from(count).ok().filter(|count| *count < 10) {
                    Some(digit) => self.lengths.push(char::from(b'0' + digit)),
                    None => self.lengths.push_str(&count.to_string()),
                }
            }
        }
        self.push(symbol);
    }

    /// One more run: where the last two repeat the two before, or one repeats thrice, it is kept
    /// once.
    fn push(&mut self, symbol: char) {
        let pattern = &mut self.pattern;
        if pattern.len() >= MOST_RUNS {
            return;
        }
        pattern.push(symbol);
        while let [.., a, b, c, d] = pattern[..] {
            if (a, b) != (c, d) {
                break;
            }
            pattern.truncate(pattern.len() - 2);
        }
        if let [.., a, b, c] = pattern[..] {
            if a == b && b == c {
                pattern.pop();
            }
        }
    }
}

impl Shape {
    pub fn new(text: &str) -> Self {
        let runs = Runs::read(text);
        let length = match runs.characters {
            few @ 0..12 => few as u64,
            many => 12 + (8.0 * libm::log2(many as f64 / 12.0)) as u64,
        };
        let written = match parse::written(text) {
            Some(written) => 2 + written.format_number() as u64,
            None => u64::from(parse::number(text).is_some()),
        };
        let digits = (4 * runs.digits).div_ceil(runs.characters.max(1)) as u64;
        let pattern: String = runs.pattern.iter().collect();
        let hash = |text: &str| xxh3_64(text.as_bytes());
        Self([xxh3_64(&runs.kinds.to_le_bytes()), hash(&pattern), hash(&runs.lengths), length, written, digits])
    }
}

/// How rare the shapes of a column are.
#[derive(Clone, Debug)]
pub struct Shapes {
    /// For each feature the nats of what occurs, and of what doesn't.
    features: Vec<(ByHash<f64>, f64)>,
    tail: Tail,
}

impl Shapes {
    /// From the shapes of values and how many rows have each; None of too few rows.
    pub fn fit(values: &[(Shape, u64)]) -> Option<Self> {
        let every = values.len().div_ceil(MOST_VALUES).max(1);
        let values: Vec<(Shape, u64)> = values.iter().step_by(every).copied().collect();
        if values.iter().fold(0, |rows: u64, (_, count)| rows.saturating_add(*count)) < FEWEST {
            return None;
        }
        let feature = |at: usize| {
            let mut counts = ByHash::<u64>::default();
            for (shape, count) in &values {
                let known = counts.entry(shape.0[at]).or_default();
                *known = known.saturating_add(*count);
            }
            let rarity = Rarity::fit(counts.values().copied(), 0);
            let nats = counts.into_iter().map(|(feature, count)| (feature, rarity.nats(count)));
            (nats.collect(), rarity.nats(0))
        };
        let mut fitted = Self { features: (0..FEATURES).map(feature).collect(), tail: Tail::fit(vec![], SLOPE) };
        let odd = values.iter().map(|(shape, count)| (fitted.oddity(shape), *count as f64));
        fitted.tail = Tail::fit(odd.collect(), SLOPE);
        Some(fitted)
    }

    /// How unusual a shape is, in nats: its most unusual feature, and a part of all.
    pub fn oddity(&self, shape: &Shape) -> f64 {
        let nats = self
            .features
            .iter()
            .zip(shape.0)
            .map(|((known, new), feature)| known.get(&feature).copied().unwrap_or(*new));
        let (highest, sum) = nats.fold((0f64, 0.0), |(highest, sum), nats| (highest.max(nats), sum + nats));
        highest + TOGETHER * sum
    }

    /// The evidence of a new text, or of a training row's own one. A text that many rows have is
    /// rather a name than a fault.
    pub fn evidence(&self, shape: &Shape, count: u64, is_left_out: bool) -> f64 {
        let evidence = f64::from(self.tail.evidence(self.oddity(shape) as f32, is_left_out));
        match count {
            0 | 1 => evidence,
            count => evidence * libm::pow(count as f64, -ESTABLISHED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(text: &str) -> (String, String) {
        let runs = Runs::read(text);
        (runs.pattern.iter().collect(), runs.lengths)
    }

    #[test]
    fn a_text_is_runs_of_characters() {
        assert_eq!(runs("SKU-1007"), ("A-9".into(), "A3-94".into()));
        assert_eq!(runs("Ashland X mcCoy b"), ("T A M a".into(), "T7 A1 M5 a1".into()));
        assert_eq!(runs("a b c d"), ("a a".into(), "a1 a1 a1 a1".into()));
        assert_eq!(runs("...!"), ("..!".into(), "...!".into()));
        assert_eq!(runs("Köln 東京"), ("T L".into(), "T4 L2".into()));
        assert_eq!(runs(""), (String::new(), String::new()));
    }

    #[test]
    fn an_unusual_shape_is_evidence_and_a_usual_one_is_not() {
        let codes: Vec<(Shape, u64)> = (0..100).map(|at| (Shape::new(&format!("SKU-{}", 1000 + at)), 10)).collect();
        let shapes = Shapes::fit(&codes).unwrap();
        assert!(shapes.evidence(&Shape::new("SKU-2345"), 1, false) < 1.0);
        assert!(shapes.evidence(&Shape::new("sku 2345"), 0, false) > 200.0);
        let with_one = [codes, vec![(Shape::new("sku 2345"), 1)]].concat();
        let shapes = Shapes::fit(&with_one).unwrap();
        assert!(shapes.evidence(&Shape::new("sku 2345"), 1, true) > 200.0);
        assert!(shapes.evidence(&Shape::new("SKU-1001"), 1, true) < 1.0);
        assert!(Shapes::fit(&with_one[..1]).is_none());
    }
}
