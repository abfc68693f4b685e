use std::net::IpAddr;

/// What `/etc/resolv.conf` of a Pod says (resolv.conf(5)).
///
/// ```
/// use hookwalk_kube::dns::ResolvConf;
/// let conf = ResolvConf::read("nameserver 10.96.0.10\nsearch default.svc.cluster.local\noptions ndots:5\n");
/// assert_eq!(conf.name_servers[0].address, Some("10.96.0.10".parse().unwrap()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ResolvConf {
    /// `nameserver`, in order.
    pub name_servers: Vec<NameServer>,
}

/// One `nameserver` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServer {
    /// What stands there.
    pub text: String,
    /// The address; none when the text is none.
    pub address: Option<IpAddr>,
    /// The line, from 1.
    pub line: u32,
}

/// A resolver asks no more than these (resolv.h, `MAXNS`).
pub(super) const MOST_SERVERS: usize = 3;

impl ResolvConf {
    /// Reads the text; lines that are none of these options are passed over, as resolvers do.
    pub fn read(text: &str) -> Self {
        let servers = text.lines().zip(1..).filter_map(|(line, number)| {
            let rest = line.strip_prefix("nameserver")?;
            if !rest.starts_with([' ', '\t']) {
                return None;
            }
            let text = rest.split_whitespace().next().unwrap_or_default();
            // A zone (`fe80::1%eth0`) tells the interface of a link-local address.
            let address = text.split('%').next().and_then(|address| address.parse().ok());
            Some(NameServer { text: text.to_owned(), address, line: number })
        });
        ResolvConf { name_servers: servers.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nameserver_lines_count() {
        let text = "# nameserver 1.1.1.1\n;nameserver 2.2.2.2\nnameserver\t10.96.0.10  # the cluster's\n\
                    nameservers 3.3.3.3\nnameserver fe80::1%eth0\nnameserver x\n";
        let conf = ResolvConf::read(text);
        let read: Vec<_> = conf.name_servers.iter().map(|s| (s.text.as_str(), s.address, s.line)).collect();
        assert_eq!(
            read,
            [
                ("10.96.0.10", Some("10.96.0.10".parse().unwrap()), 3),
                ("fe80::1%eth0", Some("fe80::1".parse().unwrap()), 5),
                ("x", None, 6),
            ]
        );
    }
}
