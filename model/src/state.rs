//! Mergeable aggregate states: what is stored instead of averages.
//!
//! Every state has `insert` (one value), `combine` (another state) and readings of the result. Combining is associative and
//! commutative, so a split input gives the same result as the whole (invariant I8); floating-point sums agree up to rounding.

mod distinct;
mod histogram;
mod moments;

pub use distinct::{Distinct, SPARSE_LIMIT};
pub use histogram::Histogram;
pub use moments::{FloatMoments, FloatSum, IntMoments};

/// A stored state that this program cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored state is not readable: {0}; `ingest rebuild` makes the states again from the stored events")]
pub struct StateError(pub String);
