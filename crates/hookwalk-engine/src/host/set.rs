use std::net::IpAddr;

use ipnet::IpNet;
use rustc_hash::FxHashMap;

/// One entry of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetEntry {
    network: IpNet,
    nomatch: bool,
}

impl SetEntry {
    /// A network; none when the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix_len: u8) -> Option<Self> {
        Some(SetEntry { network: IpNet::new(address, prefix_len).ok()?.trunc(), nomatch: false })
    }

    /// An entry marked `nomatch`: its addresses are not in the set, whatever wider entry covers them.
    #[must_use]
    pub fn nomatch(mut self) -> Self {
        self.nomatch = true;
        self
    }
}

/// The contents of an ipset of type `hash:ip` or `hash:net` (ipset(8)).
#[derive(Clone, Debug, Default)]
pub struct AddressSet {
    /// Prefix lengths that occur, longest first: the kernel looks them up in this order
    /// (`net/netfilter/ipset/ip_set_hash_gen.h`, `mtype_test_cidrs`).
    prefix_lens: Vec<u8>,
    /// Entries may be missing from what was told.
    lacks: bool,
    entries: FxHashMap<IpNet, bool>,
}

impl AddressSet {
    /// Some entries could not be read: an address that is not listed may be in the set all the same.
    #[must_use]
    pub fn with_entries_missing(mut self) -> Self {
        self.lacks = true;
        self
    }

    /// Whether an address is in the set, where that is known.
    pub fn lookup(&self, address: IpAddr) -> Option<bool> {
        // A narrower entry that is missing could be the one that decides, either way.
        (!self.lacks).then(|| self.contains(address))
    }

    /// Whether an address is in the set, by the entries that are told.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.prefix_lens
            .iter()
            .find_map(|&len| self.entries.get(&IpNet::new(address, len).ok()?.trunc()))
            .is_some_and(|nomatch| !nomatch)
    }
}

impl FromIterator<SetEntry> for AddressSet {
    fn from_iter<I: IntoIterator<Item = SetEntry>>(entries: I) -> Self {
        let entries: FxHashMap<IpNet, bool> = entries.into_iter().map(|e| (e.network, e.nomatch)).collect();
        let mut prefix_lens: Vec<u8> = entries.keys().map(IpNet::prefix_len).collect();
        prefix_lens.sort_unstable_by(|a, b| b.cmp(a));
        prefix_lens.dedup();
        AddressSet { prefix_lens, lacks: false, entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_entry_decides() {
        let entry = |text: &str, len| SetEntry::new(text.parse().unwrap(), len).unwrap();
        let set: AddressSet = [entry("10.0.0.0", 8), entry("10.1.0.0", 16).nomatch(), entry("10.1.2.3", 32)]
            .into_iter()
            .collect();
        for (address, expected) in
            [("10.9.9.9", true), ("10.1.9.9", false), ("10.1.2.3", true), ("11.0.0.0", false)]
        {
            assert_eq!(set.contains(address.parse().unwrap()), expected, "{address}");
        }
    }
}
