//! The options of a fit, one set or several to choose from. The defaults depend on the labels, which come with the rows.

use polars::prelude::{polars_ensure, PolarsResult};

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
        if !labelled {
            comparable(&given)?;
        }
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
}

/// An error for candidates that differ in what no comparison with noise can tell.
fn comparable(given: &[UncheckedOptions]) -> PolarsResult<()> {
    let Some(first) = given.first() else { return Ok(()) };
    let differ = |same: fn(&UncheckedOptions, &UncheckedOptions) -> bool| given.iter().any(|other| !same(first, other));
    for (name, differs, reason) in [
        ("combination", differ(|a, b| a.combination == b.combination), "it only weighs what they compare"),
        ("scaling", differ(|a, b| a.scaling == b.scaling), "each would be compared with other noise"),
        ("encode", differ(|a, b| a.encode == b.encode), "each would be compared with other noise"),
        ("temporal", differ(|a, b| a.temporal == b.temporal), "each would be compared with other noise"),
    ] {
        polars_ensure!(!differs, ComputeError:
            "anorand: a choice among values of {name} needs labels: without them, candidates are compared by how well they tell \
             rows from noise, and {reason}; give labels=…, or one value");
    }
    Ok(())
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
    fn what_noise_can_not_tell_needs_labels() {
        let scaling = |name: &str| UncheckedOptions { scaling: Some(name.into()), ..Default::default() };
        let given = vec![scaling("asinh"), scaling("minmax")];
        let message = Candidates::check(given.clone(), false).unwrap_err().to_string();
        assert!(message.contains("values of scaling needs labels"), "{message}");
        assert_eq!(Candidates::check(given, true).unwrap().of(false).len(), 2);
        let latent = |latent| UncheckedOptions { latent: Some(latent), ..scaling("minmax") };
        assert_eq!(Candidates::check(vec![latent(2), latent(4)], false).unwrap().of(false).len(), 2);
    }

    #[test]
    fn the_papers_options_are_the_same_for_any_number_of_labels() {
        let given = UncheckedOptions { preset: Some("paper".into()), ..Default::default() };
        let candidates = Candidates::check(vec![given], true).unwrap();
        assert_eq!(candidates.of(true), candidates.of(false));
    }
}
