use std::net::IpAddr;

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::address::all_bits;
use crate::types::{Family, Negatable, Text};

/// `-m recent`: a list of addresses by name, each with the times it was last seen
/// (kernel: `net/netfilter/xt_recent.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RecentMatch {
    /// What the rule does with the list; kernel and iptables take exactly one.
    pub action: Option<Negatable<RecentAction>>,
    /// `--seconds`: seen at most so long ago.
    pub seconds: Option<u32>,
    /// `--reap`: older entries are forgotten.
    pub reap: bool,
    /// `--hitcount`: seen at least so often.
    pub hitcount: Option<u32>,
    /// `--rttl`: with the same TTL as then.
    pub rttl: bool,
    /// `--name`; `DEFAULT` when it is not given.
    pub name: Option<Text>,
    /// `--mask`: the bits of the address that count.
    pub mask: Option<IpAddr>,
    /// `--rdest`: the destination address is looked up, not the source (`--rsource`).
    pub rdest: bool,
}

/// The first option of `-m recent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecentAction {
    /// `--set`: puts the address on the list; holds.
    Set,
    /// `--rcheck`: holds when the address is on the list.
    Rcheck,
    /// `--update`: as `--rcheck`, and counts this packet too.
    Update,
    /// `--remove`: holds when the address was on the list, from which it goes.
    Remove,
}

impl RecentMatch {
    /// The name of the list.
    pub fn list(&self) -> Text {
        self.name.clone().unwrap_or_else(|| Text::from("DEFAULT"))
    }
}

impl Extension for RecentMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        let negated = option.negatable_flag().negated;
        let mut action = |action| self.action = Some(Negatable { negated, value: action });
        match option.name() {
            b"--set" => action(RecentAction::Set),
            b"--rcheck" => action(RecentAction::Rcheck),
            b"--update" => action(RecentAction::Update),
            b"--remove" => action(RecentAction::Remove),
            b"--seconds" => self.seconds = Some(option.value()?),
            b"--reap" => self.reap = option.flag()?,
            b"--hitcount" => self.hitcount = Some(option.value()?),
            b"--rttl" => self.rttl = option.flag()?,
            b"--name" => self.name = Some(option.text()?),
            b"--mask" => self.mask = Some(option.value()?),
            b"--rsource" => self.rdest = !option.flag()?,
            b"--rdest" => self.rdest = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        if let Some(action) = self.action {
            let name = match action.value {
                RecentAction::Set => "--set",
                RecentAction::Rcheck => "--rcheck",
                RecentAction::Update => "--update",
                RecentAction::Remove => "--remove",
            };
            out.push(name, action.negated, Vec::new());
        }
        out.value("--seconds", self.seconds);
        out.flag("--reap", self.reap);
        out.value("--hitcount", self.hitcount);
        out.flag("--rttl", self.rttl);
        out.raw("--name", Some(&self.list()));
        let all = out.family.map(all_bits);
        out.value("--mask", self.mask.or(all));
        out.flag("--rsource", !self.rdest);
        out.flag("--rdest", self.rdest);
    }

    fn missing(&self) -> Option<&'static str> {
        self.action.is_none().then_some("--set, --rcheck, --update or --remove")
    }
    fn family(&self) -> Option<Family> {
        self.mask.map(Family::of)
    }
}
