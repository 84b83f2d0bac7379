//! Rich output for the evcxr kernel, which takes it from standard output between two marker lines.
//!
//! Blocks of one cell become one output of several forms, of which the notebook shows the best it may. Text from data that looks
//! like a marker would end its block early, so the markers' prefix never appears in one.

use std::io::Write;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::chart::{ChartError, Figure, Grid};

const BEGIN: &str = "EVCXR_BEGIN_CONTENT";
const END: &str = "EVCXR_END_CONTENT";
const PREFIX: &str = "EVCXR_";

/// One form of an output.
pub(crate) struct Block {
    mime: &'static str,
    content: String,
}

impl Block {
    /// Plain text; a marker in it is broken by an invisible word joiner.
    pub fn text(mime: &'static str, text: &str) -> Self {
        Self { mime, content: text.replace(PREFIX, "EVCXR\u{2060}_") }
    }

    /// HTML or SVG; a marker in it is written with a character reference.
    pub fn markup(mime: &'static str, markup: &str) -> Self {
        Self { mime, content: markup.replace(PREFIX, "EVCXR&#95;") }
    }

    /// An image, in base64.
    pub fn binary(mime: &'static str, bytes: &[u8]) -> Self {
        Self { mime, content: BASE64_STANDARD.encode(bytes) }
    }

    fn framed(&self) -> String {
        let end_of_line = if self.content.ends_with('\n') { "" } else { "\n" };
        format!("{BEGIN} {}\n{}{end_of_line}{END}\n", self.mime, self.content)
    }
}

/// Hands all forms of one output to the kernel.
pub(crate) fn display(blocks: &[Block]) {
    let framed: String = blocks.iter().map(Block::framed).collect();
    // A notebook that is gone shows nothing; there is nobody left to tell.
    let _ = std::io::stdout().lock().write_all(framed.as_bytes());
}

impl Figure {
    /// Displays the chart in a notebook with the evcxr kernel, which calls this for a cell's last value; where it cannot be drawn,
    /// says why.
    pub fn evcxr_display(&self) {
        display_drawn(self.blocks());
    }

    fn blocks(&self) -> Result<[Block; 3], ChartError> {
        Ok(forms(&self.to_string(), &self.svg()?, &self.png()?))
    }
}

impl Grid {
    /// Displays the page in a notebook with the evcxr kernel, as [`Figure::evcxr_display`].
    pub fn evcxr_display(&self) {
        let blocks = || Ok(forms(&self.to_string(), &self.svg()?, &self.png()?));
        display_drawn(blocks());
    }
}

fn forms(text: &str, svg: &str, png: &[u8]) -> [Block; 3] {
    [Block::text("text/plain", text), Block::markup("image/svg+xml", svg), Block::binary("image/png", png)]
}

fn display_drawn(blocks: Result<[Block; 3], ChartError>) {
    match blocks {
        Ok(blocks) => display(&blocks),
        Err(error) => display(&[Block::text("text/plain", &error.to_string())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn markers_in_data_do_not_end_a_block() {
        for block in [Block::text("text/plain", END), Block::markup("text/html", END)] {
            let framed = block.framed();
            assert_eq!(framed.matches(END).count(), 1, "{framed}");
            assert!(framed.ends_with("EVCXR_END_CONTENT\n"), "{framed}");
        }
    }

    #[test]
    fn a_figure_has_three_forms() {
        let frame = df!("x" => [1, 2], "y" => [1, 2]).expect("a frame");
        let blocks = Figure::line(&frame).x("x").y("y").title("EVCXR_END_CONTENT").blocks().expect("a figure");
        assert_eq!(blocks.each_ref().map(|block| block.mime), ["text/plain", "image/svg+xml", "image/png"]);
        assert!(blocks.iter().all(|block| !block.content.contains(PREFIX)));
    }
}
