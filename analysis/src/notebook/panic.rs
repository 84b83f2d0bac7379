//! Panics in cells.

use std::any::Any;
use std::panic;

/// Lets a panic in a cell say what happened in one line, instead of thirty lines of the kernel's own stack. The kernel's prelude
/// calls this.
pub fn tell_panics_briefly() {
    panic::set_hook(Box::new(|panic| {
        let what = message(panic.payload());
        eprintln!("the cell panicked: {what}. What earlier cells have made is still there.");
    }));
}

fn message(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_both_kinds_are_told() {
        assert_eq!(message(&"out of range"), "out of range");
        assert_eq!(message(&"out of range".to_owned()), "out of range");
        assert_eq!(message(&7), "it does not say why");
    }
}
