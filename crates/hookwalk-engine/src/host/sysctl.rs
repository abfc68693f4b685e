/// The kernel settings that decide a packet's way. None is what a dump's node most likely has:
/// see each one's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sysctls {
    /// `net.ipv4.ip_forward`, `net.ipv6.conf.all.forwarding`: packets for others are forwarded.
    /// Taken for 1, which every node of a cluster has.
    pub forwarding: Option<bool>,
    /// `net.ipv4.conf.*.route_localnet`: 127.0.0.0/8 may be reached from and by other interfaces.
    /// Taken for 0, the kernel's own default.
    pub route_localnet: Option<bool>,
}

impl Sysctls {
    /// Whether packets for others are forwarded.
    pub fn forwarding(&self) -> bool {
        self.forwarding.unwrap_or(true)
    }

    /// Whether 127.0.0.0/8 may cross other interfaces than `lo`.
    pub fn route_localnet(&self) -> bool {
        self.route_localnet.unwrap_or(false)
    }
}
