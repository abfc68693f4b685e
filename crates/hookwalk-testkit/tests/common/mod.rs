//! What the tests with a kernel share.
#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod case;
pub(crate) mod smaller;

use hookwalk::{Host, context};
use hookwalk_testkit::arbiter::Context;
use hookwalk_testkit::kernel::Namespace;

/// Whether this is continuous integration, where nothing may be skipped and more is compared.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

/// A number out of the environment: `otherwise` where it is not set.
pub(crate) fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap())
}

/// Whether there is a kernel to ask. Where there is none the test is skipped, but not in continuous integration.
pub(crate) fn has_kernel() -> bool {
    let Some(reason) = Namespace::missing() else { return true };
    assert!(!is_ci(), "cannot ask the kernel: {reason}");
    #[expect(clippy::print_stderr, reason = "that is how a test says it did nothing")]
    {
        eprintln!("skipped: {reason}");
    }
    false
}

/// The node as its own tools print it.
pub(crate) fn host(said: &Context) -> Host {
    let mut host = Host::default();
    let (addresses, lost) = context::addresses(&said.addr);
    assert!(lost.is_empty(), "{lost:?} in\n{}", said.addr);
    host = host.with_interface_addresses(addresses);
    let (routes, lost) = context::routes(&said.route);
    assert!(lost.is_empty(), "{lost:?} in\n{}", said.route);
    host = host.with_routes(routes);
    let (rules, lost) = context::rules(&said.rule);
    assert!(lost.is_empty(), "{lost:?} in\n{}", said.rule);
    host = host.with_routing_rules(rules);
    let (sets, lost) = context::ipsets(&said.ipset);
    assert!(lost.is_empty(), "{lost:?} in\n{}", said.ipset);
    for (name, set) in sets {
        host = host.with_set(name, set);
    }
    let (sysctls, lost) = context::sysctls(&said.sysctl);
    assert!(lost.is_empty(), "{lost:?} in\n{}", said.sysctl);
    host.sysctls = sysctls;
    if !said.conntrack.is_empty() {
        let (connections, lost) = context::connections(0, &said.conntrack);
        assert!(lost.is_empty(), "{lost:?} in\n{}", said.conntrack);
        host = host.with_connections(connections);
    }
    host
}
