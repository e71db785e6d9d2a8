//! Feature bagging draws the inputs that each member sees.

use rand::Rng;

use crate::options::Options;

use super::batches::sampler::BalancedSampler;

/// Draws the inputs of each member: all `inputs`, or a share of the `varied` ones, at least two if
/// there are two.
///
/// Every varied input is seen by the same number of members, give or take one.
pub fn draw_inputs(inputs: usize, varied: &[usize], options: &Options, rng: &mut impl Rng) -> Vec<Vec<usize>> {
    if options.max_features == 1.0 || varied.is_empty() {
        return vec![(0..inputs).collect(); options.members];
    }
    let count = options.features_of_member(varied.len());
    let mut sampler = BalancedSampler::new(varied.to_vec());
    (0..options.members).map(|_| sampler.take(count, rng)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn drawn(features: usize, varied: &[usize], max_features: f64) -> Vec<Vec<usize>> {
        let options = Options { max_features, members: 10, ..Options::preset(Preset::Default) };
        draw_inputs(features, varied, &options, &mut ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn every_feature_is_seen_as_often_as_any_other() {
        let varied: Vec<usize> = (0..7).collect();
        let inputs = drawn(7, &varied, 0.43);
        let counts: Vec<usize> =
            varied.iter().map(|feature| inputs.iter().filter(|inputs| inputs.contains(feature)).count()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 10 * 3);
        assert!(counts.iter().all(|count| (4..=5).contains(count)), "{counts:?}");
    }

    #[test]
    fn no_member_has_a_feature_twice_or_a_constant_one() {
        for share in [0.1, 0.3, 0.5, 0.9] {
            for inputs in drawn(9, &[0, 2, 3, 5, 8], share) {
                let mut distinct = inputs.clone();
                distinct.sort_unstable();
                distinct.dedup();
                assert_eq!(distinct.len(), inputs.len());
                assert!(inputs.len() >= 2 && inputs.iter().all(|feature| [0, 2, 3, 5, 8].contains(feature)));
            }
        }
    }

    #[test]
    fn all_features_are_seen_where_there_are_few_or_none_that_vary() {
        assert_eq!(drawn(1, &[0], 0.3)[0], [0]);
        assert_eq!(drawn(3, &[], 0.3)[0], [0, 1, 2]);
        assert_eq!(drawn(3, &[1], 1.0)[0], [0, 1, 2]);
    }
}
