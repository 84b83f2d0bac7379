//! Names that readers must be able to tell apart: SQL, Tableau and some file systems do not see the difference of `Daily` and `daily`.

/// The first of the names that is the same as `name`, apart from case.
pub(crate) fn alike<'a>(mut names: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let folded = name.to_lowercase();
    names.find(|other| other.to_lowercase() == folded)
}

/// What is wrong with two such names.
pub(crate) fn differ_by_case(one: &str, other: &str) -> String {
    format!("\"{one}\" and \"{other}\" differ only by case, which SQL, Tableau and some disks do not tell apart")
}
