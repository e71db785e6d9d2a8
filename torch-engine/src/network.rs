//! The network of figure 1, as an ensemble: m networks of one shape side by side, every tensor with a leading dimension m.
//!
//! ND block: d → hidden → 1; its last hidden layer is z0. Encoder: d → hidden → latent, z1. Decoder: (z0, z1) → hidden
//! reversed → d. Hidden layers have ReLU; logit, z1 and reconstruction are linear. A network without a latent is ND alone.
//!
//! The gradients are derived by hand (tested against autograd), since a step of these small networks costs libtorch's calls
//! rather than its arithmetic, and autograd doubles the calls.

use tch::{Device, Kind, TchError, Tensor};

use crate::interface::{Ensemble, CPU};
use crate::shape::Shape;

pub type TorchResult<T> = Result<T, TchError>;

/// A view of one layer's numbers inside a flat buffer.
struct Layer {
    /// `[m, inputs, outputs]`
    weight: Tensor,
    /// `[m, 1, outputs]`
    bias: Tensor,
}

/// Parameters, or gradients: one flat buffer, and every layer as a view of it, so that an optimiser needs one call for all.
pub struct Parameters {
    /// Layer by layer, weight then bias, each `[m, …]`.
    pub flat: Tensor,
    layers: Vec<Layer>,
}

impl Parameters {
    fn over(flat: Tensor, shape: &Shape, members: i64) -> TorchResult<Self> {
        let mut layers = Vec::new();
        let mut at = 0;
        let mut next = |size: [i64; 3]| -> TorchResult<Tensor> {
            let count = size.iter().product();
            let view = flat.f_narrow(0, at, count)?.f_view(size)?;
            at += count;
            Ok(view)
        };
        for layer in shape.layers() {
            let (inputs, outputs) = (layer.inputs as i64, layer.outputs as i64);
            let weight = next([members, inputs, outputs])?;
            let bias = next([members, 1, outputs])?;
            layers.push(Layer { weight, bias });
        }
        Ok(Self { flat, layers })
    }
}

/// An ensemble of m networks.
pub struct Network {
    shape: Shape,
    /// Which features each member sees, `[m × inputs]`.
    selection: Tensor,
    /// Whether each sees the first features, in their order
    in_order: bool,
    members: i64,
    parameters: Parameters,
}

// SAFETY: after it is built or trained, a network is only read, and libtorch allows concurrent
// reads of a tensor. Training needs `&mut Network`.
unsafe impl Sync for Network {}

/// What the backward pass needs of a forward pass.
pub struct Forward {
    /// Activations of the hidden layers, `[m, batch, width]`, from the input on.
    nd: Vec<Tensor>,
    encoder: Vec<Tensor>,
    decoder: Vec<Tensor>,
    /// (z0, z1) of eq. 1, `[m, batch, last hidden + latent]`; z0 of ND alone
    pub latent: Tensor,
    /// ND's output before the sigmoid, `[m, batch, 1]`
    pub logit: Tensor,
    /// `[m, batch, d]`; x itself of ND alone
    pub reconstruction: Tensor,
}

/// What each row of a batch is, and counts in the loss.
pub struct Targets {
    /// y: 1 for a synthetic anomaly, 0 for a normal row; `[m, batch, 1]`
    pub synthetic: Tensor,
    /// (1 − w) / normal rows of the batch for a normal row, 0 for a synthetic one (eq. 2 and 4); `[m, batch, 1]`
    pub ae_weight: Tensor,
    /// w / rows of the batch (eq. 3 and 4); `[m, 1, 1]`
    pub ce_weight: Tensor,
}

impl Network {
    /// On the ensemble's device.
    ///
    /// # Safety
    /// The ensemble's slices live.
    pub unsafe fn open(ensemble: &Ensemble) -> TorchResult<Self> {
        // SAFETY: the caller promises that the slices live.
        let (hidden, inputs, flat) = unsafe { (ensemble.hidden.get(), ensemble.inputs.get(), ensemble.flat.get()) };
        let device = if ensemble.device == CPU { Device::Cpu } else { Device::Cuda(ensemble.device as usize) };
        let shape = Shape { inputs: ensemble.width, hidden: hidden.to_vec(), latent: ensemble.latent };
        let members = (inputs.len() / ensemble.width) as i64;
        let in_order = inputs.chunks(ensemble.width).all(|inputs| inputs.iter().copied().eq(0..ensemble.width));
        let selection: Vec<i64> = inputs.iter().map(|feature| *feature as i64).collect();
        let selection = Tensor::f_from_slice(&selection)?.f_to_device(device)?;
        let flat = Tensor::f_from_slice(flat)?.f_to_device(device)?;
        let parameters = Parameters::over(flat, &shape, members)?;
        Ok(Self { shape, selection, in_order, members, parameters })
    }

    pub fn device(&self) -> Device {
        self.parameters.flat.device()
    }

    /// m.
    pub fn members(&self) -> usize {
        self.members as usize
    }

    /// The number of features that each member sees.
    pub fn inputs(&self) -> i64 {
        self.shape.inputs as i64
    }

    /// The numbers of (z0, z1) of all members.
    pub fn latent_width(&self) -> usize {
        self.members() * self.shape.latent_width()
    }

    /// The flat parameter buffer. A copy of the tensor is the same numbers: with it, an optimiser writes them.
    pub fn flat(&self) -> &Tensor {
        &self.parameters.flat
    }

    /// A buffer for this network's gradients.
    pub fn gradient_buffer(&self) -> TorchResult<Parameters> {
        Parameters::over(self.parameters.flat.f_zeros_like()?, &self.shape, self.members)
    }

    fn block(&self, at: usize) -> &[Layer] {
        block(&self.parameters, &self.shape, at)
    }

    /// x `[m, batch, d]` → the two heads and all that the backward pass needs.
    pub fn forward(&self, x: &Tensor) -> TorchResult<Forward> {
        let (nd, logit) = run(self.block(0), x)?;
        if !self.shape.has_autoencoder() {
            let (latent, reconstruction) = (last(&nd).shallow_clone(), x.shallow_clone());
            return Ok(Forward { nd, encoder: vec![], decoder: vec![], latent, logit, reconstruction });
        }
        let (encoder, z1) = run(self.block(1), x)?;
        let latent = Tensor::f_cat(&[last(&nd), &z1], 2)?;
        let (decoder, reconstruction) = run(self.block(2), &latent)?;
        Ok(Forward { nd, encoder, decoder, latent, logit, reconstruction })
    }

    /// The gradient of eq. 4 with respect to every parameter, written into `gradients`.
    pub fn backward(
        &self,
        x: &Tensor,
        forward: &Forward,
        targets: &Targets,
        gradients: &Parameters,
    ) -> TorchResult<()> {
        let width = last(&forward.nd).size()[2];
        // ∂CE/∂logit = σ(logit) − y
        let d_logit = forward.logit.f_sigmoid()?.f_sub_(&targets.synthetic)?.f_mul_(&targets.ce_weight)?;
        let gradient = |at| block(gradients, &self.shape, at);
        if !self.shape.has_autoencoder() {
            let _ = back(self.block(0), Some(gradient(0)), x, &forward.nd, d_logit, None)?;
            return Ok(());
        }
        // ∂‖r‖/∂x̂ = r / ‖r‖, r = x̂ − x; 0 where r = 0
        let mut residual = forward.reconstruction.f_sub(x)?;
        let norm = norm(&residual)?.f_clamp_min_(f64::from(f32::MIN_POSITIVE))?;
        let d_reconstruction = residual.f_mul_(&targets.ae_weight.f_div(&norm)?)?;

        let d_first =
            back(self.block(2), Some(gradient(2)), &forward.latent, &forward.decoder, d_reconstruction, None)?;
        let d_latent = d_input(&self.block(2)[0], &d_first)?;
        let d_z0 = d_latent.f_narrow(2, 0, width)?;
        let d_z1 = d_latent.f_narrow(2, width, self.shape.latent as i64)?;
        let _ = back(self.block(1), Some(gradient(1)), x, &forward.encoder, d_z1, None)?;
        let _ = back(self.block(0), Some(gradient(0)), x, &forward.nd, d_logit, Some(&d_z0))?;
        Ok(())
    }

    /// The latents of rows x `[rows, features]`, each member's in turn: `[rows, m × (last hidden + latent)]`.
    pub fn latent(&self, x: &Tensor) -> TorchResult<Tensor> {
        let latent = self.forward(&self.seen(x)?)?.latent;
        latent.f_transpose(0, 1)?.f_reshape([x.size()[0], -1])
    }

    /// The gradient of `logit_weight`·logit + `error_weight`·‖x − x̂‖₂ with respect to x, both heads being the members' means.
    ///
    /// Rows x are `[rows, features]`, weights `[rows, 1]`, and so is the gradient `[rows, features]`.
    pub fn input_gradient(&self, x: &Tensor, logit_weight: &Tensor, error_weight: &Tensor) -> TorchResult<Tensor> {
        let seen = self.seen(x)?;
        let forward = self.forward(&seen)?;
        let shape = [self.members, x.size()[0], 1];
        let d_logit = logit_weight.f_expand(shape, false)?;
        if !self.shape.has_autoencoder() {
            let d_nd = back(self.block(0), None, &seen, &forward.nd, d_logit, None)?;
            return self.of_features(x, &d_input(&self.block(0)[0], &d_nd)?);
        }
        let mut residual = forward.reconstruction.f_sub(&seen)?;
        let norm = norm(&residual)?.f_clamp_min_(f64::from(f32::MIN_POSITIVE))?;
        let d_reconstruction = residual.f_mul_(&error_weight.f_div(&norm)?)?;

        let d_latent =
            back(self.block(2), None, &forward.latent, &forward.decoder, d_reconstruction.shallow_clone(), None)?;
        let d_latent = d_input(&self.block(2)[0], &d_latent)?;
        let width = last(&forward.nd).size()[2];
        let d_z0 = d_latent.f_narrow(2, 0, width)?;
        let d_z1 = d_latent.f_narrow(2, width, self.shape.latent as i64)?;
        let d_encoder = back(self.block(1), None, &seen, &forward.encoder, d_z1, None)?;
        let d_nd = back(self.block(0), None, &seen, &forward.nd, d_logit, Some(&d_z0))?;
        // x is also what the reconstruction is compared with.
        let d_seen = d_input(&self.block(1)[0], &d_encoder)?
            .f_add_(&d_input(&self.block(0)[0], &d_nd)?)?
            .f_sub_(&d_reconstruction)?;
        self.of_features(x, &d_seen)
    }

    /// The gradient of the features of rows x `[rows, features]`, from that of what each member sees, `[m, rows, inputs]`.
    fn of_features(&self, x: &Tensor, d_seen: &Tensor) -> TorchResult<Tensor> {
        let d_seen = d_seen.f_transpose(0, 1)?.f_reshape([x.size()[0], -1])?;
        x.f_zeros_like()?.f_index_add_(1, &self.selection, &d_seen)?.f_mul_scalar_(1.0 / self.members as f64)
    }

    /// Rows x `[rows, features]` as each member sees them, `[m, rows, inputs]`.
    fn seen(&self, x: &Tensor) -> TorchResult<Tensor> {
        let seen = x.f_index_select(1, &self.selection)?.f_view([x.size()[0], self.members, self.inputs()])?;
        seen.f_transpose(0, 1)
    }

    /// Rows x `[m, rows, features]`, of each member its own, as that sees them, `[m, rows, inputs]`.
    pub fn seen_of_each(&self, x: &Tensor) -> TorchResult<Tensor> {
        if self.in_order && x.size()[2] == self.inputs() {
            return Ok(x.shallow_clone());
        }
        let index = self.selection.f_view([self.members, 1, self.inputs()])?;
        x.f_gather(2, &index.f_expand([self.members, x.size()[1], self.inputs()], false)?, false)
    }

    /// Both heads of rows x `[m, rows, inputs]`, each member's own: logit and ‖x − x̂‖₂, each `[m, rows]`.
    pub fn member_heads(&self, x: &Tensor) -> TorchResult<(Tensor, Tensor)> {
        let forward = self.forward(x)?;
        let residual = forward.reconstruction.f_sub(x)?;
        Ok((forward.logit.f_squeeze_dim(2)?, norm(&residual)?.f_squeeze_dim(2)?))
    }

    /// Both heads of rows x `[rows, features]`, each member's own: `[rows, m, 2]`.
    pub fn heads_by_row(&self, x: &Tensor) -> TorchResult<Tensor> {
        let (logit, error) = self.member_heads(&self.seen(x)?)?;
        Tensor::f_stack(&[logit, error], 2)?.f_transpose(0, 1)?.f_contiguous()
    }

    /// Both heads of rows x `[rows, features]`, each `[rows]`: the members' means.
    pub fn heads(&self, x: &Tensor) -> TorchResult<(Tensor, Tensor)> {
        let (logit, error) = self.member_heads(&self.seen(x)?)?;
        let mean = |head: &Tensor| head.f_mean_dim([0i64].as_slice(), false, None::<Kind>);
        Ok((mean(&logit)?, mean(&error)?))
    }
}

fn block<'a>(parameters: &'a Parameters, shape: &Shape, at: usize) -> &'a [Layer] {
    let depth = shape.depth();
    &parameters.layers[at * depth..(at + 1) * depth]
}

fn last(activations: &[Tensor]) -> &Tensor {
    // A shape has at least one hidden layer, so there is one.
    &activations[activations.len() - 1]
}

/// ‖row‖₂ of `[m, batch, d]`, as `[m, batch, 1]`.
fn norm(rows: &Tensor) -> TorchResult<Tensor> {
    rows.f_norm_scalaropt_dim(2.0, [2i64].as_slice(), true)
}

/// A block from its input on: the activations of its hidden layers, and its linear output.
fn run(block: &[Layer], input: &Tensor) -> TorchResult<(Vec<Tensor>, Tensor)> {
    let (hidden, output) = block.split_at(block.len() - 1);
    let mut activations: Vec<Tensor> = Vec::with_capacity(hidden.len());
    for layer in hidden {
        let input = activations.last().unwrap_or(input);
        activations.push(affine(layer, input)?.f_relu_()?);
    }
    let out = affine(&output[0], last(&activations))?;
    Ok((activations, out))
}

fn affine(layer: &Layer, input: &Tensor) -> TorchResult<Tensor> {
    layer.bias.f_baddbmm(input, &layer.weight, 1.0, 1.0)
}

/// Back through a block, from the gradient of its output: writes its layers' gradients, if asked, and returns the gradient of
/// the first layer's affine output. `extra` is a further gradient of the last hidden layer's activation (z0 also feeds the
/// decoder).
fn back(
    block: &[Layer],
    gradients: Option<&[Layer]>,
    input: &Tensor,
    activations: &[Tensor],
    d_output: Tensor,
    extra: Option<&Tensor>,
) -> TorchResult<Tensor> {
    let mut d = d_output;
    for at in (1..block.len()).rev() {
        if let Some(gradients) = gradients {
            write_gradient(&gradients[at], &activations[at - 1], &d)?;
        }
        d = d_input(&block[at], &d)?;
        if let (true, Some(extra)) = (at == block.len() - 1, extra) {
            d = d.f_add_(extra)?;
        }
        // ReLU lets a gradient pass where its output is above 0.
        d = activations[at - 1].f_threshold_backward(&d, 0.0)?;
    }
    if let Some(gradients) = gradients {
        write_gradient(&gradients[0], input, &d)?;
    }
    Ok(d)
}

/// ∂L/∂weight = inputᵀ·d and ∂L/∂bias = Σ d, where d = ∂L/∂(affine output), `[m, batch, outputs]`.
fn write_gradient(gradient: &Layer, input: &Tensor, d: &Tensor) -> TorchResult<()> {
    let _ = input.f_transpose(1, 2)?.f_bmm_out(&gradient.weight, d)?;
    let _ = d.f_sum_intlist_out(&gradient.bias, Some([1i64].as_slice()), true, None::<Kind>)?;
    Ok(())
}

fn d_input(layer: &Layer, d: &Tensor) -> TorchResult<Tensor> {
    d.f_bmm(&layer.weight.f_transpose(1, 2)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from 0 to 1 that look drawn.
    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        (0..count).map(|_| next()).collect()
    }

    fn random(size: &[i64], seed: u64) -> Tensor {
        Tensor::from_slice(&numbers(size.iter().product::<i64>() as usize, seed)).view(size)
    }

    const HIDDEN: [usize; 2] = [7, 4];

    /// Networks that see five features each.
    fn network(inputs: &[usize]) -> Network {
        let shape = Shape { inputs: 5, hidden: HIDDEN.to_vec(), latent: 3 };
        let flat: Vec<f32> =
            numbers(shape.parameters() * inputs.len() / 5, 9).iter().map(|number| number - 0.5).collect();
        let ensemble = Ensemble {
            width: 5,
            hidden: HIDDEN.as_slice().into(),
            latent: 3,
            inputs: inputs.into(),
            flat: flat.as_slice().into(),
            device: CPU,
        };
        // SAFETY: the slices live until the end of this function.
        unsafe { Network::open(&ensemble) }.unwrap()
    }

    #[test]
    fn gradients_agree_with_autograd() {
        let (members, batch) = (2, 11);
        let mut network = network(&[0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
        let x = random(&[members, batch, 5], 1);
        let targets = Targets {
            synthetic: random(&[members, batch, 1], 2).ge(0.5).to_kind(Kind::Float),
            ae_weight: random(&[members, batch, 1], 4),
            ce_weight: random(&[members, 1, 1], 3),
        };
        let gradients = network.gradient_buffer().unwrap();
        network.backward(&x, &network.forward(&x).unwrap(), &targets, &gradients).unwrap();

        // The same loss, written as eq. 2 to 4 and differentiated by libtorch.
        let leaf = network.parameters.flat.copy().set_requires_grad(true);
        network.parameters = Parameters::over(leaf.shallow_clone(), &network.shape, members).unwrap();
        let forward = network.forward(&x).unwrap();
        let p = forward.logit.sigmoid();
        let y = &targets.synthetic;
        let ones = y.ones_like();
        let ce = -(y * p.log() + (&ones - y) * (&ones - &p).log());
        let ae = norm(&(&x - &forward.reconstruction)).unwrap();
        let loss = (ce * &targets.ce_weight + ae * &targets.ae_weight).sum(Kind::Float);
        loss.backward();

        let difference = (leaf.grad() - &gradients.flat).abs().max().double_value(&[]);
        let size = leaf.grad().abs().max().double_value(&[]);
        assert!(size > 0.1 && difference < 1e-5 * size, "{difference} of {size}");
    }

    #[test]
    fn the_gradient_of_the_input_agrees_with_autograd() {
        // Three members, one of which sees a feature twice, of seven features.
        let network = network(&[0, 1, 2, 3, 4, 6, 5, 4, 3, 3, 6, 2, 0, 1, 5]);
        let x = random(&[9, 7], 5);
        let (a, b) = (random(&[9, 1], 6), random(&[9, 1], 7));
        let ours = network.input_gradient(&x, &a, &b).unwrap();

        let leaf = x.copy().set_requires_grad(true);
        let (logit, error) = network.heads(&leaf).unwrap();
        (logit * a.squeeze_dim(1) + error * b.squeeze_dim(1)).sum(Kind::Float).backward();
        let difference = (leaf.grad() - &ours).abs().max().double_value(&[]);
        let size = leaf.grad().abs().max().double_value(&[]);
        assert!(size > 0.1 && difference < 1e-5 * size, "{difference} of {size}");
    }

    #[test]
    fn a_perfect_reconstruction_has_no_gradient_and_no_nan() {
        let network = network(&[0, 1, 2, 3, 4]);
        let _ = network.flat().shallow_clone().zero_();
        let x = Tensor::zeros([1, 3, 5], (Kind::Float, Device::Cpu));
        let ones = || Tensor::ones([1, 3, 1], (Kind::Float, Device::Cpu));
        let targets = Targets {
            synthetic: ones() * 0.5,
            ae_weight: ones(),
            ce_weight: Tensor::ones([1, 1, 1], (Kind::Float, Device::Cpu)),
        };
        let gradients = network.gradient_buffer().unwrap();
        network.backward(&x, &network.forward(&x).unwrap(), &targets, &gradients).unwrap();
        assert_eq!(gradients.flat.abs().sum(Kind::Float).double_value(&[]), 0.0);
    }

    #[test]
    fn a_member_sees_the_features_selected_for_it() {
        let x = random(&[6, 9], 8);
        let selection = [8usize, 0, 3, 1, 5];
        let (selected, _) = network(&selection).heads(&x).unwrap();
        let index = Tensor::from_slice(&selection.map(|feature| feature as i64));
        let (given, _) = network(&[0, 1, 2, 3, 4]).heads(&x.index_select(1, &index)).unwrap();
        assert!(selected.equal(&given));
    }
}
