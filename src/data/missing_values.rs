//! How many values of each feature are missing.

use polars::prelude::PolarsResult;

use super::columns::Columns;

impl Columns {
    /// For each feature, the number of rows with a null, NaN or infinity in it.
    pub fn missing_values(&self) -> PolarsResult<Vec<usize>> {
        let mut values = vec![];
        let counts = (0..self.features().len()).map(|j| {
            self.read(j, &mut values)?;
            Ok(values.iter().filter(|value| value.is_nan()).count())
        });
        counts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    #[test]
    fn missing_values_of_all_kinds_are_counted_in_every_dtype() {
        let frame = df!(
            "full" => [1, 2, 3, 4],
            "gaps" => [Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY)],
            "text" => [Some("a"), None, Some(""), None],
        );
        let columns = Columns::from_frame(&frame.unwrap()).unwrap();
        assert_eq!(columns.missing_values().unwrap(), [0, 3, 2]);
    }
}
