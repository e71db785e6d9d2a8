//! `robust`: equations 7 and 8 on the heads before their sigmoids, each counted from its training
//! median. Q3 is then the head's spread, the distance from the median to the third quartile:
//!
//! ```text
//! α     = spread(error) / (spread(logit) + spread(error))                     (eq. 7)
//! u     = (logit − median) / spread(logit) + (error − median) / spread(error)
//! score = σ(asinh(u) / 2)
//! ```
//!
//! u is eq. 8 in units of its own third quartiles. The squash keeps the order of all rows, near and
//! far.

use serde::{Deserialize, Serialize};

use crate::cells::RowEvidence;
use crate::robust::{least_spread, quantile_of_sorted, sorted};

use super::heads::Heads;
use super::squash::squash;
use super::{alpha, Formula, Row, Shares};

/// Equations 7 and 8 without sigmoids. Pairs are of the ND head, then the AE head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Robust {
    pub alpha: f32,
    pub median: [f32; 2],
    pub spread: [f32; 2],
}

impl Robust {
    /// Takes medians and spreads from the heads of at least one training row. `weight` is that of
    /// the AE head beside the ND head.
    pub fn fit(heads: &Heads, weight: f64) -> Self {
        let both = [sorted(&heads.logit), sorted(&heads.error)];
        let quantiles = |share| both.each_ref().map(|head| quantile_of_sorted(head, share));
        let (median, q3) = (quantiles(0.5), quantiles(0.75));
        let spread = [0, 1].map(|at| (q3[at] - median[at]).max(least_spread(&both[at])));
        let spread = [spread[0] * weight, spread[1]];
        let f32s = |pair: [f64; 2]| pair.map(|number| number as f32);
        Self { alpha: alpha(spread), median: f32s(median), spread: f32s(spread) }
    }

    /// Computes u: eq. 8 divided by the harmonic sum of the spreads, so that α/spread of ND and
    /// (1 − α)/spread of AE are 1.
    #[inline(always)]
    pub fn combined(&self, heads: [f64; 2]) -> f64 {
        let unit = |at: usize| (heads[at] - f64::from(self.median[at])) / f64::from(self.spread[at]);
        unit(0) + unit(1)
    }
}

impl Formula for Robust {
    fn alpha(&self) -> f32 {
        self.alpha
    }

    #[inline(always)]
    fn score(&self, logit: f32, error: f32, _: RowEvidence) -> f32 {
        squash(self.combined([f64::from(logit), f64::from(error)])) as f32
    }

    fn shares(&self, from: Row, to: Row) -> Shares {
        let difference = squash(self.combined(to.heads)) - squash(self.combined(from.heads));
        Shares::networks(self.spread.map(|spread| 1.0 / f64::from(spread)), difference)
    }

    fn fault(&self) -> Option<String> {
        let Self { median, spread, .. } = self;
        if median.iter().any(|number| !number.is_finite()) {
            return Some(format!("the medians of its heads are {median:?}, expected finite numbers"));
        }
        let usable = |spread: &f32| spread.is_normal() && *spread > 0.0;
        let fault = || format!("the spreads of its heads are {spread:?}, expected finite numbers above 0");
        (!spread.iter().all(usable)).then(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combiner::examples::heads;
    use crate::combiner::squash::sigmoid;

    #[test]
    fn the_robust_score_is_equation_8_on_centred_heads() {
        let robust = Robust::fit(&heads(), 1.0);
        // Spreads are 1 and 0.1; eq. 8 in units of their harmonic sum.
        let (alpha, unit) = (0.1 / 1.1, 0.1 / 1.1);
        assert!((f64::from(robust.alpha) - alpha).abs() < 1e-6);
        let combined = (1.0 - alpha) * (0.9 - 0.3) + alpha * (3.0 - -2.0);
        let expected = sigmoid((combined / unit).asinh() / 2.0);
        assert!((f64::from(robust.score(3.0, 0.9, RowEvidence::default())) - expected).abs() < 1e-6);
    }
}
