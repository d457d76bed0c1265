//! The first line of a script (`execve(2)`, "Interpreter scripts").

use crate::HEAD_SIZE;
use abi::{Errno, Result};

/// What a script asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Script<'a> {
    /// The interpreter's path.
    pub interpreter: &'a [u8],
    /// All that follows it on the line, as one argument.
    pub argument: Option<&'a [u8]>,
}

const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Parses the first [`HEAD_SIZE`] bytes of a file (zeros behind its end). `Ok(None)`: not a script; `ENOEXEC`: a script without
/// an interpreter, or with one whose name may go on behind these bytes.
pub fn parse(head: &[u8; HEAD_SIZE]) -> Result<Option<Script<'_>>> {
    let Some(line) = head.strip_prefix(b"#!") else { return Ok(None) };
    // A NUL ends the search for the newline, as in Linux's `strnchr`.
    let newline =
        line.iter().position(|&byte| byte == b'\n' || byte == 0).filter(|&at| line[at] == b'\n');
    let line = match newline {
        Some(at) => &line[..at],
        None => {
            let name = line.iter().position(|&byte| !is_blank(byte)).ok_or(Errno::ENOEXEC)?;
            if !line[name..].iter().any(|&byte| is_blank(byte) || byte == 0) {
                return Err(Errno::ENOEXEC);
            }
            &line[..line.len() - 1]
        }
    };
    let end = line.iter().rposition(|&byte| !is_blank(byte)).map_or(0, |last| last + 1);
    let line = &line[..end];
    let start = line.iter().position(|&byte| !is_blank(byte)).ok_or(Errno::ENOEXEC)?;
    let line = &line[start..];
    let separator = line.iter().position(|&byte| is_blank(byte) || byte == 0);
    let (interpreter, rest) = match separator {
        Some(at) if line[at] != 0 => (&line[..at], &line[at..]),
        Some(at) => (&line[..at], &[][..]),
        None => (line, &[][..]),
    };
    if interpreter.is_empty() {
        return Err(Errno::ENOEXEC);
    }
    let argument = rest
        .iter()
        .position(|&byte| !is_blank(byte))
        .map(|at| rest[at..].split(|&byte| byte == 0).next().unwrap_or_default());
    Ok(Some(Script { interpreter, argument }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(text: &[u8]) -> [u8; HEAD_SIZE] {
        let mut head = [0; HEAD_SIZE];
        head[..text.len()].copy_from_slice(text);
        head
    }

    /// The interpreter and its argument.
    type Line = (Vec<u8>, Option<Vec<u8>>);

    fn parsed(text: &[u8]) -> Result<Option<Line>> {
        let head = head(text);
        let script = parse(&head)?;
        Ok(script.map(|s| (s.interpreter.to_vec(), s.argument.map(<[u8]>::to_vec))))
    }

    #[test]
    fn interpreter_and_one_argument_are_split() {
        let script = |i: &str, a: Option<&str>| {
            Ok(Some((i.as_bytes().to_vec(), a.map(|a| a.as_bytes().to_vec()))))
        };
        assert_eq!(parsed(b"#!/bin/sh\nexit\n"), script("/bin/sh", None));
        assert_eq!(parsed(b"#! \t/bin/sh  -e  -u \t\nx"), script("/bin/sh", Some("-e  -u")));
        assert_eq!(parsed(b"#!/bin/sh"), script("/bin/sh", None));
        assert_eq!(parsed(b"\x7fELF"), Ok(None));
    }

    #[test]
    fn a_line_without_interpreter_is_no_program() {
        assert_eq!(parsed(b"#!\n"), Err(Errno::ENOEXEC));
        assert_eq!(parsed(b"#! \t \nfoo"), Err(Errno::ENOEXEC));
        assert_eq!(parsed(&[b"#!".as_slice(), &[b' '; 254]].concat()), Err(Errno::ENOEXEC));
    }

    #[test]
    fn a_name_that_may_go_on_is_refused_but_a_long_argument_is_cut() {
        assert_eq!(parsed(&[b"#!/".as_slice(), &[b'a'; 253]].concat()), Err(Errno::ENOEXEC));
        let (interpreter, argument) =
            parsed(&[b"#!/bin/sh ".as_slice(), &[b'a'; 246]].concat()).unwrap().unwrap();
        assert_eq!(interpreter, b"/bin/sh");
        assert_eq!(argument.unwrap().len(), 245);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(0), Just(b'\n')], HEAD_SIZE)
        ) {
            let mut head = head(&bytes);
            head[..2].copy_from_slice(b"#!");
            if let Ok(Some(script)) = parse(&head) {
                prop_assert!(!script.interpreter.is_empty());
                prop_assert!(!script.interpreter.contains(&0));
            }
        }
    }
}
