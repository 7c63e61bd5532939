//! Converts SVG to PNG with the bundled font, independent of the machine's fonts.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};

use super::{Chart, ChartError};

/// Regular and bold of the bundled font; its licence lies beside it.
const FONTS: [&[u8]; 2] =
    [include_bytes!("../../assets/BrownoutSans-Regular.otf"), include_bytes!("../../assets/BrownoutSans-Bold.otf")];

/// Loaded once: reading the fonts takes longer than drawing a chart.
static FONT_DATABASE: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut database = fontdb::Database::new();
    for font in FONTS {
        database.load_font_data(font.to_vec());
    }
    database.set_sans_serif_family("Brownout Sans");
    Arc::new(database)
});

/// The chart as a PNG image, with `scale` image pixels per pixel of the chart: 2 is right for screens and print.
///
/// # Errors
/// If the chart cannot be drawn, or `scale` gives an image without pixels or with more than 100 million.
pub fn png(chart: &Chart, scale: f32) -> Result<Vec<u8>, ChartError> {
    let options = usvg::Options { fontdb: Arc::clone(&FONT_DATABASE), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(&super::svg(chart)?, &options).map_err(ChartError::new)?;
    let size = tree.size();
    let (width, height) = (f64::from(size.width() * scale), f64::from(size.height() * scale));
    if !(width >= 1.0 && height >= 1.0 && width * height <= 1e8) {
        return Err(ChartError::new(format!("an image of {width:.0} × {height:.0} pixels is out of range")));
    }
    let mut pixels = Pixmap::new(width.round() as u32, height.round() as u32)
        .ok_or_else(|| ChartError::new("the image has no pixels"))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(ChartError::new)
}
