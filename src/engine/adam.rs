//! Adam (Kingma and Ba, 2015): its constants and bias corrections, for both engines of the training.

pub const BETA1: f64 = 0.9;
pub const BETA2: f64 = 0.999;
pub const EPSILON: f64 = 1e-8;

/// The factors of a step: `parameter −= rate · mean / (√square · scale + ε)`.
pub struct Corrections {
    /// The learning rate over the correction of the mean
    pub rate: f64,
    /// One over the root of the correction of the square
    pub scale: f64,
}

impl Corrections {
    /// Of a step, the first one being 1.
    pub fn of(step: i32, learning_rate: f64) -> Self {
        Self { rate: learning_rate / (1.0 - BETA1.powi(step)), scale: 1.0 / (1.0 - BETA2.powi(step)).sqrt() }
    }
}
