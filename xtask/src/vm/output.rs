//! Telling the command's output from the report that init writes behind it.

/// Passes output on while holding back what may be the start of init's report.
pub(super) struct OutputFilter {
    mark: Vec<u8>,
    held: Vec<u8>,
}

/// The longest text that follows the mark: a status and a new line.
const LONGEST_STATUS: usize = 16;

impl OutputFilter {
    /// A filter for the report with this nonce.
    pub(super) fn new(nonce: &str) -> Self {
        Self { mark: format!("\x1enos-exit {nonce} ").into_bytes(), held: Vec::new() }
    }

    /// Takes the next bytes in and returns those that are the command's for sure.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let keep = self.mark.len() + LONGEST_STATUS;
        let from = self.held.len().saturating_sub(keep);
        let candidate = self.held[from..].iter().position(|byte| *byte == self.mark[0]);
        let rest = candidate.map_or(self.held.len(), |at| from + at);
        let held = self.held.split_off(rest);
        std::mem::replace(&mut self.held, held)
    }

    /// What is left of the command's output, and the status if init reported one.
    pub(super) fn finish(self) -> (Vec<u8>, Option<i32>) {
        let Some(at) = self.held.windows(self.mark.len()).rposition(|window| window == self.mark)
        else {
            return (self.held, None);
        };
        let text = String::from_utf8_lossy(&self.held[at + self.mark.len()..]).into_owned();
        match text.strip_suffix('\n').and_then(|text| text.parse().ok()) {
            Some(status) => (self.held[..at].to_vec(), Some(status)),
            None => (self.held, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn output_without_a_report_is_passed_on_whole() {
        let mut filter = OutputFilter::new("n");
        let mut output = filter.push(b"one\x1enos-exit n");
        let (rest, status) = filter.finish();
        output.extend(rest);
        assert_eq!((output.as_slice(), status), (b"one\x1enos-exit n".as_slice(), None));
    }

    proptest! {
        #[test]
        fn the_report_is_taken_off_wherever_reads_end(
            output in prop::collection::vec(any::<u8>(), 0..200),
            status in 0..256_i32,
            chunk in 1_usize..64,
        ) {
            let mut sent = output.clone();
            sent.extend(format!("\x1enos-exit abc {status}\n").bytes());
            let mut filter = OutputFilter::new("abc");
            let mut received = Vec::new();
            for bytes in sent.chunks(chunk) {
                received.extend(filter.push(bytes));
            }
            let (rest, found) = filter.finish();
            received.extend(rest);
            prop_assert_eq!(received, output);
            prop_assert_eq!(found, Some(status));
        }
    }
}
