use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::Negatable;

/// `-m cluster`: a hash of the connection's source picks one node of several
/// (kernel: `net/netfilter/xt_cluster.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClusterMatch {
    /// `--cluster-total-nodes`
    pub total_nodes: Option<u32>,
    /// `--cluster-local-nodemask`: bit n is node n + 1; `--cluster-local-node` is one of them
    pub local_nodes: Option<Negatable<u32>>,
    /// `--cluster-hash-seed`
    pub seed: Option<u32>,
}

impl Extension for ClusterMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--cluster-total-nodes" => self.total_nodes = Some(option.value()?),
            b"--cluster-local-nodemask" => self.local_nodes = Some(option.negatable()?),
            b"--cluster-local-node" => {
                let Negatable { negated, value } = option.negatable::<u32>()?;
                match value.checked_sub(1).and_then(|bit| 1_u32.checked_shl(bit)) {
                    Some(value) => self.local_nodes = Some(Negatable { negated, value }),
                    None => return option.expected("a node from 1 to 32"),
                }
            }
            b"--cluster-hash-seed" => self.seed = Some(option.value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        let hexadecimal = |number: u32| format!("{number:#010x}");
        let nodes = self.local_nodes.map(|n| Negatable { negated: n.negated, value: hexadecimal(n.value) });
        out.negatable("--cluster-local-nodemask", nodes.as_ref());
        out.value("--cluster-total-nodes", self.total_nodes);
        out.value("--cluster-hash-seed", self.seed.map(hexadecimal));
    }

    fn missing(&self) -> Option<&'static str> {
        let all = self.total_nodes.is_some() && self.local_nodes.is_some() && self.seed.is_some();
        (!all).then_some("--cluster-total-nodes, --cluster-local-nodemask and --cluster-hash-seed")
    }
}
