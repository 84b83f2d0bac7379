//! The embedded font: measuring, shortening and drawing text.
//!
//! Inter covers Latin, Greek and Cyrillic. Characters that it lacks (Korean, emoji) are measured by their usual width and drawn
//! as an empty box in PNG; in SVG the viewer's own fonts show them.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, Point as GlyphPoint, PxScale};
use unicode_width::UnicodeWidthChar;

use super::scene::Face;

/// Families for SVG, the embedded one first; what none of them has, such as Korean, viewers take from their own fonts.
pub(crate) const FAMILIES: &str = "Inter, Helvetica, Arial, sans-serif";

/// Height of a small x over the em square; half of it below the middle of a line lies the baseline.
pub(crate) const X_HEIGHT: f32 = 0.546;
/// Height of a digit or capital over the em square.
pub(crate) const CAP_HEIGHT: f32 = 0.727;

static REGULAR: LazyLock<FontRef<'static>> =
    LazyLock::new(|| embedded(include_bytes!("../../assets/Inter-Regular.otf")));
static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| embedded(include_bytes!("../../assets/Inter-Bold.otf")));

fn embedded(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the embedded font is valid")
}

fn font(face: Face) -> &'static FontRef<'static> {
    if face.bold { &BOLD } else { &REGULAR }
}

/// What stands for one character.
enum Mark {
    Glyph(GlyphId),
    /// A character that the font lacks.
    Box,
    /// Nothing to see: combining marks and joiners without a glyph of their own.
    Nothing,
}

fn mark(font: &FontRef<'_>, c: char) -> Mark {
    let glyph = font.glyph_id(c);
    if glyph.0 != 0 {
        Mark::Glyph(glyph)
    } else if c.width().unwrap_or(0) == 0 {
        Mark::Nothing
    } else {
        Mark::Box
    }
}

/// Advance over the em square.
fn advance(font: &FontRef<'_>, c: char) -> f32 {
    let units = font.units_per_em().unwrap_or(1_000.0);
    match mark(font, c) {
        Mark::Glyph(glyph) => font.h_advance_unscaled(glyph) / units,
        Mark::Box if c.width() == Some(2) => 1.0,
        Mark::Box => 0.65,
        Mark::Nothing => 0.0,
    }
}

/// Width of `text` in pixels.
pub(crate) fn width(text: &str, face: Face) -> f32 {
    let font = font(face);
    text.chars().map(|c| advance(font, c)).sum::<f32>() * face.size
}

/// The widest of several texts, in pixels.
pub(crate) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, face: Face) -> f32 {
    texts.into_iter().map(|text| width(text, face)).fold(0.0, f32::max)
}

/// `text` cut to `room` pixels, with an ellipsis where something was cut; empty where not even that fits.
pub(crate) fn shortened(text: &str, face: Face, room: f32) -> String {
    if width(text, face) <= room {
        return text.to_owned();
    }
    let font = font(face);
    let mut left = room - width("…", face);
    if left < 0.0 {
        return String::new();
    }
    let fits = |c: &char| {
        left -= advance(font, *c) * face.size;
        left >= 0.0
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// Calls `pixel(x, y, coverage)` for every pixel of `text` whose baseline starts at the origin; y grows downwards.
pub(crate) fn draw<E>(text: &str, face: Face, mut pixel: impl FnMut(i32, i32, f32) -> Result<(), E>) -> Result<(), E> {
    let font = font(face);
    let mut x = 0.0;
    for c in text.chars() {
        match mark(font, c) {
            Mark::Glyph(glyph) => draw_glyph(font, glyph, x, face.size, &mut pixel)?,
            Mark::Box => draw_box(x, advance(font, c) * face.size, face.size, &mut pixel)?,
            Mark::Nothing => {}
        }
        x += advance(font, c) * face.size;
    }
    Ok(())
}

fn draw_glyph<E>(
    font: &FontRef<'_>,
    glyph: GlyphId,
    x: f32,
    size: f32,
    pixel: &mut impl FnMut(i32, i32, f32) -> Result<(), E>,
) -> Result<(), E> {
    // ab_glyph's scale is the height from descent to ascent, not the em square.
    let scale = PxScale::from(size * font.height_unscaled() / font.units_per_em().unwrap_or(1_000.0));
    let placed = glyph.with_scale_and_position(scale, GlyphPoint { x, y: 0.0 });
    let Some(outline) = font.outline_glyph(placed) else {
        return Ok(());
    };
    let corner = outline.px_bounds().min;
    let mut result = Ok(());
    outline.draw(|dx, dy, coverage| {
        if result.is_ok() {
            result = pixel(corner.x as i32 + dx as i32, corner.y as i32 + dy as i32, coverage.min(1.0));
        }
    });
    result
}

/// The outline of a box, a capital high.
fn draw_box<E>(
    x: f32,
    advance: f32,
    size: f32,
    pixel: &mut impl FnMut(i32, i32, f32) -> Result<(), E>,
) -> Result<(), E> {
    let (left, right) = ((x + 0.1 * advance) as i32, (x + 0.9 * advance) as i32);
    let (top, bottom) = ((-CAP_HEIGHT * size) as i32, 0);
    let stroke = (size * 0.07).round().max(1.0) as i32;
    for y in top..bottom {
        for x in left..right {
            let inside = x >= left + stroke && x < right - stroke && y >= top + stroke && y < bottom - stroke;
            if !inside {
                pixel(x, y, 1.0)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Face = Face { size: 12.0, bold: false };

    #[test]
    fn wide_and_unknown_characters_have_a_width() {
        assert!(width("기생충", FACE) >= 36.0);
        assert_eq!(width("e\u{301}", FACE), width("e", FACE) + width("\u{301}", FACE));
        assert!(width("WWW", FACE) > width("iii", FACE));
        assert!(width("W", Face { bold: true, ..FACE }) > width("W", FACE));
    }

    #[test]
    fn shortened_text_fits_its_room() {
        let title = "The Assassination of Jesse James by the Coward Robert Ford (2007)";
        for room in [0.0, 5.0, 12.0, 80.0, 200.0, 1_000.0] {
            let short = shortened(title, FACE, room);
            assert!(width(&short, FACE) <= room, "{short} in {room}");
        }
        assert_eq!(shortened(title, FACE, 1_000.0), title);
        assert!(shortened(title, FACE, 80.0).ends_with('…'));
    }

    #[test]
    fn a_missing_glyph_is_an_empty_box() {
        let mut pixels = Vec::new();
        let drawn: Result<(), ()> = draw("한", FACE, |x, y, coverage| {
            pixels.push((x, y));
            assert!(coverage > 0.0);
            Ok(())
        });
        assert_eq!(drawn, Ok(()));
        assert!(pixels.contains(&(1, -8)) && !pixels.contains(&(6, -4)), "{pixels:?}");
    }

    #[test]
    fn the_metrics_are_those_of_the_font() {
        let tall = |c: char| {
            let font = font(FACE);
            let outline = font.outline(font.glyph_id(c)).expect("an outline");
            outline.bounds.max.y.max(outline.bounds.min.y) / font.units_per_em().expect("units")
        };
        assert!((tall('x') - X_HEIGHT).abs() < 0.01, "{}", tall('x'));
        assert!((tall('H') - CAP_HEIGHT).abs() < 0.01, "{}", tall('H'));
    }
}
