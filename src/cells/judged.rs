//! Strips of numbers as their column judges them: on its scale, and how far from its centre.

use crate::simd::{logarithms, Simd, Task, Vector};

use super::math::spreads;
use super::numbers::{Numbers, Scale, BELOW};
use super::strips::STRIP;

/// Up to [`STRIP`] numbers of a column.
pub struct Judged {
    /// Their logarithms, where logarithms are judged.
    logs: [f64; STRIP],
    /// How many spreads they are from the centre; see [`Numbers::away`].
    pub away: [f32; STRIP],
}

impl Judged {
    /// Has no numbers yet.
    pub fn none() -> Self {
        Self { logs: [0.0; STRIP], away: [0.0; STRIP] }
    }

    /// Places up to [`STRIP`] numbers on a column's scale.
    pub fn judge(&mut self, of: &Numbers, numbers: &[f64]) {
        let scale = of.scale();
        let Self { logs, away } = self;
        let on_scale = match of.is_log {
            true => {
                let (logs, without_log) = (&mut logs[..numbers.len()], scale.centre - BELOW * scale.spread);
                logarithms(numbers, logs);
                Simd::chosen().run(WithoutLog { numbers, instead: without_log, logs });
                logs
            }
            false => numbers,
        };
        Simd::chosen().run(Judge { on_scale, scale, away });
    }

    /// The numbers, or their logarithms where logarithms are judged; see [`Numbers::on_scale`].
    pub fn on_scale<'a>(&'a self, of: &Numbers, numbers: &'a [f64]) -> &'a [f64] {
        match of.is_log {
            true => &self.logs[..numbers.len()],
            false => numbers,
        }
    }
}

impl Numbers {
    /// Which of up to [`STRIP`] numbers are ordinary: nothing but its tail can speak against one that is
    /// among the middle ones, stands for itself, and has no oddity that is `rare`.
    pub fn are_ordinary(&self, numbers: &[f64], on_scale: &[f64], rare: [bool; 3], out: &mut [bool; STRIP]) {
        Simd::chosen().run(AreOrdinary { numbers, on_scale, middle: self.middle, rare, out });
        if !self.sentinels.is_empty() {
            let places = numbers.iter().zip(out);
            places.for_each(|(number, is_ordinary)| *is_ordinary &= self.is_sized(*number));
        }
    }
}

impl Numbers {
    /// The bins of numbers, each as [`Numbers::bin`] gives it; `none` of one that can't be judged,
    /// and `unseen` of one that has no bin.
    pub fn bins_of(&self, numbers: &[f64], [none, unseen]: [u32; 2]) -> Vec<u32> {
        let one = |number: &f64| match self.is_sized(*number) {
            true => self.bin(*number).map_or(unseen, |bin| bin as u32),
            false => none,
        };
        if self.edges_are_values || !self.sentinels.is_empty() {
            return numbers.iter().map(one).collect();
        }
        let mut bins = vec![0; numbers.len()];
        for (numbers, bins) in numbers.chunks(STRIP).zip(bins.chunks_mut(STRIP)) {
            Simd::chosen().run(CountEdges { edges: &self.edges, numbers, none, bins });
        }
        bins
    }
}

/// Numbers that are compared with each edge in turn.
const WIDE: usize = 16;

/// How many edges are not above each number.
struct CountEdges<'a> {
    edges: &'a [f64],
    numbers: &'a [f64],
    none: u32,
    bins: &'a mut [u32],
}

impl Task for CountEdges<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for (numbers, bins) in self.numbers.chunks(WIDE).zip(self.bins.chunks_mut(WIDE)) {
            // As many as stay in registers, with counters as wide as the numbers.
            let (mut some, mut counts) = ([f64::NAN; WIDE], [0u64; WIDE]);
            some[..numbers.len()].copy_from_slice(numbers);
            for edge in self.edges {
                counts.iter_mut().zip(&some).for_each(|(count, number)| *count += u64::from(*edge <= *number));
            }
            for ((bin, count), number) in bins.iter_mut().zip(counts).zip(some) {
                *bin = if number.is_nan() { self.none } else { count as u32 };
            }
        }
    }
}

/// Gives numbers that have no logarithm a place below the others.
struct WithoutLog<'a> {
    numbers: &'a [f64],
    instead: f64,
    logs: &'a mut [f64],
}

impl Task for WithoutLog<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let places = self.numbers.iter().zip(self.logs);
        places.for_each(|(number, place)| *place = if *number > 0.0 { *place } else { self.instead });
    }
}

/// The distances of numbers from a centre, in spreads.
struct Judge<'a> {
    on_scale: &'a [f64],
    scale: &'a Scale,
    away: &'a mut [f32; STRIP],
}

impl Task for Judge<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let (centre, per_spread) = (self.scale.centre, 1.0 / self.scale.spread);
        for (place, away) in self.on_scale.iter().zip(self.away) {
            *away = spreads(place - centre, per_spread);
        }
    }
}

/// Whether numbers are among the middle ones, and are nothing that is rare.
struct AreOrdinary<'a> {
    numbers: &'a [f64],
    on_scale: &'a [f64],
    middle: [f64; 2],
    rare: [bool; 3],
    out: &'a mut [bool; STRIP],
}

impl Task for AreOrdinary<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let ([low, high], [negative, zero, fraction]) = (self.middle, self.rare);
        let rows = self.numbers.iter().zip(self.on_scale);
        for ((number, place), out) in rows.clone().zip(&mut *self.out) {
            *out = (*place >= low) & (*place <= high) & !(negative & (*number < 0.0)) & !(zero & (*number == 0.0));
        }
        if fraction {
            rows.zip(self.out).for_each(|((number, _), out)| *out &= number.fract() == 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns whose numbers, or whose logarithms, are judged, and one with a placeholder.
    fn columns() -> Vec<Numbers> {
        let bell = |at: i32| f64::from(at * 7_919 % 1_009 + at * 104_729 % 997) / 100.0;
        let raw: Vec<f64> = (0..3_000).map(|at| bell(at) - 8.0).collect();
        let logs: Vec<f64> = (0..3_000).map(|at| libm::exp(bell(at) / 3.0)).collect();
        let with_placeholder = [raw.clone(), vec![-999.0; 40]].concat();
        let few: Vec<f64> = (0..3_000).map(|at| f64::from(at % 5)).collect();
        let fit = |numbers: &Vec<f64>| Numbers::fit(numbers, numbers.len(), 0, false, true);
        [raw, logs, with_placeholder, few].iter().filter_map(fit).collect()
    }

    fn numbers(of: &Numbers) -> Vec<f64> {
        let ends = [0.0, -1.0, 5e-324, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 1e300, -999.0, 2.0];
        let edges = of.edges.iter().chain(&of.middle).flat_map(|edge| [edge.next_down(), *edge, edge.next_up()]);
        let line = (0..700).map(|at| f64::from(at) / 7.0 - 30.0);
        line.chain(edges).chain(ends).collect()
    }

    #[test]
    fn strips_are_judged_as_single_numbers() {
        let columns = columns();
        assert!(columns.len() == 4 && columns[1].is_log && !columns[0].is_log && !columns[2].sentinels.is_empty());
        for of in columns {
            for numbers in numbers(&of).chunks(STRIP) {
                let (mut judged, mut evidence, mut are_ordinary) = (Judged::none(), [0.0; STRIP], [false; STRIP]);
                judged.judge(&of, numbers);
                let rare = of.rare_oddities();
                let on_scale = judged.on_scale(&of, numbers);
                of.are_ordinary(numbers, on_scale, rare, &mut are_ordinary);
                for is_left_out in [false, true] {
                    of.ends.evidence_of_strip(&judged.away[..numbers.len()], is_left_out, &mut evidence);
                    for (at, number) in numbers.iter().enumerate() {
                        assert_eq!(on_scale[at].to_bits(), of.on_scale(*number).to_bits());
                        assert_eq!(judged.away[at].to_bits(), of.away(*number).to_bits());
                        let expected = of.ends.evidence(of.away(*number), is_left_out);
                        assert_eq!(evidence[at].to_bits(), expected.to_bits(), "{number}");
                        assert_eq!(are_ordinary[at], of.is_ordinary(*number, rare), "{number}");
                    }
                }
            }
        }
    }

    #[test]
    fn bins_are_those_of_single_numbers() {
        for of in columns() {
            let numbers = [numbers(&of), vec![f64::NAN]].concat();
            let bins = of.bins_of(&numbers, [70, 71]);
            for (number, bin) in numbers.iter().zip(bins) {
                let expected = if of.is_sized(*number) { of.bin(*number).map_or(71, |bin| bin as u32) } else { 70 };
                assert_eq!(bin, expected, "{number}");
            }
        }
    }
}
