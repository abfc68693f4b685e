//! Long options may be cut short as long as one option alone starts so (`getopt_long`).

/// The options that start with a word, itself left out; none for a word that is no long option.
pub(super) fn options_from(start: &[u8]) -> impl Iterator<Item = &'static [u8]> + use<> {
    let is_long = start.len() > 2 && start.starts_with(b"--");
    let first = OPTIONS.partition_point(|name| *name < start);
    let from = if is_long { OPTIONS.get(first..) } else { None }.unwrap_or_default();
    let count = from.iter().take_while(|name| name.starts_with(start)).count();
    let skip = usize::from(from.first() == Some(&start));
    from.get(skip..count).unwrap_or_default().iter().copied()
}

/// Whether some extension has an option of this name.
pub(super) fn all() -> &'static [&'static [u8]] {
    OPTIONS
}

/// Every long option of a rule, in order; a test compares it with the extensions.
#[rustfmt::skip]
const OPTIONS: &[&[u8]] = &[
    b"--accept-local", b"--add-set", b"--ahlen", b"--ahres", b"--ahspi", b"--alarm", b"--algo",
    b"--and-mark", b"--and-tos", b"--bytecode", b"--bytes-eq", b"--bytes-gt", b"--bytes-lt", b"--cgroup",
    b"--checksum-fill", b"--chunk-types", b"--clamp-mss-to-pmtu", b"--cluster-hash-seed",
    b"--cluster-local-node", b"--cluster-local-nodemask", b"--cluster-total-nodes", b"--clustermac",
    b"--comment", b"--compres", b"--connbytes", b"--connbytes-dir", b"--connbytes-mode",
    b"--connlimit-above", b"--connlimit-daddr", b"--connlimit-mask", b"--connlimit-saddr",
    b"--connlimit-upto", b"--contiguous", b"--cpu", b"--ctdir", b"--ctevents", b"--ctexpire", b"--ctmask",
    b"--ctorigdst", b"--ctorigdstport", b"--ctorigsrc", b"--ctorigsrcport", b"--ctproto", b"--ctrepldst",
    b"--ctrepldstport", b"--ctreplsrc", b"--ctreplsrcport", b"--ctstate", b"--ctstatus", b"--datestart",
    b"--datestop", b"--dccp-option", b"--dccp-types", b"--del-set", b"--destination", b"--destination-port",
    b"--destination-ports", b"--dir", b"--dport", b"--dports", b"--dscp", b"--dscp-class", b"--dst",
    b"--dst-group", b"--dst-len", b"--dst-opts", b"--dst-pfx", b"--dst-range", b"--dst-type", b"--ecn",
    b"--ecn-ip-ect", b"--ecn-tcp-cwr", b"--ecn-tcp-ece", b"--ecn-tcp-remove", b"--espspi", b"--every",
    b"--exist", b"--expevents", b"--fragfirst", b"--fragid", b"--fraglast", b"--fraglen", b"--fragment",
    b"--fragmore", b"--fragres", b"--from", b"--gateway", b"--genre", b"--gid-owner", b"--goto",
    b"--hash-init", b"--hashlimit", b"--hashlimit-above", b"--hashlimit-burst", b"--hashlimit-dstmask",
    b"--hashlimit-htable-expire", b"--hashlimit-htable-gcinterval", b"--hashlimit-htable-max",
    b"--hashlimit-htable-size", b"--hashlimit-mode", b"--hashlimit-name", b"--hashlimit-rate-interval",
    b"--hashlimit-rate-match", b"--hashlimit-srcmask", b"--hashlimit-upto", b"--hashmode", b"--hbh-len",
    b"--hbh-opts", b"--header", b"--helper", b"--hex-string", b"--hitcount", b"--hl", b"--hl-dec",
    b"--hl-eq", b"--hl-gt", b"--hl-inc", b"--hl-lt", b"--hl-set", b"--hmark-dport", b"--hmark-dport-mask",
    b"--hmark-dst-prefix", b"--hmark-mod", b"--hmark-offset", b"--hmark-proto-mask", b"--hmark-rnd",
    b"--hmark-spi", b"--hmark-spi-mask", b"--hmark-sport", b"--hmark-sport-mask", b"--hmark-src-prefix",
    b"--hmark-tuple", b"--icase", b"--icmp-type", b"--icmp6-type", b"--icmpv6-type", b"--in-interface",
    b"--invert", b"--ipcompspi", b"--ipvs", b"--jump", b"--kerneltz", b"--label", b"--led-always-blink",
    b"--led-delay", b"--led-trigger-id", b"--left-shift-mark", b"--length", b"--limit", b"--limit-burst",
    b"--limit-iface-in", b"--limit-iface-out", b"--local-node", b"--log", b"--log-ip-options",
    b"--log-level", b"--log-macdecode", b"--log-prefix", b"--log-tcp-options", b"--log-tcp-sequence",
    b"--log-uid", b"--loose", b"--mac-source", b"--map-mark", b"--map-prio", b"--map-queue", b"--map-set",
    b"--mark", b"--mask", b"--match", b"--match-set", b"--mh-type", b"--mode", b"--monthdays", b"--mss",
    b"--name", b"--new", b"--next", b"--nfacct-name", b"--nflog-group", b"--nflog-prefix", b"--nflog-range",
    b"--nflog-size", b"--nflog-threshold", b"--nfmask", b"--notrack", b"--nowildcard", b"--object-pinned",
    b"--oif", b"--on-ip", b"--on-port", b"--or-mark", b"--or-tos", b"--out-interface", b"--packet",
    b"--packets-eq", b"--packets-gt", b"--packets-lt", b"--path", b"--persistent", b"--physdev-in",
    b"--physdev-is-bridged", b"--physdev-is-in", b"--physdev-is-out", b"--physdev-out", b"--pkt-type",
    b"--pol", b"--port", b"--ports", b"--probability", b"--proto", b"--protocol", b"--queue-balance",
    b"--queue-bypass", b"--queue-cpu-fanout", b"--queue-num", b"--quota", b"--random", b"--random-fully",
    b"--rateest", b"--rateest-bps", b"--rateest-bps1", b"--rateest-bps2", b"--rateest-delta",
    b"--rateest-eq", b"--rateest-ewmalog", b"--rateest-gt", b"--rateest-interval", b"--rateest-lt",
    b"--rateest-name", b"--rateest-pps", b"--rateest-pps1", b"--rateest-pps2", b"--rateest1", b"--rateest2",
    b"--rcheck", b"--rdest", b"--realm", b"--reap", b"--reject-with", b"--remove", b"--reqid", b"--restore",
    b"--restore-mark", b"--restore-skmark", b"--return-nomatch", b"--right-shift-mark", b"--rsource",
    b"--rt-0-addrs", b"--rt-0-not-strict", b"--rt-0-res", b"--rt-len", b"--rt-segsleft", b"--rt-type",
    b"--rttl", b"--sack-perm", b"--save", b"--save-mark", b"--seconds", b"--selctx", b"--set",
    b"--set-class", b"--set-dscp", b"--set-dscp-class", b"--set-mark", b"--set-mss", b"--set-tos",
    b"--set-xmark", b"--socket-exists", b"--soft", b"--source", b"--source-port", b"--source-ports",
    b"--spi", b"--sport", b"--sports", b"--src", b"--src-group", b"--src-pfx", b"--src-range",
    b"--src-type", b"--srh-hdr-len-eq", b"--srh-hdr-len-gt", b"--srh-hdr-len-lt", b"--srh-last-entry-eq",
    b"--srh-last-entry-gt", b"--srh-last-entry-lt", b"--srh-lsid", b"--srh-next-hdr", b"--srh-nsid",
    b"--srh-psid", b"--srh-segs-left-eq", b"--srh-segs-left-gt", b"--srh-segs-left-lt", b"--srh-tag",
    b"--state", b"--strict", b"--string", b"--strip-options", b"--suppl-groups", b"--syn", b"--tcp-flags",
    b"--tcp-option", b"--timeout", b"--timestamp", b"--timestart", b"--timestop", b"--to",
    b"--to-destination", b"--to-port", b"--to-ports", b"--to-source", b"--tos", b"--total-nodes",
    b"--tproxy-mark", b"--transparent", b"--ttl", b"--ttl-dec", b"--ttl-eq", b"--ttl-gt", b"--ttl-inc",
    b"--ttl-lt", b"--ttl-set", b"--tunnel-dst", b"--tunnel-src", b"--type", b"--u32", b"--uid-owner",
    b"--ulog-cprange", b"--ulog-nlgroup", b"--ulog-prefix", b"--ulog-qthreshold", b"--update",
    b"--update-counters", b"--update-subcounters", b"--utc", b"--vaddr", b"--validmark", b"--vdir",
    b"--vmethod", b"--vport", b"--vportctl", b"--vproto", b"--weekdays", b"--wscale", b"--xor-mark",
    b"--xor-tos", b"--zone", b"--zone-orig", b"--zone-reply",
];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::string_slice, reason = "a test may stop where it is wrong")]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_whole() {
        assert!(OPTIONS.is_sorted());
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = vec![folder.join("rule.rs")];
        files
            .extend(std::fs::read_dir(folder.join("extensions")).unwrap().map(|entry| entry.unwrap().path()));
        for file in files.iter().filter(|file| !file.ends_with("declare.rs")) {
            let text = std::fs::read_to_string(file).unwrap();
            for piece in text.split('"').filter(|piece| piece.starts_with("--")) {
                let is_option = piece.len() > 3
                    && piece.as_bytes().get(2).is_some_and(u8::is_ascii_lowercase)
                    && piece.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                let listed = OPTIONS.binary_search(&piece.as_bytes()).is_ok();
                assert!(listed || !is_option, "{piece} of {} is not in the list", file.display());
            }
        }
    }

    #[test]
    fn starts_of_options() {
        let from = |start: &str| options_from(start.as_bytes()).count();
        assert_eq!(from("--mac"), 1);
        assert_eq!(from("--mac-source"), 0);
        assert_eq!(from("--"), 0);
        assert_eq!(from("-m"), 0);
        assert!(from("--dpor") == 2);
    }
}
