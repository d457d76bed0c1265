//! Hashes of addresses and ports. They are keyed, so that nobody outside chooses who shares a bucket.

/// Bob Jenkins's final mix (lookup3), as in Linux's `jhash_3words`.
fn mix(words: [u32; 3], key: u32) -> u64 {
    let start = key.wrapping_add(0xdead_beef).wrapping_add(3 << 2);
    let [mut a, mut b, mut c] = words.map(|word| start.wrapping_add(word));
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    u64::from(c) | u64::from(b) << 32
}

/// Of a connection as one of its ends sees it: both addresses and ports.
pub fn hash(local: (u32, u16), remote: (u32, u16), key: u32) -> u64 {
    let ports = u32::from(local.1) << 16 | u32::from(remote.1);
    mix([local.0, remote.0, ports], key)
}

/// Of two addresses and a port: where the search for a local port starts.
pub fn start(local: u32, remote: (u32, u16), key: u32) -> u32 {
    mix([local, remote.0, u32::from(remote.1)], key) as u32
}

/// One of `count`, evenly by a hash.
pub fn choose(hash: u64, count: usize) -> usize {
    (((hash & 0xffff_ffff) * count as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_one_pair_of_addresses_spread() {
        let home = 0x7f00_0001;
        let mut buckets = [0; 64];
        for port in 32768..=60999 {
            buckets[hash((home, port), (home, 80), 7) as usize % 64] += 1;
        }
        let even = 28232 / 64;
        assert!(buckets.iter().all(|&count| count > even * 3 / 4 && count < even * 5 / 4));
    }

    #[test]
    fn the_direction_and_the_key_matter() {
        let (a, b) = ((1, 2), (3, 4));
        assert_ne!(hash(a, b, 0), hash(b, a, 0));
        assert_ne!(hash(a, b, 0), hash(a, b, 1));
    }

    #[test]
    fn chooses_within_bounds() {
        assert_eq!(choose(0, 3), 0);
        assert_eq!(choose(u64::MAX, 3), 2);
        assert_eq!(choose(0x8000_0000, 2), 1);
    }
}
