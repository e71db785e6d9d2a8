//! Which defaults a fit takes: they depend on its labels, which come with the rows.

use polars::prelude::PolarsResult;

use super::table::{Options, UncheckedOptions};

/// How many anomalies a fit knows among rows that mostly have no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Few,
    /// Or most other rows are labelled as normal, or there are no labels at all
    Many,
}

/// The checked options of a fit, for each of the cases that its labels may be.
#[derive(Clone, Debug)]
pub struct OptionsByLabels {
    usual: Options,
    /// The options where few anomalies are known; None for a fit without labels.
    few: Option<Options>,
    loss_weights: Vec<f64>,
}

impl OptionsByLabels {
    /// Checks options, and the values of `loss_weight` to choose from, of which there may be none.
    pub fn check(given: &UncheckedOptions, loss_weights: Vec<f64>, labelled: bool) -> PolarsResult<Self> {
        for loss_weight in &loss_weights {
            UncheckedOptions { loss_weight: Some(*loss_weight), ..given.clone() }.check(labelled)?;
        }
        // A choice among values is one of a training of both blocks.
        let mut given = given.clone();
        given.loss_weight = given.loss_weight.or(loss_weights.iter().copied().reduce(f64::min));
        let few = labelled.then(|| given.clone().check_for_few()).transpose()?;
        Ok(Self { usual: given.check(labelled)?, few, loss_weights })
    }

    /// The options of a fit that knows that many anomalies.
    pub fn choose(&self, known: Known) -> &Options {
        match (&self.few, known) {
            (Some(few), Known::Few) => few,
            _ => &self.usual,
        }
    }

    /// The options of each case.
    pub fn cases(&self) -> impl Iterator<Item = &Options> {
        std::iter::once(&self.usual).chain(&self.few)
    }

    /// The values of `loss_weight` to choose from; with fewer than two, there is no choice.
    pub fn loss_weights(&self) -> &[f64] {
        &self.loss_weights
    }

    /// The number of fits that are compared, or 1.
    pub fn compared_fits(&self) -> usize {
        self.loss_weights.len().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;

    #[test]
    fn few_known_anomalies_have_defaults_of_their_own_but_for_what_is_given() {
        let given = UncheckedOptions { members: Some(3), ..Default::default() };
        let options = OptionsByLabels::check(&given, vec![], true).unwrap();
        let many = Options { members: 3, ..Options::with_labels(Preset::Default) };
        let few = Options { members: 3, ..Options::with_few_labels(Preset::Default) };
        assert_eq!([Known::Few, Known::Many].map(|known| options.choose(known)), [&few, &many]);
        assert_eq!(options.cases().count(), 2);
    }

    #[test]
    fn an_option_of_a_training_of_both_blocks_asks_for_an_autoencoder() {
        let check = |given: UncheckedOptions, loss_weights| OptionsByLabels::check(&given, loss_weights, true).unwrap();
        let joint = Options::with_labels_and_autoencoder(Preset::Default);
        let latent = UncheckedOptions { latent: Some(16), ..Default::default() };
        let latent = check(latent, vec![]);
        assert_eq!([Known::Few, Known::Many].map(|known| latent.choose(known)), [&joint; 2]);
        let loss_weight = UncheckedOptions { loss_weight: Some(0.5), ..Default::default() };
        assert_eq!(check(loss_weight, vec![]).choose(Known::Many), &joint);
        assert_eq!(check(UncheckedOptions::default(), vec![1.0, 0.5]).choose(Known::Many), &joint);
        let all = UncheckedOptions { loss_weight: Some(1.0), ..Default::default() };
        assert_eq!(check(all, vec![]).choose(Known::Many), &Options::with_labels(Preset::Default));
    }

    #[test]
    fn without_labels_there_is_one_set_of_defaults() {
        let options = OptionsByLabels::check(&UncheckedOptions::default(), vec![], false).unwrap();
        assert_eq!(options.choose(Known::Few), &Options::preset(Preset::Default));
        assert_eq!((options.cases().count(), options.compared_fits()), (1, 1));
    }

    #[test]
    fn each_value_of_loss_weight_is_checked() {
        let check = |weights: &[f64]| OptionsByLabels::check(&UncheckedOptions::default(), weights.to_vec(), false);
        assert_eq!(check(&[0.1, 0.9]).unwrap().compared_fits(), 2);
        let message = check(&[0.1, 2.0]).unwrap_err().to_string();
        assert!(message.contains("loss_weight must be a number from 0 to 1, got 2"), "{message}");
    }

    #[test]
    fn the_papers_options_are_the_same_for_any_number_of_labels() {
        let given = UncheckedOptions { preset: Some("paper".into()), ..Default::default() };
        let options = OptionsByLabels::check(&given, vec![], true).unwrap();
        assert_eq!(options.choose(Known::Few), options.choose(Known::Many));
    }
}
