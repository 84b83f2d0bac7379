//! Deterministic simulation of the pipeline.
//!
//! Two workers run the product's own router, lanes and committer on tokio's paused clock, on one thread. A store in memory ([`db`])
//! has the properties of MongoDB that the protocol rests on: snapshot transactions, write conflicts, elections that roll back what no
//! majority has, commits whose answer is lost or that land after the client gave up. A [`Case`] is drawn from a seed: records, and a
//! schedule of rebalances, crashes, elections, outages and topic recreations. The invariants are checked after every action, and the
//! end state against an independent recomputation ([`check`]).
//!
//! Equal seeds replay exactly. A failing case is made smaller before it is printed ([`Case::shrink`]). Each [`Guard`] of the protocol
//! can be taken away, to see that the invariants notice.

pub mod case;
pub mod check;
pub mod db;
pub mod guard;
mod sink;
pub mod topic;
mod worker;
mod world;

pub use case::{Action, Case};
pub use guard::Guard;
pub use world::{Run, run};
