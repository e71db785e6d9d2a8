//! The one choice of an instruction set, and the one place where it is entered.
//!
//! Kernels are written once, over a [`Vector`]. Each set runs the same sums in the same order: AVX-512 and AVX2 give the same
//! bits, and so do portable vectors where the CPU fuses products and sums (aarch64). Elsewhere portable vectors round twice,
//! and agree to 1e-6.

mod elementary;
mod vector;

use std::sync::LazyLock;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};

pub use elementary::{exp, exponentials, ln_1p, logarithms, whole};
use polars::prelude::{polars_bail, PolarsResult};
use vector::Portable;
pub use vector::{Vector, MOST_LANES, VECTORS};

/// Names the set to use, for tests and for comparing machines; the best that the CPU has if it is not set.
const VARIABLE: &str = "POLARS_ANORAND_SIMD";

/// An instruction set that this machine's CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simd(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

/// Asked once: each small call wants to know.
static CHOSEN: LazyLock<Result<Simd, String>> = LazyLock::new(|| {
    let available = Simd::available();
    let Ok(name) = std::env::var(VARIABLE) else { return Ok(available[0]) };
    available.iter().find(|simd| simd.variable_name() == name).copied().ok_or_else(|| {
        let names: Vec<&str> = available.iter().map(|simd| simd.variable_name()).collect();
        format!("{VARIABLE} must be one of {}, which this CPU has, got {name:?}", names.join(", "))
    })
});

/// An error if the environment names a set that the CPU lacks.
pub fn check() -> PolarsResult<()> {
    match &*CHOSEN {
        Ok(_) => Ok(()),
        Err(reason) => polars_bail!(ComputeError: "anorand: {reason}"),
    }
}

/// Work that is written for any vector. Implementations of [`Task::run`] are `#[inline(always)]`, so that they are compiled
/// for the instruction set that they are entered with.
pub trait Task {
    type Output;

    /// # Safety
    /// The CPU has the vector's instructions.
    unsafe fn run<V: Vector>(self) -> Self::Output;
}

impl Simd {
    /// The set that the environment names, else the best one.
    pub fn chosen() -> Self {
        CHOSEN.as_ref().map_or_else(|_| Self::available()[0], |simd| *simd)
    }

    /// All sets that the CPU has, the best one first.
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        // Products of bytes came with its second generation; what has only the first one is as fast with AVX2.
        #[cfg(target_arch = "x86_64")]
        let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni");
        let sets = [
            #[cfg(target_arch = "x86_64")]
            (Set::Avx512, avx2 && avx512),
            #[cfg(target_arch = "x86_64")]
            (Set::Avx2, avx2),
            (Set::Portable, true),
        ];
        sets.into_iter().filter(|&(_, there)| there).map(|(set, _)| Self(set)).collect()
    }

    /// For people to read.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            Set::Portable => "portable vectors",
        }
    }

    fn variable_name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            Set::Portable => "portable",
        }
    }

    /// Whether a product and a sum are rounded once. Sets that do give the same bits.
    #[cfg(test)]
    pub fn fuses(self) -> bool {
        self.0 != Set::Portable || Portable::FUSES
    }

    /// The number of rows of a tile.
    pub fn tile_rows(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => <__m512 as Vector>::TILE,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => <__m256 as Vector>::TILE,
            Set::Portable => Portable::TILE,
        }
    }

    /// Whether it has instructions for products of bytes, so that they are faster than those of numbers.
    pub fn multiplies_bytes(self) -> bool {
        self.0 != Set::Portable
    }

    /// The largest byte whose products with signed bytes it adds up without saturating, see [`Vector::add_products`].
    pub fn largest_byte(self) -> i32 {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => u8::MAX.into(),
            _ => i8::MAX.into(),
        }
    }

    /// The number of lanes of a vector.
    pub fn lanes(self) -> usize {
        self.tile_rows() / VECTORS
    }

    /// The task, with this set's vectors.
    #[inline]
    pub fn run<T: Task>(self, task: T) -> T::Output {
        match self.0 {
            // SAFETY: a set exists only where the CPU's support has been found.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { run_avx512(task) },
            // SAFETY: a set exists only where the CPU's support has been found.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { run_avx2(task) },
            // SAFETY: portable vectors need nothing.
            Set::Portable => unsafe { task.run::<Portable>() },
        }
    }
}

/// # Safety
/// The CPU has the instructions that the function enables.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni,avx2,fma")]
unsafe fn run_avx512<T: Task>(task: T) -> T::Output {
    // SAFETY: the caller knows that the CPU has them, and with them the vector's.
    unsafe { task.run::<__m512>() }
}

/// # Safety
/// The CPU has the instructions that the function enables.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<T: Task>(task: T) -> T::Output {
    // SAFETY: the caller knows that the CPU has them, and with them the vector's.
    unsafe { task.run::<__m256>() }
}
