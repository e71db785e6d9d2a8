//! The slow, obvious reading of the equations in f64, which the engines are tested against.

use super::weights::Weights;

/// What one member makes of one row.
pub struct Pass {
    pub x: Vec<f64>,
    pub logit: f64,
    /// (z0, z1) of eq. 1
    pub latent: Vec<f64>,
    pub reconstruction: Vec<f64>,
}

impl Pass {
    /// ‖x − x̂‖₂.
    pub fn error(&self) -> f64 {
        self.x.iter().zip(&self.reconstruction).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
    }
}

/// A member's forward pass of a scaled row with all features.
pub fn pass(weights: &Weights, member: usize, row: &[f64]) -> Pass {
    let numbers: Vec<f64> = weights.member(member).unwrap().into_iter().map(f64::from).collect();
    let x = weights.inputs_of(member).iter().map(|feature| row[*feature]).collect();
    pass_with(weights, &numbers, x)
}

/// The same with other numbers, in the order of an ensemble of one, for features as the member sees them.
pub fn pass_with(weights: &Weights, numbers: &[f64], x: Vec<f64>) -> Pass {
    let shape = weights.shape();
    let mut at = 0;
    let mut layers = shape.layers().into_iter().map(|layer| {
        let weight = numbers[at..at + layer.inputs * layer.outputs].to_vec();
        at += weight.len();
        let bias = numbers[at..at + layer.outputs].to_vec();
        at += bias.len();
        (weight, bias)
    });
    let mut block = |input: &[f64]| {
        let (mut value, mut hidden) = (input.to_vec(), vec![]);
        for place in 0..shape.depth() {
            hidden = value;
            let (weight, bias) = layers.next().unwrap();
            value = bias;
            for (output, value) in value.iter_mut().enumerate() {
                let width = weight.len() / hidden.len();
                *value += hidden.iter().enumerate().map(|(k, h)| h * weight[k * width + output]).sum::<f64>();
            }
            if place < shape.depth() - 1 {
                value.iter_mut().for_each(|value| *value = value.max(0.0));
            }
        }
        (hidden, value)
    };
    let (z0, logit) = block(&x);
    if !shape.has_autoencoder() {
        let reconstruction = x.clone();
        return Pass { x, logit: logit[0], latent: z0, reconstruction };
    }
    let (_, z1) = block(&x);
    let latent = [z0, z1].concat();
    let (_, reconstruction) = block(&latent);
    Pass { x, logit: logit[0], latent, reconstruction }
}

/// Both heads of a row, means over the members.
pub fn heads(weights: &Weights, row: &[f64]) -> (f64, f64) {
    let passes: Vec<Pass> = (0..weights.members()).map(|member| pass(weights, member, row)).collect();
    let mean = |head: &dyn Fn(&Pass) -> f64| passes.iter().map(head).sum::<f64>() / passes.len() as f64;
    (mean(&|pass| pass.logit), mean(&Pass::error))
}
