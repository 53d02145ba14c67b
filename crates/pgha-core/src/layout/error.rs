//! Why a cluster cannot have a layout.

use serde::Serialize;
use thiserror::Error;

use super::{MAX_MEMBERS, Role};

/// Why a cluster cannot have a layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Error)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum LayoutError {
    /// No such site, or it was removed.
    #[error("there is no site DC{site}")]
    NoSuchSite {
        /// Its number.
        site: u8,
    },
    /// No such member, or it was removed.
    #[error("there is no member with the id {id}")]
    NoSuchMember {
        /// The id that was asked for.
        id: u32,
    },
    /// A site is removed and has members.
    #[error("DC{site} cannot be removed: it has {members} members")]
    SiteHasMembers {
        /// Its number.
        site: u8,
        /// How many.
        members: usize,
    },
    /// A role that is not added, or Postgres in the external site.
    #[error("no member of the role {role} can be added in DC{site}")]
    WrongPlace {
        /// What it does.
        role: Role,
        /// Where.
        site: u8,
    },
    /// Addresses are never used twice, and all of a site were.
    #[error("DC{site} has had {had} members of the role {role}: no address is left")]
    NoAddressLeft {
        /// What it does.
        role: Role,
        /// Where.
        site: u8,
        /// Members that it has had.
        had: u32,
    },
    /// Numbers of sites are never used twice, and all were.
    #[error("the cluster has had {had} sites: no number is left")]
    NoSiteLeft {
        /// Sites that it has had.
        had: usize,
    },
    /// More members than a cluster can have.
    #[error("{members} members are more than {MAX_MEMBERS}")]
    TooManyMembers {
        /// How many there would be.
        members: usize,
    },
    /// The backup host has the repository, and there is one.
    #[error("the backup host cannot be removed: it has the repository")]
    BackupHostStays,
    /// The external site has the backup host.
    #[error("the external site cannot be removed: it has the backup host")]
    ExternalSiteStays,
    /// A data center would have no node.
    #[error("DC{site} would have no Postgres node: its last one leaves with the data center")]
    LastNode {
        /// Its number.
        site: u8,
    },
    /// No data center would be left.
    #[error("the cluster would have no data center")]
    NoDataCenter,
    /// No etcd member would be left.
    #[error("the cluster would have no etcd member")]
    NoEtcd,
}
