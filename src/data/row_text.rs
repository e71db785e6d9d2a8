//! A row for people to read, in an error that can name it no better.

use polars::prelude::Series;

/// The columns of a row that are shown, and the characters of a name and of a value.
const SHOWN: usize = 4;
const LENGTH: usize = 24;

/// `{a=1.5, b="red" and 7 more}`: the first values of a row.
pub fn row_text(columns: &[Series], row: usize) -> String {
    let text = |column: &Series| {
        let value = column.get(row).map_or("?".to_string(), |value| value.to_string());
        format!("{}={}", shortened(column.name()), shortened(&value))
    };
    let values: Vec<String> = columns.iter().take(SHOWN).map(text).collect();
    let more = columns.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{{{}{more}}}", values.join(", "))
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LENGTH {
        return text.to_string();
    }
    text.chars().take(LENGTH).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::NamedFrom;

    #[test]
    fn a_row_is_shown_by_its_first_values_and_long_ones_are_cut() {
        let columns = [
            Series::new("a".into(), [1.5, 2.5]),
            Series::new("b".into(), [Some("x"), None]),
            Series::new("c".into(), ["", &"ü".repeat(50)]),
        ];
        assert_eq!(row_text(&columns, 0), r#"{a=1.5, b="x", c=""}"#);
        assert_eq!(row_text(&columns, 1), format!("{{a=2.5, b=null, c=\"{}…}}", "ü".repeat(LENGTH - 1)));
    }

    #[test]
    fn the_other_columns_are_counted() {
        let columns: Vec<Series> = (0..7).map(|at| Series::new(format!("{at}").into(), [at])).collect();
        assert_eq!(row_text(&columns, 0), "{0=0, 1=1, 2=2, 3=3 and 3 more}");
    }
}
