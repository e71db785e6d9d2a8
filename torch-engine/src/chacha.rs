//! The generator of the CPU's noise, ChaCha8 with a counter and a stream of 64 bits each, in tensor operations: a device draws the
//! same numbers.
//!
//! A block is a matrix of 4 × 4 words, whose rows are tensors here: an operation works on a row of all blocks of all generators.

use tch::{Kind, Tensor};

use crate::network::TorchResult;

/// Words of a block.
pub const BLOCK: i64 = 16;

/// The first row of every block.
const CONSTANTS: [i32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
/// Of ChaCha8; each is a round on the columns and one on the diagonals.
const DOUBLE_ROUNDS: usize = 4;

/// Blocks of words: of generators `[m, 10]` (eight words of key, two of stream) and the numbers of blocks `[m, n]`, int64, the words
/// `[m, n, 16]`, int32.
pub fn words(generators: &Tensor, blocks: &Tensor) -> TorchResult<Tensor> {
    let (m, n) = (blocks.size()[0], blocks.size()[1]);
    // `[10, m, 1]`
    let generators = generators.f_transpose(0, 1)?.f_unsqueeze(2)?;
    let key = |first| generators.f_narrow(0, first, 4)?.f_repeat([1, 1, n]);
    let stream = generators.f_narrow(0, 8, 2)?.f_expand([2, m, n], false)?;
    let high = blocks.f_bitwise_right_shift_tensor_scalar(32)?;
    // What does not fit into 32 bits is cut off.
    let counter = Tensor::f_stack(&[blocks, &high], 0)?.f_to_kind(Kind::Int)?;
    let constants = Tensor::f_from_slice(&CONSTANTS)?.f_to_device(blocks.device())?.f_view([4, 1, 1])?;
    let start = [constants.f_repeat([1, m, n])?, key(0)?, key(4)?, Tensor::f_cat(&[counter, stream], 0)?];

    let [mut a, mut b, mut c, mut d] = start.each_ref().map(Tensor::copy);
    for _ in 0..DOUBLE_ROUNDS {
        quarter_rounds(&mut a, &mut b, &mut c, &mut d)?;
        (b, c, d) = (b.f_roll([-1], [0])?, c.f_roll([-2], [0])?, d.f_roll([-3], [0])?);
        quarter_rounds(&mut a, &mut b, &mut c, &mut d)?;
        (b, c, d) = (b.f_roll([1], [0])?, c.f_roll([2], [0])?, d.f_roll([3], [0])?);
    }
    for (row, start) in [&mut a, &mut b, &mut c, &mut d].into_iter().zip(&start) {
        let _ = row.f_add_(start)?;
    }
    Tensor::f_cat(&[a, b, c, d], 0)?.f_permute([1, 2, 0])?.f_contiguous()
}

/// The four quarter rounds of a round, on the columns of a matrix of these rows.
fn quarter_rounds(a: &mut Tensor, b: &mut Tensor, c: &mut Tensor, d: &mut Tensor) -> TorchResult<()> {
    for [first, second] in [[16, 12], [8, 7]] {
        let _ = a.f_add_(b)?;
        mix(d, a, first)?;
        let _ = c.f_add_(d)?;
        mix(b, c, second)?;
    }
    Ok(())
}

/// `word` ^ `with`, rotated to the left.
fn mix(word: &mut Tensor, with: &Tensor, bits: i64) -> TorchResult<()> {
    let _ = word.f_bitwise_xor_tensor_(with)?;
    let high = word.f_bitwise_left_shift_tensor_scalar(bits)?;
    // A shift to the right brings copies of the sign, which are masked.
    let _ = word
        .f_bitwise_right_shift_tensor_scalar_(32 - bits)?
        .f_bitwise_and_((1i64 << bits) - 1)?
        .f_bitwise_or_tensor_(&high)?;
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use rand_chacha::rand_core::{RngCore, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// The words of some generators, `[m, 10]`.
    pub fn generators(rngs: &[ChaCha8Rng]) -> Vec<u32> {
        let words_of = |rng: &ChaCha8Rng| -> Vec<u32> {
            let key = rng.get_seed();
            let key = key.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
            key.chain([rng.get_stream() as u32, (rng.get_stream() >> 32) as u32]).collect()
        };
        rngs.iter().flat_map(words_of).collect()
    }

    #[test]
    fn the_words_are_those_of_the_cpus_generator() {
        let mut rngs: Vec<ChaCha8Rng> = (0..3).map(ChaCha8Rng::seed_from_u64).collect();
        rngs[1].set_stream(4 * 19 + 3);
        rngs[2].set_stream(u64::MAX - 5);
        let generators: Vec<i32> = generators(&rngs).into_iter().map(u32::cast_signed).collect();
        // Beyond 32 bits too, where the counter's high word counts.
        let blocks = [0i64, 1, 7, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 40) + 12_345];
        let ours = words(
            &Tensor::from_slice(&generators).view([3, 10]),
            &Tensor::from_slice(&blocks).view([1, 8]).repeat([3, 1]),
        );
        let ours: Vec<i32> = Vec::try_from(ours.unwrap().view([-1])).unwrap();
        let mut theirs = vec![];
        for rng in &mut rngs {
            for block in blocks {
                rng.set_word_pos(block as u128 * BLOCK as u128);
                theirs.extend((0..BLOCK).map(|_| rng.next_u32() as i32));
            }
        }
        assert_eq!(ours, theirs);
    }
}
