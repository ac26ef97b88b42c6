//! Rows of grants, shares, lists and relations, as bytes and back (format.md section 10).

use super::decode::{array, require, require_zero, Decoded, RowError};
use super::encode::{table, RowWriter, ROW_BYTES};
use super::grant_rows::{
    Earmarks, Grant, GrantLife, GrantStatus, List, Share, Shares, MAX_LIST_IDS, MAX_SHARES,
    RATIO_UNITS,
};
use super::grant_state::RelationKey;
use super::price_rows::is_ascending;
use super::rows::account_flag;
use super::state::State;
use super::table::Slot;
use crate::format::{id16_at, u128_at, u16_at, u32_at, u64_at, Id16, ZERO_ID};

pub const GRANT_ROW_BYTES: usize = ROW_BYTES[table::GRANT as usize];
pub const SHARES_ROW_BYTES: usize = ROW_BYTES[table::SHARES as usize];
pub const RELATION_ROW_BYTES: usize = ROW_BYTES[table::RELATION as usize];
/// Of a list's row: its ids follow.
pub const LIST_HEAD_BYTES: usize = ROW_BYTES[table::LIST as usize];
const SHARE_BYTES: usize = 48;

/// Whether a row of table 24 can be so long.
pub fn is_list_length(bytes: usize) -> bool {
    let ids = bytes.saturating_sub(LIST_HEAD_BYTES);
    ids % 16 == 0 && (1..=MAX_LIST_IDS).contains(&(ids / 16))
}

impl State {
    pub fn grant_row(&self, row: &Grant) -> [u8; GRANT_ROW_BYTES] {
        RowWriter::new()
            .put(&row.id)
            .put(&self.accounts.get(row.pool).id)
            .put(&self.principals.get(row.grantee).id)
            .put(row.earmarks.lists().as_flattened())
            .put(&row.registrar)
            .put(&row.exclusivity)
            .u128(row.amount)
            .u128(row.cap)
            .u64(row.expires_at_ns)
            .u64(row.created_at_ns)
            .u64(row.life.ended_at_ns)
            .u64(row.life.settled_at_ns)
            .u32(row.ratio)
            .u16(row.priority)
            .u16(row.life.status as u16)
            .done()
    }

    pub fn shares_row(&self, row: &Shares) -> [u8; SHARES_ROW_BYTES] {
        let mut writer = RowWriter::new()
            .put(&row.hold)
            .u128(row.whole)
            // At most 4.
            .u16(row.count as u16)
            .skip(6);
        for share in row.parts() {
            let grant = self.accounts.get(share.account).id;
            writer = writer.put(&grant).u128(share.maximum).u128(share.paid);
        }
        writer.skip(SHARE_BYTES * (MAX_SHARES - row.count)).done()
    }

    pub fn list_row(&self, row: &List) -> Vec<u8> {
        let head: [u8; LIST_HEAD_BYTES] = RowWriter::new()
            .put(&row.id)
            .put(&self.principals.get(row.owner).id)
            // At most 256.
            .u16(row.ids.len() as u16)
            .skip(6)
            .done();
        [&head, row.ids.as_flattened()].concat()
    }

    pub fn relation_row(
        &self,
        (key, stated_at_ns): (&RelationKey, &u64),
    ) -> [u8; RELATION_ROW_BYTES] {
        RowWriter::new()
            .put(key.as_flattened())
            .u64(*stated_at_ns)
            .done()
    }

    pub(super) fn decode_grant(&mut self, row: &[u8]) -> Decoded {
        let status = GrantStatus::from_number(u16_at(row, 198))
            .ok_or_else(|| RowError("unknown status of a grant".to_owned()))?;
        let grant = Grant {
            id: id16_at(row, 0),
            account: self.account_at(row, 0)?,
            pool: self.account_at(row, 16)?,
            grantee: self.principal_at(row, 32)?,
            earmarks: Earmarks {
                providers: id16_at(row, 48),
                models: id16_at(row, 64),
                regions: id16_at(row, 80),
            },
            registrar: id16_at(row, 96),
            exclusivity: id16_at(row, 112),
            amount: u128_at(row, 128),
            cap: u128_at(row, 144),
            expires_at_ns: u64_at(row, 160),
            created_at_ns: u64_at(row, 168),
            ratio: u32_at(row, 192),
            priority: u16_at(row, 196),
            life: GrantLife {
                status,
                ended_at_ns: u64_at(row, 176),
                settled_at_ns: u64_at(row, 184),
            },
        };
        let pool = self.accounts.get(grant.pool);
        require(
            !pool.is(account_flag::GRANT) && !pool.is(account_flag::ISSUANCE),
            "a grant from an account that no rule lets pay one",
        )?;
        require(
            grant.created_at_ns < grant.expires_at_ns,
            "a grant expires before it is made",
        )?;
        require(
            grant.amount > 0 && (1..=RATIO_UNITS).contains(&grant.ratio),
            "a grant of nothing",
        )?;
        let is_registrar = grant.registrar == ZERO_ID
            || grant.registrar != id16_at(row, 32)
                && self.principals.find(grant.registrar).is_some();
        require(is_registrar, "a grant with an impossible registrar")?;
        require(
            (grant.life.settled_at_ns == 0 || grant.life.ended_at_ns != 0)
                && grant.is_open() == (grant.life.ended_at_ns == 0),
            "status and times of a grant contradict each other",
        )?;
        self.insert_grant(grant);
        Ok(())
    }

    pub(super) fn decode_shares(&mut self, row: &[u8]) -> Decoded {
        let count = usize::from(u16_at(row, 32));
        require(
            (1..=MAX_SHARES).contains(&count),
            "a hold with too many shares",
        )?;
        require_zero(row, 34, 40)?;
        let end = 40 + SHARE_BYTES * count;
        require_zero(row, end, row.len())?;
        let hold = self.holds.find(id16_at(row, 0));
        let hold = hold.ok_or_else(|| RowError("shares of no hold".to_owned()))?;
        let (payer, payee) = (self.holds.get(hold).payer, self.holds.get(hold).payee);
        let unit = self.accounts.get(payer).unit;
        let mut shares = Shares::none(u128_at(row, 16));
        shares.hold = id16_at(row, 0);
        for at in (40..end).step_by(SHARE_BYTES) {
            let share = Share {
                account: self.account_at(row, at)?,
                maximum: u128_at(row, at + 16),
                paid: u128_at(row, at + 32),
            };
            let account = self.accounts.get(share.account);
            let is_source = account.is(account_flag::GRANT) && account.unit == unit;
            require(
                is_source && share.account != payee,
                "a share of what is no grant",
            )?;
            require(
                share.maximum > 0 && share.paid <= share.maximum,
                "a share paid more than it pins",
            )?;
            shares.push(share);
        }
        let slot = self.shares.insert(shares);
        self.holds.get_mut(hold).shares = slot;
        Ok(())
    }

    pub(super) fn decode_list(&mut self, row: &[u8]) -> Decoded {
        let ids: Vec<Id16> = row[LIST_HEAD_BYTES..]
            .chunks_exact(16)
            .map(|id| id16_at(id, 0))
            .collect();
        require(
            usize::from(u16_at(row, 32)) == ids.len(),
            "a list has another length than it says",
        )?;
        require_zero(row, 34, 40)?;
        let is_set = is_ascending(&ids) && !ids.contains(&ZERO_ID);
        require(is_set, "ids of a list are not ascending")?;
        let owner: Slot = self.principal_at(row, 16)?;
        self.insert_list(List {
            id: array(row, 0),
            owner,
            ids,
        });
        Ok(())
    }

    pub(super) fn decode_relation(&mut self, row: &[u8]) -> Decoded {
        let registrar = self.principal_at(row, 0)?;
        let (first, second) = (self.principal_at(row, 16)?, self.principal_at(row, 32)?);
        let key: RelationKey = [0, 16, 32].map(|at| id16_at(row, at));
        let is_possible = key[1] < key[2] && registrar != first && registrar != second;
        require(is_possible, "a relation that no rule lets be stated")?;
        let stated_at_ns = u64_at(row, 48);
        require(
            self.is_past(stated_at_ns),
            "a relation was stated in the future",
        )?;
        self.enter_relation(key, registrar, stated_at_ns);
        Ok(())
    }
}
