//! The options of a fit, one set or several to choose from. The defaults depend on the labels, which come with the rows.

use polars::prelude::{polars_ensure, PolarsResult};

use super::choices::Missing;
use super::table::{Options, UncheckedOptions};

/// At least one set of checked options, whose defaults depend on whether few anomalies are known.
#[derive(Clone, Debug)]
pub struct Candidates {
    usual: Vec<Options>,
    few: Vec<Options>,
}

impl Candidates {
    pub fn check(given: Vec<UncheckedOptions>, labelled: bool) -> PolarsResult<Self> {
        polars_ensure!(!given.is_empty(), ComputeError: "anorand: there is no candidate to fit");
        let few = match labelled {
            true => given.clone().into_iter().map(UncheckedOptions::check_for_few).collect::<PolarsResult<_>>()?,
            false => vec![],
        };
        let usual = given.into_iter().map(|options| options.check(labelled)).collect::<PolarsResult<_>>()?;
        Ok(Self { usual, few })
    }

    /// Those of a fit, which knows few anomalies among rows that are not labelled, or not.
    pub fn of(&self, knows_few: bool) -> &[Options] {
        if knows_few && !self.few.is_empty() {
            &self.few
        } else {
            &self.usual
        }
    }

    /// Those of both.
    pub fn all(&self) -> impl Iterator<Item = &Options> {
        self.usual.iter().chain(&self.few)
    }

    /// The policy for missing values, which all share, since it can't be given as a list.
    pub fn missing(&self) -> Missing {
        self.usual[0].missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;

    #[test]
    fn few_known_anomalies_have_defaults_of_their_own_but_for_what_is_given() {
        let given = UncheckedOptions { latent: Some(3), ..Default::default() };
        let candidates = Candidates::check(vec![given], true).unwrap();
        let many = Options { latent: 3, ..Options::with_labels(Preset::Default) };
        let few = Options { latent: 3, ..Options::with_few_labels(Preset::Default) };
        assert_eq!(candidates.of(false), [many]);
        assert_eq!(candidates.of(true), [few]);
        assert_eq!(candidates.all().count(), 2);
    }

    #[test]
    fn without_labels_there_is_one_set_of_defaults() {
        let candidates = Candidates::check(vec![UncheckedOptions::default()], false).unwrap();
        assert_eq!(candidates.of(false), [Options::preset(Preset::Default)]);
        assert_eq!(candidates.all().count(), 1);
        assert!(Candidates::check(vec![], false).is_err());
    }

    #[test]
    fn the_papers_options_are_the_same_for_any_number_of_labels() {
        let given = UncheckedOptions { preset: Some("paper".into()), ..Default::default() };
        let candidates = Candidates::check(vec![given], true).unwrap();
        assert_eq!(candidates.of(true), candidates.of(false));
    }
}
