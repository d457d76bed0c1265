//! Local ports: which bindings of one port exclude each other, and in which order free ports are looked for.

/// One binding of a port, as far as others must know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The local address; 0: all of them.
    pub address: u32,
    /// `SO_REUSEADDR`.
    pub reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// Whose it is.
    pub user: u32,
    /// It listens for connections.
    pub listening: bool,
}

/// Whether two bindings of the same port exclude each other (Linux's `inet_csk_bind_conflict` and `udp_lib_lport_inuse`).
pub const fn conflicts(one: &Claim, other: &Claim) -> bool {
    let overlap = one.address == other.address || one.address == 0 || other.address == 0;
    let share_address = one.reuse_address && other.reuse_address && !other.listening;
    let share_port = one.reuse_port && other.reuse_port && one.user == other.user;
    overlap && !share_address && !share_port
}

/// Which half of the range is looked at first: so `bind(2)` and `connect(2)` do not compete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parity {
    /// Ports at an even distance from the first (`connect(2)`).
    Even,
    /// The others (`bind(2)`).
    Odd,
}

/// Every port of a range once, from a given start: first those of one parity, then the others.
#[derive(Clone, Debug)]
pub struct Search {
    first: u32,
    count: u32,
    start: u32,
    parity: Parity,
    done: u32,
}

impl Search {
    /// Over `first..=last`; `start` is any number.
    pub const fn new(first: u16, last: u16, start: u32, parity: Parity) -> Search {
        let count = if last < first { 0 } else { last as u32 - first as u32 + 1 };
        Search { first: first as u32, count, start, parity, done: 0 }
    }
}

impl Iterator for Search {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.done >= self.count {
            return None;
        }
        // Of `count` ports `evens` are at even distances.
        let evens = self.count.div_ceil(2);
        let in_first_half = match self.parity {
            Parity::Even => evens,
            Parity::Odd => self.count - evens,
        };
        let (step, half, odd) = if self.done < in_first_half {
            (self.done, in_first_half, self.parity == Parity::Odd)
        } else {
            let step = self.done - in_first_half;
            (step, self.count - in_first_half, self.parity == Parity::Even)
        };
        self.done += 1;
        let place = (self.start % half + step) % half;
        Some((self.first + place * 2 + odd as u32) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const PLAIN: Claim =
        Claim { address: 0, reuse_address: false, reuse_port: false, user: 0, listening: false };

    #[test]
    fn different_addresses_share_a_port_and_the_wildcard_meets_all() {
        let one = Claim { address: 1, ..PLAIN };
        assert!(!conflicts(&one, &Claim { address: 2, ..PLAIN }));
        assert!(conflicts(&one, &Claim { address: 1, ..PLAIN }));
        assert!(conflicts(&one, &PLAIN) && conflicts(&PLAIN, &one));
    }

    #[test]
    fn reused_addresses_need_both_and_no_listener() {
        let reuse = Claim { reuse_address: true, ..PLAIN };
        assert!(!conflicts(&reuse, &reuse));
        assert!(conflicts(&reuse, &PLAIN) && conflicts(&PLAIN, &reuse));
        assert!(conflicts(&reuse, &Claim { listening: true, ..reuse }));
    }

    #[test]
    fn a_shared_port_stays_with_one_user() {
        let shared = Claim { reuse_port: true, listening: true, ..PLAIN };
        assert!(!conflicts(&shared, &shared));
        assert!(conflicts(&shared, &Claim { user: 1, ..shared }));
        assert!(conflicts(&shared, &Claim { reuse_port: false, ..shared }));
    }

    proptest! {
        #[test]
        fn a_search_meets_every_port_once(first in 1u16.., len in 0u16..500, start: u32, odd: bool) {
            let last = first.saturating_add(len);
            let parity = if odd { Parity::Odd } else { Parity::Even };
            let found: Vec<u16> = Search::new(first, last, start, parity).collect();
            let set: HashSet<u16> = found.iter().copied().collect();
            prop_assert_eq!(found.len(), set.len());
            prop_assert_eq!(set, (first..=last).collect::<HashSet<_>>());
        }
    }

    #[test]
    fn the_first_half_has_one_parity() {
        let ports: Vec<u16> = Search::new(100, 109, 3, Parity::Odd).take(5).collect();
        assert!(ports.iter().all(|port| port % 2 == 1));
        assert_eq!(Search::new(7, 7, 9, Parity::Odd).collect::<Vec<_>>(), [7]);
        assert_eq!(Search::new(9, 7, 9, Parity::Odd).count(), 0);
    }
}
