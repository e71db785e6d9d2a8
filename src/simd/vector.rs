//! A vector of f32 as the kernels see it: AVX-512, AVX2 with FMA, and one that any CPU has.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// The width of a tile in vectors, so that a weight that was broadcast serves as often. With the outputs computed together,
/// their sums fill the registers, and hide each other's latency.
pub const VECTORS: usize = 2;
/// The widest vector's lanes.
pub const MOST_LANES: usize = 16;

/// A vector of f32 and what is done with it, and one of as many whole numbers.
///
/// # Safety
/// Every method needs a CPU that has the vector's instructions. Those that load or store also need a
/// pointer that reaches [`Vector::LANES`] numbers, at any alignment.
pub trait Vector: Copy {
    /// As many i32
    type Whole: Copy;
    const LANES: usize;
    /// Rows of a tile.
    const TILE: usize = VECTORS * Self::LANES;
    /// Outputs of a layer computed together, bounded by the number of registers.
    const OUTPUTS: usize;
    /// Whether [`Vector::mul_add`] rounds once.
    const FUSES: bool;
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
    /// The smaller one; `other` where either is no number.
    unsafe fn min(self, other: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    /// Itself where `gate` is above 0, and 0 elsewhere.
    unsafe fn where_positive(self, gate: Self) -> Self;
    /// A bit for each lane, the first one lowest: whether it is at most the other's.
    unsafe fn is_at_most(self, other: Self) -> u32;
    unsafe fn splat_whole(number: i32) -> Self::Whole;
    unsafe fn load_whole(from: *const i32) -> Self::Whole;
    unsafe fn store_whole(whole: Self::Whole, to: *mut i32);
    /// The larger one.
    unsafe fn max_whole(a: Self::Whole, b: Self::Whole) -> Self::Whole;
    /// A bit for each lane, the first one lowest: whether `a` is at least `b`.
    unsafe fn is_at_least(a: Self::Whole, b: Self::Whole) -> u32;
    /// Adds the products of the four bytes in each lane to its sum: of `bytes`, which are at most
    /// [`Simd::largest_byte`](super::Simd::largest_byte), so that nothing saturates, and `by`, which have a sign.
    unsafe fn add_products(sums: Self::Whole, bytes: Self::Whole, by: Self::Whole) -> Self::Whole;
}

#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($type:ty, $whole:ty, $lanes:literal, $outputs:literal, $set1:ident, $load:ident, $store:ident, $fma:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident, $max:ident, $min:ident, $sqrt:ident, $set1_whole:ident, $load_whole:ident, $store_whole:ident,
     $max_whole:ident, $where_positive:ident, $is_at_most:ident, $is_at_least:ident, $add_products:ident) => {
        impl Vector for $type {
            type Whole = $whole;
            const LANES: usize = $lanes;
            const OUTPUTS: usize = $outputs;
            const FUSES: bool = true;
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
            unsafe fn min(self, other: Self) -> Self {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $min(self, other) }
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
            #[inline(always)]
            unsafe fn is_at_most(self, other: Self) -> u32 {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $is_at_most(self, other) }
            }
            #[inline(always)]
            unsafe fn splat_whole(number: i32) -> $whole {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $set1_whole(number) }
            }
            #[inline(always)]
            unsafe fn load_whole(from: *const i32) -> $whole {
                // SAFETY: the caller knows that the CPU has the instruction, and that the pointer
                // reaches a vector.
                unsafe { $load_whole(from.cast()) }
            }
            #[inline(always)]
            unsafe fn store_whole(whole: $whole, to: *mut i32) {
                // SAFETY: the caller knows that the CPU has the instruction, and that the pointer
                // reaches a vector.
                unsafe { $store_whole(to.cast(), whole) }
            }
            #[inline(always)]
            unsafe fn max_whole(a: $whole, b: $whole) -> $whole {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $max_whole(a, b) }
            }
            #[inline(always)]
            unsafe fn is_at_least(a: $whole, b: $whole) -> u32 {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $is_at_least(a, b) }
            }
            #[inline(always)]
            unsafe fn add_products(sums: $whole, bytes: $whole, by: $whole) -> $whole {
                // SAFETY: the caller knows that the CPU has the instruction.
                unsafe { $add_products(sums, bytes, by) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
vector!(
    __m512,
    __m512i,
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
    _mm512_min_ps,
    _mm512_sqrt_ps,
    _mm512_set1_epi32,
    _mm512_loadu_si512,
    _mm512_storeu_si512,
    _mm512_max_epi32,
    where_positive_512,
    is_at_most_512,
    is_at_least_512,
    add_products_512
);
#[cfg(target_arch = "x86_64")]
vector!(
    __m256,
    __m256i,
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
    _mm256_min_ps,
    _mm256_sqrt_ps,
    _mm256_set1_epi32,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_max_epi32,
    where_positive_256,
    is_at_most_256,
    is_at_least_256,
    add_products_256
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

/// # Safety
/// The CPU has the vector's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn is_at_most_512(a: __m512, b: __m512) -> u32 {
    // SAFETY: the caller knows that the CPU has the vector's instructions.
    unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b).into() }
}

/// # Safety
/// The CPU has the vector's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn is_at_most_256(a: __m256, b: __m256) -> u32 {
    // SAFETY: the caller knows that the CPU has the vector's instructions.
    unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(a, b)) as u32 }
}

/// # Safety
/// The CPU has the vector's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn is_at_least_512(a: __m512i, b: __m512i) -> u32 {
    // SAFETY: the caller knows that the CPU has the vector's instructions.
    unsafe { _mm512_cmpge_epi32_mask(a, b).into() }
}

/// # Safety
/// The CPU has the vector's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn is_at_least_256(a: __m256i, b: __m256i) -> u32 {
    // SAFETY: the caller knows that the CPU has the vector's instructions.
    unsafe { !_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(b, a))) as u32 & 0xff }
}

/// # Safety
/// The CPU has the vector's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn add_products_512(sums: __m512i, bytes: __m512i, by: __m512i) -> __m512i {
    // SAFETY: the caller knows that the CPU has the vector's instructions.
    unsafe { _mm512_dpbusd_epi32(sums, bytes, by) }
}

/// # Safety
/// The CPU has the vector's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn add_products_256(sums: __m256i, bytes: __m256i, by: __m256i) -> __m256i {
    // SAFETY: the caller knows that the CPU has the vector's instructions.
    unsafe {
        let pairs = _mm256_maddubs_epi16(bytes, by);
        _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }
}

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
    type Whole = [i32; 8];
    const LANES: usize = 8;
    const OUTPUTS: usize = 4;
    const FUSES: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
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
        if Self::FUSES {
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
    unsafe fn min(self, other: Self) -> Self {
        self.with(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }
    #[inline(always)]
    unsafe fn where_positive(self, gate: Self) -> Self {
        self.with(gate, |number, gate| if gate > 0.0 { number } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn is_at_most(self, other: Self) -> u32 {
        bits(|lane| self.0[lane] <= other.0[lane])
    }
    #[inline(always)]
    unsafe fn splat_whole(number: i32) -> [i32; 8] {
        [number; 8]
    }
    #[inline(always)]
    unsafe fn load_whole(from: *const i32) -> [i32; 8] {
        // SAFETY: the caller knows that the pointer reaches eight numbers.
        unsafe { from.cast::<[i32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_whole(whole: [i32; 8], to: *mut i32) {
        // SAFETY: the caller knows that the pointer reaches eight numbers.
        unsafe { to.cast::<[i32; 8]>().write_unaligned(whole) }
    }
    #[inline(always)]
    unsafe fn max_whole(a: [i32; 8], b: [i32; 8]) -> [i32; 8] {
        std::array::from_fn(|lane| a[lane].max(b[lane]))
    }
    #[inline(always)]
    unsafe fn is_at_least(a: [i32; 8], b: [i32; 8]) -> u32 {
        bits(|lane| a[lane] >= b[lane])
    }
    #[inline(always)]
    unsafe fn add_products(sums: [i32; 8], bytes: [i32; 8], by: [i32; 8]) -> [i32; 8] {
        let products = |lane: usize| {
            let (bytes, by) = (bytes[lane].to_le_bytes(), by[lane].to_le_bytes());
            bytes.iter().zip(by).map(|(byte, by)| i32::from(*byte) * i32::from(by as i8)).sum::<i32>()
        };
        std::array::from_fn(|lane| sums[lane] + products(lane))
    }
}

/// A bit for each of eight lanes for which `holds`.
#[inline(always)]
fn bits(holds: impl Fn(usize) -> bool) -> u32 {
    (0..8).map(|lane| u32::from(holds(lane)) << lane).sum()
}
