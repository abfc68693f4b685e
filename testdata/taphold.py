#!/usr/bin/env python3
"""Make TUN and TAP devices in this network namespace and hold them open.

usage: taphold.py LOG tap:eth0 tun:tunl0 ...

A TAP or TUN device has a carrier only as long as a process holds it, and goes when the process ends.
Writes "ready" to LOG, then one line for each IPv4 packet that leaves by a TUN device.
"""

import fcntl
import os
import select
import struct
import sys

TUNSETIFF = 0x400454CA
IFF = {"tun": 0x0001, "tap": 0x0002}
IFF_NO_PI = 0x1000
PROTOCOLS = {1: "icmp", 4: "ipip", 6: "tcp", 17: "udp", 132: "sctp"}


def describe(packet):
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    start = (packet[0] & 15) * 4
    ports = struct.unpack("!HH", packet[start : start + 4]) if packet[9] in (6, 17, 132) else (0, 0)
    address = [".".join(map(str, packet[at : at + 4])) for at in (12, 16)]
    protocol = PROTOCOLS.get(packet[9], str(packet[9]))
    return f"{protocol} {address[0]}:{ports[0]} > {address[1]}:{ports[1]} ttl {packet[8]}"


def main():
    log = open(sys.argv[1], "w", buffering=1)
    devices = {}
    for argument in sys.argv[2:]:
        kind, name = argument.split(":")
        device = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF[kind] | IFF_NO_PI))
        devices[device] = (kind, name)
    log.write("ready\n")
    while True:
        for device in select.select(list(devices), [], [])[0]:
            kind, name = devices[device]
            try:
                packet = os.read(device, 65536)
            except OSError:
                continue  # the device is still down
            line = describe(packet) if kind == "tun" else None
            if line:
                log.write(f"{name} {line}\n")


if __name__ == "__main__":
    main()
