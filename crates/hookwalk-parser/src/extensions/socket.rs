extension! {
    /// `-m socket`: a local socket would get the packet (kernel: `net/netfilter/xt_socket.c`).
    SocketMatch {
        /// `--transparent`: only a socket that is transparent
        transparent: flag = "--transparent",
        /// `--nowildcard`: also one that listens on any address
        nowildcard: flag = "--nowildcard",
        /// `--restore-skmark`: the packet gets the socket's mark
        restore_mark: flag = "--restore-skmark",
    }
}
