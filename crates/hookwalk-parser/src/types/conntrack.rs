use std::fmt;

use nom::IResult;

use super::choice::abbreviates;
use crate::syntax::Value;

/// One state of `--ctstate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ConnState {
    /// Belongs to no connection and starts none.
    Invalid,
    /// Starts a connection, or repeats its start before any answer.
    New,
    /// Starts a connection that an existing one expects, or is an ICMP error about one.
    Related,
    /// Belongs to a connection that has seen packets both ways.
    Established,
    /// Taken out of tracking by `-j CT --notrack`.
    Untracked,
    /// Its connection has the source rewritten.
    Snat,
    /// Its connection has the destination rewritten.
    Dnat,
}

impl ConnState {
    /// In the order iptables prints them.
    const ALL: [(ConnState, &'static str); 7] = [
        (ConnState::Invalid, "INVALID"),
        (ConnState::New, "NEW"),
        (ConnState::Related, "RELATED"),
        (ConnState::Established, "ESTABLISHED"),
        (ConnState::Untracked, "UNTRACKED"),
        (ConnState::Snat, "SNAT"),
        (ConnState::Dnat, "DNAT"),
    ];
}

/// The list of `--ctstate`: a packet matches when any of them is true of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ConnStates(u8);

impl ConnStates {
    /// Whether the state is in the list.
    pub const fn contains(self, state: ConnState) -> bool {
        self.0 & (1 << state as u8) != 0
    }

    /// The list with one state more.
    #[must_use]
    pub const fn with(self, state: ConnState) -> Self {
        ConnStates(self.0 | 1 << state as u8)
    }

    /// The states, in the order iptables prints them.
    pub fn iter(self) -> impl Iterator<Item = ConnState> {
        ConnState::ALL.into_iter().map(|(state, _)| state).filter(move |state| self.contains(*state))
    }
}

impl fmt::Display for ConnStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (state, name) in ConnState::ALL {
            if self.contains(state) {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl Value for ConnStates {
    const EXPECTED: &'static str =
        "states out of INVALID, NEW, RELATED, ESTABLISHED, UNTRACKED, SNAT, DNAT with commas between";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let mut states = ConnStates::default();
        for name in input.split(|&b| b == b',') {
            let known = ConnState::ALL.iter().find(|(_, known)| abbreviates(name, known));
            match known {
                Some((state, _)) => states = states.with(*state),
                None => {
                    return Err(nom::Err::Error(nom::error::Error::new(name, nom::error::ErrorKind::Alt)));
                }
            }
        }
        Ok((&[], states))
    }
}
