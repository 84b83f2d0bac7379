//! Colours: ink and paper, categories, and a ramp for quantities.

use std::sync::LazyLock;

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

/// Text on a category's colour, whatever the paper.
const ON_PALE: Color = Color(30, 41, 51);
const ON_DARK: Color = Color(254, 255, 255);
/// Text on a colour of the ramp, which is turned round on dark paper.
const ON_PALE_RAMP: Color = Color(30, 41, 52);
const ON_DARK_RAMP: Color = Color(254, 255, 254);

/// The ramp, finer than colours of 24 bits tell apart.
static RAMP: LazyLock<Vec<Color>> = LazyLock::new(|| (0..=255).map(|step| ramp(f64::from(step) / 255.0)).collect());
/// The end of the ramp that stands out from dark paper.
const DARKEST_ON_DARK: f64 = 0.9;

/// The colour in a drawing on dark paper that stands for one on white: neutrals change places, categories become lighter, and the
/// ramp is turned round, so that on either paper the largest quantity stands out most.
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
        (ON_PALE_RAMP, ON_DARK),
        (ON_DARK_RAMP, ON_PALE),
    ];
    if let Some((_, dark)) = neutrals.into_iter().find(|(light, _)| *light == color) {
        return dark;
    }
    if CATEGORIES.contains(&color) {
        let lighter = |channel: u8| 62 + (u16::from(channel) * 193 / 255) as u8;
        return Color(lighter(color.0), lighter(color.1), lighter(color.2));
    }
    ramp(DARKEST_ON_DARK * (1.0 - share_of(color)))
}

/// The share whose colour on the ramp is next to `color`.
fn share_of(color: Color) -> f64 {
    let apart = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
    let distance = |other: &Color| apart(color.0, other.0) + apart(color.1, other.1) + apart(color.2, other.2);
    let step = (0..RAMP.len()).min_by_key(|step| distance(&RAMP[*step])).unwrap_or_default();
    step as f64 / (RAMP.len() - 1) as f64
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

/// Ink that can be read on a category's colour.
pub(crate) fn ink_on(ground: Color) -> Color {
    if is_dark(ground) { ON_DARK } else { ON_PALE }
}

/// Ink that can be read on a colour of the ramp.
pub(crate) fn ink_on_ramp(ground: Color) -> Color {
    if is_dark(ground) { ON_DARK_RAMP } else { ON_PALE_RAMP }
}

fn is_dark(Color(r, g, b): Color) -> bool {
    0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b) < 140.0
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
    fn on_dark_paper_the_largest_is_the_lightest_and_all_stand_out() {
        let lumas: Vec<f32> = (0..=20).map(|step| luma(on_dark_paper(ramp(f64::from(step) / 20.0)))).collect();
        assert!(lumas.windows(2).all(|pair| pair[0] < pair[1]), "{lumas:?}");
        let paper = luma(on_dark_paper(PAPER));
        assert!(lumas[0] > paper + 25.0, "{lumas:?} on {paper}");
        assert!(CATEGORIES.iter().all(|color| luma(on_dark_paper(*color)) > paper + 60.0));
    }

    #[test]
    fn ink_contrasts_with_its_ground() {
        assert_eq!(ink_on(CATEGORIES[1]), ON_PALE);
        assert_eq!(ink_on(CATEGORIES[0]), ON_DARK);
        for share in [0.0, 1.0] {
            let (ground, ink) = (ramp(share), ink_on_ramp(ramp(share)));
            for (ground, ink) in [(ground, ink), (on_dark_paper(ground), on_dark_paper(ink))] {
                assert!((luma(ground) - luma(ink)).abs() > 120.0, "{ink:?} on {ground:?}");
            }
        }
    }
}
