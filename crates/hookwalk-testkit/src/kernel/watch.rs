//! The arbiter's own nftables table: it watches, and decides nothing but who gets the local packets.

use std::fmt::Write as _;

use super::observation::Hook;

/// The table; no ruleset under test may use this name.
pub(super) const TABLE: &str = "hookwalk_arbiter";
/// The families of nft that have it.
const FAMILIES: [&str; 2] = ["ip", "ip6"];

/// `nfnetlink_log` groups on which messages arrive.
pub(super) mod group {
    /// Trace lines of legacy tables (the kernel's default group).
    pub(in crate::kernel) const LEGACY_TRACE: u16 = 0;
    /// A packet that the kernel made by itself, as it enters OUTPUT.
    pub(in crate::kernel) const REPLY: u16 = 7;
    /// The same where it passed POSTROUTING towards `lo`.
    pub(in crate::kernel) const REPLY_ON_LOOPBACK: u16 = 8;
}

/// The tables' chains, one table a family, for `nft -f -`.
///
/// They have the lowest and the highest priority there is. Of equal priorities the one registered last
/// runs first, so the `last_` chains, registered while connections are not tracked yet, come after the
/// confirmation of a connection, which has the highest priority too.
///
/// `meta skuid` holds for packets of a process and for no packet that the kernel sends by itself, since
/// those have no socket, or a socket without a file. What arrives by `lo` keeps the flag it was sent with.
pub(super) fn chains() -> String {
    FAMILIES.iter().map(|family| chains_of(family)).collect()
}

fn chains_of(family: &str) -> String {
    let mut script = format!("table {family} {TABLE} {{\n");
    for hook in Hook::ALL {
        let name = hook.name().to_lowercase();
        let (first, last) = match hook {
            Hook::Prerouting => ("iifname != \"lo\" meta nftrace set 1".to_owned(), String::new()),
            Hook::Output => (
                format!("meta skuid 0-4294967295 meta nftrace set 1 accept\nlog group {}", group::REPLY),
                String::new(),
            ),
            Hook::Postrouting => (
                String::new(),
                format!(
                    "oifname != \"lo\" accept\nmeta skuid 0-4294967295 accept\nlog group {}",
                    group::REPLY_ON_LOOPBACK
                ),
            ),
            Hook::Input | Hook::Forward => Default::default(),
        };
        let policy = if hook == Hook::Input { "drop" } else { "accept" };
        let _ = write!(
            script,
            "chain first_{name} {{\ntype filter hook {name} priority {}; policy accept;\n{first}\n}}\n\
             chain last_{name} {{\ntype filter hook {name} priority {}; policy {policy};\n{last}\n}}\n",
            i32::MIN,
            i32::MAX
        );
    }
    script.push_str("}\n");
    script
}

/// What takes the tables away again.
pub(super) fn removal() -> String {
    FAMILIES.map(|family| format!("delete table {family} {TABLE}\n")).concat()
}

/// A chain on no hook whose rule makes the kernel track connections; to be added after [`chains`].
pub(super) fn tracking() -> String {
    let of = |family| format!("table {family} {TABLE} {{\nchain track {{\nct state new accept\n}}\n}}\n");
    FAMILIES.map(of).concat()
}

/// Which of the table's chains this is: (whether the first of its hook, the hook).
pub(super) fn chain(name: &str) -> Option<(bool, Hook)> {
    let (position, hook) = name.split_once('_')?;
    let hook = Hook::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(hook))?;
    match position {
        "first" => Some((true, hook)),
        "last" => Some((false, hook)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chain_is_known_again() {
        let script = chains();
        for line in script.lines().filter_map(|line| line.strip_prefix("chain ")) {
            let name = line.trim_end_matches(" {");
            assert!(chain(name).is_some(), "{name}");
        }
        assert_eq!(chain("last_input"), Some((false, Hook::Input)));
        assert_eq!(chain("track"), None);
    }
}
