//! A vector of f32 as the kernels see it: AVX-512, AVX2 with FMA, and one that any CPU has.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// The width of a tile in vectors, so that a weight that was broadcast serves as often. With the outputs computed together,
/// their sums fill the registers, and hide each other's latency.
pub const VECTORS: usize = 2;
/// The widest vector's lanes.
pub const MOST_LANES: usize = 16;

/// A vector of f32 and what is done with it.
///
/// # Safety
/// Every method needs a CPU that has the vector's instructions. [`Vector::load`] and
/// [`Vector::store`] also need a pointer that reaches [`Vector::LANES`] numbers, at any alignment.
pub trait Vector: Copy {
    const LANES: usize;
    /// Rows of a tile.
    const TILE: usize = VECTORS * Self::LANES;
    /// Outputs of a layer computed together, bounded by the number of registers.
    const OUTPUTS: usize;
    unsafe fn splat(number: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self × by + plus`, rounded once
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// The larger one; `other` where either is no number.
    unsafe fn max(self, other: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    /// Itself where `gate` is above 0, and 0 elsewhere.
    unsafe fn where_positive(self, gate: Self) -> Self;
}

#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($type:ty, $lanes:literal, $outputs:literal, $set1:ident, $load:ident, $store:ident, $fma:ident, $add:ident,
     $sub:ident, $mul:ident, $div:ident, $max:ident, $sqrt:ident, $where_positive:ident) => {
        impl Vector for $type {
            const LANES: usize = $lanes;
            const OUTPUTS: usize = $outputs;
            #[inline(always)]
            unsafe fn splat(number: f32) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $set1(number) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction, and that the pointer
                // reaches a vector.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller knows that the CPU has the instruction, and that the pointer
                // reaches a vector.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, by: Self, plus: Self) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $fma(self, by, plus) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $sub(self, other) }
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $mul(self, other) }
            }
            #[inline(always)]
            unsafe fn div(self, other: Self) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $div(self, other) }
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $max(self, other) }
            }
            #[inline(always)]
            unsafe fn sqrt(self) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $sqrt(self) }
            }
            #[inline(always)]
            unsafe fn where_positive(self, gate: Self) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $where_positive(self, gate) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
vector!(
    __m512,
    16,
    8,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_max_ps,
    _mm512_sqrt_ps,
    where_positive_512
);
#[cfg(target_arch = "x86_64")]
vector!(
    __m256,
    8,
    4,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_max_ps,
    _mm256_sqrt_ps,
    where_positive_256
);

/// # Safety
/// The CPU has the vector's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn where_positive_512(numbers: __m512, gate: __m512) -> __m512 {
    // SAFETY: the caller knows that the CPU has the vector's instructions.
    unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(gate, _mm512_setzero_ps()), numbers) }
}

/// # Safety
/// The CPU has the vector's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn where_positive_256(numbers: __m256, gate: __m256) -> __m256 {
    // SAFETY: the caller knows that the CPU has the vector's instructions.
    unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(gate, _mm256_setzero_ps()), numbers) }
}

/// Whether the CPU that portable vectors are compiled for can round a product and a sum once.
pub const PORTABLE_FUSES: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// Eight numbers that the compiler makes vectors of, for whatever CPU it compiles for.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub struct Portable([f32; 8]);

impl Portable {
    #[inline(always)]
    fn with(self, other: Self, each: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| each(self.0[lane], other.0[lane])))
    }
}

impl Vector for Portable {
    const LANES: usize = 8;
    const OUTPUTS: usize = 4;
    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        Self([number; 8])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller knows that the pointer reaches eight numbers.
        Self(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller knows that the pointer reaches eight numbers.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self {
        // Where there is no instruction for it, a fused product is a function call for each number.
        if PORTABLE_FUSES {
            Self(std::array::from_fn(|lane| self.0[lane].mul_add(by.0[lane], plus.0[lane])))
        } else {
            Self(std::array::from_fn(|lane| self.0[lane] * by.0[lane] + plus.0[lane]))
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.with(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.with(other, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // As the instructions of the other sets.
        self.with(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }
    #[inline(always)]
    unsafe fn where_positive(self, gate: Self) -> Self {
        self.with(gate, |number, gate| if gate > 0.0 { number } else { 0.0 })
    }
}
