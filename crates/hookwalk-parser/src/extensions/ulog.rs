extension! {
    /// `-j ULOG`: hands a copy to a log in userspace; gone from kernels since 3.17.
    UlogTarget {
        /// `--ulog-prefix`
        prefix: quoted = "--ulog-prefix",
        /// `--ulog-nlgroup`: 1 to 32
        group: value<u32> = "--ulog-nlgroup",
        /// `--ulog-cprange`: bytes to copy
        copy_range: value<u32> = "--ulog-cprange",
        /// `--ulog-qthreshold`: packets to gather before they are handed over
        threshold: value<u32> = "--ulog-qthreshold",
    }
}
