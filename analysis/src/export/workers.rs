//! Tables side by side.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{ExportError, source::SourceTable};

/// Does `work` for each table, two at a time: while one is written, MongoDB collects the rows of another. The results are in the
/// order of the tables; the first error ends it.
pub(super) fn side_by_side<T: Send>(
    tables: &[&SourceTable],
    work: impl Fn(&SourceTable) -> Result<T, ExportError> + Sync,
) -> Result<Vec<T>, ExportError> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((place, table)) = tables.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
            let result = work(table);
            let failed = result.is_err();
            done.push((place, result));
            if failed {
                break;
            }
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let other = scope.spawn(worker);
        let mut done = worker();
        done.extend(other.join().expect("a worker returns its errors"));
        done
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}
