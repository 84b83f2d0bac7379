//! What a live chart's server sends, and the output in the notebook that asks for it.

use base64::{Engine, prelude::BASE64_STANDARD};

/// The page inside the frame: the chart as an image (so nothing in it is run), asked for again every second.
pub(super) const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<title>Live chart</title>
<style>
body { margin: 0; font: 12px system-ui, sans-serif; color: #616e7c; background: #fff }
img { display: block; width: 100% }
p { position: absolute; right: 8px; bottom: 2px; margin: 0 }
</style>
<img id="chart" alt="">
<p id="state"></p>
<script>
const chart = document.getElementById("chart"), state = document.getElementById("state");
async function follow() {
  try {
    const answer = await fetch("chart", { cache: "no-cache" });
    if (answer.ok) {
      const old = chart.src;
      chart.src = URL.createObjectURL(await answer.blob());
      URL.revokeObjectURL(old);
      state.textContent = "live";
    } else {
      state.textContent = await answer.text();
    }
    setTimeout(follow, 1000);
  } catch {
    state.textContent = "the kernel has stopped; run the cell again to follow the stream";
  }
}
follow();
</script>
"#;

/// The frame for a notebook: the page at `url`, or `png` where there is no server (any more).
pub(super) fn frame(url: &str, png: &[u8], description: &str) -> String {
    let (width, height) = size(png);
    let picture = BASE64_STANDARD.encode(png);
    format!(
        "<object data=\"{url}\" type=\"text/html\" style=\"width:100%;max-width:{width}px;aspect-ratio:{width}/{height}\">\
         <img alt=\"{description}\" style=\"max-width:100%\" src=\"data:image/png;base64,{picture}\"></object>"
    )
}

/// Width and height from a PNG's first chunk.
fn size(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| png.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(1, u32::from_be_bytes);
    (number(16), number(20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Figure;
    use polars::prelude::df;

    #[test]
    fn the_picture_stands_in_for_the_page_and_has_its_shape() {
        let data = df!("x" => [1, 2], "y" => [1, 2]).expect("a frame");
        let png = Figure::line(&data).x("x").y("y").size(400, 300).png().expect("a picture");
        let html = frame("http://127.0.0.1:1/t/", &png, "a chart");
        let (width, height) = size(&png);
        assert_eq!(width * 3, height * 4, "{width} × {height}");
        assert!(
            html.contains("<object data=\"http://127.0.0.1:1/t/\"") && html.contains("data:image/png;base64,iVBOR"),
            "{html}"
        );
    }
}
