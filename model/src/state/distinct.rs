//! Number of distinct values: exact while there are few, then a HyperLogLog sketch.
//!
//! Up to [`SPARSE_LIMIT`] hashes are kept as they are. Beyond, 4,096 registers keep the longest run of zero bits: Flajolet et al.,
//! "HyperLogLog" (2007), read with the estimator of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
//! (2017), algorithm 6, which needs no table of corrections. The standard error is 1.04 / 64 = 1.6 %.
//!
//! The form of a state depends only on the set of hashes, so equal sets have equal bytes.

use super::StateError;
use std::collections::BTreeSet;
use xxhash_rust::xxh3::xxh3_64;

/// Number of hashes that are stored themselves; they take as many bytes as the registers.
pub const SPARSE_LIMIT: usize = 512;
const PRECISION: u32 = 12;
const REGISTERS: usize = 1 << PRECISION;
/// Largest value of a register: the remaining 52 bits of the hash, plus one.
const LARGEST: usize = 64 - PRECISION as usize + 1;
const SPARSE_TAG: u8 = 1;
const DENSE_TAG: u8 = 2;

/// A set of values that returns their number: exact up to [`SPARSE_LIMIT`], then an estimate.
///
/// ```
/// let mut reviewers = model::state::Distinct::default();
/// for name in ["kim", "lee", "kim"] {
///     reviewers.insert(name.as_bytes());
/// }
/// assert_eq!(reviewers.estimate(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Sparse(BTreeSet<u64>),
    Dense(Box<[u8; REGISTERS]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self(Form::Sparse(BTreeSet::new()))
    }
}

impl Distinct {
    /// Relative standard error of [`estimate`](Self::estimate) beyond [`SPARSE_LIMIT`]: 1.04 / sqrt(registers).
    pub const RELATIVE_ERROR: f64 = 1.04 / 64.0;

    /// Adds a value, as bytes that are equal if and only if the values are.
    pub fn insert(&mut self, value: &[u8]) {
        self.insert_hash(xxh3_64(value));
    }

    pub(crate) fn heap_size(&self) -> usize {
        match &self.0 {
            Form::Sparse(hashes) => hashes.len() * size_of::<u64>() * 3 / 2,
            Form::Dense(registers) => registers.len(),
        }
    }

    /// Adds all values of another set.
    pub fn combine(&mut self, other: &Self) {
        match &other.0 {
            Form::Sparse(hashes) => hashes.iter().for_each(|&hash| self.insert_hash(hash)),
            Form::Dense(theirs) => {
                let ours = self.densify();
                for (our, their) in ours.iter_mut().zip(theirs.iter()) {
                    *our = (*our).max(*their);
                }
            }
        }
    }

    /// Returns the number of distinct values, exact up to [`SPARSE_LIMIT`].
    ///
    /// The set does not know how many values were added. The caller limits the estimate to that number.
    pub fn estimate(&self) -> i64 {
        match &self.0 {
            Form::Sparse(hashes) => hashes.len() as i64,
            // Registers are used beyond the limit, so there are at least that many values.
            Form::Dense(registers) => (estimate(registers).round() as i64).max(SPARSE_LIMIT as i64 + 1),
        }
    }

    /// Returns the stored form: a tag, then the hashes in order (little-endian) or the registers.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Form::Sparse(hashes) => {
                std::iter::once(SPARSE_TAG).chain(hashes.iter().flat_map(|hash| hash.to_le_bytes())).collect()
            }
            Form::Dense(registers) => std::iter::once(DENSE_TAG).chain(registers.iter().copied()).collect(),
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`StateError`] if the bytes were not written by [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let broken = || StateError(format!("a distinct count of {} bytes", bytes.len()));
        match bytes.split_first() {
            Some((&SPARSE_TAG, hashes)) if hashes.len() % 8 == 0 && hashes.len() / 8 <= SPARSE_LIMIT => {
                let (chunks, _) = hashes.as_chunks::<8>();
                Ok(Self(Form::Sparse(chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect())))
            }
            Some((&DENSE_TAG, registers)) => {
                let registers: [u8; REGISTERS] = registers.try_into().map_err(|_| broken())?;
                let valid = registers.iter().all(|&register| usize::from(register) <= LARGEST);
                if valid { Ok(Self(Form::Dense(Box::new(registers)))) } else { Err(broken()) }
            }
            _ => Err(broken()),
        }
    }

    fn insert_hash(&mut self, hash: u64) {
        match &mut self.0 {
            Form::Sparse(hashes) => {
                hashes.insert(hash);
                if hashes.len() > SPARSE_LIMIT {
                    self.densify();
                }
            }
            Form::Dense(registers) => raise(registers, hash),
        }
    }

    fn densify(&mut self) -> &mut [u8; REGISTERS] {
        if let Form::Sparse(hashes) = &self.0 {
            let mut registers = Box::new([0; REGISTERS]);
            hashes.iter().for_each(|&hash| raise(&mut registers, hash));
            self.0 = Form::Dense(registers);
        }
        match &mut self.0 {
            Form::Dense(registers) => registers,
            Form::Sparse(_) => unreachable!("a sparse form was made dense above"),
        }
    }
}

/// Adds a hash. Its first bits select the register; the run of zeros in the rest is the register's lower bound.
fn raise(registers: &mut [u8; REGISTERS], hash: u64) {
    let place = (hash >> (64 - PRECISION)) as usize;
    let run = ((hash << PRECISION).leading_zeros() as usize + 1).min(LARGEST) as u8;
    registers[place] = registers[place].max(run);
}

fn estimate(registers: &[u8; REGISTERS]) -> f64 {
    let mut multiplicity = [0_u32; LARGEST + 1];
    registers.iter().for_each(|&register| multiplicity[usize::from(register)] += 1);
    let m = REGISTERS as f64;
    let mut z = m * tau(1.0 - f64::from(multiplicity[LARGEST]) / m);
    for &count in multiplicity[1..LARGEST].iter().rev() {
        z = 0.5 * (z + f64::from(count));
    }
    z += m * sigma(f64::from(multiplicity[0]) / m);
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

/// Sum over k of x^(2^k) 2^(k-1), and x: the share of registers that are still zero.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// The counterpart of [`sigma`] for registers that have reached the largest value.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Distinct {
        values.into_iter().fold(Distinct::default(), |mut set, value| {
            set.insert(&value.to_le_bytes());
            set
        })
    }

    #[test]
    fn the_estimate_is_within_four_standard_errors() {
        for size in [0, 1, 100, 512, 513, 1_000, 5_000, 10_000, 50_000, 1_000_000] {
            let estimate = of(0..size).estimate();
            let error = (estimate - size as i64).abs() as f64;
            let bound = if size as usize <= SPARSE_LIMIT { 0.0 } else { size as f64 * 4.0 * 1.04 / 64.0 };
            assert!(error <= bound, "{size} values were estimated as {estimate}");
        }
    }

    #[test]
    fn an_estimate_is_never_below_what_is_counted_exactly() {
        for seed in 0..200_u64 {
            let first = seed << 32;
            let estimate = of(first..first + SPARSE_LIMIT as u64 + 1).estimate();
            assert!(estimate > SPARSE_LIMIT as i64, "seed {seed}: {estimate}");
        }
    }

    #[test]
    fn bytes_that_are_not_a_set_are_refused() {
        for bytes in [&[][..], &[0], &[SPARSE_TAG, 1, 2], &[DENSE_TAG, 0], &[9; 4097]] {
            assert!(Distinct::from_bytes(bytes).is_err());
        }
        let mut wild = vec![200; REGISTERS + 1];
        wild[0] = DENSE_TAG;
        assert!(Distinct::from_bytes(&wild).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_split_input_gives_the_whole(size in 0_u64..2_000, cut in 0_u64..2_000, overlap in 0_u64..500) {
            let cut = cut.min(size);
            let (first, second) = (of(0..cut), of(cut.saturating_sub(overlap)..size));
            let (mut ab, mut ba) = (first.clone(), second.clone());
            ab.combine(&second);
            ba.combine(&first);
            prop_assert_eq!(&ab, &of(0..size));
            prop_assert_eq!(&ab, &ba);
            prop_assert_eq!(Distinct::from_bytes(&ab.to_bytes()), Ok(ab));
        }
    }
}
