//! A frame between nodes, by itself.
//!
//! Input: the frame. Properties: what decodes is written back as exactly these bytes, so that there
//! is one encoding of each message; and its entries follow each other.

use bytes::Bytes;
use tallystick_core::raft::frame::{decode, encode_into, encoded_len};

pub fn run(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    let Ok(message) = decode(&frame) else {
        return;
    };
    let mut again = vec![0; encoded_len(&message)];
    encode_into(&message, &mut again);
    assert_eq!(again, data, "two encodings of one message");
    if message.entries.len() > 1 {
        let mut terms = message.entries.windows(2);
        assert!(terms.all(|two| two[0].term <= two[1].term && two[0].index + 1 == two[1].index));
    }
}
