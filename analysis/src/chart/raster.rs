//! A scene as a PNG image.
//!
//! Painted several times larger and averaged down, which smooths every edge alike; a large picture in bands, so that it takes no more
//! memory than a small one.

use std::{collections::BTreeMap, io::Write};

use plotters::backend::BitMapBackend;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind};

use super::{
    ChartError, paint,
    scene::{Scene, Shape},
};

/// Painted pixels per pixel of the image, in each direction.
const OVERSAMPLING: u32 = 3;
const CHANNELS: usize = 3;

/// Bytes of painted pixels at once: a larger picture is painted in several bands, one after the other.
const MOST_PAINTED: usize = 32 << 20;
/// Bytes of a compressed chunk.
const CHUNK: usize = 64 << 10;

/// The image as the bytes of a PNG file.
pub(crate) fn png(scene: &Scene) -> Result<Vec<u8>, ChartError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, scene.width, scene.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Best);
    encoder.set_adaptive_filter(png::AdaptiveFilterType::Adaptive);
    let failed = |error: png::EncodingError| ChartError::Draw(error.to_string());
    let mut writer = encoder.write_header().map_err(failed)?;
    let mut image = writer.stream_writer_with_size(CHUNK).map_err(failed)?;
    for_each_band(scene, MOST_PAINTED, |rows| image.write_all(rows).map_err(|error| failed(error.into())))?;
    image.finish().map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Hands the rows of the image to `take`, from the top, painting no more than about `most` bytes at once.
fn for_each_band(
    scene: &Scene,
    most: usize,
    mut take: impl FnMut(&[u8]) -> Result<(), ChartError>,
) -> Result<(), ChartError> {
    let width = scene.width * OVERSAMPLING;
    let row = width as usize * CHANNELS * OVERSAMPLING as usize;
    let rows = u32::try_from(most / row).unwrap_or(u32::MAX).clamp(1, scene.height.max(1));
    let mut pixels = vec![0; row * rows as usize];
    for top in (0..scene.height).step_by(rows as usize) {
        let rows = rows.min(scene.height - top);
        let pixels = &mut pixels[..row * rows as usize];
        pixels.fill(0);
        let mut canvas = Canvas(BitMapBackend::with_buffer(pixels, (width, rows * OVERSAMPLING)));
        let (first, end) = (top as f32, (top + rows) as f32);
        let is_inside = |shape: &&Shape| {
            let (low, high) = shape.rows();
            low <= end && high >= first
        };
        let shapes = scene.shapes.iter().filter(is_inside);
        paint::paint(shapes, &mut canvas, OVERSAMPLING as f32, (top * OVERSAMPLING) as i32)?;
        drop(canvas);
        take(&averaged(pixels, scene.width as usize))?;
    }
    Ok(())
}

/// Each square of painted pixels as its mean; `width` is that of the result.
fn averaged(pixels: &[u8], width: usize) -> Vec<u8> {
    let factor = OVERSAMPLING as usize;
    let row = width * factor * CHANNELS;
    let mut out = Vec::with_capacity(pixels.len() / (factor * factor));
    for rows in pixels.chunks_exact(row * factor) {
        for column in 0..width {
            for channel in 0..CHANNELS {
                let first = column * factor * CHANNELS + channel;
                let at = |dy: usize, dx: usize| u32::from(rows[dy * row + first + dx * CHANNELS]);
                let sum: u32 = (0..factor).map(|dy| (0..factor).map(|dx| at(dy, dx)).sum::<u32>()).sum();
                let count = OVERSAMPLING * OVERSAMPLING;
                out.push(((sum + count / 2) / count) as u8);
            }
        }
    }
    out
}

/// plotters' bitmap, with strokes of our own: its polygon of a thick jagged line overlaps itself and is filled with holes.
struct Canvas<'a>(BitMapBackend<'a>);

type Drawn = Result<(), DrawingErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>>;

impl DrawingBackend for Canvas<'_> {
    type ErrorType = <BitMapBackend<'static> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.0.get_size()
    }

    fn ensure_prepared(&mut self) -> Drawn {
        self.0.ensure_prepared()
    }

    fn present(&mut self) -> Drawn {
        self.0.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        self.0.draw_pixel(point, color)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        lower_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        self.0.draw_rect(upper_left, lower_right, style, fill)
    }

    /// A quadrilateral per segment and a disc per joint.
    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points: Vec<BackendCoord> = path.into_iter().collect();
        let radius = f64::from(style.stroke_width()) / 2.0;
        for pair in points.windows(2) {
            for (row, from, to) in segment(pair[0], pair[1], radius) {
                self.0.draw_rect((from, row), (to, row + 1), style, true)?;
            }
        }
        let joints = points.get(1..points.len().saturating_sub(1)).unwrap_or_default();
        for joint in joints {
            self.0.draw_circle(*joint, radius.floor() as u32, style, true)?;
        }
        Ok(())
    }

    /// Row by row, so that neighbours share no pixel and leave none out.
    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, corners: I, style: &S) -> Drawn {
        let corners: Vec<(f64, f64)> = corners.into_iter().map(|(x, y)| (f64::from(x), f64::from(y))).collect();
        for (row, from, to) in rows_inside(&corners) {
            self.0.draw_rect((from, row), (to, row + 1), style, true)?;
        }
        Ok(())
    }
}

/// The pixels whose middle lies inside a polygon by the even-odd rule, as row, first and end.
fn rows_inside(corners: &[(f64, f64)]) -> Vec<(i32, i32, i32)> {
    let mut crossings: BTreeMap<i32, Vec<f64>> = BTreeMap::new();
    for (position, a) in corners.iter().enumerate() {
        let b = corners[(position + 1) % corners.len()];
        let (low, high) = (a.1.min(b.1), a.1.max(b.1));
        // The rows whose middle the edge crosses; one that only touches it counts once.
        for row in (low - 0.5).ceil() as i32..(high - 0.5).ceil() as i32 {
            let y = f64::from(row) + 0.5;
            crossings.entry(row).or_default().push(a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0));
        }
    }
    let mut inside = Vec::new();
    for (row, mut places) in crossings {
        places.sort_by(f64::total_cmp);
        for pair in places.chunks_exact(2) {
            let (first, end) = ((pair[0] - 0.5).ceil() as i32, (pair[1] - 0.5).ceil() as i32);
            inside.extend((first < end).then_some((row, first, end)));
        }
    }
    inside
}

/// The pixels whose middle lies in a stroke of `radius` to both sides, as row, first and end; none for a segment without length.
fn segment(from: BackendCoord, to: BackendCoord, radius: f64) -> Vec<(i32, i32, i32)> {
    let (from, to) = ((f64::from(from.0), f64::from(from.1)), (f64::from(to.0), f64::from(to.1)));
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    if length == 0.0 {
        return Vec::new();
    }
    let across = (-dy / length * radius, dx / length * radius);
    let corner = |point: (f64, f64), side: f64| (point.0 + side * across.0, point.1 + side * across.1);
    let corners = [corner(from, 1.0), corner(to, 1.0), corner(to, -1.0), corner(from, -1.0)];
    let low = corners.iter().map(|corner| corner.1).fold(f64::INFINITY, f64::min);
    let high = corners.iter().map(|corner| corner.1).fold(f64::NEG_INFINITY, f64::max);
    let row = |row: i32| {
        let (left, right) = crossing(&corners, f64::from(row) + 0.5)?;
        Some((row, (left - 0.5).ceil() as i32, (right - 0.5).ceil() as i32)).filter(|(_, first, end)| first < end)
    };
    (low.floor() as i32..high.ceil() as i32).filter_map(row).collect()
}

/// Where the edges of a convex polygon cross the height `y`: the leftmost and the rightmost place.
fn crossing(corners: &[(f64, f64); 4], y: f64) -> Option<(f64, f64)> {
    let mut range: Option<(f64, f64)> = None;
    for (position, a) in corners.iter().enumerate() {
        let b = corners[(position + 1) % corners.len()];
        if (a.1 <= y) != (b.1 <= y) {
            let x = a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0);
            range = Some(range.map_or((x, x), |(low, high)| (low.min(x), high.max(x))));
        }
    }
    range
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::scene::{Color, Point, Rect};

    const RED: Color = Color(200, 0, 0);
    const WHITE: Color = Color(255, 255, 255);

    fn decoded(scene: &Scene) -> Vec<u8> {
        let bytes = png(scene).expect("an image");
        let mut reader = png::Decoder::new(bytes.as_slice()).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size()];
        reader.next_frame(&mut pixels).expect("a frame");
        pixels
    }

    fn paper(width: u32, height: u32) -> Scene {
        let mut scene = Scene { width, height, description: String::new(), shapes: Vec::new() };
        scene.rect(Rect { left: 0.0, top: 0.0, right: width as f32, bottom: height as f32 }, WHITE);
        scene
    }

    #[test]
    fn a_rectangle_on_whole_pixels_has_sharp_edges() {
        let mut scene = paper(4, 1);
        scene.rect(Rect { left: 1.0, top: 0.0, right: 2.0, bottom: 1.0 }, RED);
        assert_eq!(decoded(&scene), [255, 255, 255, 200, 0, 0, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn bands_of_any_height_make_the_same_picture() {
        let mut scene = paper(90, 70);
        let at = |x: f32, y: f32| Point { x, y };
        scene.line(vec![at(3.0, 65.0), at(40.0, 3.0), at(85.0, 60.0)], RED, 3.0);
        scene.circle(at(45.0, 35.0), 17.0, Color(0, 90, 200));
        scene.polygon(vec![at(5.0, 5.0), at(80.0, 20.0), at(30.0, 66.0)], RED, 0.4);
        let face = crate::chart::scene::Face { size: 21.0, bold: true };
        let label = crate::chart::scene::Label {
            at: at(10.0, 40.0),
            anchor: crate::chart::scene::Anchor::Start,
            text: "Ågjé 40".to_owned(),
            face,
            color: Color(0, 0, 0),
        };
        scene.label(label);
        let drawn = |most: usize| {
            let (mut rows, mut bands) = (Vec::new(), 0);
            let taken = for_each_band(&scene, most, |band| {
                rows.extend_from_slice(band);
                bands += 1;
                Ok(())
            });
            taken.map(|()| (rows, bands)).expect("rows")
        };
        let (whole, bands) = drawn(usize::MAX);
        assert_eq!((whole.len(), bands), (90 * 70 * 3, 1));
        let row = 90 * 3 * 9;
        for (most, bands) in [(0, 70), (row * 7, 10), (row * 9, 8), (row * 69, 2)] {
            assert!(drawn(most) == (whole.clone(), bands), "{most}");
        }
    }

    #[test]
    fn a_stroke_is_as_wide_as_asked() {
        let mut scene = paper(9, 9);
        scene.line(vec![Point { x: 0.0, y: 4.5 }, Point { x: 9.0, y: 4.5 }], RED, 3.0);
        let pixels = decoded(&scene);
        let red_rows = (0..9).filter(|row| pixels[(row * 9 + 4) * 3 + 1] < 128).count();
        assert_eq!(red_rows, 3);
    }

    #[test]
    fn neighbouring_polygons_cover_every_pixel_once() {
        let covered = |corners: &[(f64, f64)]| -> Vec<(i32, i32)> {
            rows_inside(corners).into_iter().flat_map(|(row, first, end)| (first..end).map(move |x| (row, x))).collect()
        };
        let upper = covered(&[(0.0, 0.0), (30.0, 0.0), (30.0, 7.0), (17.0, 12.0), (0.0, 3.0)]);
        let lower = covered(&[(0.0, 3.0), (17.0, 12.0), (30.0, 7.0), (30.0, 20.0), (0.0, 20.0)]);
        let mut all = [upper, lower].concat();
        assert_eq!(all.len(), 30 * 20);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 30 * 20);
        assert!(covered(&[]).is_empty() && covered(&[(1.0, 1.0), (5.0, 1.0)]).is_empty());
    }

    #[test]
    fn a_line_of_one_place_is_no_line() {
        assert!(segment((3, 3), (3, 3), 2.0).is_empty());
    }

    #[test]
    fn a_slanting_stroke_covers_its_length_times_its_width() {
        let covered: i32 = segment((0, 0), (300, 400), 5.0).iter().map(|(_, first, end)| end - first).sum();
        assert!((covered - 5_000).abs() < 50, "{covered}");
    }
}
