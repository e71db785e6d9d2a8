//! Surprisals as tensors of a model file.

use polars::prelude::PolarsResult;

use crate::data::{Curve, Kind, Surprisal, Surprisals, Tail, Within};
use crate::tensors::{TensorsIn, TensorsOut};

use super::metadata::Metadata;

/// Gives all numbers of surprisals.
pub fn write(surprisals: &Surprisals, metadata: &Metadata, out: &mut TensorsOut) {
    let all = |part: fn(&Surprisal) -> Vec<f64>| surprisals.of.iter().flat_map(part).collect::<Vec<f64>>();
    out.put("surprisal.knots", &all(|of| of.curve.knots().to_vec()));
    out.put("surprisal.counted", &all(|of| of.curve.counted().to_vec()));
    out.put("surprisal.tails", &all(|of| tail_numbers(&of.curve)));
    out.put("surprisal.bounds", &all(|of| of.bounds.to_vec()));
    out.put("surprisal.missing", &all(|of| of.missing.to_vec()));
    for (j, of) in surprisals.of.iter().enumerate() {
        if !of.classes.is_empty() {
            out.put(classes_name(metadata, j), &of.classes);
        }
        if let Some(Within { groups, curve, .. }) = &of.within {
            out.put(format!("within.{j}.groups"), groups.as_flattened());
            out.put(format!("within.{j}.knots"), curve.knots());
            out.put(format!("within.{j}.counted"), curve.counted());
            out.put(format!("within.{j}.tails"), &tail_numbers(curve));
        }
    }
}

/// Takes what [`write`] gave. A model whose combination takes no surprisals has none.
pub fn read(tensors: &TensorsIn, metadata: &Metadata) -> PolarsResult<Option<Surprisals>> {
    let (Some(knots), Some(within)) = (&metadata.knots, &metadata.within) else { return Ok(None) };
    let [values, counted] = [tensors.numbers("surprisal.knots")?, tensors.numbers("surprisal.counted")?];
    let tails: Vec<[f64; 6]> = tensors.rows("surprisal.tails")?;
    let bounds: Vec<[f64; 4]> = tensors.rows("surprisal.bounds")?;
    let missing: Vec<[f64; 2]> = tensors.rows("surprisal.missing")?;
    let mut next = 0;
    let mut of = Vec::with_capacity(knots.len());
    for (j, count) in knots.iter().enumerate() {
        let part = next..next + count;
        next = part.end;
        let sides = [tails[2 * j], tails[2 * j + 1]].map(Tail::from_numbers);
        let name = classes_name(metadata, j);
        of.push(Surprisal {
            curve: Curve::new(values[part.clone()].to_vec(), counted[part].to_vec(), sides),
            within: within[j].map(|sizes| read_within(tensors, j, sizes.category)).transpose()?,
            bounds: bounds[j],
            missing: missing[j],
            classes: if tensors.has(&name) { tensors.numbers(&name)? } else { vec![] },
        });
    }
    Ok(Some(Surprisals { of, none: Surprisals::none_of(metadata.training.rows) }))
}

/// Takes the surprisals of a number within a category.
fn read_within(tensors: &TensorsIn, j: usize, category: usize) -> PolarsResult<Within> {
    let name = |part: &str| format!("within.{j}.{part}");
    let tails: Vec<[f64; 6]> = tensors.rows(&name("tails"))?;
    let sides = [tails[0], tails[1]].map(Tail::from_numbers);
    let curve = Curve::new(tensors.numbers(&name("knots"))?, tensors.numbers(&name("counted"))?, sides);
    Ok(Within { category, groups: tensors.rows(&name("groups"))?, curve })
}

fn tail_numbers(curve: &Curve) -> Vec<f64> {
    curve.tails().iter().flat_map(Tail::numbers).collect()
}

/// Names the tensor with the surprisals of a feature's classes, if it has any.
fn classes_name(metadata: &Metadata, j: usize) -> String {
    let owner = if metadata.features[j].kind == Kind::Category { "vocabulary" } else { "calendar" };
    format!("{owner}.{j}.surprisal")
}
