use super::*;
use proptest::prelude::*;

const HEADER: [u8; 48] = {
    let mut header = [0; 48];
    header[8] = 3;
    header
};

fn cpu(domain: u32, id: u8, flags: u32) -> Vec<u8> {
    let [low, high @ ..] = domain.to_le_bytes();
    [&[0, 16, low, id][..], &flags.to_le_bytes(), &[0], &high, &[0; 4]].concat()
}

fn x2apic(domain: u32, id: u32, flags: u32) -> Vec<u8> {
    let words = [domain, id, flags, 0, 0].map(u32::to_le_bytes).concat();
    [&[2, 24, 0, 0][..], &words].concat()
}

fn memory(domain: u32, range: Range<u64>, flags: u32) -> Vec<u8> {
    let place = [range.start, range.end - range.start].map(u64::to_le_bytes).concat();
    let domain = domain.to_le_bytes();
    [&[1, 40][..], &domain, &[0; 2], &place, &[0; 4], &flags.to_le_bytes(), &[0; 8]].concat()
}

fn srat(entries: &[Vec<u8>]) -> Vec<u8> {
    [HEADER.to_vec(), entries.concat()].concat()
}

fn slit(count: u64, matrix: &[u8]) -> Vec<u8> {
    [&[0; 36][..], &count.to_le_bytes(), matrix].concat()
}

/// Domains 7 and 3, in this order.
fn two_nodes() -> Topology {
    let table = srat(&[
        cpu(7, 0, 1),
        x2apic(3, 0x1234, 1),
        cpu(9, 5, 0),
        memory(3, 0x10_0000..0x20_0000, 3),
        memory(7, 0..0xa_0000, 1),
        memory(9, 0x40_0000..0x50_0000, 0),
        memory(3, 0x1f_0000..0x30_0000, 1),
    ]);
    Topology::from_srat(&table).unwrap()
}

#[test]
fn without_tables_all_is_one_node() {
    let topology = Topology::single();
    assert_eq!(topology.node_count(), 1);
    assert_eq!(topology.node_of_cpu(17), 0);
    assert_eq!(topology.by_distance(0).collect::<Vec<_>>(), [0]);
    assert_eq!(topology.split(5..9).collect::<Vec<_>>(), [(5..9, 0)]);
}

#[test]
fn nodes_are_numbered_as_they_are_named() {
    let topology = two_nodes();
    assert_eq!(topology.node_count(), 2);
    assert_eq!(topology.node_of_cpu(0), 0);
    assert_eq!(topology.node_of_cpu(0x1234), 1);
    assert_eq!(topology.node_of_cpu(5), 0, "a disabled entry says nothing");
}

#[test]
fn memory_is_split_where_the_node_changes() {
    let pieces: Vec<_> = two_nodes().split(0x8_0000..0x38_0000).collect();
    let expected = [
        (0x8_0000..0xa_0000, 0),
        (0xa_0000..0x10_0000, 0),
        (0x10_0000..0x30_0000, 1),
        (0x30_0000..0x38_0000, 0),
    ];
    assert_eq!(pieces, expected);
}

#[test]
fn old_tables_have_domains_of_a_byte() {
    let mut table = srat(&[cpu(0x102, 0, 1), memory(0x302, 0..4096, 1)]);
    assert_eq!(Topology::from_srat(&table).unwrap().node_count(), 2);
    table[8] = 1;
    assert_eq!(Topology::from_srat(&table).unwrap().node_count(), 1);
}

#[test]
fn contradictions_are_refused() {
    let refused = |entries: &[Vec<u8>]| Topology::from_srat(&srat(entries)).unwrap_err();
    assert_eq!(refused(&[]), Error::Empty);
    assert_eq!(refused(&[vec![0, 0]]), Error::Truncated);
    assert_eq!(refused(&[vec![0, 200, 1]]), Error::Truncated);
    assert_eq!(refused(&[vec![1, 8, 0, 0, 0, 0, 0, 0]]), Error::Truncated);
    let overlap = [memory(0, 0..0x3000, 1), memory(1, 0x2000..0x4000, 1)];
    assert_eq!(refused(&overlap), Error::Overlap);
    let mut endless = memory(0, 0..0x3000, 1);
    endless[16..24].fill(0xff);
    endless[8] = 1;
    assert_eq!(refused(&[endless]), Error::BadRange);
    let many: Vec<_> = (0..17).map(|n| cpu(n, n as u8, 1)).collect();
    assert_eq!(refused(&many), Error::TooManyNodes);
    let pieces: Vec<_> = (0..65).map(|n| memory(0, n * 8192..n * 8192 + 4096, 1)).collect();
    assert_eq!(refused(&pieces), Error::TooManyRanges);
}

#[test]
fn overlap_hidden_behind_a_smaller_range_is_found() {
    // Sorted by start, the small range lies between the two that overlap.
    let table = srat(&[
        memory(0, 0..0x9000, 1),
        memory(0, 0x1000..0x2000, 1),
        memory(1, 0x3000..0x4000, 1),
    ]);
    assert_eq!(Topology::from_srat(&table).unwrap_err(), Error::Overlap);
}

#[test]
fn distances_follow_the_domains() {
    let mut topology = two_nodes();
    assert_eq!(topology.distance(0, 1), REMOTE_DISTANCE);
    let mut matrix = [30; 64];
    for n in 0..8 {
        matrix[n * 8 + n] = 10;
    }
    matrix[7 * 8 + 3] = 21;
    matrix[3 * 8 + 7] = 22;
    topology.set_distances(&slit(8, &matrix)).unwrap();
    assert_eq!((topology.distance(0, 1), topology.distance(1, 0)), (21, 22));
    assert_eq!(topology.distance(1, 1), 10);
}

#[test]
fn bad_distances_change_nothing() {
    let mut topology = two_nodes();
    assert_eq!(topology.set_distances(&slit(2, &[10, 10, 20, 10])), Err(Error::BadDistance));
    assert_eq!(topology.set_distances(&slit(2, &[10, 20, 20, 11])), Err(Error::BadDistance));
    assert_eq!(topology.set_distances(&slit(2, &[10, 20])), Err(Error::Truncated));
    assert_eq!(topology.set_distances(&slit(u64::MAX, &[10, 20])), Err(Error::Truncated));
    assert_eq!(topology.set_distances(&[0; 20]), Err(Error::Truncated));
    assert_eq!(topology.distance(0, 1), REMOTE_DISTANCE);
}

#[test]
fn nearer_nodes_come_first_and_equal_ones_in_turn() {
    let cpus: Vec<_> = (0..4).map(|n| cpu(n, n as u8, 1)).collect();
    let mut topology = Topology::from_srat(&srat(&cpus)).unwrap();
    assert_eq!(topology.by_distance(2).collect::<Vec<_>>(), [2, 3, 0, 1]);
    let matrix = [10, 21, 31, 41, 21, 10, 21, 31, 31, 21, 10, 21, 41, 31, 21, 10];
    topology.set_distances(&slit(4, &matrix)).unwrap();
    assert_eq!(topology.by_distance(2).collect::<Vec<_>>(), [2, 3, 1, 0]);
    assert_eq!(topology.by_distance(0).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

/// An entry that is mostly in order.
fn entry() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..20_u32, any::<u8>(), 0..3_u32).prop_map(|(domain, id, flags)| cpu(domain, id, flags)),
        (0..20_u32, any::<u32>(), 0..3_u32)
            .prop_map(|(domain, id, flags)| x2apic(domain, id, flags)),
        (0..20_u32, 0..1000_u64, 0..50_u64, 0..8_u32)
            .prop_map(|(domain, start, len, flags)| memory(domain, start..start + len, flags)),
        proptest::collection::vec(any::<u8>(), 0..48),
    ]
}

proptest! {
    /// Whatever the tables say, nothing panics, and what is accepted makes sense.
    #[test]
    fn any_table_is_refused_or_makes_sense(
        entries in proptest::collection::vec(entry(), 0..24),
        cut in 0..64_usize,
        slit in proptest::collection::vec(any::<u8>(), 0..100),
        count in 0..6_u64,
    ) {
        let mut table = srat(&entries);
        table.truncate(table.len().saturating_sub(if cut < 40 { 0 } else { cut }));
        if let Ok(mut topology) = Topology::from_srat(&table) {
            let mut slit = slit;
            if let Some(place) = slit.get_mut(36..44) {
                place.copy_from_slice(&count.to_le_bytes());
            }
            let _ = topology.set_distances(&slit);
            let count = topology.node_count();
            prop_assert!((1..=MAX_NODES).contains(&count));
            for id in 0..256 {
                prop_assert!(topology.node_of_cpu(id) < count);
            }
            for node in 0..count {
                prop_assert_eq!(topology.distance(node, node), LOCAL_DISTANCE);
                let mut order: Vec<_> = topology.by_distance(node).collect();
                prop_assert_eq!(order[0], node);
                order.sort_unstable();
                prop_assert!(order.into_iter().eq(0..count));
            }
            let mut end = 3;
            for (piece, node) in topology.split(3..1200) {
                prop_assert!(piece.start == end && piece.end > end && node < count);
                end = piece.end;
            }
            prop_assert_eq!(end, 1200);
        }
    }
}
