use hookwalk_engine::{InterfaceName, InterfaceSysctls, ReversePath, Sysctls};
use hookwalk_parser::types::Family;

use super::error::{ContextError, Position, quoted};
use super::pieces::{Piece, pieces};
use super::text::offset_in;

/// Reads the lines of `sysctl -a`, `net.ipv4.ip_forward = 1`, and their forms as paths,
/// `/proc/sys/net/ipv4/ip_forward = 1`. Settings that do not decide a packet's way are passed over; of
/// a setting that is told twice the later line counts.
///
/// ```
/// let (sysctls, errors) = hookwalk::context::sysctls(
///     "net.ipv4.conf.all.route_localnet = 0
/// net.ipv4.conf.eth0.route_localnet = 1
/// net.ipv4.ip_forward = yes
/// ",
/// );
/// assert!(sysctls.route_localnet("eth0".parse()?));
/// assert!(!sysctls.route_localnet("eth1".parse()?));
/// assert_eq!(errors[0].to_string(), "3:1: `yes` is not a value of `net.ipv4.ip_forward`");
/// # Ok::<(), hookwalk::BadInterfaceName>(())
/// ```
pub fn sysctls(text: &str) -> (Sysctls, Vec<ContextError>) {
    let mut sysctls = Sysctls::default();
    let errors = read_sysctls(text, &mut sysctls);
    (sysctls, errors)
}

/// Reads further settings into some that are there, as [`sysctls`] does.
pub fn read_sysctls(text: &str, into: &mut Sysctls) -> Vec<ContextError> {
    let mut errors = Vec::new();
    for piece in pieces(text) {
        let line = match piece {
            Piece::Line(line) => line,
            Piece::Object(at, _) => {
                errors.push(at.error("JSON, expected lines such as `net.ipv4.ip_forward = 1`"));
                continue;
            }
            Piece::Bad(error) => {
                errors.push(error);
                continue;
            }
        };
        let written = line.text.trim();
        let Some((key, value)) = written.split_once('=').or_else(|| written.rsplit_once(':')) else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        let Some(setting) = setting(key) else { continue };
        let at = Position { column: line.at.column.saturating_add(offset_in(line.text, written)), ..line.at };
        let set = value.parse::<i64>().ok().and_then(|number| set(into, &setting, number));
        if set.is_none() {
            errors.push(at.error(format!("{} is not a value of {}", quoted(value), quoted(key))));
        }
    }
    errors
}

/// What a key sets, and for which interface.
enum Setting<'k> {
    TcpLoose,
    TcpBeLiberal,
    Of(Family, &'k str, Name),
}

#[derive(Clone, Copy)]
enum Name {
    Forwarding,
    ForceForwarding,
    RouteLocalnet,
    AcceptLocal,
    ReversePath,
    SrcValidMark,
}

fn set(sysctls: &mut Sysctls, setting: &Setting<'_>, number: i64) -> Option<()> {
    let on = Some(number != 0);
    let (family, conf, name) = match *setting {
        Setting::TcpLoose => {
            sysctls.tcp_loose = on;
            return Some(());
        }
        Setting::TcpBeLiberal => {
            sysctls.tcp_be_liberal = on;
            return Some(());
        }
        Setting::Of(family, conf, name) => (family, conf, name),
    };
    let mut unused = InterfaceSysctls::default();
    let of = match conf {
        "all" => sysctls.all_mut(family),
        // What new interfaces begin with.
        "default" => &mut unused,
        // In one form the other's separator stands in names: `eth0/10` is eth0.10.
        name => match InterfaceName::new(name.replace('/', ".").as_bytes()) {
            Some(name) => sysctls.interface_mut(family, name),
            None => return Some(()),
        },
    };
    match name {
        Name::Forwarding => of.forwarding = on,
        Name::ForceForwarding => of.force_forwarding = on,
        Name::RouteLocalnet => of.route_localnet = on,
        Name::AcceptLocal => of.accept_local = on,
        Name::SrcValidMark => of.src_valid_mark = on,
        Name::ReversePath => {
            of.reverse_path = Some(match number {
                0 => ReversePath::Off,
                1 => ReversePath::Strict,
                2 => ReversePath::Loose,
                _ => return None,
            });
        }
    }
    Some(())
}

fn setting(key: &str) -> Option<Setting<'_>> {
    let key = key.trim_start_matches('-');
    let key = key.strip_prefix("/proc/sys/").unwrap_or(key);
    // The first separator tells the form: in the other one it is part of an interface's name.
    let separator = key.chars().find(|c| matches!(c, '/' | '.'))?;
    let (net, rest) = key.split_once(separator)?;
    let (family, rest) = rest.split_once(separator)?;
    if net != "net" {
        return None;
    }
    match (family, rest) {
        ("ipv4", "ip_forward") => return Some(Setting::Of(Family::V4, "all", Name::Forwarding)),
        ("netfilter", "nf_conntrack_tcp_loose") => return Some(Setting::TcpLoose),
        ("netfilter", "nf_conntrack_tcp_be_liberal") => return Some(Setting::TcpBeLiberal),
        _ => {}
    }
    let (interface, name) = rest.strip_prefix("conf")?.strip_prefix(separator)?.rsplit_once(separator)?;
    let (family, name) = match (family, name) {
        ("ipv4", "forwarding") => (Family::V4, Name::Forwarding),
        ("ipv4", "route_localnet") => (Family::V4, Name::RouteLocalnet),
        ("ipv4", "accept_local") => (Family::V4, Name::AcceptLocal),
        ("ipv4", "rp_filter") => (Family::V4, Name::ReversePath),
        ("ipv4", "src_valid_mark") => (Family::V4, Name::SrcValidMark),
        ("ipv6", "forwarding") => (Family::V6, Name::Forwarding),
        ("ipv6", "force_forwarding") => (Family::V6, Name::ForceForwarding),
        _ => return None,
    };
    Some(Setting::Of(family, interface, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_lines() {
        for line in [
            "net.ipv4.ip_forward = 0",
            "net.ipv4.ip_forward=0\r",
            "/proc/sys/net/ipv4/ip_forward = 0",
            "/proc/sys/net/ipv4/ip_forward:0",
            "net/ipv4/conf/all/forwarding = 0",
        ] {
            let (sysctls, errors) = sysctls(line);
            assert_eq!((sysctls.all4.forwarding, errors.len()), (Some(false), 0), "{line}");
        }
        for line in ["net.ipv4.conf.eth0/10.rp_filter = 1", "net/ipv4/conf/eth0.10/rp_filter = 1"] {
            let (sysctls, errors) = sysctls(line);
            let named = sysctls.interfaces4.keys().next().map(ToString::to_string);
            assert_eq!(errors, [], "{line}");
            assert_eq!(named.as_deref(), Some("eth0.10"), "{line}");
        }
        for line in [
            "",
            "# net",
            "sysctl: permission denied on key 'fs.protected_fifos'",
            "net.ipv4.ip_forwarding = 1",
            "net.ipv4.conf.default.rp_filter = 1",
            "a = b",
        ] {
            assert_eq!(sysctls(line), (Sysctls::default(), Vec::new()), "{line}");
        }
        assert_eq!(sysctls("net.ipv4.conf.all.rp_filter = 3").1.len(), 1);
    }

    #[test]
    fn families_and_interfaces_stay_apart() {
        let (sysctls, errors) = sysctls(
            "net.ipv6.conf.all.forwarding = 0\nnet.ipv4.ip_forward = 1\nnet.ipv4.conf.eth1.forwarding = 0\n\
             net.ipv4.conf.all.rp_filter = 1\nnet.ipv4.conf.eth1.rp_filter = 2\nnet.ipv4.conf.eth1.accept_local = 1\n\
             net.netfilter.nf_conntrack_tcp_loose = 0\n",
        );
        assert_eq!(errors, []);
        let (eth0, eth1) = ("eth0".parse().unwrap(), "eth1".parse().unwrap());
        assert!(sysctls.forwarding4(eth0) && !sysctls.forwarding4(eth1) && !sysctls.forwarding6(eth0));
        assert_eq!(
            (sysctls.reverse_path(eth0), sysctls.reverse_path(eth1)),
            (ReversePath::Strict, ReversePath::Loose)
        );
        assert!(sysctls.accept_local(eth1) && !sysctls.accept_local(eth0));
        assert_eq!(sysctls.tcp_loose, Some(false));
    }
}
