//! The chains that choose an endpoint, and those of the endpoints.

use super::ports::{Backend, ServicePort};
use super::rules::Tables;

/// The comment of a rule, with a blank behind. kube-proxy quotes what has a blank in it.
pub(super) fn comment(text: &str) -> String {
    let quote = if text.contains(' ') { "\"" } else { "" };
    format!("-m comment --comment {quote}{text}{quote} ")
}

/// The rules that choose one of the endpoints: first for clients that are remembered, then by chance.
/// `say` makes the comment; the number of the draw, where the rule is one, is given to it.
pub(super) fn choose(
    port: &ServicePort,
    chain: &str,
    endpoints: &[&Backend],
    say: impl Fn(Option<usize>, &Backend) -> String,
    out: &mut Tables,
) {
    if let Some(seconds) = port.affinity {
        for endpoint in endpoints {
            let (sep, said) = (&endpoint.chain, say(None, endpoint));
            out.nat(
                chain,
                format!("{said}-m recent --name {sep} --rcheck --seconds {seconds} --reap -j {sep}"),
            );
        }
    }
    for (at, endpoint) in endpoints.iter().enumerate() {
        let chance = match endpoints.len() - at {
            1 => String::new(),
            left => format!("-m statistic --mode random --probability {} ", share(left)),
        };
        out.nat(chain, format!("{}{chance}-j {}", say(Some(at), endpoint), endpoint.chain));
    }
}

/// One in so many, with the ten digits that kube-proxy writes.
fn share(of: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a service has few endpoints")]
    let share = 1.0 / of as f64;
    format!("{share:.10}")
}

/// The chains of the endpoints: masquerade what comes back to its sender, then rewrite.
pub(super) fn endpoints(port: &ServicePort, endpoints: &[&Backend], out: &mut Tables) {
    let said = if out.is_large { String::new() } else { comment(&port.name) };
    let protocol = port.protocol;
    for Backend { chain, at, .. } in endpoints {
        out.nat(chain, format!("{said}-s {} -j KUBE-MARK-MASQ", at.ip()));
        let remember =
            if port.affinity.is_some() { format!("-m recent --name {chain} --set ") } else { String::new() };
        out.nat(chain, format!("{said}{remember}-m {protocol} -p {protocol} -j DNAT --to-destination {at}"));
    }
}
