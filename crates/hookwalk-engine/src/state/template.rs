/// What a target `CT` puts in the place of a connection until conntrack sees the packet: all zero, but confirmed
/// (kernel: `net/netfilter/nf_conntrack_core.c`, `nf_ct_tmpl_alloc`; `net/netfilter/xt_CT.c`). The rule has one for
/// all packets, so that a mark that table raw sets on it is there for the next packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Template {
    mark: u32,
    /// The bits of the mark that no earlier packet can have left.
    known: u32,
}

impl Template {
    /// With no mark, or with one that earlier packets have left.
    pub(crate) const fn new(is_marked: bool) -> Self {
        Template { mark: 0, known: if is_marked { 0 } else { u32::MAX } }
    }

    /// Bits of its mark, where all of them are known.
    pub(crate) fn mark(self, mask: u32) -> Option<u32> {
        (self.known & mask == mask).then_some(self.mark & mask)
    }

    /// With another mark, of which some bits are settled now.
    pub(crate) fn with_mark(self, mask: u32, change: impl Fn(u32) -> u32) -> Self {
        Template { mark: change(self.mark), known: self.known | mask }
    }

    /// Moves the bits of its mark.
    pub(crate) fn shifted(self, shift: impl Fn(u32) -> u32) -> Self {
        let known = if self.known == u32::MAX { u32::MAX } else { 0 };
        Template { mark: shift(self.mark), known }
    }
}
