//! How much a cache holds: so many entries, or so many bytes of them.

use settings::{Book, Count, Node, Reader, Setting, Shape, Size, Value};

/// So many entries, or so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapacitySettings {
    /// Entries.
    Entries(Count),
    /// Bytes, of entries that all have the same size.
    Bytes(Size),
}

impl CapacitySettings {
    /// How many entries of a size there is room for.
    pub fn entries(self, entry_bytes: u64) -> u64 {
        match self {
            CapacitySettings::Entries(count) => count.0,
            CapacitySettings::Bytes(size) => size.0 / entry_bytes.max(1),
        }
    }
}

impl Setting for CapacitySettings {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, .. } if text.trim_end().ends_with('B') => {
                Size::read(node, cx).map(CapacitySettings::Bytes)
            }
            _ => Count::read(node, cx).map(CapacitySettings::Entries),
        }
    }

    fn describe(book: &mut Book) -> Shape {
        Shape::AnyOf(vec![Count::describe(book), Size::describe(book)])
    }

    fn write(&self) -> Node {
        match self {
            CapacitySettings::Entries(count) => count.write(),
            CapacitySettings::Bytes(size) => size.write(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::notation::read;

    #[test]
    fn counts_and_sizes_are_told_apart_and_written_again() {
        for (text, entries) in [("10k", 10_000), ("1MiB", 1024), ("64KB", 62)] {
            let capacity: CapacitySettings = read(text).expect("a capacity");
            assert_eq!(capacity.entries(1024), entries, "{text}");
            assert_eq!(read::<CapacitySettings>(&capacity.write().to_string()), Ok(capacity));
        }
        assert!(read::<CapacitySettings>("many").is_err());
    }
}
