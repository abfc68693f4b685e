//! Any text at all is read.

use proptest::prelude::*;

/// Text of the words that the readers know, so that more than the first check is reached.
fn likely() -> impl Strategy<Value = String> {
    const WORDS: &str = "default 10.0.0.0/8 10.0.0.1 fd00::1/64 via inet6 dev eth0@if5 metric table local nexthop encap \
        dead cache from to all lookup not fwmark 0x1/0xff 1: 32766: lo: inet peer brd scope create add a hash:ip \
        hash:net netmask bitmask 255.255.0.0 24 10.0.0.1-10.0.0.9 fd00::1-fd00::ff nomatch comment \" Name: Type: \
        Header: Number Members: net.ipv4.ip_forward = net.ipv4.conf. [ { \"dst\":\"default\" } ] , \\ é goto oif nop";
    let words: Vec<&str> = WORDS.split_ascii_whitespace().chain(["\n", "\n", "\n", "\n\t", "\r\n"]).collect();
    prop::collection::vec(prop::sample::select(words), 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_read(text in prop_oneof![".*", "(?s).{0,200}", likely()]) {
        let lines = u32::try_from(text.split('\n').count()).unwrap();
        let errors = [
            super::addresses(&text).1,
            super::routes(&text).1,
            super::rules(&text).1,
            super::ipsets(&text).1,
            super::sysctls(&text).1,
        ];
        for error in errors.concat() {
            prop_assert!((1..=lines).contains(&error.line) && error.column >= 1, "{error} of {lines} lines");
        }
    }
}
