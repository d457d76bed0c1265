//! The kernel command line, parsed as Linux parses it (`bootparam(7)`).
//!
//! Words are separated by white space; double quotes keep white space in a word, around a whole word
//! or around a value only. In names `-` and `_` are the same. A bare `--` ends the kernel's
//! parameters: what follows is for init alone.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

/// One word of the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Argument<'a> {
    /// The whole word, without quotes around it.
    pub text: &'a str,
    /// What is before the first `=`, or the whole word.
    pub name: &'a str,
    /// What is after the first `=`, without quotes around it.
    pub value: Option<&'a str>,
    /// It came after `--`.
    pub for_init: bool,
}

/// The words of a command line.
#[derive(Clone)]
pub struct Arguments<'a> {
    rest: &'a str,
    for_init: bool,
}

/// Splits a command line into its words.
pub fn parse(command_line: &str) -> Arguments<'_> {
    Arguments { rest: command_line, for_init: false }
}

impl<'a> Iterator for Arguments<'a> {
    type Item = Argument<'a>;

    fn next(&mut self) -> Option<Argument<'a>> {
        loop {
            let word = self.next_word()?;
            if word == "--" && !self.for_init {
                self.for_init = true;
                continue;
            }
            return Some(self.argument(word));
        }
    }
}

impl<'a> Arguments<'a> {
    fn next_word(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let mut in_quotes = false;
        let end = rest.find(|c: char| {
            in_quotes ^= c == '"';
            c.is_whitespace() && !in_quotes
        });
        let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
        self.rest = rest;
        Some(word)
    }

    fn argument(&self, word: &'a str) -> Argument<'a> {
        let text = strip_quotes(word);
        match text.split_once('=') {
            Some((name, value)) => {
                Argument { text, name, value: Some(strip_quotes(value)), for_init: self.for_init }
            }
            None => Argument { text, name: text, value: None, for_init: self.for_init },
        }
    }
}

/// Takes a quote off the front and, only then, one off the end.
fn strip_quotes(text: &str) -> &str {
    match text.strip_prefix('"') {
        Some(text) => text.strip_suffix('"').unwrap_or(text),
        None => text,
    }
}

/// Whether two parameter names are the same, `-` and `_` being one.
pub fn same_name(a: &str, b: &str) -> bool {
    let fold = |byte: u8| if byte == b'-' { b'_' } else { byte };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// A number of bytes: decimal, octal or hexadecimal, with an optional K, M, G, T, P or E after it
/// (`memparse` in Linux). `None` when it does not begin with a number or does not fit.
pub fn parse_size(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let number = u64::from_str_radix(&digits[..end], radix).ok()?;
    let shift = match digits[end..].bytes().next().map(|byte| byte.to_ascii_uppercase()) {
        Some(b'K') => 10,
        Some(b'M') => 20,
        Some(b'G') => 30,
        Some(b'T') => 40,
        Some(b'P') => 50,
        Some(b'E') => 60,
        _ => 0,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<(&str, Option<&str>, bool)> {
        parse(line).map(|argument| (argument.name, argument.value, argument.for_init)).collect()
    }

    #[test]
    fn words_are_split_at_white_space() {
        assert_eq!(
            words("  quiet\tconsole=ttyS0  panic=-1 "),
            [
                ("quiet", None, false),
                ("console", Some("ttyS0"), false),
                ("panic", Some("-1"), false)
            ]
        );
    }

    #[test]
    fn quotes_keep_white_space() {
        assert_eq!(words("a=\"b c\" d"), [("a", Some("b c"), false), ("d", None, false)]);
        assert_eq!(words("\"a=b c\" d"), [("a", Some("b c"), false), ("d", None, false)]);
        assert_eq!(words("a=\"b c"), [("a", Some("b c"), false)]);
    }

    #[test]
    fn value_may_contain_equals_signs() {
        assert_eq!(words("root=UUID=1"), [("root", Some("UUID=1"), false)]);
    }

    #[test]
    fn double_dash_hands_the_rest_to_init() {
        assert_eq!(
            words("quiet -- a b=c --"),
            [("quiet", None, false), ("a", None, true), ("b", Some("c"), true), ("--", None, true)]
        );
    }

    #[test]
    fn dash_and_underscore_are_the_same_in_names() {
        assert!(same_name("max-cpus", "max_cpus"));
        assert!(!same_name("maxcpus", "max_cpus"));
    }

    #[test]
    fn sizes_take_suffixes_and_radixes() {
        assert_eq!(parse_size("256M"), Some(256 << 20));
        assert_eq!(parse_size("0x10k"), Some(16 << 10));
        assert_eq!(parse_size("010"), Some(8));
        assert_eq!(parse_size("0"), Some(0));
        assert_eq!(parse_size("1G@0"), Some(1 << 30));
        assert_eq!(parse_size("x"), None);
        assert_eq!(parse_size("16E"), None);
    }
}
