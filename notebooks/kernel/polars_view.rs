//! What rust-analyzer sees of polars in a notebook: names and signatures, so that `let` needs no type. Never compiled.
//!
//! The signatures themselves are in `polars_signatures.rs`, which `library.py` appends to this file; a test compiles the same
//! list against polars (`analysis/tests/notebook_signatures.rs`).

pub use crate::df;

pub mod prelude {
    macro_rules! signatures {
        ($(
            $kind:ident $name:ident $(for $target:ident)? {
                $(fn $method:ident($($argument:tt)*) -> $result:ty;)*
            }
        )*) => {
            $(signatures!(@ $kind $name $($target)? { $(fn $method($($argument)*) -> $result;)* });)*
        };
        (@ type $name:ident { $(fn $method:ident($($argument:tt)*) -> $result:ty;)* }) => {
            #[derive(Debug, Clone)]
            pub struct $name;
            impl $name {
                $(pub fn $method($($argument)*) -> $result { loop {} })*
            }
        };
        (@ extension $name:ident $target:ident { $(fn $method:ident($($argument:tt)*) -> $result:ty;)* }) => {
            impl $target {
                $(pub fn $method($($argument)*) -> $result { loop {} })*
            }
        };
        (@ functions $name:ident { $(fn $function:ident($($argument:tt)*) -> $result:ty;)* }) => {
            $(pub fn $function($($argument)*) -> $result { loop {} })*
        };
    }

    pub use crate::df;

    #[derive(Debug)]
    pub struct PolarsError;
    impl std::fmt::Display for PolarsError {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { loop {} }
    }
    impl std::error::Error for PolarsError {}
    pub type PolarsResult<T> = Result<T, PolarsError>;

    #[derive(Debug, Clone)]
    pub struct PlSmallStr;
    #[derive(Debug, Clone)]
    pub struct DataType;
    #[derive(Debug, Clone)]
    pub struct Selector;
    #[derive(Debug, Clone)]
    pub struct SortMultipleOptions;
    impl Default for SortMultipleOptions {
        fn default() -> Self { loop {} }
    }

    macro_rules! operators {
        ($($operator:ident $method:ident)*) => {
            $(impl std::ops::$operator for Expr {
                type Output = Expr;
                fn $method(self, _: Expr) -> Expr { loop {} }
            })*
        };
    }
    operators!(Add add Sub sub Mul mul Div div Rem rem);

    /// What `df!` gives.
    pub fn frame_of_columns() -> PolarsResult<DataFrame> { loop {} }

    impl Series {
        pub fn new<T>(_: PlSmallStr, _: T) -> Series { loop {} }
    }

    include_signatures!();
}

#[macro_export]
macro_rules! df {
    ($($column:expr => $values:expr),* $(,)?) => {
        $crate::polars::prelude::frame_of_columns()
    };
}
