//! Texts: their width, and their escaping in markup.

/// Escapes text for markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters are not allowed in a document, even in names from a scenario.
            character if character.is_control() && character != '\n' && character != '\t' => {}
            character if language::diagnostics::is_no_character(character) => safe.push('\u{FFFD}'),
            character => safe.push(character),
        }
    }
    safe
}

/// Widths of the printable ASCII characters of the bundled font, thousandths of its size.
const ADVANCES: [u16; 95] = [
    281, 278, 403, 631, 638, 812, 639, 222, 362, 362, 500, 659, 280, 460, 276, 357, 648, 648, 648, 648, 648, 648, 648,
    648, 648, 648, 276, 280, 659, 659, 659, 507, 936, 676, 651, 727, 719, 598, 587, 743, 740, 264, 543, 652, 562, 889,
    753, 761, 635, 761, 639, 638, 642, 741, 676, 949, 642, 665, 625, 362, 357, 362, 469, 452, 497, 564, 621, 558, 621,
    582, 361, 609, 591, 237, 237, 544, 237, 869, 585, 597, 609, 609, 372, 523, 364, 581, 557, 812, 540, 557, 541, 362,
    327, 362, 659,
];

/// Width of a text in pixels; other characters count as wide ones, so that the estimate is never much too small.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let thousandths: u32 = text
        .chars()
        .map(|character| {
            let index = (character as usize).wrapping_sub(0x20);
            u32::from(ADVANCES.get(index).copied().unwrap_or(660))
        })
        .sum();
    f64::from(thousandths) / 1000.0 * size
}
