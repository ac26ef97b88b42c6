use proptest::prelude::*;

use super::*;
use crate::format::{sha256, Hash32};

/// The definition of RFC 6962 section 2.1, word for word.
fn by_definition(leaves: &[&[u8]]) -> Hash32 {
    match leaves {
        [] => sha256(b""),
        [leaf] => sha256(&[&[0], *leaf].concat()),
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(split);
            sha256(&[&[1], &by_definition(left)[..], &by_definition(right)[..]].concat())
        }
    }
}

fn data(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i * 7 + i / 251) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn root_is_the_definition(count in 0_usize..70, leaf_bytes in 1_usize..400) {
        let data = data(count * leaf_bytes);
        let leaves: Vec<&[u8]> = data.chunks(leaf_bytes).collect();
        prop_assert_eq!(root(&data, leaf_bytes), by_definition(&leaves));
    }

    #[test]
    fn frontier_agrees_with_root_at_every_size(count in 0_usize..70) {
        let data = data(count * 16);
        let mut frontier = Frontier::new();
        prop_assert_eq!(frontier.root(), root(&[], 16));
        for (index, leaf) in data.chunks(16).enumerate() {
            frontier.append(leaf_hash(leaf));
            prop_assert_eq!(frontier.root(), root(&data[..(index + 1) * 16], 16));
            let copy = Frontier::from_parts(frontier.size(), frontier.roots().to_vec());
            prop_assert_eq!(copy.as_ref(), Some(&frontier));
        }
    }

    #[test]
    fn paths_verify_and_only_where_they_belong(
        count in 1_usize..70,
        at in 0_usize..70,
        flip in 0_usize..8,
    ) {
        let index = at % count;
        let hashes = leaf_hashes(&data(count * 16), 16);
        let root = root_of_hashes(hashes.clone());
        let leaf = hashes[index];
        let path = inclusion_path(hashes, index).unwrap();
        let (index, size) = (index as u64, count as u64);
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &root));
        prop_assert!(!verify_inclusion(&leaf, size, size, &path, &root));
        if count > 1 {
            let other = (index + 1) % size;
            prop_assert!(!verify_inclusion(&leaf, other, size, &path, &root));
            prop_assert!(!verify_inclusion(&leaf, index, size, &path[1..], &root));
            let mut torn = path.clone();
            torn[flip % path.len()][flip] ^= 1;
            prop_assert!(!verify_inclusion(&leaf, index, size, &torn, &root));
        }
        let mut long = path;
        long.push([0; 32]);
        prop_assert!(!verify_inclusion(&leaf, index, size, &long, &root));
    }
}

#[test]
fn threads_do_not_change_the_root() {
    for count in [1, 1023, 1024, 1025, 2048, 3000, 8190] {
        let data = data(count * 128);
        let expected = root(&data, 128);
        for threads in 1..=3 {
            assert_eq!(root_threaded(&data, 128, threads), expected);
        }
    }
}

#[test]
fn parts_of_a_frontier_must_fit() {
    assert!(Frontier::from_parts(3, vec![[0; 32]]).is_none());
    assert!(Frontier::from_parts(0, vec![]).is_some());
}
