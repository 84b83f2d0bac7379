//! A drawing before it has a format: shapes in pixels from the upper left corner, drawn in order.

/// 24-bit sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color(pub u8, pub u8, pub u8);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub x: f32,
    pub y: f32,
}

/// Half-open: the pixels from `left` up to but not including `right`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub left: f32,
    pub top: f32,
    pub right: f32,
    pub bottom: f32,
}

impl Rect {
    pub fn width(&self) -> f32 {
        self.right - self.left
    }

    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// Edges on whole pixels, so that neighbours neither overlap nor leave a hairline.
    pub fn snapped(&self) -> Self {
        Self { left: self.left.round(), top: self.top.round(), right: self.right.round(), bottom: self.bottom.round() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A text of one line, horizontal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Label {
    /// The anchor's place on the baseline.
    pub at: Point,
    pub anchor: Anchor,
    pub text: String,
    pub face: Face,
    pub color: Color,
}

/// A font of a size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Face {
    /// Height of the em square in pixels.
    pub size: f32,
    pub bold: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Rect { area: Rect, fill: Color },
    Line { points: Vec<Point>, stroke: Color, width: f32 },
    Circle { center: Point, radius: f32, fill: Color },
    Label(Label),
}

/// A finished drawing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scene {
    pub width: u32,
    pub height: u32,
    /// What the picture shows, for those who cannot see it.
    pub description: String,
    pub shapes: Vec<Shape>,
}

impl Scene {
    pub fn rect(&mut self, area: Rect, fill: Color) {
        self.shapes.push(Shape::Rect { area, fill });
    }

    pub fn line(&mut self, points: Vec<Point>, stroke: Color, width: f32) {
        self.shapes.push(Shape::Line { points, stroke, width });
    }

    pub fn circle(&mut self, center: Point, radius: f32, fill: Color) {
        self.shapes.push(Shape::Circle { center, radius, fill });
    }

    pub fn label(&mut self, label: Label) {
        self.shapes.push(Shape::Label(label));
    }
}
