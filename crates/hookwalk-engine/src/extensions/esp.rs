use hookwalk_parser::extensions::EspMatch;
use hookwalk_parser::types::Protocol;

use super::spi;
use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_esp.c`
pub(super) fn test(m: &EspMatch, view: &View<'_>) -> Answer {
    spi("ESP", Protocol(50), m.spi, view)
}
