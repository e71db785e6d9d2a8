//! Both heads of a model's networks, and what becomes of heads that overflowed.

/// What a head that overflowed counts as in f64: beyond every f32, and its square is still finite.
const OVERFLOWED: f64 = 1e60;

/// Both heads of some rows, each the mean over the members.
pub struct Heads {
    /// ND's output before the sigmoid
    pub logit: Vec<f32>,
    /// ‖x − x̂‖₂
    pub error: Vec<f32>,
}

/// Whether a head says that the row's activations went beyond the range of f32: no row is further out.
///
/// −∞ does not say so. Only a logit can be −∞, and it then continues what large negative logits mean.
fn overflowed(head: f32) -> bool {
    head.is_nan() || head == f32::INFINITY
}

/// A logit and an error as numbers to calculate with, whose score is that of the heads themselves.
pub fn finite((logit, error): (f32, f32)) -> [f64; 2] {
    if overflowed(logit) || overflowed(error) {
        return [OVERFLOWED; 2];
    }
    [logit, error].map(|head| f64::from(head).max(-OVERFLOWED))
}
