//! A scene as an SVG document.

use plotters::backend::SVGBackend;

use super::{ChartError, paint, scene::Scene};

/// Tenths of a pixel: fine enough for 264 points on 340 pixels, short enough to read.
const UNITS_PER_PIXEL: u32 = 10;

/// The document, with a title for screen readers.
pub(crate) fn document(scene: &Scene) -> Result<String, ChartError> {
    let size = (scene.width * UNITS_PER_PIXEL, scene.height * UNITS_PER_PIXEL);
    let mut drawn = String::new();
    paint::paint(scene, &mut SVGBackend::with_string(&mut drawn, size), UNITS_PER_PIXEL as f32)?;
    // plotters' own root has neither the size in pixels nor round joins, without which a jagged line has spikes.
    let (_, shapes) = drawn.split_once('\n').ok_or_else(|| ChartError::Draw("an empty SVG".to_owned()))?;
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

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
