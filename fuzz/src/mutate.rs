//! Inputs like those of a corpus, from a seed: what a stable compiler runs where the engine is not at hand.

use rand::{Rng, RngExt, seq::IndexedRandom};

/// Longest input that mutation makes.
const MOST_BYTES: usize = 4 << 10;

/// Makes inputs from the inputs of a corpus and words that occur in them.
#[derive(Debug, Clone)]
pub struct Mutator {
    corpus: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// Of a corpus; without one it begins with empty inputs.
    pub fn new(mut corpus: Vec<Vec<u8>>, words: Vec<Vec<u8>>) -> Self {
        if corpus.is_empty() {
            corpus.push(Vec::new());
        }
        Self { corpus, words }
    }

    /// An input of the corpus after one to five changes.
    pub fn next(&self, random: &mut impl Rng) -> Vec<u8> {
        let mut input = self.any(random).to_vec();
        for _ in 0..random.random_range(1..=5) {
            self.change(&mut input, random);
        }
        input.truncate(MOST_BYTES);
        input
    }

    fn any(&self, random: &mut impl Rng) -> &[u8] {
        self.corpus.choose(random).expect("a corpus is never empty")
    }

    fn change(&self, input: &mut Vec<u8>, random: &mut impl Rng) {
        let place = random.random_range(0..=input.len());
        match random.random_range(0..8) {
            0 if place < input.len() => input[place] ^= 1 << random.random_range(0..8),
            1 if place < input.len() => input[place] = random.random(),
            2 if place < input.len() => drop(input.drain(place..(place + random.random_range(1..=8)).min(input.len()))),
            3 => insert(input, place, &digits(random)),
            4 => {
                let end = (place + random.random_range(1..=32)).min(input.len());
                let repeated = input[place..end].to_vec();
                insert(input, random.random_range(0..=input.len()), &repeated);
            }
            5 => {
                let other = self.any(random);
                let start = random.random_range(0..=other.len());
                let end = (start + random.random_range(1..=64)).min(other.len());
                insert(input, place, &other[start..end]);
            }
            _ => {
                if let Some(word) = self.words.choose(random) {
                    insert(input, place, word);
                }
            }
        }
    }
}

fn insert(input: &mut Vec<u8>, place: usize, bytes: &[u8]) {
    input.splice(place..place, bytes.iter().copied());
}

fn digits(random: &mut impl Rng) -> Vec<u8> {
    let count = random.random_range(1..=20);
    (0..count).map(|_| random.random_range(b'0'..=b'9')).collect()
}

/// The words of a libFuzzer dictionary: one in quotes a line, with `\\`, `\"` and `\xAB`; `#` begins a comment.
///
/// # Panics
/// On a line that is none of these: dictionaries are part of the sources.
///
/// ```
/// assert_eq!(fuzz::mutate::words("# a comment\n\"1e\\x2b\"\n"), [b"1e+".to_vec()]);
/// ```
pub fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let lines = dictionary.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| word(line).unwrap_or_else(|| panic!("not a word in quotes: {line}"))).collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let mut rest = line.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let mut word = Vec::new();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        match (first, rest) {
            (b'\\', [escaped @ (b'\\' | b'"'), behind @ ..]) => {
                word.push(*escaped);
                rest = behind;
            }
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let digits = [*high, *low];
                word.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                rest = behind;
            }
            (b'\\' | b'"', _) => return None,
            (other, _) => word.push(other),
        }
    }
    Some(word)
}
