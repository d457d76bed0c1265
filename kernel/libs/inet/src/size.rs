//! What a datagram costs the buffer that it waits in.

/// Headers before a datagram's bytes, and what Linux keeps behind them (`struct skb_shared_info`).
const AROUND: usize = 28 + 48 + 320;
/// The least that is allocated for the bytes.
const LEAST: usize = 512;
/// The description of a packet (`struct sk_buff`).
const DESCRIPTION: usize = 256;

/// The bytes that a datagram of `len` bytes takes of `SO_RCVBUF`: as much as on Linux, so that as many fit.
pub const fn true_size(len: usize) -> usize {
    let data = (len + AROUND).next_power_of_two();
    DESCRIPTION + if data < LEAST { LEAST } else { data }
}

#[cfg(test)]
mod tests {
    use super::true_size;

    #[test]
    fn small_datagrams_cost_what_they_cost_on_linux() {
        assert_eq!(true_size(0), 768);
        assert_eq!(true_size(1), 768);
        assert_eq!(true_size(1000), 2048 + 256);
    }

    #[test]
    fn more_bytes_never_cost_less() {
        for len in 1..=65507 {
            assert!(true_size(len) >= true_size(len - 1) && true_size(len) > len);
        }
    }
}
