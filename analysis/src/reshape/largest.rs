//! The groups that matter.

use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy, JoinArgs, JoinType, MaintainOrderJoin, SortMultipleOptions, col,
};

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
    let is_whole = frame.column(value).is_ok_and(|column| column.dtype().is_integer());
    // A sum of whole numbers could be none of their type.
    let value_of = if is_whole { col(value).cast(DataType::Float64) } else { col(value) };
    keep(frame, [group, value], value_of.sum(), groups)
}

/// As [`keep_largest`], by the largest value of any row of a group: for means, quantiles and other values that do not add up.
///
/// # Errors
/// When a column is missing or has no largest value.
///
/// ```
/// use analysis::{polars::prelude::df, reshape::keep_highest};
///
/// let frame = df!("movie" => ["A", "B", "A"], "rating_mean" => [6.0, 9.0, 7.0])?;
/// let best = keep_highest(&frame, "movie", "rating_mean", 1)?;
/// assert_eq!(best, df!("movie" => ["B"], "rating_mean" => [9.0])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn keep_highest(frame: &DataFrame, group: &str, value: &str, groups: usize) -> Result<DataFrame, ReshapeError> {
    keep(frame, [group, value], col(value).max(), groups)
}

fn keep(frame: &DataFrame, [group, value]: [&str; 2], weight: Expr, groups: usize) -> Result<DataFrame, ReshapeError> {
    for name in [group, value] {
        frame.column(name).map_err(|_| ReshapeError::no_column(frame, name))?;
    }
    let largest_first =
        SortMultipleOptions::default().with_order_descending(true).with_maintain_order(true).with_nulls_last(true);
    let largest = frame
        .clone()
        .lazy()
        .group_by_stable([col(group)])
        .agg([weight.alias("weight of the group")])
        .sort(["weight of the group"], largest_first)
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
    fn sums_beyond_an_integer_are_the_largest() {
        let frame = df!("g" => ["a", "a", "b"], "n" => [i64::MAX, i64::MAX, 5]).expect("a frame");
        let kept = keep_largest(&frame, "g", "n", 1).expect("groups");
        assert_eq!(kept, df!("g" => ["a", "a"], "n" => [i64::MAX, i64::MAX]).expect("a frame"));
    }

    #[test]
    fn a_missing_column_is_named() {
        let frame = df!("g" => ["a"], "n" => [1_i64]).expect("a frame");
        let error = keep_largest(&frame, "g", "m", 1).expect_err("no m").to_string();
        assert_eq!(error, "the frame has no column \"m\"; it has g, n");
    }
}
