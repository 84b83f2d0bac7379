//! Mergeable aggregate states, stored instead of averages.
//!
//! Every state has `insert` for a value, `combine` for another state, and methods that return results. Merging is associative and
//! commutative, so a split input gives the same result as the whole (invariant I8). Floating-point sums agree up to rounding.

mod distinct;
mod float_sum;
mod histogram;
mod moments;

pub use distinct::{Distinct, SPARSE_LIMIT};
pub use float_sum::FloatSum;
pub use histogram::Histogram;
pub use moments::{FloatMoments, IntMoments};

/// A stored state that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored state is not readable: {0}; `ingest rebuild` makes the states again from the stored events")]
pub struct StateError(pub String);
