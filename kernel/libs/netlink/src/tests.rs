//! What is built is read back; what is not a message is not read.

use super::{Attributes, Builder, Flags, HEADER_LEN, Messages};
use proptest::prelude::*;

fn attribute() -> impl Strategy<Value = (u16, Vec<u8>)> {
    (0_u16..64, prop::collection::vec(any::<u8>(), 0..40))
}

fn built(kind: u16, fixed: u64, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut builder = Builder::new(kind, Flags::REQUEST, 7, 9);
    builder.fixed(&fixed);
    for (kind, value) in attributes {
        builder.attribute(*kind, &value[..]);
    }
    builder.finish()
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        messages in prop::collection::vec(
            (any::<u16>(), any::<u64>(), prop::collection::vec(attribute(), 0..6)), 0..4),
    ) {
        let datagram: Vec<u8> = messages
            .iter()
            .flat_map(|(kind, fixed, attributes)| built(*kind, *fixed, attributes))
            .collect();
        let read: Vec<_> = Messages::new(&datagram).collect();
        prop_assert_eq!(read.len(), messages.len());
        for (read, (kind, fixed, attributes)) in read.iter().zip(&messages) {
            prop_assert_eq!(read.header.kind, *kind);
            prop_assert_eq!((read.header.sequence, read.header.port), (7, 9));
            prop_assert_eq!(&read.payload[..8], &fixed.to_ne_bytes());
            let found: Vec<_> = Attributes::new(&read.payload[8..])
                .map(|attribute| (attribute.kind, attribute.value.to_vec()))
                .collect();
            prop_assert_eq!(&found, attributes);
        }
    }

    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut read = 0;
        for message in Messages::new(&bytes) {
            read += HEADER_LEN + message.payload.len();
            for attribute in Attributes::new(message.payload) {
                prop_assert!(attribute.offset + 4 + attribute.value.len() <= message.payload.len());
            }
        }
        prop_assert!(read <= bytes.len());
    }
}

#[test]
fn a_message_that_is_cut_ends_the_datagram() {
    let mut datagram = built(16, 0, &[]);
    datagram.extend(built(17, 0, &[]));
    datagram.pop();
    assert_eq!(Messages::new(&datagram).map(|m| m.header.kind).collect::<Vec<_>>(), [16]);
}

#[test]
fn of_two_attributes_of_a_kind_the_last_counts() {
    let message = built(16, 0, &[(3, vec![1; 4]), (3, vec![2; 4])]);
    let attributes = Attributes::new(&message[HEADER_LEN + 8..]);
    assert_eq!(attributes.last(3).map(|found| found.read::<u32>()), Some(Ok(0x0202_0202)));
    assert_eq!(attributes.last(4), None);
    assert!(attributes.last(3).is_some_and(|found| found.read::<u64>().is_err()));
}

#[test]
fn text_ends_at_its_nul() {
    let mut builder = Builder::new(16, Flags::empty(), 0, 0);
    builder.text(3, "lo");
    let message = builder.finish();
    assert_eq!(message.len(), HEADER_LEN + 8);
    assert_eq!(
        Attributes::new(&message[HEADER_LEN..]).last(3).map(|name| name.text()),
        Some(&b"lo"[..])
    );
}
