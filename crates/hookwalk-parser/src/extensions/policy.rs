use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::choice::words;
use crate::types::{Family, MaskedAddress, Negatable, Protocol};

/// `-m policy`: the `IPsec` policy of the packet (kernel: `net/netfilter/xt_policy.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PolicyMatch {
    /// `--dir`
    pub direction: Option<PolicyDirection>,
    /// `--pol`
    pub policy: Option<PolicyKind>,
    /// `--strict`: every transform has its element, in order
    pub strict: bool,
    /// The elements, `--next` between them.
    pub elements: Vec<PolicyElement>,
    /// `--next` came last.
    next: bool,
}

/// What one transform must be.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PolicyElement {
    /// `--reqid`: of the policy
    pub request_id: Option<Negatable<u32>>,
    /// `--spi`: security parameter index
    pub spi: Option<Negatable<u32>>,
    /// `--proto`: esp, ah or ipcomp
    pub protocol: Option<Negatable<Protocol>>,
    /// `--mode`
    pub mode: Option<Negatable<PolicyMode>>,
    /// `--tunnel-dst`
    pub tunnel_dst: Option<Negatable<MaskedAddress>>,
    /// `--tunnel-src`
    pub tunnel_src: Option<Negatable<MaskedAddress>>,
}

words! {
    /// `--dir` of `-m policy`.
    PolicyDirection, "in or out" {
        /// The policy that took the packet out of its tunnel.
        In = "in",
        /// The policy that will put it in.
        Out = "out",
    }
}

words! {
    /// `--pol` of `-m policy`.
    PolicyKind, "none or ipsec" {
        /// No policy.
        None = "none",
        /// Some policy.
        Ipsec = "ipsec",
    }
}

words! {
    /// `--mode` of `-m policy`.
    PolicyMode, "transport or tunnel" {
        /// Between two hosts.
        Transport = "transport",
        /// The packet is inside another.
        Tunnel = "tunnel",
    }
}

impl PolicyMatch {
    /// The most elements the kernel has room for (`XT_POLICY_MAX_ELEM`).
    const MOST: usize = 4;

    #[expect(clippy::indexing_slicing, reason = "an element was pushed when there was none")]
    fn element(&mut self) -> &mut PolicyElement {
        if self.elements.is_empty() || self.next {
            self.next = false;
            self.elements.push(PolicyElement::default());
        }
        let last = self.elements.len() - 1;
        &mut self.elements[last]
    }
}

impl Extension for PolicyMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--dir" => self.direction = Some(option.value()?),
            b"--pol" => self.policy = Some(option.value()?),
            b"--strict" => self.strict = option.flag()?,
            b"--reqid" => self.element().request_id = Some(option.negatable()?),
            b"--spi" => self.element().spi = Some(option.negatable()?),
            b"--proto" => self.element().protocol = Some(option.negatable()?),
            b"--mode" => self.element().mode = Some(option.negatable()?),
            b"--tunnel-src" => self.element().tunnel_src = Some(option.negatable_address()?),
            b"--tunnel-dst" => self.element().tunnel_dst = Some(option.negatable_address()?),
            b"--next" => {
                option.flag()?;
                if self.next || self.elements.is_empty() || self.elements.len() == Self::MOST {
                    return option.expected("at most four elements, and options between");
                }
                self.next = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.value("--dir", self.direction);
        out.value("--pol", self.policy);
        out.flag("--strict", self.strict);
        let address = |address: Option<Negatable<MaskedAddress>>| {
            address.map(|a| Negatable { negated: a.negated, value: a.value.without_host_mask() })
        };
        for (index, element) in self.elements.iter().enumerate() {
            out.flag("--next", index > 0);
            out.negatable("--reqid", element.request_id.as_ref());
            let spi = element.spi.map(|spi| Negatable { negated: spi.negated, value: format!("{:#x}", spi.value) });
            out.negatable("--spi", spi.as_ref());
            out.negatable("--proto", element.protocol.as_ref());
            out.negatable("--mode", element.mode.as_ref());
            out.negatable("--tunnel-dst", address(element.tunnel_dst).as_ref());
            out.negatable("--tunnel-src", address(element.tunnel_src).as_ref());
        }
    }

    fn missing(&self) -> Option<&'static str> {
        (self.direction.is_none() || self.policy.is_none()).then_some("--dir and --pol")
    }

    fn family(&self) -> Option<Family> {
        let addresses = self.elements.iter().flat_map(|element| [element.tunnel_src, element.tunnel_dst]);
        addresses.flatten().map(|address| address.value.family()).next()
    }
}
