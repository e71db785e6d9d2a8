//! Texts that are one or a few letters from a much commoner one: 'Berlni' for 'Berlin'.
//!
//! A near-duplicate counts as far as there are more of them than chance brings. Names have near
//! neighbours among themselves, and must not alarm.

use std::collections::HashMap;

/// A text is common with this many rows, and this many times those of the text in question.
const COMMON_ROWS: u64 = 5;
const COMMONER: u64 = 5;
/// The most common texts that are compared with, and looked at for a text.
const MOST_COMMON: usize = 4_000;
const MOST_TRIED: usize = 50;
/// The share of the rows whose values tell how often common values have near neighbours.
const HEAD: f64 = 0.8;
const MOST_HEAD: usize = 400;
/// The weight, and the highest odds, of a near-duplicate.
const WEIGHT: f64 = 30.0;
const MOST_ODDS: f64 = 100.0;
/// The longest text that is compared.
const LONGEST: usize = 256;

/// A text in small letters, with what tells quickly that two texts differ much.
#[derive(Clone, Debug)]
struct Letters {
    text: Vec<char>,
    /// The number of each character, by its number mod 64.
    bag: [u8; 64],
    /// Which of these are odd.
    parity: u64,
}

impl Letters {
    fn new(text: &str) -> Self {
        Self::from_letters(text.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect())
    }

    fn from_letters(text: Vec<char>) -> Self {
        let mut bag = [0u8; 64];
        let mut parity = 0u64;
        for letter in &text {
            let at = *letter as usize & 63;
            bag[at] = bag[at].saturating_add(1);
            parity ^= 1 << at;
        }
        Self { text, bag, parity }
    }

    /// The number of edits up to which another text is near.
    fn most_edits(&self) -> usize {
        match self.text.len() {
            ..8 => 1,
            8..15 => 2,
            _ => 3,
        }
    }

    /// The same text with every digit as a zero.
    fn pattern(&self) -> Self {
        let digit = |letter: &char| if letter.is_ascii_digit() { '0' } else { *letter };
        Self::from_letters(self.text.iter().map(digit).collect())
    }

    /// Whether another text is a few edits away.
    fn is_near(&self, other: &Self) -> bool {
        let most = self.most_edits();
        if has_other_letters([self.parity, other.parity], most) {
            return false;
        }
        let differ = |(a, b): (&u8, &u8)| usize::from(a.abs_diff(*b));
        if self.bag.iter().zip(&other.bag).map(differ).sum::<usize>() > 2 * most {
            return false;
        }
        edits(&self.text, &other.text, most) <= most
    }
}

/// Whether the parities of two texts tell that they are more than `most` edits apart: an edit changes
/// two of the bits at most.
fn has_other_letters([a, b]: [u64; 2], most: usize) -> bool {
    (a ^ b).count_ones() as usize > 2 * most
}

/// The number of letters to insert, to take out, to replace or to exchange with the next one; more
/// than `most` where it is more.
fn edits(a: &[char], b: &[char], most: usize) -> usize {
    if a.len().abs_diff(b.len()) > most {
        return most + 1;
    }
    let first: Vec<usize> = (0..=b.len()).collect();
    let (mut before, mut above, mut row) = (first.clone(), first.clone(), first);
    for i in 1..=a.len() {
        row[0] = i;
        let mut least = i;
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
            least = least.min(row[j]);
        }
        if least > most {
            return most + 1;
        }
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    above[b.len()]
}

/// A common text, and its place in the vocabulary.
#[derive(Clone, Debug)]
struct Common {
    level: u32,
    count: u64,
    letters: Letters,
}

/// The common texts with the same pattern of letters and digits, the commonest first.
#[derive(Clone, Debug)]
struct Alike {
    pattern: Letters,
    texts: Vec<Common>,
    /// The places of those with the same letters, whether small or large.
    by_letters: HashMap<Vec<char>, Vec<usize>>,
}

impl Alike {
    fn new(pattern: Letters) -> Self {
        Self { pattern, texts: vec![], by_letters: HashMap::new() }
    }

    fn push(&mut self, one: Common) {
        self.by_letters.entry(one.letters.text.clone()).or_default().push(self.texts.len());
        self.texts.push(one);
    }

    /// Those with the same letters, the commonest first.
    fn with_letters(&self, letters: &Letters) -> impl Iterator<Item = &Common> {
        let places = self.by_letters.get(&letters.text).map_or(&[][..], Vec::as_slice);
        places.iter().map(|place| &self.texts[*place])
    }
}

/// The texts of one length, those with the commonest text first.
#[derive(Clone, Debug, Default)]
struct OfLength {
    /// For each pattern its parity, and the rows that the commonest of its texts has: of most
    /// patterns, these tell that no text is near enough or common enough.
    keys: Vec<(u64, u64)>,
    alike: Vec<Alike>,
}

impl OfLength {
    /// The keys of the patterns that have a text with at least a number of rows.
    fn common_from(&self, least: u64) -> &[(u64, u64)] {
        &self.keys[..self.keys.partition_point(|(_, count)| *count >= least)]
    }
}

/// The common texts of a column.
#[derive(Clone, Debug)]
pub struct NearDuplicates {
    /// By the number of letters
    by_length: Vec<OfLength>,
    /// Which texts of the vocabulary are near a commoner one.
    is_near: Vec<bool>,
    /// The evidence of a near-duplicate among new rows, and among the training rows.
    evidence: [f64; 2],
}

impl NearDuplicates {
    /// From a vocabulary, the most frequent first; markers of missing values have no rows. None
    /// where no text is common.
    pub fn fit(values: &[String], counts: &[u64], rows: u64) -> Option<Self> {
        let common = common_texts(values, counts);
        let most = common.first()?.count;
        let mut fitted = Self { by_length: by_length(common), is_near: vec![], evidence: [0.0; 2] };
        let chance = fitted.chance_of_neighbours(counts);
        let (mut rare, mut near) = (0u64, 0u64);
        for (level, (text, count)) in values.iter().zip(counts).enumerate() {
            let is_rare = *count > 0 && count.saturating_mul(COMMONER) <= most;
            let is_near = is_rare && fitted.find(text, *count, level as u32).is_some();
            rare = rare.saturating_add(if is_rare { *count } else { 0 });
            near = near.saturating_add(if is_near { *count } else { 0 });
            fitted.is_near.push(is_near);
        }
        let rows = rows.max(1) as f64;
        fitted.evidence = [false, true].map(|is_left_out| {
            let near = near.saturating_sub(u64::from(is_left_out)) as f64;
            let by_chance = rare as f64 / rows * chance + 1.0 / rows;
            let share = 1.0 - (by_chance / ((near + 0.5) / (rows + 1.0) + 1.0 / rows)).min(1.0);
            WEIGHT * (share / (1.0 - share + 1e-9)).min(MOST_ODDS)
        });
        Some(fitted)
    }

    /// Whether a text of the vocabulary, or a new one, is near a commoner one.
    pub fn is_near(&self, text: &str, count: u64, level: u32) -> bool {
        let known = self.is_near.get(level as usize).copied();
        known.unwrap_or_else(|| self.find(text, count, level).is_some())
    }

    /// The place of the commoner text that this one, which `count` rows have, is nearly.
    pub fn find(&self, text: &str, count: u64, level: u32) -> Option<u32> {
        if !(2..=LONGEST).contains(&text.len()) {
            return None;
        }
        self.nearest(&Letters::new(text), COMMONER.saturating_mul(count.max(1)), level)
    }

    /// The commonest near text that at least a number of rows have.
    fn nearest(&self, letters: &Letters, least: u64, level: u32) -> Option<u32> {
        let pattern = letters.pattern();
        let (length, most) = (letters.text.len(), letters.most_edits());
        let lengths = length.saturating_sub(most)..(length + most + 1).min(self.by_length.len());
        let mut best: Option<&Common> = None;
        let all = self.by_length.get(lengths)?.iter();
        for ((parity, _), alike) in all.flat_map(|of| of.common_from(least).iter().zip(&of.alike)) {
            if has_other_letters([*parity, pattern.parity], most) {
                continue;
            }
            let is_better = |one: &&Common| one.count >= least && best.is_none_or(|best| one.count > best.count);
            let is_other = |one: &&Common| one.level != level;
            let mut texts = alike.texts.iter().take_while(is_better).filter(is_other).peekable();
            if texts.peek().is_none() {
                continue;
            }
            // Other digits are another value.
            let found = match pattern.text == alike.pattern.text {
                true => alike.with_letters(letters).take_while(is_better).find(is_other),
                false if pattern.is_near(&alike.pattern) => {
                    texts.take(MOST_TRIED).find(|one| letters.is_near(&one.letters))
                }
                false => None,
            };
            best = found.or(best);
        }
        best.map(|one| one.level)
    }

    /// How often a text of most rows has a near neighbour among the others of these.
    fn chance_of_neighbours(&self, counts: &[u64]) -> f64 {
        let all: f64 = counts.iter().map(|count| *count as f64).sum();
        let alike = self.by_length.iter().flat_map(|of| &of.alike);
        let mut common: Vec<&Common> = alike.flat_map(|alike| &alike.texts).collect();
        common.sort_unstable_by_key(|one| one.level);
        let (mut head, mut rows) = (0, 0.0);
        while head < common.len() && (head == 0 || rows < HEAD * all) {
            rows += common[head].count as f64;
            head += 1;
        }
        let least = common[..head].last().map_or(0, |one| one.count);
        let every = head.div_ceil(MOST_HEAD).max(1);
        let looked_at: Vec<&&Common> = common[..head].iter().step_by(every).collect();
        let near = looked_at.iter().filter(|one| self.nearest(&one.letters, least, one.level).is_some()).count();
        (near as f64 + 0.5) / (looked_at.len() as f64 + 1.0)
    }

    /// The evidence of a near-duplicate.
    pub fn evidence(&self, is_left_out: bool) -> f64 {
        self.evidence[usize::from(is_left_out)]
    }
}

/// The texts that are compared with, the commonest first.
fn common_texts(values: &[String], counts: &[u64]) -> Vec<Common> {
    let is_long = |text: &str| match text.chars().count() {
        3 => text.chars().any(char::is_alphabetic),
        length => length >= 4,
    };
    let all = values.iter().zip(counts).enumerate();
    let common = all.filter(|(_, (text, count))| **count >= COMMON_ROWS && text.len() <= LONGEST && is_long(text));
    let one = |(level, (text, count)): (usize, (&String, &u64))| Common {
        level: level as u32,
        count: *count,
        letters: Letters::new(text),
    };
    common.take(MOST_COMMON).map(one).collect()
}

/// Texts by the number of their letters, and by their pattern.
fn by_length(common: Vec<Common>) -> Vec<OfLength> {
    let mut by_length: Vec<OfLength> = vec![];
    let mut places: HashMap<Vec<char>, usize> = HashMap::new();
    for one in common {
        let (length, pattern) = (one.letters.text.len(), one.letters.pattern());
        if by_length.len() <= length {
            by_length.resize_with(length + 1, OfLength::default);
        }
        let of_length = &mut by_length[length];
        let place = *places.entry(pattern.text.clone()).or_insert(of_length.alike.len());
        if place == of_length.alike.len() {
            of_length.keys.push((pattern.parity, one.count));
            of_length.alike.push(Alike::new(pattern));
        }
        of_length.alike[place].push(one);
    }
    by_length
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOWNS: [&str; 8] =
        ["Springfield", "Riverton", "Lakewood", "Fairview", "Georgetown", "Ashland", "Berlin", "Salem"];

    fn fitted(more: &[(&str, u64)]) -> NearDuplicates {
        let mut all: Vec<(String, u64)> = TOWNS.iter().map(|town| (town.to_string(), 100)).collect();
        all.extend(more.iter().map(|(text, count)| (text.to_string(), *count)));
        let (values, counts): (Vec<String>, Vec<u64>) = all.into_iter().unzip();
        NearDuplicates::fit(&values, &counts, counts.iter().sum()).unwrap()
    }

    #[test]
    fn a_text_a_few_letters_from_a_common_one_is_found() {
        let fitted = fitted(&[]);
        assert_eq!(fitted.find("Berlni", 0, 9), Some(6));
        assert_eq!(fitted.find("Balin", 0, 9), None, "two edits of a short text");
        assert_eq!(fitted.find("Berlim", 0, 9), Some(6));
        assert_eq!(fitted.find("Sprinfgield", 0, 9), Some(0));
        assert_eq!(fitted.find("berlin", 0, 9), Some(6));
        assert_eq!(fitted.find("Paris", 0, 9), None);
        assert_eq!(fitted.find("Berlin", 100, 6), None);
        assert_eq!(fitted.find("Berlim", 30, 9), None, "not rare enough");
        assert!(fitted.evidence(false) > 1.0);
    }

    #[test]
    fn other_digits_are_another_value() {
        let values: Vec<String> = ["SKU-1007", "SKU-1014"].map(String::from).to_vec();
        let fitted = NearDuplicates::fit(&values, &[50, 50], 100).unwrap();
        assert_eq!(fitted.find("SKU-1008", 0, 9), None);
        assert_eq!(fitted.find("SKV-1007", 0, 9), Some(0));
    }

    #[test]
    fn names_with_near_neighbours_do_not_alarm() {
        let names: Vec<String> = (0..26)
            .flat_map(|a| (0..26).map(move |b| [a, b]))
            .map(|pair| pair.map(|letter| (b'a' + letter) as char).iter().collect::<String>() + "na")
            .collect();
        let counts: Vec<u64> = (0..names.len()).map(|at| if at < 400 { 10 } else { 1 }).collect();
        let fitted = NearDuplicates::fit(&names, &counts, counts.iter().sum()).unwrap();
        assert!(fitted.evidence(false) < 0.5, "{:?}", fitted.evidence);
        assert!(super::tests::fitted(&[("Berlim", 1), ("Salen", 1)]).evidence(true) > 10.0);
    }

    #[test]
    fn edits_are_counted_up_to_a_bound() {
        let count =
            |a: &str, b: &str, most| edits(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>(), most);
        assert_eq!((count("kitten", "sitting", 3), count("abc", "abc", 1), count("ab", "ba", 1)), (3, 0, 1));
        assert_eq!(count("a", "bcd", 1), 2);
    }
}
