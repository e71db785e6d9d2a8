//! Both heads of a model's networks, and what becomes of heads that overflowed.

/// A head that overflowed counts as this: it is beyond every f32, and its square is finite in f64.
const OVERFLOWED: f64 = 1e60;

/// Both heads of some rows, each the mean over the members.
pub struct Heads {
    /// ND's output before the sigmoid
    pub logit: Vec<f32>,
    /// ‖x − x̂‖₂
    pub error: Vec<f32>,
}

/// Returns whether the row's activations went beyond the range of f32. No row is further out.
///
/// −∞ does not count. Only a logit can be −∞, and it then continues what large negative logits mean.
fn overflowed(head: f32) -> bool {
    head.is_nan() || head == f32::INFINITY
}

/// Makes numbers to calculate with of a logit and an error, with the same score.
pub fn finite((logit, error): (f32, f32)) -> [f64; 2] {
    if overflowed(logit) || overflowed(error) {
        return [OVERFLOWED; 2];
    }
    [logit, error].map(|head| f64::from(head).max(-OVERFLOWED))
}
