//! Coded columns as scaled inputs: a matrix for a fit, or tiles for the networks.

use ndarray::Array2;
use polars::prelude::*;

use super::categories::Encoder;
use super::inputs::{Input, Inputs};
use super::scaling::{Scaling, Tiles};
use crate::data::columns::Columns;
use crate::data::feature::Kind;
use crate::memory::matrix;

/// Says how coded columns become scaled inputs.
#[derive(Clone, Copy)]
pub struct Encoding<'a> {
    pub inputs: &'a Inputs,
    pub encoders: &'a [Option<Encoder>],
    pub scaling: &'a Scaling,
    /// What stands in for each input of a missing value
    pub reference: &'a [f64],
}

impl Columns {
    /// Scales the rows of coded columns into a matrix, `[rows, inputs]`.
    pub(crate) fn scaled(&self, encoding: &Encoding) -> PolarsResult<Array2<f32>> {
        let mut matrix = matrix(self.rows, encoding.inputs.count(), "the scaled rows")?;
        let mut values = vec![];
        for (j, (first, inputs)) in encoding.inputs.enumerated().enumerate() {
            self.read_as(j, Inputs::is_calendar(inputs), &mut values)?;
            for (input, at) in inputs.iter().zip(first..) {
                for (target, value) in matrix.column_mut(at).iter_mut().zip(&values) {
                    let number = input.number(self.features[j].kind, *value, encoding.encoders[j].as_ref());
                    let number = if number.is_nan() { encoding.reference[at] } else { number };
                    *target = encoding.scaling.apply(at, *input, number);
                }
            }
        }
        Ok(matrix)
    }

    /// Scales all rows of coded columns into tiles of `tile` rows, `[tiles, inputs, tile]`; a
    /// missing value as the reference, and the rows that have one marked in `incomplete`. Tiles of
    /// one row are a matrix, row by row.
    pub(crate) fn scale_into(
        &self,
        encoding: &Encoding,
        tile: usize,
        tiles: &mut [f32],
        incomplete: &mut [bool],
    ) -> PolarsResult<()> {
        let Encoding { inputs, scaling, reference, .. } = encoding;
        let (count, mut values, mut numbers) = (inputs.count(), vec![], vec![]);
        for (j, (first, inputs)) in inputs.enumerated().enumerate() {
            let mut target = Tiles { tile, inputs: count, input: first, tiles: &mut *tiles };
            let is_number = inputs == [Input::Value] && self.features[j].kind != Kind::Category;
            match plain(&self.columns[j]).filter(|_| is_number) {
                Some(Plain::F32(plain)) => {
                    scaling.scale_tiles((first, Input::Value), plain, reference[first], &mut target, incomplete);
                    continue;
                }
                Some(Plain::F64(plain)) => {
                    scaling.scale_tiles((first, Input::Value), plain, reference[first], &mut target, incomplete);
                    continue;
                }
                None => self.read_as(j, Inputs::is_calendar(inputs), &mut values)?,
            }
            incomplete.iter_mut().zip(&values).for_each(|(incomplete, value)| *incomplete |= value.is_nan());
            for (input, at) in inputs.iter().zip(first..) {
                let encoder = encoding.encoders[j].as_ref();
                numbers.clear();
                numbers.extend(values.iter().map(|value| input.number(self.features[j].kind, *value, encoder)));
                target.input = at;
                let marked = &mut vec![false; values.len()];
                scaling.scale_tiles((at, *input), &numbers, reference[at], &mut target, marked);
            }
        }
        Ok(())
    }
}

/// The numbers of a column, where they can be taken as they are.
enum Plain<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
}

/// A float column in one chunk without nulls: what scoring mostly gets.
fn plain(column: &Series) -> Option<Plain<'_>> {
    match column.dtype() {
        DataType::Float32 => column.f32().ok()?.cont_slice().ok().map(Plain::F32),
        DataType::Float64 => column.f64().ok()?.cont_slice().ok().map(Plain::F64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(frame: DataFrame) -> Columns {
        Columns::from_frame(&frame).unwrap()
    }

    #[test]
    fn tiles_hold_the_scaled_matrix() {
        let frame =
            df!("a" => [0.0, 1.0, 2.0, 3.0, 4.0], "b" => [Some(5.0), None, Some(6.0), Some(7.0), Some(9.0)]).unwrap();
        let (columns, scaling) = (columns(frame), Scaling::min_max(&[(0.0, 4.0), (5.0, 9.0)]));
        let expected = [[0.0, 0.0], [0.25, 0.5], [0.5, 0.25], [0.75, 0.5], [1.0, 1.0]];
        for tile in [1, 2, 4, 5, 8] {
            let mut tiles = vec![0f32; 5usize.div_ceil(tile) * tile * 2];
            let mut incomplete = vec![false; 5];
            let (inputs, encoders, reference) = (&Inputs::values(2), &[None, None], &[0.0, 7.0]);
            let encoding = Encoding { inputs, encoders, scaling: &scaling, reference };
            columns.scale_into(&encoding, tile, &mut tiles, &mut incomplete).unwrap();
            assert_eq!(incomplete, [false, true, false, false, false]);
            for (row, numbers) in expected.iter().enumerate() {
                for (j, number) in numbers.iter().enumerate() {
                    assert_eq!(tiles[(row / tile * 2 + j) * tile + row % tile], *number);
                }
            }
        }
    }
}
