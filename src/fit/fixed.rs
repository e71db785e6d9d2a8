//! Normal rows and anomalies that are the same in every epoch.

use ndarray::Array2;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::engine::TrainingSet;
use crate::options::Options;

use super::rows::Rows;

/// Normal rows and anomalies, the same in every epoch, in batches of any mixture.
pub struct Fixed<'a> {
    rows: Rows<'a>,
    normal: Vec<usize>,
    anomalies: Anomalies,
    batch_size: usize,
}

/// The anomalies of a [`Fixed`] set.
pub enum Anomalies {
    /// `[count, inputs]`
    Synthetic(Array2<f32>),
    /// Rows of the table
    Known(Vec<usize>),
}

impl Anomalies {
    fn len(&self) -> usize {
        match self {
            Self::Synthetic(rows) => rows.nrows(),
            Self::Known(rows) => rows.len(),
        }
    }
}

impl<'a> Fixed<'a> {
    pub fn new(rows: Rows<'a>, normal: Vec<usize>, anomalies: Anomalies, options: &Options) -> Self {
        Self { rows, normal, anomalies, batch_size: options.batch_size }
    }
}

impl TrainingSet for Fixed<'_> {
    fn epoch(&self, rng: &mut ChaCha8Rng, each: &mut dyn FnMut(&[f32], &[bool])) {
        let mut order: Vec<usize> = (0..self.normal.len() + self.anomalies.len()).collect();
        order.shuffle(rng);
        let (mut x, mut synthetic) = (vec![], vec![]);
        for batch in order.chunks(self.batch_size) {
            x.clear();
            synthetic.clear();
            for place in batch {
                match (place.checked_sub(self.normal.len()), &self.anomalies) {
                    (None, _) => self.rows.push(self.normal[*place], &mut x),
                    (Some(at), Anomalies::Synthetic(rows)) => x.extend(rows.row(at)),
                    (Some(at), Anomalies::Known(known)) => self.rows.push(known[at], &mut x),
                }
                synthetic.push(*place >= self.normal.len());
            }
            each(&x, &synthetic);
        }
    }
}
