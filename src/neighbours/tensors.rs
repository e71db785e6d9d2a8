//! Kept rows as tensors of a model file.

use polars::prelude::PolarsResult;

use crate::tensors::{TensorsIn, TensorsOut};

use super::{Asinh, Comparison, KeptRows, LogOdds, Transform, ViewKind};

impl KeptRows {
    /// Gives all of its numbers.
    pub fn write(&self, out: &mut TensorsOut) {
        out.put("kept.rows", self.numbers());
        out.put("kept.unit", &self.units());
        self.transforms().for_each(|transform| transform.write(out));
        let factors = self.factors();
        if !factors.is_empty() {
            out.put("kept.factors", &factors);
        }
    }

    /// Takes what [`KeptRows::write`] gave.
    pub fn read(tensors: &TensorsIn, comparison: Comparison) -> PolarsResult<Self> {
        let kinds = ViewKind::for_draws(comparison.draws);
        let views = kinds.iter().map(|kind| Transform::read(tensors, *kind)).collect::<PolarsResult<_>>()?;
        let units: Vec<f32> = tensors.numbers("kept.unit")?;
        let has_factors = comparison.has_factors();
        let kept = Self::new(tensors.numbers("kept.rows")?, comparison, views, &units)?;
        if !has_factors {
            return Ok(kept);
        }
        let factors: Vec<f32> = tensors.numbers("kept.factors")?;
        let (first, second) = factors.split_at(factors.len() / 2);
        Ok(kept.with_factors([first.to_vec(), second.to_vec()]))
    }
}

impl Transform {
    fn write(&self, out: &mut TensorsOut) {
        match self {
            Self::Scaled => {}
            Self::Asinh(view) => {
                out.put("kept.centre", view.centre());
                out.put("kept.scale", view.scale());
            }
            Self::LogOdds(view) => {
                out.put("kept.knots", view.knots());
                out.put("kept.odds", view.odds());
            }
        }
    }

    fn read(tensors: &TensorsIn, kind: ViewKind) -> PolarsResult<Self> {
        Ok(match kind {
            ViewKind::Scaled => Self::Scaled,
            ViewKind::Asinh => Self::Asinh(Asinh::new(tensors.numbers("kept.centre")?, tensors.numbers("kept.scale")?)),
            ViewKind::LogOdds => {
                Self::LogOdds(LogOdds::new(tensors.numbers("kept.knots")?, tensors.numbers("kept.odds")?))
            }
        })
    }
}
