extension! {
    /// `-m cpu`: the processor that handles the packet (kernel: `net/netfilter/xt_cpu.c`).
    CpuMatch {
        /// `--cpu`: its number, from 0
        cpu: negatable<u32> = "--cpu",
    }
    missing(this) this.cpu.is_none().then_some("--cpu");
}
