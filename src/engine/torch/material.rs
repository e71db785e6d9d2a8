//! What the members of an ensemble are trained on, as one table for the device.

use std::borrow::Cow;
use std::collections::hash_map::{Entry, HashMap};

use ndarray::ArrayView2;
use polars::prelude::PolarsResult;

use crate::engine::train::Member;
use crate::engine::training_set::TrainingSet;
use crate::memory::{collected, zeros};

use super::interface::{self, Slice, GENERATOR};
use super::library::call;
use super::network::Network;

/// The tables of all members, each once, and below them the members' own rows, with zeros where a member sees no feature.
pub struct Material<'a> {
    parts: Vec<Cow<'a, [f32]>>,
    features: usize,
    /// Of each member: the number of rows in its table, where that begins, and where its own rows do
    places: Vec<(usize, usize, usize)>,
    noise_low: Vec<f32>,
    noise_width: Vec<f32>,
    generators: Vec<u32>,
}

impl<'a> Material<'a> {
    /// Of members whose tables have the same number of features.
    pub fn of<'b>(members: impl Iterator<Item = &'b Member<'a>>) -> PolarsResult<Self>
    where
        'a: 'b,
    {
        let mut all = Self {
            parts: vec![],
            features: 0,
            places: vec![],
            noise_low: vec![],
            noise_width: vec![],
            generators: vec![],
        };
        let (mut tables, mut rows) = (HashMap::new(), 0);
        for Member { set, rng } in members {
            let table = set.table;
            all.features = table.ncols();
            let begin = match tables.entry((table.as_ptr(), table.dim())) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    all.parts.push(by_rows(table)?);
                    let begin = *new.insert(rows);
                    rows += table.nrows();
                    begin
                }
            };
            if set.own.nrows() > 0 {
                all.parts.push(widened(set)?.into());
            }
            all.places.push((table.nrows(), begin, rows));
            rows += set.own.nrows();
            all.noise_low.extend(&set.noise.low);
            all.noise_width.extend(&set.noise.width);
            let words = rng.get_seed();
            all.generators
                .extend(words.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])));
            let stream = rng.get_stream();
            all.generators.extend([stream as u32, (stream >> 32) as u32]);
        }
        debug_assert_eq!(all.generators.len(), all.places.len() * GENERATOR);
        Ok(all)
    }

    /// The row of the whole that a row of a member's set is.
    pub fn row(&self, member: usize, row: usize) -> i64 {
        let (count, begin, own) = self.places[member];
        (if row < count { begin + row } else { own + row - count }) as i64
    }

    /// Begins a training of the network, whose members these are.
    pub fn begin(&self, network: &mut Network) -> PolarsResult<()> {
        let parts: Vec<Slice<f32>> = self.parts.iter().map(|part| part.as_ref().into()).collect();
        let material = interface::Material {
            table: parts.as_slice().into(),
            features: self.features,
            noise_low: self.noise_low.as_slice().into(),
            noise_width: self.noise_width.as_slice().into(),
            generators: self.generators.as_slice().into(),
        };
        let handle = network.handle_mut();
        // SAFETY: the handle is open and ours alone, and the slices outlive the call.
        call(|engine, failure| unsafe { (engine.begin)(handle, &material, failure) })
    }
}

/// The table's numbers, row by row.
fn by_rows(table: ArrayView2<'_, f32>) -> PolarsResult<Cow<'_, [f32]>> {
    Ok(match table.to_slice() {
        Some(numbers) => numbers.into(),
        None => collected(table.iter().copied(), "the rows of the table")?.into(),
    })
}

/// A member's own rows in the table's width.
fn widened(set: &TrainingSet) -> PolarsResult<Vec<f32>> {
    let features = set.table.ncols();
    let mut rows: Vec<f32> = zeros(set.own.nrows().saturating_mul(features), "the synthetic anomalies")?;
    for (own, row) in set.own.rows().into_iter().zip(rows.chunks_exact_mut(features.max(1))) {
        set.inputs.iter().zip(own).for_each(|(input, number)| row[*input] = *number);
    }
    Ok(rows)
}
