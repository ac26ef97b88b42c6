//! Genesis: what a ledger was founded with (format.md section 3).

use super::bytes::{all_zero, array_at, u16_at, u32_at, u64_at, Hash32, Id16, Key32, ZERO_ID};
use super::ids::{node_principal_index, object_id, sha256};
use super::limits::{
    FORMAT_VERSION, GENESIS_FIXED_BYTES, GENESIS_MAGIC, GENESIS_NODE_BYTES, MAX_LIFETIME_RANGE_NS,
    MAX_NODES, MAX_OPERATORS, MAX_ORIGIN_BYTES, MAX_RAFT_ID, MIN_HOLD_MAX_LIFETIME_NS,
    REFERENCE_WINDOW_RANGE_NS, RULES_VERSION,
};
use super::{Code, Refusal};
use crate::verify::key_is_acceptable;

/// One node of the genesis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisNode {
    /// 1 to 65,535.
    pub raft_id: u16,
    /// `H` of the SubjectPublicKeyInfo of its TLS certificate.
    pub transport_identity: Hash32,
    /// Signs the node's own envelopes.
    pub ledger_key: Key32,
    /// Signs checkpoints.
    pub cosigner_key: Key32,
}

/// A checked genesis. Owned: there is one, and it lives as long as the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// `H(genesis bytes)`.
    pub ledger_id: Hash32,
    /// Rules of the first block.
    pub rules_version: u16,
    /// 1 to 63 bytes of `a-z 0-9 . - /`.
    pub origin: String,
    /// Longest life of an envelope.
    pub max_lifetime_ns: u64,
    /// How long a UNIQUE reference is remembered.
    pub reference_window_ns: u64,
    /// Operators that must agree.
    pub operator_quorum: u32,
    /// Cap per principal: live envelope ids, at admission.
    pub cap_live_ids: u32,
    /// Cap per principal: accounts.
    pub cap_accounts: u32,
    /// Cap per principal: open holds as payer.
    pub cap_open_holds: u32,
    /// Cap per principal: keys, whatever their status.
    pub cap_keys: u32,
    /// Cap per principal: names.
    pub cap_names: u32,
    /// Cap per principal: references remembered.
    pub cap_references: u32,
    /// Longest life of a hold.
    pub hold_max_lifetime_ns: u64,
    /// How long an ended hold is remembered.
    pub hold_retention_ns: u64,
    /// Ascending and distinct.
    pub operators: Vec<Key32>,
    /// Ascending by Raft id.
    pub nodes: Vec<GenesisNode>,
}

impl Genesis {
    /// Checks all of section 3.
    ///
    /// # Errors
    /// `MALFORMED`, or `BAD_KEY` for an operator or ledger key that section 2 does not allow.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() < GENESIS_FIXED_BYTES {
            return Err(Refusal::malformed("shorter than a genesis"));
        }
        let genesis = Self {
            ledger_id: sha256(bytes),
            rules_version: u16_at(bytes, 6),
            origin: parse_origin(&bytes[40..104])?,
            max_lifetime_ns: u64_at(bytes, 104),
            reference_window_ns: u64_at(bytes, 112),
            operator_quorum: u32_at(bytes, 120),
            cap_live_ids: u32_at(bytes, 132),
            cap_accounts: u32_at(bytes, 136),
            cap_open_holds: u32_at(bytes, 140),
            cap_keys: u32_at(bytes, 144),
            cap_names: u32_at(bytes, 148),
            cap_references: u32_at(bytes, 272),
            hold_max_lifetime_ns: u64_at(bytes, 152),
            hold_retention_ns: u64_at(bytes, 160),
            operators: Vec::new(),
            nodes: Vec::new(),
        };
        genesis.check_fixed(bytes)?;
        genesis.with_members(bytes)
    }

    /// Principal of the operator at position `index`.
    pub fn operator_principal(&self, index: u32) -> Id16 {
        object_id(&self.ledger_id, &ZERO_ID, &ZERO_ID, index)
    }

    /// Principal of the node with this Raft id.
    pub fn node_principal(&self, raft_id: u16) -> Id16 {
        let index = node_principal_index(raft_id);
        object_id(&self.ledger_id, &ZERO_ID, &ZERO_ID, index)
    }

    fn check_fixed(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let caps = [
            self.cap_live_ids,
            self.cap_accounts,
            self.cap_open_holds,
            self.cap_keys,
            self.cap_names,
            self.cap_references,
        ];
        let checks = [
            (&bytes[..4] == GENESIS_MAGIC, "not the magic of a genesis"),
            (
                u16_at(bytes, 4) == FORMAT_VERSION,
                "genesis version is not 1",
            ),
            (
                self.rules_version == RULES_VERSION,
                "rules version is not 1",
            ),
            (
                all_zero(&bytes[276..GENESIS_FIXED_BYTES]),
                "reserved bytes are not zero",
            ),
            (
                MAX_LIFETIME_RANGE_NS.contains(&self.max_lifetime_ns),
                "max_lifetime_ns is not 1 s to 1 h",
            ),
            (
                REFERENCE_WINDOW_RANGE_NS.contains(&self.reference_window_ns),
                "reference_window_ns is not 1 s to 400 days",
            ),
            (
                self.hold_max_lifetime_ns >= MIN_HOLD_MAX_LIFETIME_NS,
                "hold_max_lifetime_ns is below 1 s",
            ),
            (!caps.contains(&0), "a cap is zero"),
            (
                !all_zero(&bytes[168..200]) || all_zero(&bytes[200..272]),
                "a predecessor's fields without its ledger id",
            ),
            (
                !all_zero(&bytes[168..200]) || all_zero(&bytes[200..272]),
                "facts of a predecessor that there is not",
            ),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err(Refusal::malformed(*why)),
            None => Ok(()),
        }
    }

    fn with_members(mut self, bytes: &[u8]) -> Result<Self, Refusal> {
        let operators = u32_at(bytes, 124) as usize;
        let nodes = u32_at(bytes, 128) as usize;
        if !(1..=MAX_OPERATORS).contains(&operators) || !(1..=MAX_NODES).contains(&nodes) {
            return Err(Refusal::malformed("not 1 to 16 operators and 1 to 9 nodes"));
        }
        if !(1..=operators).contains(&(self.operator_quorum as usize)) {
            return Err(Refusal::malformed(
                "operator quorum is not 1 to the operators",
            ));
        }
        let nodes_at = GENESIS_FIXED_BYTES + 32 * operators;
        if bytes.len() != nodes_at + GENESIS_NODE_BYTES * nodes {
            return Err(Refusal::malformed(
                "length does not fit operators and nodes",
            ));
        }
        for chunk in bytes[GENESIS_FIXED_BYTES..nodes_at].chunks_exact(32) {
            self.operators.push(array_at(chunk, 0));
        }
        for chunk in bytes[nodes_at..].chunks_exact(GENESIS_NODE_BYTES) {
            self.nodes.push(parse_node(chunk)?);
        }
        self.check_members()?;
        Ok(self)
    }

    fn check_members(&self) -> Result<(), Refusal> {
        if !self.operators.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(Refusal::malformed(
                "operator keys are not ascending and distinct",
            ));
        }
        if !self
            .nodes
            .windows(2)
            .all(|pair| pair[0].raft_id < pair[1].raft_id)
        {
            return Err(Refusal::malformed("nodes are not ascending by Raft id"));
        }
        let mut keys: Vec<&Key32> = self.operators.iter().collect();
        keys.extend(self.nodes.iter().map(|node| &node.ledger_key));
        if !keys.iter().all(|key| key_is_acceptable(key)) {
            return Err(Refusal::new(
                Code::BadKey,
                "an operator or ledger key is not acceptable",
            ));
        }
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        if keys.len() != count {
            return Err(Refusal::malformed("two operators or nodes share a key"));
        }
        Ok(())
    }
}

fn parse_origin(field: &[u8]) -> Result<String, Refusal> {
    let length = field
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(field.len());
    let (text, padding) = field.split_at(length);
    let allowed = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'/');
    if !(1..=MAX_ORIGIN_BYTES).contains(&length) || !all_zero(padding) || !text.iter().all(allowed)
    {
        return Err(Refusal::malformed(
            "origin is not 1 to 63 of a-z 0-9 . - /, zero-padded",
        ));
    }
    Ok(text.iter().map(|&byte| char::from(byte)).collect())
}

fn parse_node(bytes: &[u8]) -> Result<GenesisNode, Refusal> {
    let raft_id = u64_at(bytes, 0);
    if !(1..=MAX_RAFT_ID).contains(&raft_id) {
        return Err(Refusal::malformed("a Raft id is not 1 to 65535"));
    }
    if !all_zero(&bytes[104..]) {
        return Err(Refusal::malformed("reserved bytes of a node are not zero"));
    }
    Ok(GenesisNode {
        // At most 65,535.
        raft_id: raft_id as u16,
        transport_identity: array_at(bytes, 8),
        ledger_key: array_at(bytes, 40),
        cosigner_key: array_at(bytes, 72),
    })
}
