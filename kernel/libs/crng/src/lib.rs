//! A random number generator on ChaCha20 (RFC 8439) with fast key erasure: every request replaces the key by the first
//! half of a block, so that a state that leaks tells nothing of the numbers given out before.
//!
//! Entropy is mixed in by running the generator over the exclusive-or of key and input. Where seeds come from is the caller's
//! business.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

/// Bytes in a key and in a seed.
pub const KEY_SIZE: usize = 32;

const BLOCK: usize = 64;

/// The generator.
#[derive(Clone)]
pub struct Generator {
    key: [u8; KEY_SIZE],
    /// Requests served under this seed: the nonce, so that equal keys would not repeat themselves.
    nonce: u64,
}

impl Generator {
    /// A generator that knows nothing yet: seed it by [`Generator::mix`] before use.
    pub const fn new() -> Generator {
        Generator { key: [0; KEY_SIZE], nonce: 0 }
    }

    /// Mixes entropy into the state. What was there is not lost.
    pub fn mix(&mut self, entropy: &[u8]) {
        for piece in entropy.chunks(KEY_SIZE) {
            for (key, byte) in self.key.iter_mut().zip(piece) {
                *key ^= byte;
            }
            // The length counts too: a shorter input is another input.
            self.nonce ^= (piece.len() as u64) << 56;
            self.erase();
        }
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        let mut stream = self.split();
        stream.fill(out);
    }

    /// A generator of one request's bytes; this one goes on under a new key. Lets a caller make many bytes without the
    /// lock that guards the shared state.
    pub fn split(&mut self) -> Stream {
        let first = block(&self.key, 0, self.nonce);
        let mut key = [0; KEY_SIZE];
        self.key.copy_from_slice(&first[..KEY_SIZE]);
        key.copy_from_slice(&first[KEY_SIZE..]);
        self.nonce = self.nonce.wrapping_add(1);
        Stream { key, counter: 0 }
    }

    fn erase(&mut self) {
        let next = block(&self.key, 0, self.nonce);
        self.key.copy_from_slice(&next[..KEY_SIZE]);
        self.nonce = self.nonce.wrapping_add(1);
    }
}

impl Default for Generator {
    fn default() -> Generator {
        Generator::new()
    }
}

/// The bytes of one request.
pub struct Stream {
    key: [u8; KEY_SIZE],
    counter: u32,
}

impl Stream {
    /// The next bytes. A stream gives up to 256 GiB; unused bytes of a block are dropped.
    pub fn fill(&mut self, out: &mut [u8]) {
        for piece in out.chunks_mut(BLOCK) {
            let bytes = block(&self.key, self.counter, 0);
            piece.copy_from_slice(&bytes[..piece.len()]);
            self.counter = self.counter.wrapping_add(1);
        }
    }
}

fn quarter_round(s: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
    s[a] = s[a].wrapping_add(s[b]);
    s[d] = (s[d] ^ s[a]).rotate_left(16);
    s[c] = s[c].wrapping_add(s[d]);
    s[b] = (s[b] ^ s[c]).rotate_left(12);
    s[a] = s[a].wrapping_add(s[b]);
    s[d] = (s[d] ^ s[a]).rotate_left(8);
    s[c] = s[c].wrapping_add(s[d]);
    s[b] = (s[b] ^ s[c]).rotate_left(7);
}

/// The ChaCha20 block function (RFC 8439, 2.3), with the last two words of the nonce from `nonce` and the first zero.
fn block(key: &[u8; KEY_SIZE], counter: u32, nonce: u64) -> [u8; BLOCK] {
    let mut start = [0; 16];
    start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
    for (word, bytes) in start[4..12].iter_mut().zip(key.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    start[12] = counter;
    start[14] = nonce as u32;
    start[15] = (nonce >> 32) as u32;
    let mut state = start;
    for _ in 0..10 {
        for column in 0..4 {
            quarter_round(&mut state, [column, column + 4, column + 8, column + 12]);
        }
        for [a, b, c, d] in [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]] {
            quarter_round(&mut state, [a, b, c, d]);
        }
    }
    let mut out = [0; BLOCK];
    for (i, bytes) in out.chunks_exact_mut(4).enumerate() {
        bytes.copy_from_slice(&state[i].wrapping_add(start[i]).to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_block_function_matches_rfc_8439() {
        // Appendix A.1, test vectors 1, 3 and 5: no nonce, a counter, a nonce in its last word.
        let zero = block(&[0; 32], 0, 0);
        assert_eq!(zero[..8], [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]);
        assert_eq!(zero[60..], [0xb2, 0xee, 0x65, 0x86]);
        let mut key = [0; 32];
        key[31] = 1;
        assert_eq!(block(&key, 1, 0)[..8], [0x3a, 0xeb, 0x52, 0x24, 0xec, 0xf8, 0x49, 0x92]);
        assert_eq!(block(&[0; 32], 0, 2 << 56)[..4], [0xc2, 0xc6, 0x4d, 0x37]);
    }

    #[test]
    fn requests_differ() {
        let mut g = Generator::new();
        g.mix(b"seed");
        let (mut a, mut b) = ([0; 100], [0; 100]);
        g.fill(&mut a);
        g.fill(&mut b);
        assert_ne!(a, b);
    }

    #[test]
    fn every_seed_counts() {
        let first = |seeds: &[&[u8]]| {
            let mut g = Generator::new();
            seeds.iter().for_each(|seed| g.mix(seed));
            let mut out = [0; 16];
            g.fill(&mut out);
            out
        };
        assert_ne!(first(&[b"a"]), first(&[b"b"]));
        assert_ne!(first(&[b"a"]), first(&[b"a\0"]));
        assert_ne!(first(&[b"a", b"b"]), first(&[b"b", b"a"]));
        assert_eq!(first(&[b"a", b"b"]), first(&[b"a", b"b"]));
    }

    proptest! {
        #[test]
        fn bits_are_balanced(seed in any::<[u8; 16]>()) {
            let mut g = Generator::new();
            g.mix(&seed);
            let mut out = [0; 4096];
            g.fill(&mut out);
            let ones: u32 = out.iter().map(|b| b.count_ones()).sum();
            // 32768 bits: eight standard deviations.
            prop_assert!((16384 - 724..16384 + 724).contains(&ones));
        }
    }
}
