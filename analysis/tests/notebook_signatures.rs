//! The signatures that notebooks show rust-analyzer in place of polars (`notebooks/kernel/polars_signatures.rs`) are those of polars:
//! each is compiled here as a method that hands its arguments on.

// They are compiled and never called.
#![allow(dead_code)]
// A method that polars does not have would be found in the trait that shows it.
#![deny(unconditional_recursion)]

use polars::prelude::dt::DateLikeNameSpace;
use polars::prelude::*;

use analysis::polars;

macro_rules! signatures {
    ($($kind:ident $name:ident $(for $target:ident)? { $($signatures:tt)* })*) => {
        $(signatures!(@ $kind $name $($target)? { $($signatures)* });)*
    };
    (@ type $name:ident { $(fn $method:ident($($argument:tt)*) -> $result:ty;)* }) => {
        $(signatures!(@ method $name $method($($argument)*) -> $result);)*
    };
    (@ method $name:ident $method:ident(&self $(, $argument:ident: $kind:ty)*) -> $result:ty) => {
        const _: () = {
            trait Shown {
                fn $method(&self $(, $argument: $kind)*) -> $result;
            }
            impl Shown for $name {
                fn $method(&self $(, $argument: $kind)*) -> $result {
                    $name::$method(self $(, $argument)*)
                }
            }
        };
    };
    (@ method $name:ident $method:ident(self $(, $argument:ident: $kind:ty)*) -> $result:ty) => {
        const _: () = {
            fn shown(this: $name $(, $argument: $kind)*) -> $result {
                $name::$method(this $(, $argument)*)
            }
        };
    };
    (@ extension $extension:ident $name:ident { $(fn $method:ident($($argument:tt)*) -> $result:ty;)* }) => {
        $(signatures!(@ called $name $method($($argument)*) -> $result);)*
    };
    (@ called $name:ident $method:ident(&self) -> $result:ty) => {
        const _: fn(&$name) -> $result = |this| this.$method();
    };
    (@ called $name:ident $method:ident(self) -> $result:ty) => {
        const _: fn($name) -> $result = |this| this.$method();
    };
    (@ functions $name:ident { $(fn $function:ident($($argument:ident: $kind:ty)?) -> $result:ty;)* }) => {
        $(const _: () = {
            fn shown($($argument: $kind)?) -> $result {
                $function($($argument)?)
            }
        };)*
    };
}

include!("../../notebooks/kernel/polars_signatures.rs");

/// What `polars_view.rs` says by hand.
#[test]
fn operators_and_constructors_are_as_they_are_shown() {
    let expressions = [col("a") + lit(1), col("a") - lit(1), col("a") * lit(2), col("a") / lit(2), col("a") % lit(2)];
    let frame: PolarsResult<DataFrame> = df!("a" => [4_i64]);
    let named = expressions.into_iter().enumerate().map(|(at, expression)| expression.alias(at.to_string()));
    let results = frame.and_then(|frame| frame.lazy().select(named.collect::<Vec<Expr>>()).collect()).expect("numbers");
    assert_eq!(results.shape(), (1, 5));
    let series: Series = Series::new("a".into(), [1, 2]);
    assert_eq!(series.into_frame().height(), 2);
}
