//! The sheet a chart is drawn on: paper, margins, title, subtitle, and how large text is.

use super::{
    font, palette,
    scene::{Anchor, Color, Face, Label, Point, Rect, Scene},
};

/// A scene under construction and the part of it that is still free.
pub(crate) struct Page {
    pub scene: Scene,
    /// What is left for the chart.
    pub free: Rect,
    /// Tick labels and legends.
    pub label: Face,
    /// Whether values are years, which have no separators.
    pub has_years: bool,
}

/// Lines that a title may take.
const TITLE_LINES: usize = 2;
/// Part of the height that remarks may take, and their lines at most.
const NOTES: f32 = 0.15;
const MOST_NOTE_LINES: usize = 4;

impl Page {
    /// White paper with a title and a subtitle, each left out where empty.
    pub fn new(width: u32, height: u32, title: &str, subtitle: &str) -> Self {
        let size = text_size(width);
        let margin = (size * 1.3).round();
        let whole = Rect { left: 0.0, top: 0.0, right: width as f32, bottom: height as f32 };
        let texts: Vec<&str> = [title, subtitle].into_iter().filter(|text| !text.is_empty()).collect();
        let mut page = Self {
            scene: Scene { width, height, description: texts.join(". "), shapes: Vec::new() },
            free: Rect { left: margin, top: margin, right: whole.right - margin, bottom: whole.bottom - margin },
            label: Face { size, bold: false },
            has_years: false,
        };
        page.scene.rect(whole, palette::PAPER);
        page.heading(title, Face { size: (size * 1.45).round(), bold: true }, palette::INK);
        page.heading(subtitle, Face { size: size * 1.05, bold: false }, palette::MUTED);
        if !texts.is_empty() {
            page.free.top += size * 0.55;
        }
        page
    }

    /// Remarks below the headings, in a few lines; what has no room there is part of the description.
    pub fn notes(&mut self, notes: &[String]) {
        if notes.is_empty() {
            return;
        }
        let text = notes.join("; ");
        let description = [self.scene.description.as_str(), &text].map(str::to_owned);
        self.scene.description = description.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(". ");
        let lines = (self.scene.height as f32 * NOTES / self.line_height()) as usize;
        self.free.top -= self.label.size * 0.35;
        for line in wrapped(&text, self.label, self.free.width(), lines.clamp(1, MOST_NOTE_LINES)) {
            let at = Point { x: self.free.left, y: self.free.top + self.label.size * 0.8 };
            self.scene.label(Label { at, anchor: Anchor::Start, text: line, face: self.label, color: palette::MUTED });
            self.free.top += (self.label.size * 1.3).round();
        }
        self.free.top += self.label.size * 0.55;
    }

    /// Height of a line of label text.
    pub fn line_height(&self) -> f32 {
        self.label.size * 1.45
    }

    /// Least distance between things that do not belong together.
    pub fn gap(&self) -> f32 {
        self.label.size * 0.6
    }

    /// Width of a label in pixels.
    pub fn width(&self, text: &str) -> f32 {
        font::width(text, self.label)
    }

    /// The texts of values, those of years as `2009`.
    pub fn numerals(&self, texts: Vec<String>) -> Vec<String> {
        if self.has_years { texts.into_iter().map(|text| text.replace(',', "")).collect() } else { texts }
    }

    /// A label in tick size whose digits have their middle at `at`.
    pub fn label(&mut self, text: String, at: Point, anchor: Anchor, color: Color) {
        let baseline = at.y + font::CAP_HEIGHT / 2.0 * self.label.size;
        self.scene.label(Label { at: Point { x: at.x, y: baseline }, anchor, text, face: self.label, color });
    }

    fn heading(&mut self, text: &str, face: Face, color: Color) {
        let line_height = (face.size * 1.3).round();
        for line in wrapped(text, face, self.free.width(), TITLE_LINES) {
            let at = Point { x: self.free.left, y: self.free.top + face.size * 0.8 };
            self.scene.label(Label { at, anchor: Anchor::Start, text: line, face, color });
            self.free.top += line_height;
        }
    }
}

/// Larger pictures have slightly larger text: 11 px at 400, 13.5 px at 1200.
fn text_size(width: u32) -> f32 {
    (11.0 + (width as f32 - 400.0) / 320.0).clamp(10.0, 14.0)
}

/// `text` in at most `most` lines, broken between words; what does not fit ends in an ellipsis.
fn wrapped(text: &str, face: Face, room: f32, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if lines_full(line, word, face, room) => lines.push(word.to_owned()),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    if lines.len() > most {
        let rest = lines.split_off(most - 1).join(" ");
        lines.push(rest);
    }
    lines.iter().map(|line| font::shortened(line, face, room)).collect()
}

fn lines_full(line: &str, word: &str, face: Face, room: f32) -> bool {
    font::width(line, face) + font::width(" ", face) + font::width(word, face) > room
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Face = Face { size: 16.0, bold: true };

    #[test]
    fn a_title_takes_two_lines_at_most_and_stays_in_its_room() {
        let title = "Reviews per month of every film that anybody ever wrote about in this long and winding data set";
        let lines = wrapped(title, FACE, 300.0, 2);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with('…') && lines.iter().all(|line| font::width(line, FACE) <= 300.0), "{lines:?}");
        assert_eq!(wrapped("Short", FACE, 300.0, 2), ["Short"]);
        assert!(wrapped("", FACE, 300.0, 2).is_empty());
    }

    #[test]
    fn a_word_longer_than_the_room_is_cut() {
        let lines = wrapped(&"W".repeat(200), FACE, 100.0, 2);
        assert!(lines.len() == 1 && font::width(&lines[0], FACE) <= 100.0);
    }

    #[test]
    fn headings_take_room_only_where_there_are_some() {
        let bare = Page::new(400, 300, "", "");
        let headed = Page::new(400, 300, "Title", "subtitle");
        assert!(bare.free.top < headed.free.top && bare.free.bottom == headed.free.bottom);
    }
}
