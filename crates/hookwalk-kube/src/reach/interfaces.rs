use hookwalk_engine::InterfaceName;
use hookwalk_parser::types::InterfacePattern;

/// The names that the interface of a packet can have at a hook.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Interfaces {
    /// It has none there: `-i` sees the empty name.
    None,
    /// One that fits the first pattern and none of the others.
    Named { only: Pattern, not: Vec<Pattern> },
}

/// A name, or how names start.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Pattern {
    name: Vec<u8>,
    is_prefix: bool,
}

impl From<&InterfacePattern> for Pattern {
    fn from(pattern: &InterfacePattern) -> Self {
        Pattern { name: pattern.name().to_vec(), is_prefix: pattern.is_prefix() }
    }
}

impl Pattern {
    fn any() -> Self {
        Pattern { name: Vec::new(), is_prefix: true }
    }

    fn covers(&self, other: &Pattern) -> bool {
        if self.is_prefix { other.name.starts_with(&self.name) } else { self == other }
    }
}

impl Interfaces {
    pub(crate) fn any() -> Self {
        Interfaces::Named { only: Pattern::any(), not: Vec::new() }
    }

    pub(crate) fn one(name: InterfaceName) -> Self {
        let only = Pattern { name: name.as_bytes().to_vec(), is_prefix: false };
        Interfaces::Named { only, not: Vec::new() }
    }

    /// Those that fit a pattern, and the others.
    pub(crate) fn split(&self, wanted: &InterfacePattern) -> (Option<Interfaces>, Option<Interfaces>) {
        let Interfaces::Named { only, not } = self else {
            let fits = wanted.matches(b"");
            return if fits { (Some(Interfaces::None), None) } else { (None, Some(Interfaces::None)) };
        };
        let wanted = Pattern::from(wanted);
        if wanted.covers(only) {
            return (Some(self.clone()), None);
        }
        if !only.covers(&wanted) || not.iter().any(|excluded| excluded.covers(&wanted)) {
            return (None, Some(self.clone()));
        }
        let inside = not.iter().filter(|excluded| wanted.covers(excluded)).cloned().collect();
        let with = Interfaces::Named { only: wanted.clone(), not: inside };
        let mut not: Vec<Pattern> = not.iter().filter(|excluded| !wanted.covers(excluded)).cloned().collect();
        not.push(wanted);
        not.sort_unstable();
        (Some(with), Some(Interfaces::Named { only: only.clone(), not }))
    }

    fn covers(&self, other: &Interfaces) -> bool {
        match (self, other) {
            (Interfaces::None, Interfaces::None) => true,
            (Interfaces::Named { only, not }, Interfaces::Named { only: narrow, not: excluded }) => {
                only.covers(narrow)
                    && not.iter().all(|gap| {
                        excluded.iter().any(|e| e.covers(gap)) || !(narrow.covers(gap) || gap.covers(narrow))
                    })
            }
            _ => false,
        }
    }

    /// Whether some name is of both.
    pub(crate) fn meets(&self, other: &Interfaces) -> bool {
        match (self, other) {
            (Interfaces::None, Interfaces::None) => true,
            (Interfaces::Named { only: a, not: not_a }, Interfaces::Named { only: b, not: not_b }) => {
                let narrow = if a.covers(b) { b } else { a };
                let of_both = a.covers(b) || b.covers(a);
                of_both && !not_a.iter().chain(not_b).any(|gap| gap.covers(narrow))
            }
            _ => false,
        }
    }

    /// Both together, where that can be said exactly.
    pub(crate) fn exact_union(&self, other: &Interfaces) -> Option<Interfaces> {
        if self.covers(other) {
            return Some(self.clone());
        }
        if other.covers(self) {
            return Some(other.clone());
        }
        Self::filled(self, other).or_else(|| Self::filled(other, self))
    }

    /// A gap of one that the other fills.
    fn filled(with_gap: &Interfaces, other: &Interfaces) -> Option<Interfaces> {
        let (Interfaces::Named { only, not }, Interfaces::Named { only: inside, not: left }) =
            (with_gap, other)
        else {
            return None;
        };
        let at = not.iter().position(|gap| gap == inside)?;
        let mut not = not.clone();
        not.remove(at);
        not.extend(left.iter().cloned());
        not.sort_unstable();
        not.dedup();
        Some(Interfaces::Named { only: only.clone(), not })
    }

    /// Both together and perhaps more.
    pub(crate) fn hull(&self, other: &Interfaces) -> Interfaces {
        self.exact_union(other).unwrap_or_else(Interfaces::any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(from: &Interfaces, pattern: &str) -> (Option<Interfaces>, Option<Interfaces>) {
        from.split(&pattern.parse().unwrap())
    }

    #[test]
    fn names_are_split_and_put_together() {
        let (cali, others) = split(&Interfaces::any(), "cali+");
        let (cali, others) = (cali.unwrap(), others.unwrap());
        assert_eq!(split(&others, "cali12").0, None);
        let (one, rest) = split(&cali, "cali12");
        let (one, rest) = (one.unwrap(), rest.unwrap());
        assert_eq!(split(&one, "eth0").0, None);
        assert_eq!(split(&rest, "cali12").0, None);
        assert_eq!(one.exact_union(&rest), Some(cali.clone()));
        assert_eq!(others.exact_union(&cali), Some(Interfaces::any()));
        assert_eq!(others.exact_union(&one), None);
        assert_eq!(split(&Interfaces::None, "eth0"), (None, Some(Interfaces::None)));
        assert_eq!(split(&Interfaces::None, "+"), (Some(Interfaces::None), None));
        assert!(one.meets(&cali) && cali.meets(&one) && one.meets(&Interfaces::any()));
        assert!(!one.meets(&rest) && !rest.meets(&one) && !cali.meets(&others));
        assert!(!Interfaces::None.meets(&Interfaces::any()));
    }
}
