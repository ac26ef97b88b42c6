//! Tests of the kernel as a whole, without Python.

mod blocks;
mod channels;
mod checkpoint;
mod codes;
mod debts;
mod exchange;
mod grants;
mod history;
mod ledger;
mod lifetimes;
mod limits;
mod market;
mod netting;
mod prices;
mod recovery;
mod reprice;
#[path = "../support/mod.rs"]
mod support;
