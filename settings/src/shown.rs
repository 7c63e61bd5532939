//! Sanitises text from outside for display on a terminal or in a document.

use std::borrow::Cow;

/// Single-line text with all unsafe characters replaced: control characters, line breaks, direction marks and
/// noncharacters.
pub fn shown(text: &str) -> Cow<'_, str> {
    if text.chars().all(|character| !is_unsafe(character)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|character| if is_unsafe(character) { '\u{FFFD}' } else { character }).collect())
}

/// The same for multi-line text, keeping the line breaks.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    if text.chars().all(|character| character == '\n' || !is_unsafe(character)) {
        return Cow::Borrowed(text);
    }
    let replaced = |character: char| if character != '\n' && is_unsafe(character) { '\u{FFFD}' } else { character };
    Cow::Owned(text.chars().map(replaced).collect())
}

/// Whether a character is a control character, a line break, a direction mark or a noncharacter.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
        || is_no_character(character)
}

/// Whether a character is a Unicode noncharacter, which XML does not allow.
pub fn is_no_character(character: char) -> bool {
    matches!(character, '\u{FDD0}'..='\u{FDEF}') || u32::from(character) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(shown("plain – ✓ ünï 漢"), "plain – ✓ ünï 漢");
        for bad in
            ["\u{1b}[2J", "a\nb", "a\rb", "\u{9b}31m", "\u{202e}abc", "\u{2066}x", "\u{2028}", "\u{fffe}", "\u{7f}"]
        {
            let safe = shown(bad);
            assert!(safe.contains('\u{FFFD}') && !safe.chars().any(is_unsafe), "{bad:?}");
        }
        assert_eq!(shown_lines("a\nb\u{7}"), "a\nb\u{FFFD}");
    }
}
