//! Strips of numbers as their column judges them: on its scale, and how far from its centre.

use crate::simd::{Simd, Task, Vector};

use super::elementary::logarithms;
use super::numbers::{Numbers, BELOW, FURTHEST};
use super::strips::STRIP;
use super::tails::{evidence_of_strip, how_far};

/// Up to [`STRIP`] numbers of a column.
pub struct Judged {
    /// The numbers, or their logarithms where logarithms are judged; see [`Numbers::on_scale`].
    pub on_scale: [f64; STRIP],
    /// How many spreads they are from the centre; see [`Numbers::away`].
    pub away: [f64; STRIP],
}

impl Numbers {
    /// Places up to [`STRIP`] numbers on the scale.
    pub fn judge(&self, numbers: &[f64]) -> Judged {
        let mut judged = Judged { on_scale: [0.0; STRIP], away: [0.0; STRIP] };
        let on_scale = &mut judged.on_scale[..numbers.len()];
        match self.is_log {
            true => logarithms(numbers, on_scale),
            false => on_scale.copy_from_slice(numbers),
        }
        let scale = self.scale();
        let (centre, spread) = (scale.centre, scale.spread);
        let without_log = self.is_log.then_some(centre - BELOW * spread);
        Simd::chosen().run(Judge { numbers, without_log, centre, spread, judged: &mut judged });
        judged
    }

    /// The evidence of how far out numbers are; training rows' own are left out.
    pub fn evidence(&self, judged: &Judged, is_left_out: bool) -> [f64; STRIP] {
        let (mut far, mut evidence) = ([0.0; STRIP], [0.0; STRIP]);
        Simd::chosen().run(HowFar { away: &judged.away, out: &mut far });
        evidence_of_strip(&far, |at| self.ends.side(judged.away[at]), is_left_out, &mut evidence);
        evidence
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
        for edge in self.edges {
            let rows = self.bins.iter_mut().zip(self.numbers);
            rows.for_each(|(bin, number)| *bin += u32::from(*edge <= *number));
        }
        for (bin, number) in self.bins.iter_mut().zip(self.numbers) {
            *bin = if number.is_nan() { self.none } else { *bin };
        }
    }
}

/// The distances of numbers from a centre, in spreads.
struct Judge<'a> {
    numbers: &'a [f64],
    /// The place of a number that has no logarithm.
    without_log: Option<f64>,
    centre: f64,
    spread: f64,
    judged: &'a mut Judged,
}

impl Task for Judge<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Judged { on_scale, away } = self.judged;
        if let Some(instead) = self.without_log {
            let places = self.numbers.iter().zip(&mut *on_scale);
            places.for_each(|(number, place)| *place = if *number > 0.0 { *place } else { instead });
        }
        for (place, away) in on_scale.iter().zip(away) {
            *away = ((place - self.centre) / self.spread).clamp(-FURTHEST, FURTHEST);
        }
    }
}

/// ln(1 + z²) of numbers.
struct HowFar<'a> {
    away: &'a [f64; STRIP],
    out: &'a mut [f64; STRIP],
}

impl Task for HowFar<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.out.iter_mut().zip(self.away).for_each(|(out, away)| *out = how_far(*away));
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
                let judged = of.judge(numbers);
                for is_left_out in [false, true] {
                    let evidence = of.evidence(&judged, is_left_out);
                    for (at, number) in numbers.iter().enumerate() {
                        assert_eq!(judged.on_scale[at].to_bits(), of.on_scale(*number).to_bits());
                        assert_eq!(judged.away[at].to_bits(), of.away(*number).to_bits());
                        let expected = of.ends.evidence(of.away(*number), is_left_out);
                        assert_eq!(evidence[at].to_bits(), expected.to_bits(), "{number}");
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
