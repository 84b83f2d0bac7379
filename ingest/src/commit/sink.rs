//! The port between the pipeline and the store: what a batch needs of the place it is committed to.

use super::outcome::{CommitError, Transient, WriteAbort};
use crate::batch::{CommitPlan, DeadLetter, Move};
use crate::dead_letters::Settlement;
use crate::store::Position;
use bson::raw::{RawDocument, RawDocumentBuf};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where batches are committed: a store with multi-document transactions.
///
/// [`MongoSink`](crate::store::MongoSink) is the product's. Tests have one in memory.
pub trait BatchSink: Send + Sync + 'static {
    /// An open transaction. Dropping it aborts it.
    type Transaction: Send;

    /// Begins a transaction.
    fn begin(&self) -> impl Future<Output = Result<Self::Transaction, WriteAbort>> + Send;

    /// Calls `found` with each stored event that has one of these ids (as `{_id}` documents), outside any transaction.
    fn find_events(
        &self,
        ids: &[&RawDocumentBuf],
        found: impl FnMut(&RawDocument) + Send,
    ) -> impl Future<Output = Result<(), WriteAbort>> + Send;

    /// Moves positions by compare-and-set.
    ///
    /// Aborts with [`WriteAbort::Fenced`] unless every position is where its move expects it, and with
    /// [`WriteAbort::PositionsHeld`] where another open transaction has moved one.
    fn move_positions(
        &self,
        transaction: &mut Self::Transaction,
        worker: &str,
        moves: &[PositionMove],
    ) -> impl Future<Output = Result<(), WriteAbort>> + Send;

    /// Inserts events; [`WriteAbort::DuplicateId`] where the id of one is taken.
    fn insert_events(
        &self,
        transaction: &mut Self::Transaction,
        events: &[Cow<'_, RawDocumentBuf>],
    ) -> impl Future<Output = Result<(), WriteAbort>> + Send;

    /// Inserts partial states.
    fn insert_states(
        &self,
        transaction: &mut Self::Transaction,
        states: Vec<RawDocumentBuf>,
    ) -> impl Future<Output = Result<(), WriteAbort>> + Send;

    /// Keeps dead letters; one that is there already stays as it is.
    fn insert_dead_letters(
        &self,
        transaction: &mut Self::Transaction,
        letters: &[DeadLetter],
    ) -> impl Future<Output = Result<(), WriteAbort>> + Send;

    /// Records what replayed dead letters became, and corrects the counts of their positions.
    ///
    /// Aborts with [`WriteAbort::Fenced`] where the positions count into other tables, and with
    /// [`WriteAbort::DuplicateId`] where another replay has settled a letter.
    fn settle(
        &self,
        transaction: &mut Self::Transaction,
        settlement: &Settlement,
        plan: &CommitPlan<'_>,
    ) -> impl Future<Output = Result<(), WriteAbort>> + Send;

    /// Commits. The sink may repeat the request where the store allows that.
    fn commit(&self, transaction: &mut Self::Transaction) -> impl Future<Output = Result<(), CommitError>> + Send;

    /// The stored positions of the topic, by partition.
    fn positions(
        &self,
        durability: Durability,
    ) -> impl Future<Output = Result<BTreeMap<i32, Position>, Transient>> + Send;

    /// Ends transactions that dead workers have left open.
    fn release_abandoned(&self) -> impl Future<Output = ()> + Send;
}

/// Which writes a read sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// All that the primary has; an election may take some of it back.
    Local,
    /// What a majority of the replica set has acknowledged.
    Majority,
}

/// One compare-and-set of a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PositionMove {
    /// Partition.
    pub partition: i32,
    /// From where to where, and what the records became.
    pub to: Move,
    /// Number of losses accepted so far; one more means that the offsets are of another log.
    pub gaps: usize,
    /// Number of the plan of rollups that the records are counted under.
    pub plan: i64,
}
