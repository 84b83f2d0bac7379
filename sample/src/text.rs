//! Reviews put together from phrases.

use super::catalog::Movie;
use super::phrases::{ANNOYED, Mood, NEUTRAL, ODDITIES, PLEASED, TORN};
use super::random::Random;
use super::words::{ASPECTS, BAD, GOOD, NOUNS, TIMES};

/// Lengths of real reviews, in bytes: one in eighteen lies between each two of them.
const LENGTHS: [i64; 19] =
    [60, 120, 190, 260, 330, 400, 480, 560, 650, 760, 880, 1020, 1190, 1400, 1680, 2080, 2700, 3800, 8600];
/// One sentence in a thousand times this is followed by an oddity.
const ODDITY_PER_MILLE: u64 = 35;

/// Steps through the sentences of a mood; with each of them all sentences come before one comes again.
const STRIDES: [usize; 4] = [11, 17, 19, 23];

/// A piece of a phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Words(&'static str),
    Film,
    Genre,
    Actor,
    Other,
    One(&'static [&'static str]),
}

type Phrase = Vec<Piece>;

/// All phrases, taken apart once.
#[derive(Debug)]
pub(super) struct Writer {
    pleased: Phrases,
    torn: Phrases,
    annoyed: Phrases,
}

/// Phrases of one mood.
#[derive(Debug)]
struct Phrases {
    summaries: Vec<Phrase>,
    openings: Vec<Phrase>,
    sentences: Vec<Phrase>,
    closings: Vec<Phrase>,
}

impl Phrases {
    fn new(mood: &Mood) -> Self {
        let all = |texts: &[&'static str]| texts.iter().copied().map(pieces).collect();
        let mut sentences: Vec<_> = all(mood.sentences);
        sentences.extend(NEUTRAL.iter().copied().map(pieces));
        Self { summaries: all(mood.summaries), openings: all(mood.openings), sentences, closings: all(mood.closings) }
    }
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { pleased: Phrases::new(&PLEASED), torn: Phrases::new(&TORN), annoyed: Phrases::new(&ANNOYED) }
    }

    /// The heading of a review of `movie` with `rating`.
    pub(super) fn summary(&self, movie: &Movie, rating: Option<u8>, random: &mut Random) -> String {
        let mut text = String::with_capacity(64);
        write(&mut text, one_of(&self.mood(rating).summaries, random), movie, random);
        text
    }

    /// The text of a review of `movie` with `rating`.
    pub(super) fn detail(&self, movie: &Movie, rating: Option<u8>, random: &mut Random) -> String {
        let mood = self.mood(rating);
        let step = random.index(LENGTHS.len() - 1);
        let length = random.between(LENGTHS[step], LENGTHS[step + 1]) as usize;
        let mut text = String::with_capacity(length + 200);
        write(&mut text, one_of(&mood.openings, random), movie, random);
        let sentences = &mood.sentences;
        let (mut at, stride) = (random.index(sentences.len()), random.pick(&STRIDES));
        while text.len() < length {
            text.push(' ');
            write(&mut text, &sentences[at], movie, random);
            at = (at + stride) % sentences.len();
            if random.chance(ODDITY_PER_MILLE) {
                text.push(' ');
                text.push_str(random.pick(ODDITIES));
            }
        }
        text.push(' ');
        write(&mut text, one_of(&mood.closings, random), movie, random);
        text
    }

    fn mood(&self, rating: Option<u8>) -> &Phrases {
        match rating {
            Some(7..) => &self.pleased,
            Some(..=4) => &self.annoyed,
            _ => &self.torn,
        }
    }
}

fn one_of<'a>(phrases: &'a [Phrase], random: &mut Random) -> &'a [Piece] {
    &phrases[random.index(phrases.len())]
}

/// Appends a phrase with its places filled in and its first letter large.
fn write(text: &mut String, phrase: &[Piece], movie: &Movie, random: &mut Random) {
    let start = text.len();
    for piece in phrase {
        match piece {
            Piece::Words(words) => text.push_str(words),
            Piece::Film => text.push_str(&movie.name),
            Piece::Other => text.extend(random.pick(&NOUNS).chars().map(|letter| letter.to_ascii_lowercase())),
            Piece::Genre => text.push_str(movie.genre),
            Piece::Actor => text.push_str(&movie.cast[random.index(movie.cast.len())]),
            Piece::One(list) => text.push_str(random.pick(list)),
        }
    }
    if text[start..].starts_with(|first: char| first.is_ascii_lowercase()) {
        text[start..=start].make_ascii_uppercase();
    }
}

/// Takes a phrase apart at its places.
fn pieces(mut text: &'static str) -> Phrase {
    let mut pieces = Vec::new();
    while let Some((before, rest)) = text.split_once('{') {
        let (place, after) = rest.split_once('}').expect("the phrases are constants and close their places");
        if !before.is_empty() {
            pieces.push(Piece::Words(before));
        }
        pieces.push(place_of(place));
        text = after;
    }
    if !text.is_empty() {
        pieces.push(Piece::Words(text));
    }
    pieces
}

fn place_of(name: &'static str) -> Piece {
    match name {
        "film" => Piece::Film,
        "other" => Piece::Other,
        "actor" => Piece::Actor,
        "good" => Piece::One(&GOOD),
        "bad" => Piece::One(&BAD),
        "aspect" => Piece::One(&ASPECTS),
        "genre" => Piece::Genre,
        "time" => Piece::One(&TIMES),
        _ => unreachable!("the phrases are constants with known places, not {{{name}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn phrases_are_taken_apart() {
        assert_eq!(
            pieces("{film} is {good}."),
            [Piece::Film, Piece::Words(" is "), Piece::One(&GOOD), Piece::Words(".")]
        );
        assert_eq!(pieces("Meh"), [Piece::Words("Meh")]);
    }

    #[test]
    fn all_phrases_have_known_places() {
        let writer = Writer::new();
        let moods = [&writer.pleased, &writer.torn, &writer.annoyed];
        assert!(moods.iter().all(|mood| mood.sentences.len() > NEUTRAL.len() && !mood.openings.is_empty()));
    }

    #[test]
    fn every_stride_meets_all_sentences() {
        let writer = Writer::new();
        for mood in [&writer.pleased, &writer.torn, &writer.annoyed] {
            let count = mood.sentences.len();
            for stride in STRIDES {
                let met: HashSet<_> = (0..count).map(|step| step * stride % count).collect();
                assert_eq!(met.len(), count, "{count} sentences by {stride}");
            }
        }
    }
}
