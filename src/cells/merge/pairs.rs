//! Pairs and groups: the codes of an earlier model become those that the same values have now.

use polars::prelude::PlHashMap;

use super::super::column::Column;
use super::super::numbers::Numbers;
use super::super::parents::category::Pairs;
use super::super::parents::form::{Coder, Form};
use super::super::parents::number::NumberInGroups;
use super::super::shares::{scaled, Shares};
use super::super::values::Description;

/// The code of what is not remembered any more.
pub const LOST: u32 = u32::MAX;

/// The code that each code of an earlier coder of a column has now.
pub fn recoded<'a>(
    (old, before, described): (&Coder, &Column, &Description<'a>),
    (new, now, described_now): (&Coder, &Column, &Description<'a>),
) -> Vec<u32> {
    let known = (0..old.count).map(|_| LOST).collect();
    let mut codes: Vec<u32> = match old.form {
        Form::Value => match (&described.vocabulary, &described_now.vocabulary) {
            (Some(old), Some(new)) => {
                let place = |(at, text): (usize, &'a String)| (text.as_str(), at as u32);
                let places: PlHashMap<&str, u32> = new.values.iter().enumerate().map(place).collect();
                old.values.iter().map(|text| places.get(text.as_str()).copied().unwrap_or(LOST)).collect()
            }
            _ => {
                let place = |value: &f64| now.known.binary_search_by(|known| known.total_cmp(value));
                before.known.iter().map(|value| place(value).map_or(LOST, |at| at as u32)).collect()
            }
        },
        Form::Bin => match (&before.numbers, &now.numbers) {
            (Some(before), Some(now)) => (0..old.count).map(|bin| bin_now(before, now, bin as usize)).collect(),
            _ => known,
        },
        Form::Hour | Form::Weekday | Form::Month | Form::Presence => (0..old.count).collect(),
        _ => old.parts_as_of(new),
    };
    codes.resize(old.count as usize, LOST);
    codes.iter_mut().filter(|code| **code >= new.count).for_each(|code| *code = LOST);
    codes.extend([new.count, new.unseen()]);
    codes
}

/// The bin that the middle of an earlier bin is in.
fn bin_now(before: &Numbers, now: &Numbers, bin: usize) -> u32 {
    let edges = &before.edges;
    let middle = match (before.edges_are_values, edges.get(bin.wrapping_sub(1)), edges.get(bin)) {
        (true, _, Some(value)) => *value,
        (false, Some(low), Some(high)) => low / 2.0 + high / 2.0,
        // Below the first bound, and at the last one.
        (false, None, Some(high)) => high - before.raw.spread,
        (false, Some(low), None) => *low,
        _ => return LOST,
    };
    now.bin(middle).map_or(LOST, |bin| bin as u32)
}

/// The pairs of both sides. `parents` and `children` are the codes that earlier ones have now.
pub fn merge_pairs(earlier: &Pairs, parents: &[u32], children: &[u32], new: &Pairs, shares: Shares) -> Pairs {
    let unseen = children.last().copied().unwrap_or(LOST);
    let mut all: Vec<(u32, u32, u64)> = vec![];
    for (group, key) in earlier.keys.iter().enumerate() {
        let Some(parent) = parents.get(*key as usize).filter(|code| **code != LOST) else { continue };
        let range = earlier.starts[group] as usize..earlier.starts[group + 1] as usize;
        for (child, count) in earlier.children[range.clone()].iter().zip(&earlier.counts[range]) {
            let child = children.get(*child as usize).copied().filter(|code| *code != LOST).unwrap_or(unseen);
            all.push((*parent, child, scaled(u64::from(*count), shares.earlier)));
        }
    }
    for (group, key) in new.keys.iter().enumerate() {
        let range = new.starts[group] as usize..new.starts[group + 1] as usize;
        let pairs = new.children[range.clone()].iter().zip(&new.counts[range]);
        all.extend(pairs.map(|(child, count)| (*key, *child, scaled(u64::from(*count), shares.new))));
    }
    all.sort_unstable();
    let mut merged = Pairs { keys: vec![], starts: vec![0], children: vec![], counts: vec![] };
    let mut last = None;
    for (parent, child, count) in all {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if last == Some((parent, child)) {
            merged.counts.last_mut().into_iter().for_each(|sum| *sum = sum.saturating_add(count));
            continue;
        }
        if merged.keys.last() != Some(&parent) {
            if !merged.keys.is_empty() {
                merged.starts.push(merged.children.len() as u32);
            }
            merged.keys.push(parent);
        }
        merged.children.push(child);
        merged.counts.push(count);
        last = Some((parent, child));
    }
    if !merged.keys.is_empty() {
        merged.starts.push(merged.children.len() as u32);
    }
    merged
}

/// The numbers in groups of both sides, on the scale that the column has now.
pub fn merge_groups(
    (earlier, before): (&NumberInGroups, &Numbers),
    codes: &[u32],
    (new, now): (&NumberInGroups, &Numbers),
    shares: Shares,
    end: u32,
) -> NumberInGroups {
    let sized = earlier.centres.iter().zip(&earlier.spreads);
    let (centres, spreads) = sized.map(|(centre, spread)| rescaled(*centre, *spread, before, now)).unzip();
    let earlier = NumberInGroups::new(earlier.keys.clone(), earlier.rows.clone(), centres, spreads, 0);
    pool_groups((&earlier, codes), new, shares, end)
}

/// The groups of both sides, whose centres are on the same scale; `codes` are those that the earlier ones have now.
pub fn pool_groups(
    (earlier, codes): (&NumberInGroups, &[u32]),
    new: &NumberInGroups,
    shares: Shares,
    end: u32,
) -> NumberInGroups {
    let mut all: Vec<(u32, f64, f64, f64)> = vec![];
    for (group, key) in earlier.keys.iter().enumerate() {
        let Some(code) = codes.get(*key as usize).filter(|code| **code != LOST) else { continue };
        let (centre, spread) = (earlier.centres[group], earlier.spreads[group]);
        if centre.is_finite() && (1e-300..1e300).contains(&spread) {
            all.push((*code, f64::from(earlier.rows[group]) * shares.earlier, centre, spread));
        }
    }
    for (group, key) in new.keys.iter().enumerate() {
        all.push((*key, f64::from(new.rows[group]) * shares.new, new.centres[group], new.spreads[group]));
    }
    all.sort_by_key(|pair| pair.0);
    let mut merged: Vec<(u32, f64, f64, f64)> = vec![];
    for next in all {
        match merged.last_mut().filter(|last| last.0 == next.0) {
            Some(last) => *last = pooled_group(*last, next),
            None => merged.push(next),
        }
    }
    let rows = |rows: f64| rows.round().clamp(1.0, f64::from(u32::MAX)) as u32;
    let (mut keys, mut counts, mut centres, mut spreads) = (vec![], vec![], vec![], vec![]);
    for (key, n, centre, spread) in merged {
        keys.push(key);
        counts.push(rows(n));
        centres.push(centre);
        spreads.push(spread);
    }
    NumberInGroups::new(keys, counts, centres, spreads, end)
}

/// One group of two.
fn pooled_group(a: (u32, f64, f64, f64), b: (u32, f64, f64, f64)) -> (u32, f64, f64, f64) {
    let n = a.1 + b.1;
    let share = a.1 / n.max(1e-300);
    let apart = b.2 - a.2;
    let centre = a.2 + (1.0 - share) * apart;
    let within = share * a.3 * a.3 + (1.0 - share) * b.3 * b.3;
    let spread = (within + share * (1.0 - share) * apart * apart).sqrt();
    match centre.is_finite() && (1e-300..1e300).contains(&spread) {
        true => (a.0, n, centre, spread),
        false => a,
    }
}

/// A place and a spread on the scale that the column has now.
fn rescaled(centre: f64, spread: f64, before: &Numbers, now: &Numbers) -> (f64, f64) {
    match (before.is_log, now.is_log) {
        (true, false) => (libm::exp(centre), spread * libm::exp(centre)),
        (false, true) if centre > 0.0 => (libm::log(centre), spread / centre),
        (false, true) => (f64::NAN, spread),
        _ => (centre, spread),
    }
}
