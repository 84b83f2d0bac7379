//! Detects names that differ only by case. SQL, Tableau and some file systems do not distinguish `Daily` and `daily`.

/// Returns the first of the names that equals `name`, ignoring case.
pub(crate) fn alike<'a>(mut names: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let folded = name.to_lowercase();
    names.find(|other| other.to_lowercase() == folded)
}

/// Describes the problem with two such names.
pub(crate) fn differ_by_case(one: &str, other: &str) -> String {
    format!("\"{one}\" and \"{other}\" differ only by case, which SQL, Tableau and some disks do not tell apart")
}
