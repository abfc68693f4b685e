use std::collections::BTreeMap;

use hookwalk_engine::{Hook, TableName};

use super::class::{Class, States, Types};
use super::spans::Spans;
use super::tables::ChainAt;

/// What packets meet of one table at one hook.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) hook: Hook,
    pub(crate) table: TableName,
    /// The built-in chain that the hook enters.
    pub(crate) base: ChainAt,
    /// By chain and index of the rule.
    pub(crate) met: BTreeMap<(ChainAt, usize), Met>,
    /// What came to the end of the built-in chain.
    pub(crate) policy: Option<Met>,
    /// What came in.
    pub(crate) entered: Vec<Class>,
    /// What the table let pass.
    pub(crate) passed: Vec<Class>,
    /// What came to the end of the built-in chain, or as far as it was followed.
    pub(crate) ended: Vec<Class>,
}

/// How packets met one rule.
#[derive(Clone, Debug)]
pub(crate) struct Met {
    /// For each condition of the rule, in the order written, whether it decided: some packets that came
    /// to it failed it.
    pub(crate) decides: Vec<bool>,
    /// The destinations that matched.
    pub(crate) dst: Spans,
    /// Their types.
    pub(crate) dst_types: Types,
    /// The states that matched.
    pub(crate) states: States,
    /// Whether the destination had been rewritten: for all, for none, or for some of them.
    pub(crate) rewritten: [bool; 2],
}

impl Met {
    pub(super) fn new(decides: Vec<bool>, class: &Class) -> Self {
        Met {
            decides,
            dst: class.dst.clone(),
            dst_types: class.dst_types,
            states: class.states,
            rewritten: [!class.dnat, class.dnat],
        }
    }

    pub(super) fn again(&mut self, decides: &[bool], class: &Class) {
        for (known, decides) in self.decides.iter_mut().zip(decides) {
            *known |= decides;
        }
        if self.dst != class.dst {
            self.dst = self.dst.union(&class.dst);
        }
        self.dst_types = self.dst_types.or(class.dst_types);
        self.states = self.states.or(class.states);
        let [plain, dnat] = &mut self.rewritten;
        *plain |= !class.dnat;
        *dnat |= class.dnat;
    }
}

impl Stage {
    /// Whether a rule of a chain was met.
    pub(crate) fn has_met(&self, chain: ChainAt) -> bool {
        self.met_in(chain).next().is_some()
    }

    /// The rules of a chain that were met, in order.
    pub(crate) fn met_in(&self, chain: ChainAt) -> impl Iterator<Item = (usize, &Met)> {
        self.met.range((chain, 0)..=(chain, usize::MAX)).map(|(&(_, rule), met)| (rule, met))
    }
}
