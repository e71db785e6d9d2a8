//! What there is to know about the columns of a table before a fit: cells alone are fitted.

use polars::prelude::PolarsResult;

use crate::cells::{describe, Cells, Finding, Given};
use crate::data::{encoders, Columns};
use crate::options::Missing;

use super::training_rows::TrainingRows;

/// Finds what each column holds, and which columns say something about others.
pub(crate) fn findings(columns: &Columns) -> PolarsResult<Vec<Finding>> {
    let rows = TrainingRows::usable(columns, None, Missing::Indicator)?;
    let frequencies = rows.columns.frequencies()?;
    let rows = rows.coded(&encoders(&frequencies), &frequencies)?.in_content_order()?;
    let given = Given::read(&rows.columns, rows.texts.as_ref(), &frequencies, None)?;
    let described = describe(rows.columns.features(), &frequencies);
    Ok(Cells::fit(&given.columns(), &described, None, None)?.0.findings(&described))
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;

    #[test]
    fn a_country_follows_from_its_province_and_not_from_an_independent_number() {
        let provinces = ["Utrecht", "Gelderland", "Antwerpen", "Namur", "Bayern"];
        let countries = ["NL", "NL", "BE", "BE", "DE"];
        let at: Vec<usize> = (0..400).map(|row| row * 7 % 5).collect();
        let frame = df!(
            "province" => at.iter().map(|at| provinces[*at]).collect::<Vec<_>>(),
            "country" => at.iter().map(|at| countries[*at]).collect::<Vec<_>>(),
            "amount" => (0..400).map(|row| format!("{}.5", row * 37 % 101)).collect::<Vec<_>>(),
        );
        let found = findings(&Columns::from_frame(&frame.unwrap()).unwrap()).unwrap();
        assert_eq!(found[1].determined_by(), Some(&[0][..]));
        assert!(found[2].is_read && found[2].determined_by().is_none());
    }
}
