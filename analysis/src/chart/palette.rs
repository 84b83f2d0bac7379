//! Colours: ink and paper, categories, and a ramp for quantities.

use super::scene::Color;

pub(crate) const PAPER: Color = Color(255, 255, 255);
/// Titles.
pub(crate) const INK: Color = Color(31, 41, 51);
/// Tick labels, legends, subtitles.
pub(crate) const MUTED: Color = Color(97, 110, 124);
pub(crate) const GRID: Color = Color(228, 231, 235);
/// The line that bars stand on.
pub(crate) const BASELINE: Color = Color(154, 165, 177);
/// Cells of a heat map without a value.
pub(crate) const NO_VALUE: Color = Color(243, 244, 246);
/// Series beyond the categories, taken together.
pub(crate) const OTHERS: Color = Color(190, 196, 204);

/// Text on cells of a heat map, whatever the paper.
const ON_PALE: Color = Color(30, 41, 51);
const ON_DARK: Color = Color(254, 255, 255);

/// The colour in a drawing on dark paper that stands for one on white: neutrals change places, all others become lighter by
/// an equal measure, so that a ramp keeps its order.
pub(crate) fn on_dark_paper(color: Color) -> Color {
    let neutrals = [
        (PAPER, Color(22, 27, 34)),
        (INK, Color(230, 237, 243)),
        (MUTED, Color(145, 155, 166)),
        (GRID, Color(48, 54, 61)),
        (BASELINE, Color(110, 118, 129)),
        (NO_VALUE, Color(33, 38, 45)),
        (OTHERS, Color(95, 103, 112)),
        (ON_PALE, ON_PALE),
        (ON_DARK, ON_DARK),
    ];
    let lighter = |channel: u8| 62 + (u16::from(channel) * 193 / 255) as u8;
    let neutral = neutrals.into_iter().find(|(light, _)| *light == color).map(|(_, dark)| dark);
    neutral.unwrap_or(Color(lighter(color.0), lighter(color.1), lighter(color.2)))
}

/// The colours of Okabe and Ito ("Color Universal Design", 2008) that are dark enough for a line on white; their yellow and black
/// are left out.
pub(crate) const CATEGORIES: [Color; 6] = [
    Color(0, 114, 178),
    Color(230, 159, 0),
    Color(0, 158, 115),
    Color(213, 94, 0),
    Color(204, 121, 167),
    Color(86, 180, 233),
];

/// Colour of a share of the largest quantity, 0 to 1: from pale yellow over green to dark blue.
///
/// Lightness falls linearly in OKLab, a space in which equal steps look equally large, so that the ramp reads the same in grey
/// and with any colour blindness.
pub(crate) fn ramp(share: f64) -> Color {
    let t = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let lightness = 0.965 - 0.665 * t;
    let hue = (118.0 + 150.0 * t).to_radians();
    let wanted = 0.035 + 0.075 * (std::f64::consts::PI * t.powf(0.8)).sin().max(0.0) + 0.045 * t;
    let [red, green, blue] = inside_srgb(lightness, hue, wanted);
    Color(channel(red), channel(green), channel(blue))
}

/// Linear sRGB of a lightness and hue, as colourful as wanted or as there is room for: clipping would change the lightness.
fn inside_srgb(lightness: f64, hue: f64, wanted: f64) -> [f64; 3] {
    let linear = |chroma: f64| oklab(lightness, chroma * hue.cos(), chroma * hue.sin());
    let inside = |channels: &[f64; 3]| channels.iter().all(|channel| (0.0..=1.0).contains(channel));
    let (mut low, mut high) = (0.0, wanted);
    if inside(&linear(wanted)) {
        low = wanted;
    }
    for _ in 0..24 {
        let middle = f64::midpoint(low, high);
        if inside(&linear(middle)) { low = middle } else { high = middle }
    }
    linear(low)
}

/// `count` colours of growing darkness for ordered series, the first still visible on paper.
pub(crate) fn ordered(position: usize, count: usize) -> Color {
    let steps = count.saturating_sub(1).max(1);
    ramp(0.12 + 0.88 * position as f64 / steps as f64)
}

/// Ink that can be read on `ground`.
pub(crate) fn ink_on(ground: Color) -> Color {
    let Color(r, g, b) = ground;
    let luma = 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b);
    if luma < 140.0 { ON_DARK } else { ON_PALE }
}

/// OKLab to linear sRGB, after Björn Ottosson, "A perceptual color space for image processing" (2020).
fn oklab(lightness: f64, a: f64, b: f64) -> [f64; 3] {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ]
}

/// A linear channel with the sRGB curve applied, as a byte.
fn channel(linear: f64) -> u8 {
    let curved = if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (curved.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luma(color: Color) -> f32 {
        0.299 * f32::from(color.0) + 0.587 * f32::from(color.1) + 0.114 * f32::from(color.2)
    }

    #[test]
    fn the_ramp_only_gets_darker() {
        let lumas: Vec<f32> = (0..=20).map(|step| luma(ramp(f64::from(step) / 20.0))).collect();
        assert!(lumas.windows(2).all(|pair| pair[0] > pair[1]), "{lumas:?}");
        assert!(lumas[0] > 235.0 && lumas[20] < 70.0, "{lumas:?}");
    }

    #[test]
    fn the_ramp_takes_any_number() {
        assert_eq!(ramp(-1.0), ramp(0.0));
        assert_eq!(ramp(2.0), ramp(1.0));
        assert_eq!(ramp(f64::NAN), ramp(0.0));
    }

    #[test]
    fn on_dark_paper_the_ramp_keeps_its_order_and_stands_out() {
        let lumas: Vec<f32> = (0..=20).map(|step| luma(on_dark_paper(ramp(f64::from(step) / 20.0)))).collect();
        assert!(lumas.windows(2).all(|pair| pair[0] > pair[1]), "{lumas:?}");
        let paper = luma(on_dark_paper(PAPER));
        assert!(CATEGORIES.iter().all(|color| luma(on_dark_paper(*color)) > paper + 60.0));
    }

    #[test]
    fn ink_contrasts_with_its_ground() {
        assert_eq!(ink_on(ramp(0.0)), ON_PALE);
        assert_eq!(ink_on(ramp(1.0)), ON_DARK);
    }
}
