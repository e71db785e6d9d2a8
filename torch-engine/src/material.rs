//! What the members are trained on, on the device: the rows, and their noise, drawn where it is used.

use tch::{Device, Kind, Tensor};

use crate::chacha::{self, BLOCK};
use crate::interface::{self, GENERATOR};
use crate::network::{Network, TorchResult};

/// What the members are trained on.
pub struct Material {
    /// `[n, features]`
    table: Tensor,
    noise: Option<Noise>,
}

/// Uniform noise.
struct Noise {
    /// `[m, 1, 1, width]`
    low: Tensor,
    width: Tensor,
    /// `[m, 10]`, int32
    generators: Tensor,
}

impl Material {
    /// Beside the network.
    ///
    /// # Safety
    /// The material's slices live.
    pub unsafe fn open(material: &interface::Material, network: &Network) -> TorchResult<Self> {
        let (device, members) = (network.device(), network.members() as i64);
        // SAFETY: the caller promises that the slices live.
        let (parts, low, width, generators) = unsafe {
            let interface::Material { table, noise_low, noise_width, generators, .. } = material;
            let parts: Vec<&[f32]> = table.get().iter().map(|part| part.get()).collect();
            (parts, noise_low.get(), noise_width.get(), generators.get())
        };
        let count: usize = parts.iter().map(|part| part.len()).sum();
        let features = material.features as i64;
        let table = Tensor::f_empty([count as i64], (Kind::Float, device))?;
        let mut at = 0;
        for part in parts {
            let count = part.len() as i64;
            // SAFETY: the part has `count` numbers and outlives the tensor, which is only read.
            let part = unsafe { Tensor::f_from_blob(part.as_ptr().cast(), &[count], &[1], Kind::Float, Device::Cpu)? };
            table.f_narrow(0, at, count)?.f_copy_(&part)?;
            at += count;
        }
        let tensor = |numbers: &[f32]| {
            Tensor::f_from_slice(numbers)?.f_to_device(device)?.f_view([members, 1, 1, network.inputs()])
        };
        let noise = if low.is_empty() {
            None
        } else {
            let words: Vec<i32> = generators.iter().map(|word| word.cast_signed()).collect();
            let generators = Tensor::f_from_slice(&words)?.f_to_device(device)?.f_view([members, GENERATOR as i64])?;
            Some(Noise { low: tensor(low)?, width: tensor(width)?, generators })
        };
        Ok(Self { table: table.f_view([-1, features])?, noise })
    }

    /// The number of features of the table.
    pub fn features(&self) -> i64 {
        self.table.size()[1]
    }

    /// Rows of the table, by their numbers `[m, rows]`, as each member sees them, `[m, rows, inputs]`.
    pub fn rows(&self, numbers: &Tensor, network: &Network) -> TorchResult<Tensor> {
        let size = numbers.size();
        let rows = self.table.f_index_select(0, &numbers.f_view([-1])?)?;
        network.seen_of_each(&rows.f_view([size[0], size[1], self.features()])?)
    }

    /// `rows` rows of noise for each batch, from the places `[m, batches]` of the generators on: `[m, batches, rows, inputs]`; None if
    /// there is none.
    pub fn noise(&self, places: &Tensor, rows: i64) -> TorchResult<Option<Tensor>> {
        let Some(Noise { low, width, generators }) = self.noise.as_ref().filter(|_| rows > 0) else { return Ok(None) };
        let (members, batches, inputs) = (places.size()[0], places.size()[1], low.size()[3]);
        let count = rows * inputs;
        let range = |count| Tensor::f_arange(count, (Kind::Int64, places.device()));
        // A batch may begin at any word of a block.
        let blocks = (BLOCK - 1 + count + BLOCK - 1) / BLOCK;
        let places = places.f_unsqueeze(2)?;
        let numbers =
            places.f_bitwise_right_shift_tensor_scalar(i64::from(BLOCK.trailing_zeros()))?.f_add(&range(blocks)?)?;
        let words = chacha::words(generators, &numbers.f_view([members, batches * blocks])?)?;
        let index = places.f_bitwise_and(BLOCK - 1)?.f_add(&range(count)?)?;
        let words = words.f_view([members, batches, blocks * BLOCK])?.f_gather(2, &index, false)?;
        // The highest 24 bits are the fraction, as of the CPU's f32: what is left of the sign is cut off.
        let mut fraction = words
            .f_bitwise_right_shift_tensor_scalar(8)?
            .f_bitwise_and_((1i64 << 24) - 1)?
            .f_to_kind(Kind::Float)?
            .f_view([members, batches, rows, inputs])?;
        let _ = fraction.f_mul_scalar_(1.0 / f64::from(1 << 24))?.f_mul_(width)?.f_add_(low)?;
        Ok(Some(fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::{Ensemble, Slice, CPU};
    use crate::shape::Shape;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Two members that see three features each.
    fn network(inputs: [usize; 6]) -> Network {
        let flat = vec![0f32; 2 * Shape { inputs: 3, hidden: vec![2], latent: 1 }.parameters()];
        let ensemble = Ensemble {
            width: 3,
            hidden: [2usize].as_slice().into(),
            latent: 1,
            inputs: inputs.as_slice().into(),
            flat: flat.as_slice().into(),
            device: CPU,
        };
        // SAFETY: the slices live until the end of this function.
        unsafe { Network::open(&ensemble) }.unwrap()
    }

    #[test]
    fn noise_is_what_the_cpu_would_draw_to_the_bit() {
        let mut rngs = [5, 6].map(ChaCha8Rng::seed_from_u64);
        rngs[1].set_stream(7);
        let (low, width) = ([-0.5f32, 0.0, 1.0, -0.25, -3.0, 0.1], [2.0f32, 1.0, 0.3, 1.5, 9.0, 0.7]);
        let generators = chacha::tests::generators(&rngs);
        let table = [0f32; 3];
        let parts: [Slice<f32>; 1] = [table.as_slice().into()];
        let material = interface::Material {
            table: parts.as_slice().into(),
            features: 3,
            noise_low: low.as_slice().into(),
            noise_width: width.as_slice().into(),
            generators: generators.as_slice().into(),
        };
        // SAFETY: the slices live until the end of this function.
        let material = unsafe { Material::open(&material, &network([0, 1, 2, 0, 1, 2])) }.unwrap();
        // Every word of a block once, and far on.
        let places: Vec<i64> = (0..16).map(|at| at * 17).chain([1 << 36, (1 << 40) + 5]).collect();
        let both = Tensor::from_slice(&places).repeat([2, 1]).view([2, places.len() as i64]);
        for rows in [1, 5, 21] {
            let ours = material.noise(&both, rows).unwrap().unwrap();
            let ours: Vec<f32> = Vec::try_from(ours.view([-1])).unwrap();
            let mut theirs = vec![];
            for (member, rng) in rngs.iter_mut().enumerate() {
                for place in &places {
                    rng.set_word_pos(*place as u128);
                    for at in 0..rows as usize * 3 {
                        let feature = member * 3 + at % 3;
                        theirs.push(rng.random::<f32>() * width[feature] + low[feature]);
                    }
                }
            }
            assert_eq!(ours, theirs);
        }
        assert!(material.noise(&both, 0).unwrap().is_none());
    }

    #[test]
    fn rows_are_those_of_the_parts_one_after_the_other_as_each_member_sees_them() {
        let (first, second): (Vec<f32>, Vec<f32>) =
            ((0..8).map(|at| at as f32).collect(), vec![100.0, 101.0, 102.0, 103.0]);
        let parts: [Slice<f32>; 2] = [first.as_slice().into(), second.as_slice().into()];
        let none: [f32; 0] = [];
        let material = interface::Material {
            table: parts.as_slice().into(),
            features: 4,
            noise_low: none.as_slice().into(),
            noise_width: none.as_slice().into(),
            generators: [0u32; 20].as_slice().into(),
        };
        let network = network([3, 0, 1, 2, 1, 0]);
        // SAFETY: the slices live until the end of this function.
        let material = unsafe { Material::open(&material, &network) }.unwrap();
        let rows = material.rows(&Tensor::from_slice(&[2i64, 0, 1, 1]).view([2, 2]), &network).unwrap();
        let rows: Vec<f32> = Vec::try_from(rows.view([-1])).unwrap();
        assert_eq!(rows, [103.0, 100.0, 101.0, 3.0, 0.0, 1.0, 6.0, 5.0, 4.0, 6.0, 5.0, 4.0]);
    }
}
