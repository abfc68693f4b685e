use hookwalk_parser::extensions::IpcompMatch;
use hookwalk_parser::types::Protocol;

use super::spi;
use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_ipcomp.c`
pub(super) fn test(m: &IpcompMatch, view: &View<'_>) -> Answer {
    spi("IPComp", Protocol(108), m.spi, view)
}
