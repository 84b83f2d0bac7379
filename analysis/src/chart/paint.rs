//! A scene onto a plotters backend; the one place where shapes become strokes.
//!
//! plotters counts in whole units, so a scene is painted several units to the pixel: see [`Painter::scale`].

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontFamily,
    FontStyle,
    text_anchor::{HPos, Pos, VPos},
};

use super::{
    ChartError,
    font::{self, X_HEIGHT},
    scene::{Anchor, Color, Face, Label, Point, Rect, Shape},
};

/// plotters' SVG backend divides every font size by this.
const SVG_FONT_DIVISOR: f64 = 1.24;

/// Paints shapes, `scale` backend units to the pixel, onto a backend whose first row is the drawing's row `top`, in backend units.
pub(crate) fn paint<'a, B: DrawingBackend>(
    shapes: impl IntoIterator<Item = &'a Shape>,
    backend: &mut B,
    scale: f32,
    top: i32,
) -> Result<(), ChartError> {
    let mut painter = Painter { backend, scale, top };
    for shape in shapes {
        painter.shape(shape).map_err(|error| ChartError::Draw(error.to_string()))?;
    }
    backend.present().map_err(|error| ChartError::Draw(error.to_string()))
}

type Drawn<B> = Result<(), DrawingErrorKind<<B as DrawingBackend>::ErrorType>>;

struct Painter<'a, B> {
    backend: &'a mut B,
    /// Backend units per pixel.
    scale: f32,
    /// First row of the backend, in its units.
    top: i32,
}

impl<B: DrawingBackend> Painter<'_, B> {
    fn shape(&mut self, shape: &Shape) -> Drawn<B> {
        match shape {
            Shape::Rect { area, fill } => self.rect(area, *fill),
            Shape::Line { points, stroke, width } => self.line(points, *stroke, *width),
            Shape::Circle { center, radius, fill } => {
                let (center, radius) = (self.point(*center), self.length(*radius));
                self.backend.draw_circle(center, radius, &Stroke { color: *fill, width: 1 }, true)
            }
            Shape::Polygon { points, fill, opacity } => {
                let points: Vec<BackendCoord> = points.iter().map(|point| self.point(*point)).collect();
                self.backend.fill_polygon(points, &backend_color(*fill, f64::from(*opacity)))
            }
            Shape::Label(label) => self.label(label),
        }
    }

    fn rect(&mut self, area: &Rect, fill: Color) -> Drawn<B> {
        let upper_left = self.point(Point { x: area.left, y: area.top });
        let lower_right = self.point(Point { x: area.right, y: area.bottom });
        self.backend.draw_rect(upper_left, lower_right, &Stroke { color: fill, width: 1 }, true)
    }

    fn line(&mut self, points: &[Point], stroke: Color, width: f32) -> Drawn<B> {
        let style = Stroke { color: stroke, width: self.length(width) };
        let points: Vec<BackendCoord> = points.iter().map(|point| self.point(*point)).collect();
        self.backend.draw_path(points, &style)
    }

    fn label(&mut self, label: &Label) -> Drawn<B> {
        let size = (label.face.size * self.scale).round();
        let text = Text { face: Face { size, ..label.face }, color: label.color, anchor: label.anchor };
        let middle = Point { x: label.at.x, y: label.at.y - X_HEIGHT / 2.0 * label.face.size };
        let at = self.point(middle);
        self.backend.draw_text(&label.text, &text, at)
    }

    fn point(&self, point: Point) -> BackendCoord {
        ((point.x * self.scale).round() as i32, (point.y * self.scale).round() as i32 - self.top)
    }

    fn length(&self, length: f32) -> u32 {
        (length * self.scale).round().max(1.0) as u32
    }
}

struct Stroke {
    color: Color,
    width: u32,
}

impl BackendStyle for Stroke {
    fn color(&self) -> BackendColor {
        backend_color(self.color, 1.0)
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// A text whose middle of a small x lies on its anchor, in both backends.
struct Text {
    /// Size in backend units.
    face: Face,
    color: Color,
    anchor: Anchor,
}

impl BackendTextStyle for Text {
    type FontError = std::convert::Infallible;

    fn color(&self) -> BackendColor {
        backend_color(self.color, 1.0)
    }

    fn size(&self) -> f64 {
        // The neighbour whose quotient is the size itself and not 123.00000000000001.
        let (size, factor) = (f64::from(self.face.size), SVG_FONT_DIVISOR);
        let product = size * factor;
        let exact = |product: &f64| product / factor == size;
        [product, product.next_down(), product.next_up()].into_iter().find(exact).unwrap_or(product)
    }

    fn style(&self) -> FontStyle {
        if self.face.bold { FontStyle::Bold } else { FontStyle::Normal }
    }

    fn anchor(&self) -> Pos {
        let h_pos = match self.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        Pos::new(h_pos, VPos::Center)
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::Name(font::FAMILIES)
    }

    /// A box without height around the anchor: [`draw`](Self::draw) places the baseline itself.
    fn layout_box(&self, text: &str) -> Result<(BackendCoord, BackendCoord), Self::FontError> {
        Ok(((0, 0), (font::width(text, self.face).round() as i32, 0)))
    }

    fn draw<E, DrawPixel: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        text: &str,
        (x, y): BackendCoord,
        mut draw: DrawPixel,
    ) -> Result<Result<(), E>, Self::FontError> {
        let baseline = y + (X_HEIGHT / 2.0 * self.face.size).round() as i32;
        Ok(font::draw(text, self.face, |dx, dy, coverage| {
            draw(x + dx, baseline + dy, backend_color(self.color, coverage.into()))
        }))
    }
}

fn backend_color(Color(red, green, blue): Color, alpha: f64) -> BackendColor {
    BackendColor { alpha, rgb: (red, green, blue) }
}
