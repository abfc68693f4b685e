//! The node's devices, addresses, routes and switches.

use std::fmt::Write as _;
use std::{fs, io};

use hookwalk_parser::types::Family;
use nix::net::if_::if_nametoindex;
use tun_rs::{DeviceBuilder, SyncDevice};

use super::error::Error;
use super::restore::run;
use crate::topology::Topology;

/// A TUN device: what is written arrives at the node, what leaves through it is read.
pub(super) struct Device {
    pub name: String,
    pub index: u32,
    tun: SyncDevice,
}

impl Device {
    fn open(name: &str) -> Result<Self, Error> {
        let failed = || format!("create the TUN device `{name}`");
        let builder = DeviceBuilder::new().name(name).inherit_enable_state();
        let tun = builder.build_sync().map_err(Error::system(failed()))?;
        tun.set_nonblocking(true).map_err(Error::system(failed()))?;
        let index = if_nametoindex(name).map_err(Error::system(failed()))?;
        Ok(Self { name: name.to_owned(), index, tun })
    }

    /// The packet arrives; its whole way through the node is over when this returns.
    pub(super) fn arrive(&self, packet: &[u8]) -> Result<(), Error> {
        match self.tun.send(packet) {
            // What the device itself refuses (an IP version that is none) was dropped before any rule.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
                Err(Error::system(format!("write to `{}`", self.name))(error))
            }
            _ => Ok(()),
        }
    }

    /// The next packet that left, if there is one.
    pub(super) fn left(&self) -> Result<Option<Vec<u8>>, Error> {
        let mut buffer = [0; 2048];
        match self.tun.recv(&mut buffer) {
            Ok(length) => Ok(buffer.get(..length).map(<[u8]>::to_vec)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(Error::system(format!("read from `{}`", self.name))(error)),
        }
    }
}

/// Writes a switch of `/proc/sys`; the files of `net` are those of the thread's namespace.
pub(super) fn set_sysctl(name: &str, value: &str) -> Result<(), Error> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::write(path, value).map_err(Error::system(format!("set `{name}`")))
}

/// The switches that decide about packets of a family, as `sysctl -a` prints them.
pub(super) fn sysctls(family: Family) -> Result<String, Error> {
    let (root, switches): (_, &[&str]) = match family {
        Family::V4 => {
            ("net/ipv4", &["rp_filter", "route_localnet", "forwarding", "accept_local", "src_valid_mark"])
        }
        Family::V6 => ("net/ipv6", &["forwarding"]),
    };
    let value = |path: String| {
        let read = fs::read_to_string(format!("/proc/sys/{path}"));
        read.map(|value| format!("{} = {value}", path.replace('/', ".")))
            .map_err(Error::system(format!("read `{path}`")))
    };
    let mut text = String::new();
    if family == Family::V4 {
        text.push_str(&value("net/ipv4/ip_forward".to_owned())?);
    }
    let scopes = fs::read_dir(format!("/proc/sys/{root}/conf")).map_err(Error::system("list interfaces"))?;
    let scopes = scopes.filter_map(|scope| scope.ok()?.file_name().into_string().ok());
    for scope in scopes.collect::<std::collections::BTreeSet<_>>() {
        for switch in switches {
            text.push_str(&value(format!("{root}/conf/{scope}/{switch}"))?);
        }
    }
    Ok(text)
}

/// Creates the devices and gives them addresses and routes.
pub(super) fn node(topology: &Topology) -> Result<Vec<Device>, Error> {
    for (name, value) in [
        // Nothing that IPv6 would say by itself: no link-local address, no discovery of neighbours or routers.
        ("net.ipv6.conf.default.addr_gen_mode", "1"),
        ("net.ipv6.conf.default.accept_dad", "0"),
        ("net.ipv6.conf.all.accept_ra", "0"),
        ("net.ipv6.conf.default.accept_ra", "0"),
        ("net.ipv6.conf.default.router_solicitations", "0"),
        ("net.ipv6.conf.all.forwarding", "1"),
        ("net.ipv6.conf.default.forwarding", "1"),
        ("net.ipv6.icmp.ratelimit", "0"),
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.default.rp_filter", "0"),
        ("net.ipv4.conf.all.send_redirects", "0"),
        ("net.ipv4.conf.default.send_redirects", "0"),
        // No limit on the rate of ICMP errors: the mask names the types that have one.
        ("net.ipv4.icmp_ratemask", "0"),
        // The limit of both families together: IPv6 errors count as well.
        ("net.ipv4.icmp_msgs_burst", "100000000"),
        ("net.ipv4.icmp_msgs_per_sec", "100000000"),
    ] {
        set_sysctl(name, value)?;
    }
    let interfaces = &topology.interfaces;
    let devices =
        interfaces.iter().map(|interface| Device::open(&interface.name)).collect::<Result<Vec<_>, _>>()?;
    let mut script = "link set lo up\n".to_owned();
    for interface in interfaces {
        let name = &interface.name;
        for address in &interface.addresses {
            let _ = writeln!(
                script,
                "addr add {address} dev {name}{}",
                if address.family() == Family::V6 { " nodad" } else { "" }
            );
        }
        let _ = writeln!(script, "link set {name} up multicast off");
    }
    for route in &topology.routes {
        let _ = writeln!(script, "route add {route}");
    }
    run("ip", &["-batch", "-"], &script)?;
    for family in [Family::V4, Family::V6] {
        let of_family = topology.rules.iter().filter(|rule| rule.family == family);
        let script = of_family.fold(String::new(), |script, rule| script + "rule add " + &rule.text + "\n");
        run("ip", &[if family == Family::V4 { "-4" } else { "-6" }, "-batch", "-"], &script)?;
    }
    for (name, value) in &topology.sysctls {
        set_sysctl(name, value)?;
    }
    Ok(devices)
}
