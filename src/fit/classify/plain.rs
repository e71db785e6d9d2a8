//! Which inputs a member learns from. The members of an ensemble have one shape: a member that leaves
//! inputs out has weights of 0 for them, and is trained without them.

/// Whether a member sees no bins: it is every second one.
pub fn is_plain(member: usize) -> bool {
    member % 2 == 1
}

/// The inputs that a member learns from.
pub struct Seen {
    /// Their numbers among the table's inputs
    pub inputs: Vec<usize>,
    /// Their places among the inputs of the network
    places: Vec<usize>,
    /// The number of inputs of the network
    all: usize,
}

impl Seen {
    /// Those of a member, of a network that has these `inputs`: all but the `bins`, if it is a plain one,
    /// unless there are bins alone.
    pub fn by(member: usize, inputs: &[usize], bins: &[bool]) -> Self {
        let mut places: Vec<usize> = (0..inputs.len()).collect();
        if is_plain(member) && !inputs.iter().all(|input| bins[*input]) {
            places.retain(|place| !bins[inputs[*place]]);
        }
        Self { inputs: places.iter().map(|place| inputs[*place]).collect(), places, all: inputs.len() }
    }

    /// The numbers of a network on these inputs alone, of one on all inputs.
    pub fn narrowed(&self, numbers: &[f32], outputs: usize) -> Vec<f32> {
        let (weights, rest) = numbers.split_at(self.all * outputs);
        let seen = self.places.iter().flat_map(|place| &weights[place * outputs..(place + 1) * outputs]);
        seen.chain(rest).copied().collect()
    }

    /// The numbers of a network on all inputs, of one on these alone.
    pub fn widened(&self, numbers: &[f32], outputs: usize) -> Vec<f32> {
        let (seen, rest) = numbers.split_at(self.places.len() * outputs);
        let mut all = vec![0.0; self.all * outputs];
        for (place, weights) in self.places.iter().zip(seen.chunks_exact(outputs)) {
            all[place * outputs..(place + 1) * outputs].copy_from_slice(weights);
        }
        all.extend_from_slice(rest);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_member_leaves_bins_out() {
        let bins = [false, true, true, false];
        assert_eq!(Seen::by(0, &[0, 2, 3], &bins).inputs, [0, 2, 3]);
        assert_eq!(Seen::by(1, &[0, 2, 3], &bins).inputs, [0, 3]);
        assert_eq!(Seen::by(1, &[1, 2], &bins).inputs, [1, 2], "there is nothing else");
    }

    #[test]
    fn a_network_on_some_inputs_is_one_on_all_with_weights_of_zero() {
        let seen = Seen::by(1, &[0, 2, 3], &[false, true, true, false]);
        let numbers = [1.0, 2.0, 3.0, 4.0, 9.0, 8.0];
        let all = seen.widened(&numbers, 2);
        assert_eq!(all, [1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 9.0, 8.0]);
        assert_eq!(seen.narrowed(&all, 2), numbers);
    }
}
