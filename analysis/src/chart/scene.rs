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
    Rect {
        area: Rect,
        fill: Color,
    },
    Line {
        points: Vec<Point>,
        stroke: Color,
        width: f32,
    },
    /// A closed area, even-odd where its edge crosses itself; `opacity` from 0 to 1.
    Polygon {
        points: Vec<Point>,
        fill: Color,
        opacity: f32,
    },
    Circle {
        center: Point,
        radius: f32,
        fill: Color,
    },
    Label(Label),
}

impl Shape {
    /// The rows that the shape may touch, first and last.
    pub fn rows(&self) -> (f32, f32) {
        let around = |points: &[Point], margin: f32| {
            let low = points.iter().map(|point| point.y).fold(f32::INFINITY, f32::min);
            let high = points.iter().map(|point| point.y).fold(f32::NEG_INFINITY, f32::max);
            (low - margin, high + margin)
        };
        match self {
            Self::Rect { area, .. } => (area.top.min(area.bottom), area.top.max(area.bottom)),
            Self::Line { points, width, .. } => around(points, *width + 1.0),
            Self::Polygon { points, .. } => around(points, 1.0),
            Self::Circle { center, radius, .. } => around(&[*center], radius + 2.0),
            // A letter with marks above and below.
            Self::Label(label) => around(&[label.at], 2.0 * label.face.size),
        }
    }
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

    pub fn polygon(&mut self, points: Vec<Point>, fill: Color, opacity: f32) {
        self.shapes.push(Shape::Polygon { points, fill, opacity });
    }

    pub fn circle(&mut self, center: Point, radius: f32, fill: Color) {
        self.shapes.push(Shape::Circle { center, radius, fill });
    }

    pub fn label(&mut self, label: Label) {
        self.shapes.push(Shape::Label(label));
    }

    /// Puts another scene onto this one, its upper left corner at `(x, y)`.
    pub fn place(&mut self, other: Self, x: f32, y: f32) {
        let moved = |point: Point| Point { x: point.x + x, y: point.y + y };
        let all = |points: Vec<Point>| points.into_iter().map(moved).collect();
        self.shapes.extend(other.shapes.into_iter().map(|shape| match shape {
            Shape::Rect { area, fill } => {
                let area =
                    Rect { left: area.left + x, top: area.top + y, right: area.right + x, bottom: area.bottom + y };
                Shape::Rect { area, fill }
            }
            Shape::Line { points, stroke, width } => Shape::Line { points: all(points), stroke, width },
            Shape::Polygon { points, fill, opacity } => Shape::Polygon { points: all(points), fill, opacity },
            Shape::Circle { center, radius, fill } => Shape::Circle { center: moved(center), radius, fill },
            Shape::Label(label) => Shape::Label(Label { at: moved(label.at), ..label }),
        }));
    }

    /// The scene with every colour changed.
    pub fn recolored(mut self, change: impl Fn(Color) -> Color) -> Self {
        for shape in &mut self.shapes {
            match shape {
                Shape::Rect { fill, .. } | Shape::Circle { fill, .. } | Shape::Polygon { fill, .. } => {
                    *fill = change(*fill)
                }
                Shape::Line { stroke, .. } => *stroke = change(*stroke),
                Shape::Label(label) => label.color = change(label.color),
            }
        }
        self
    }
}
