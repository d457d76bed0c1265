//! Attributes: a length, a kind, a value, one after the other.

use super::align;
use zerocopy::FromBytes;

/// Bytes before an attribute's value.
pub(crate) const ATTRIBUTE_HEADER: usize = 4;
/// The bits of a kind that tell of its value's form: nested, in network byte order.
const FORM: u16 = 0xc000;

/// An attribute's value is too short, or is not what its kind asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// Where the attribute begins among the attributes.
    pub offset: usize,
}

/// One attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    /// What it is, without the bits about its form.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
    /// Where it begins among the attributes.
    pub offset: usize,
}

impl<'a> Attribute<'a> {
    /// The value as a plain type; bytes after it do not count.
    pub fn read<T: FromBytes>(&self) -> Result<T, Malformed> {
        match T::read_from_prefix(self.value) {
            Ok((value, _)) => Ok(value),
            Err(_) => Err(Malformed { offset: self.offset }),
        }
    }

    /// The value as text, up to a NUL.
    pub fn text(&self) -> &'a [u8] {
        let end = self.value.iter().position(|byte| *byte == 0).unwrap_or(self.value.len());
        &self.value[..end]
    }
}

/// The attributes behind a message's fixed part. Ends at the first whose length cannot be.
#[derive(Clone, Copy)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Attributes<'a> {
    /// Those in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Attributes<'a> {
        Attributes { bytes, offset: 0 }
    }

    /// The last of a kind, which is the one that counts.
    pub fn last(self, kind: u16) -> Option<Attribute<'a>> {
        self.filter(|attribute| attribute.kind == kind).last()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let rest = self.bytes.get(self.offset..)?;
        let (len, after) = u16::read_from_prefix(rest).ok()?;
        let (kind, _) = u16::read_from_prefix(after).ok()?;
        let value = rest.get(ATTRIBUTE_HEADER..usize::from(len))?;
        let attribute = Attribute { kind: kind & !FORM, value, offset: self.offset };
        self.offset += align(usize::from(len));
        Some(attribute)
    }
}
