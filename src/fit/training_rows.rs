//! The rows that a fit uses.

use polars::prelude::PolarsResult;

use crate::data::{Columns, Encoder, Frequencies, Labels};
use crate::options::{Missing, Options};

/// The most training rows that a fit looks at beyond counts and extremes, if each member draws only
/// a few of them anyway. The rank of a quantile is then within 0.1 % of the rows, which is two
/// standard errors of the median.
const MOST_ROWS: usize = 1_000_000;

/// The rows that a fit uses, with their labels.
pub struct TrainingRows {
    pub columns: Columns,
    /// The same columns with the texts of categories, if some texts have no code of their own
    pub texts: Option<Columns>,
    pub labels: Option<Labels>,
    /// Marks the rows that the model of `init=` has seen; None if no row is replayed.
    pub replayed: Option<Vec<bool>>,
}

impl TrainingRows {
    /// Leaves out the rows that `missing` skips.
    ///
    /// This comes before [`Self::in_content_order`]: its errors name rows by their numbers in the
    /// caller's table.
    pub fn usable(columns: &Columns, labels: Option<&Labels>, missing: Missing) -> PolarsResult<Self> {
        let usable = columns.training_rows(missing)?;
        let labels = labels.map(|labels| labels.filter(&usable)).transpose()?;
        Ok(Self { columns: columns.filter(&usable)?, texts: None, labels, replayed: None })
    }

    /// Whether a sample of the rows is enough for a fit with these options.
    ///
    /// Members must draw so few rows that they differ from one another as they would on all rows.
    pub fn are_to_be_sampled(&self, options: &Options) -> bool {
        let draws_few = (1..=MOST_ROWS / 100).contains(&options.max_samples);
        self.labels.is_none() && self.columns.rows() > MOST_ROWS && draws_few
    }

    /// Draws a sample by the contents of the rows.
    pub fn sample(self, options: &Options) -> PolarsResult<Self> {
        let sample = self.columns.content_sample(MOST_ROWS, options.seed, self.replayed.as_deref())?;
        let pick = |replayed: Vec<bool>| sample.iter().flatten().map(|row| replayed[row as usize]).collect();
        let columns = self.columns.gather(&sample)?;
        Ok(Self { columns, texts: None, labels: self.labels, replayed: self.replayed.map(pick) })
    }

    /// Replaces categories by their codes. Texts stay if some of them are not remembered.
    pub fn coded(self, encoders: &[Option<Encoder>], frequencies: &[Option<Frequencies>]) -> PolarsResult<Self> {
        let forgets = frequencies.iter().flatten().any(|known| known.rare.values > 0);
        let columns = self.columns.coded(encoders)?;
        Ok(Self { columns, texts: forgets.then_some(self.columns), ..self })
    }

    /// Brings the rows into an order that does not depend on where they stand in the table; see
    /// [`Columns::content_order`].
    pub fn in_content_order(self) -> PolarsResult<Self> {
        let order = self.columns.content_order(self.labels.as_ref(), self.replayed.as_deref())?;
        let rows = order.cont_slice().unwrap_or_default();
        let labels = self.labels.map(|labels| labels.gather(rows));
        let replayed = self.replayed.map(|replayed| rows.iter().map(|row| replayed[*row as usize]).collect());
        let texts = self.texts.map(|texts| texts.gather(&order)).transpose()?;
        Ok(Self { columns: self.columns.gather(&order)?, texts, labels, replayed })
    }

    /// The columns of the rows that are not replayed.
    pub fn new_columns(&self) -> PolarsResult<Columns> {
        let Some(replayed) = &self.replayed else { return Ok(self.columns.clone()) };
        self.columns.filter(&replayed.iter().map(|replayed| !replayed).collect::<Vec<bool>>())
    }
}
