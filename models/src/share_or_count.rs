//! A share of something, or a count.

use settings::{Book, Fraction, Node, Reader, Setting, Shape};

/// `25%`, or `3`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ShareOrCount {
    /// A share.
    Share(f64),
    /// A count.
    Count(u32),
}

impl ShareOrCount {
    /// Whether it is nothing, of however many.
    pub fn is_none(self) -> bool {
        matches!(self, ShareOrCount::Count(0) | ShareOrCount::Share(0.0))
    }

    /// Of so many, rounded up.
    pub fn rounded_up(self, of: u32) -> u32 {
        match self {
            ShareOrCount::Share(share) => libm::ceil(share * f64::from(of) - 1e-9) as u32,
            ShareOrCount::Count(count) => count,
        }
    }

    /// Of so many, rounded down.
    pub fn rounded_down(self, of: u32) -> u32 {
        match self {
            ShareOrCount::Share(share) => libm::floor(share * f64::from(of) + 1e-9) as u32,
            ShareOrCount::Count(count) => count.min(of),
        }
    }
}

impl Setting for ShareOrCount {
    fn read(node: &Node, cx: &mut Reader) -> Option<Self> {
        match node.as_text().is_some_and(|text| text.ends_with('%')) {
            true => Fraction::read(node, cx).map(|share| ShareOrCount::Share(share.0)),
            false => u32::read(node, cx).map(ShareOrCount::Count),
        }
    }

    fn describe(book: &mut Book) -> Shape {
        Shape::AnyOf(vec![Fraction::describe(book), u32::describe(book)])
    }

    fn write(&self) -> Node {
        match self {
            ShareOrCount::Share(share) => Fraction(*share).write(),
            ShareOrCount::Count(count) => count.write(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::notation::read;

    #[test]
    fn shares_are_rounded_and_counts_are_not() {
        let quarter: ShareOrCount = read("25%").expect("a share");
        assert_eq!((quarter.rounded_up(10), quarter.rounded_down(10)), (3, 2));
        assert_eq!((quarter.rounded_up(4), quarter.rounded_down(4)), (1, 1));
        let three: ShareOrCount = read("3").expect("a count");
        assert_eq!((three.rounded_up(10), three.rounded_down(2), three.write().to_string()), (3, 2, "3".to_string()));
        assert!(read::<ShareOrCount>("many").is_err());
    }
}
