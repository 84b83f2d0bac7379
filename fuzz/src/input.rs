//! The bytes of an input: choices first, then what is read.

/// What is left of an input.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// The whole input.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Takes one byte as a choice among `count`; a digit is the choice of that number, so that files of a corpus can be read and
    /// written by hand. An input that has ended makes the first choice.
    ///
    /// ```
    /// let mut input = fuzz::Input::new(b"2{}");
    /// assert_eq!(input.choose(5), 2);
    /// assert_eq!(input.rest(), b"{}");
    /// ```
    pub fn choose(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        let number = if first.is_ascii_digit() { first - b'0' } else { *first };
        usize::from(number) % count
    }

    /// Everything behind the choices.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Everything behind the choices, if it is a text.
    pub fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }
}
