//! Rows in small whole numbers: each input becomes a code from 0 to 127 or 255, in steps that all
//! inputs share. A row and its code differ by an error that is known, so that two rows are at least
//! as far from one another as their codes, less both errors.

/// The squared norm of the codes of more inputs might not fit an i32.
const MOST_INPUTS: usize = 16_384;

/// Inputs farther from the mean, in standard deviations, have the code of that bound. It brings
/// rows closer together and never apart, and steps stay small where a few rows are far out.
const DEVIATIONS: f64 = 5.0;

/// The inputs whose codes are in one word.
pub const IN_WORD: usize = 4;

/// What the codes of rows mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    /// The bounds of each input
    low: Vec<f32>,
    high: Vec<f32>,
    step: f32,
    per_step: f32,
    /// The largest code
    largest: i32,
}

impl Codes {
    /// Fits codes up to `largest` to rows, `[rows, inputs]`; None where there are no finite steps.
    pub fn fit(rows: &[f32], inputs: usize, largest: i32) -> Option<Self> {
        let (mut low, mut high) = (vec![f32::INFINITY; inputs], vec![f32::NEG_INFINITY; inputs]);
        let (mut sums, mut squares) = (vec![0f64; inputs], vec![0f64; inputs]);
        for row in rows.chunks_exact(inputs) {
            for (input, number) in row.iter().enumerate() {
                (low[input], high[input]) = (low[input].min(*number), high[input].max(*number));
                sums[input] += f64::from(*number);
                squares[input] += f64::from(*number) * f64::from(*number);
            }
        }
        let count = (rows.len() / inputs) as f64;
        let mut widest = 0f32;
        for input in 0..inputs {
            let mean = sums[input] / count;
            let reach = DEVIATIONS * (squares[input] / count - mean * mean).max(0.0).sqrt();
            low[input] = low[input].max((mean - reach) as f32);
            high[input] = high[input].min((mean + reach) as f32);
            let wide = high[input] - low[input];
            if !wide.is_finite() {
                return None;
            }
            widest = widest.max(wide);
        }
        let step = widest / largest as f32;
        (step.is_normal() && inputs <= MOST_INPUTS).then_some(Self { low, high, step, per_step: 1.0 / step, largest })
    }

    /// What is taken from the codes of one of two rows, so that their bytes suit
    /// [`Vector::add_products`](crate::simd::Vector::add_products).
    pub fn offset(&self) -> i32 {
        if self.largest > i32::from(i8::MAX) {
            128
        } else {
            0
        }
    }

    /// The words of a row.
    pub fn words(&self) -> usize {
        self.low.len().div_ceil(IN_WORD)
    }

    /// The code of an input, from 0 to 127, and how far it is from the number, brought within the
    /// bounds.
    #[inline(always)]
    pub fn code(&self, input: usize, number: f32) -> (i32, f32) {
        let above = number.max(self.low[input]).min(self.high[input]) - self.low[input];
        let code = (above * self.per_step + 0.5).min(self.largest as f32) as i32;
        (code, above - code as f32 * self.step)
    }

    /// Writes a row's codes into words that are 0, each `apart` from the next one. Returns what a
    /// sum of products with them begins with, and the most that the row is from them.
    pub fn write(&self, row: &[f32], words: &mut [i32], apart: usize) -> (i32, f32) {
        let (mut start, mut square) = (Start::default(), 0f32);
        for (input, number) in row.iter().enumerate() {
            let (code, error) = self.code(input, *number);
            words[input / IN_WORD * apart] |= code << (8 * (input % IN_WORD));
            start.add(code);
            square += error * error;
        }
        (start.number(self.offset()), self.error(square))
    }

    /// The most that a row is from its codes, by the sum of the squares of its inputs' errors.
    pub fn error(&self, square: f32) -> f32 {
        // Each input's error is rounded by less than 1e-4 steps.
        square.sqrt() * self.slack() + self.step * 1e-4 * (self.low.len() as f32).sqrt()
    }

    /// The sum of products of a row's codes with those of another one, from the other's [`Start`] on,
    /// that the other one reaches if their squared distance may be up
    /// to `square`. `error` is that of both.
    pub fn need(&self, norm: i32, error: f32, square: f32) -> i32 {
        let (norm, slack) = (norm as f32, self.slack());
        let steps = (square.sqrt() * slack + error) / self.step;
        let most = steps * steps * slack;
        // 1 for the rounded half, the rest for roundings here.
        ((norm - most) * 0.5 - norm * 1e-6 - 2.0).max(LEAST_NEED as f32) as i32
    }

    /// What a number is multiplied with, so that no rounding of sums over the inputs makes it too
    /// small.
    fn slack(&self) -> f32 {
        1.0 + 1e-4 + 1e-6 * self.low.len() as f32
    }
}

/// What a sum of products with a row's codes begins with: −½ of their squared norm, rounded down, so
/// that the sum is the larger, the nearer the other row is; and what the other row's codes lack.
#[derive(Clone, Copy, Default)]
pub struct Start {
    norm: i32,
    sum: i32,
}

impl Start {
    #[inline(always)]
    pub fn add(&mut self, code: i32) {
        self.norm += code * code;
        self.sum += code;
    }

    /// The number, where the other row's codes are less by `offset`.
    pub fn number(self, offset: i32) -> i32 {
        offset * self.sum - (self.norm + 1) / 2
    }
}

/// The least that [`Codes::need`] asks for: less than any row reaches.
const LEAST_NEED: i32 = -1_000_000_000;

/// What a row that is not there has instead of minus half of its squared norm.
pub const OUT_OF_REACH: i32 = i32::MIN / 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_ruled_out_that_is_as_near_as_asked_for() {
        let sizes = [(1, 1e6), (3, 1e-6), (10, 1.0), (130, 30.0)];
        for ((inputs, size), largest) in sizes.into_iter().flat_map(|of| [(of, 127), (of, 255)]) {
            let number = |at: usize| (libm::sin((at * at) as f64 * 0.7).powi(3) * size) as f32;
            let mut rows: Vec<f32> = (0..200 * inputs).map(number).collect();
            rows[7 * inputs] *= 1e4;
            let codes = Codes::fit(&rows, inputs, largest).unwrap();
            let coded: Vec<(Vec<i32>, i32, f32)> = rows
                .chunks(inputs)
                .map(|row| {
                    let mut words = vec![0; codes.words()];
                    let (start, error) = codes.write(row, &mut words, 1);
                    (words, start, error)
                })
                .collect();
            for (row, (_, _, error)) in rows.chunks(inputs).zip(&coded) {
                let own: Vec<i32> =
                    row.iter().enumerate().map(|(input, number)| codes.code(input, *number).0).collect();
                let norm = own.iter().map(|code| code * code).sum();
                for (other, (others, start, other_error)) in rows.chunks(inputs).zip(&coded) {
                    let square = row.iter().zip(other).fold(0f32, |sum, (a, b)| (a - b).mul_add(a - b, sum));
                    let bytes = others.iter().flat_map(|word| word.to_le_bytes());
                    let products = own.iter().zip(bytes).map(|(own, byte)| (own - codes.offset()) * i32::from(byte));
                    let sum = start + products.sum::<i32>();
                    let need = codes.need(norm, error + other_error, square);
                    assert!(sum >= need, "{inputs} {square}");
                }
            }
        }
    }

    #[test]
    fn rows_without_finite_steps_have_no_codes() {
        for rows in [[1.0, 1.0], [0.0, f32::INFINITY], [-3e38, 3e38], [0.0, 1e-44]] {
            assert_eq!(Codes::fit(&rows, 1, 127), None, "{rows:?}");
        }
    }
}
