//! A scene as an SVG document.

use plotters::backend::SVGBackend;

use super::{
    ChartError, font, paint,
    scene::{Scene, Shape},
};

/// Tenths of a pixel: fine enough for 264 points on 340 pixels, short enough to read.
const UNITS_PER_PIXEL: u32 = 10;
/// How plotters begins a text.
const TEXT: &str = "<text ";

/// The document, with a title for screen readers.
pub(crate) fn document(scene: &Scene) -> Result<String, ChartError> {
    let size = (scene.width * UNITS_PER_PIXEL, scene.height * UNITS_PER_PIXEL);
    let mut drawn = String::new();
    paint::paint(&scene.shapes, &mut SVGBackend::with_string(&mut drawn, size), UNITS_PER_PIXEL as f32, 0)?;
    // plotters' own root has neither the size in pixels nor round joins, without which a jagged line has spikes.
    let (_, shapes) = drawn.split_once('\n').ok_or_else(|| ChartError::Draw("an empty SVG".to_owned()))?;
    let shapes = with_widths(shapes, scene);
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         stroke-linejoin=\"round\" stroke-linecap=\"round\">\n<title>{}</title>\n{shapes}",
        scene.width,
        scene.height,
        size.0,
        size.1,
        escaped(&scene.description),
    ))
}

/// Gives every text the width that it was measured to have. A viewer without the embedded font takes one of its own, and
/// a wider one would leave the picture or run into its neighbour.
fn with_widths(shapes: &str, scene: &Scene) -> String {
    // plotters writes the texts in the scene's order, and `<` in a text is escaped.
    let mut labels = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Label(label) => Some(font::width(&label.text, label.face) * UNITS_PER_PIXEL as f32),
        _ => None,
    });
    let mut parts = shapes.split(TEXT);
    let mut document = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        document.push_str(TEXT);
        if let Some(width) = labels.next().filter(|width| *width >= 1.0) {
            document.push_str(&format!("textLength=\"{width:.0}\" lengthAdjust=\"spacingAndGlyphs\" "));
        }
        document.push_str(part);
    }
    document
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{
        palette,
        scene::{Anchor, Face, Label, Point},
    };

    #[test]
    fn texts_keep_their_measured_width_in_any_font() {
        let mut scene = Scene { width: 100, height: 40, description: String::new(), shapes: Vec::new() };
        let face = Face { size: 12.0, bold: false };
        for text in ["", "a <text b", "WWW"] {
            let at = Point { x: 5.0, y: 5.0 };
            scene.label(Label { at, anchor: Anchor::Start, text: text.to_owned(), face, color: palette::INK });
        }
        let svg = document(&scene).expect("a document");
        let width = |text: &str| format!("{:.0}", font::width(text, face) * 10.0);
        let widths: Vec<&str> =
            svg.split("textLength=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
        assert_eq!(widths, [width("a <text b"), width("WWW")]);
    }
}
