signatures! {
    type DataFrame {
        fn height(&self) -> usize;
        fn width(&self) -> usize;
        fn shape(&self) -> (usize, usize);
        fn columns(&self) -> &[Column];
        fn column(&self, name: &str) -> PolarsResult<&Column>;
        fn get_column_names(&self) -> Vec<&PlSmallStr>;
        fn get_column_names_owned(&self) -> Vec<PlSmallStr>;
        fn dtypes(&self) -> Vec<DataType>;
        fn head(&self, length: Option<usize>) -> DataFrame;
        fn tail(&self, length: Option<usize>) -> DataFrame;
        fn slice(&self, offset: i64, length: usize) -> DataFrame;
        fn drop(&self, name: &str) -> PolarsResult<DataFrame>;
        fn hstack(&self, columns: &[Column]) -> PolarsResult<DataFrame>;
        fn vstack(&self, other: &DataFrame) -> PolarsResult<DataFrame>;
        fn reverse(&self) -> DataFrame;
        fn null_count(&self) -> DataFrame;
    }
    extension IntoLazy for DataFrame {
        fn lazy(self) -> LazyFrame;
    }
    type LazyFrame {
        fn collect(self) -> PolarsResult<DataFrame>;
        fn explain(&self, optimized: bool) -> PolarsResult<String>;
        fn filter(self, predicate: Expr) -> LazyFrame;
        fn remove(self, predicate: Expr) -> LazyFrame;
        fn select(self, exprs: impl AsRef<[Expr]>) -> LazyFrame;
        fn with_column(self, expr: Expr) -> LazyFrame;
        fn with_columns(self, exprs: impl AsRef<[Expr]>) -> LazyFrame;
        fn group_by(self, by: impl AsRef<[Expr]>) -> LazyGroupBy;
        fn group_by_stable(self, by: impl AsRef<[Expr]>) -> LazyGroupBy;
        fn sort_by_exprs(self, by: impl AsRef<[Expr]>, sort_options: SortMultipleOptions) -> LazyFrame;
        fn reverse(self) -> LazyFrame;
        fn limit(self, n: u32) -> LazyFrame;
        fn tail(self, n: u32) -> LazyFrame;
        fn slice(self, offset: i64, len: u32) -> LazyFrame;
        fn first(self) -> LazyFrame;
        fn last(self) -> LazyFrame;
        fn drop_nulls(self, subset: Option<Selector>) -> LazyFrame;
        fn fill_null(self, fill_value: impl Into<Expr>) -> LazyFrame;
        fn inner_join(self, other: LazyFrame, left_on: Expr, right_on: Expr) -> LazyFrame;
        fn left_join(self, other: LazyFrame, left_on: Expr, right_on: Expr) -> LazyFrame;
        fn full_join(self, other: LazyFrame, left_on: Expr, right_on: Expr) -> LazyFrame;
        fn max(self) -> LazyFrame;
        fn min(self) -> LazyFrame;
        fn sum(self) -> LazyFrame;
        fn mean(self) -> LazyFrame;
        fn median(self) -> LazyFrame;
        fn count(self) -> LazyFrame;
        fn null_count(self) -> LazyFrame;
    }
    type LazyGroupBy {
        fn agg(self, aggs: impl AsRef<[Expr]>) -> LazyFrame;
        fn having(self, predicate: Expr) -> LazyGroupBy;
        fn head(self, n: Option<usize>) -> LazyFrame;
        fn tail(self, n: Option<usize>) -> LazyFrame;
    }
    type Column {
        fn name(&self) -> &PlSmallStr;
        fn len(&self) -> usize;
        fn null_count(&self) -> usize;
        fn dtype(&self) -> &DataType;
        fn as_materialized_series(&self) -> &Series;
    }
    type Series {
        fn head(&self, length: Option<usize>) -> Series;
        fn tail(&self, length: Option<usize>) -> Series;
        fn into_frame(self) -> DataFrame;
    }
    extension SeriesTrait for Series {
        fn name(&self) -> &PlSmallStr;
        fn len(&self) -> usize;
        fn null_count(&self) -> usize;
        fn dtype(&self) -> &DataType;
        fn mean(&self) -> Option<f64>;
        fn median(&self) -> Option<f64>;
    }
    type Expr {
        fn alias(self, name: &str) -> Expr;
        fn eq(self, other: impl Into<Expr>) -> Expr;
        fn neq(self, other: impl Into<Expr>) -> Expr;
        fn lt(self, other: impl Into<Expr>) -> Expr;
        fn lt_eq(self, other: impl Into<Expr>) -> Expr;
        fn gt(self, other: impl Into<Expr>) -> Expr;
        fn gt_eq(self, other: impl Into<Expr>) -> Expr;
        fn and(self, expr: impl Into<Expr>) -> Expr;
        fn or(self, expr: impl Into<Expr>) -> Expr;
        fn not(self) -> Expr;
        fn is_null(self) -> Expr;
        fn is_not_null(self) -> Expr;
        fn fill_null(self, fill_value: impl Into<Expr>) -> Expr;
        fn cast(self, dtype: DataType) -> Expr;
        fn first(self) -> Expr;
        fn last(self) -> Expr;
        fn sum(self) -> Expr;
        fn mean(self) -> Expr;
        fn median(self) -> Expr;
        fn min(self) -> Expr;
        fn max(self) -> Expr;
        fn std(self, ddof: u8) -> Expr;
        fn var(self, ddof: u8) -> Expr;
        fn count(self) -> Expr;
        fn len(self) -> Expr;
        fn n_unique(self) -> Expr;
        fn null_count(self) -> Expr;
        fn shift(self, n: Expr) -> Expr;
        fn over(self, partition_by: impl AsRef<[Expr]>) -> PolarsResult<Expr>;
        fn head(self, length: Option<usize>) -> Expr;
        fn tail(self, length: Option<usize>) -> Expr;
        fn reverse(self) -> Expr;
        fn dt(self) -> DateLikeNameSpace;
    }
    type DateLikeNameSpace {
        fn year(self) -> Expr;
        fn quarter(self) -> Expr;
        fn month(self) -> Expr;
        fn week(self) -> Expr;
        fn weekday(self) -> Expr;
        fn day(self) -> Expr;
        fn hour(self) -> Expr;
        fn minute(self) -> Expr;
        fn truncate(self, every: Expr) -> Expr;
        fn to_string(self, format: &str) -> Expr;
    }
    type When {
        fn then(self, expr: impl Into<Expr>) -> Then;
    }
    type Then {
        fn when(self, condition: impl Into<Expr>) -> ChainedWhen;
        fn otherwise(self, statement: impl Into<Expr>) -> Expr;
    }
    type ChainedWhen {
        fn then(self, statement: impl Into<Expr>) -> ChainedThen;
    }
    type ChainedThen {
        fn when(self, condition: impl Into<Expr>) -> ChainedWhen;
        fn otherwise(self, expr: impl Into<Expr>) -> Expr;
    }
    functions of {
        fn col(name: &str) -> Expr;
        fn lit(value: impl Literal) -> Expr;
        fn when(condition: impl Into<Expr>) -> When;
        fn len() -> Expr;
    }
}
