//! The groups that matter.

use polars::prelude::{DataFrame, IntoLazy, JoinArgs, JoinType, MaintainOrderJoin, SortMultipleOptions, col};

use super::ReshapeError;

/// Rows of the `groups` values of `group` with the largest sums of `value`, ordered by that sum, largest first; rows of one group
/// keep their order.
///
/// # Errors
/// When a column is missing or `value` cannot be summed.
///
/// ```
/// use analysis::{polars::prelude::df, reshape::keep_largest};
///
/// let frame = df!("movie" => ["A", "B", "C", "B"], "reviews" => [3, 2, 1, 2])?;
/// let two = keep_largest(&frame, "movie", "reviews", 2)?;
/// assert_eq!(two, df!("movie" => ["B", "B", "A"], "reviews" => [2, 2, 3])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn keep_largest(frame: &DataFrame, group: &str, value: &str, groups: usize) -> Result<DataFrame, ReshapeError> {
    for name in [group, value] {
        frame.column(name).map_err(|_| ReshapeError::no_column(frame, name))?;
    }
    let largest_first =
        SortMultipleOptions::default().with_order_descending(true).with_maintain_order(true).with_nulls_last(true);
    let largest = frame
        .clone()
        .lazy()
        .group_by_stable([col(group)])
        .agg([col(value).sum().alias("total of the group")])
        .sort(["total of the group"], largest_first)
        .limit(u32::try_from(groups).unwrap_or(u32::MAX))
        .select([col(group)]);
    let join =
        JoinArgs { maintain_order: MaintainOrderJoin::LeftRight, nulls_equal: true, ..JoinArgs::new(JoinType::Inner) };
    let order: Vec<_> = frame.get_column_names().into_iter().map(|name| col(name.clone())).collect();
    Ok(largest.join(frame.clone().lazy(), [col(group)], [col(group)], join).select(order).collect()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn more_groups_than_there_are_keep_everything() {
        let frame = df!("g" => ["a", "b"], "n" => [1_i64, 2]).expect("a frame");
        let all = keep_largest(&frame, "g", "n", 10).expect("groups");
        assert_eq!(all, df!("g" => ["b", "a"], "n" => [2_i64, 1]).expect("a frame"));
    }

    #[test]
    fn a_missing_column_is_named() {
        let frame = df!("g" => ["a"], "n" => [1_i64]).expect("a frame");
        let error = keep_largest(&frame, "g", "m", 1).expect_err("no m").to_string();
        assert_eq!(error, "the frame has no column \"m\"; it has g, n");
    }
}
