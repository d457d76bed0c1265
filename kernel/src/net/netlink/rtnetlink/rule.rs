//! The rules that say which table is asked first (`ip-rule(8)`): the three that are always there. They cannot be changed.

use super::list as listing;
use crate::net::{
    AF_INET,
    netlink::{receive::Listing, requests::Request},
};
use abi::rtnetlink::*;
use netlink::{Builder, Flags};

/// Priority and table.
const RULES: [(u32, u32); 3] =
    [(0, RT_TABLE_LOCAL), (32_766, RT_TABLE_MAIN), (32_767, RT_TABLE_DEFAULT)];

/// `RTM_GETRULE`.
pub(super) fn list(request: &Request<'_>) -> Listing {
    let (sequence, port) = (request.message.header.sequence, request.port);
    let messages = RULES.into_iter().map(move |(priority, table)| {
        let mut message = Builder::new(RTM_NEWRULE, Flags::MULTI, sequence, port);
        message
            .fixed(&RuleMessage {
                family: AF_INET as u8,
                table: table as u8,
                action: FR_ACT_TO_TBL,
                ..RuleMessage::default()
            })
            .attribute(FRA_TABLE, &table)
            .attribute(FRA_SUPPRESS_PREFIXLEN, &u32::MAX)
            .attribute(FRA_PROTOCOL, &RTPROT_KERNEL);
        if priority != 0 {
            message.attribute(FRA_PRIORITY, &priority);
        }
        message.finish()
    });
    listing(request, messages)
}
