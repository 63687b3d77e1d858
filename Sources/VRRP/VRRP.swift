// VRRP: which node owns a virtual address, by RFC 9568 (version 3) and RFC 3768 (version 2).
//
// Role: adverts in and out of bytes, the gate that drops bad ones and counts why,
// the state machine of a virtual router, sync groups, the failover budget.
// Boundary: sans-IO. Time, the MAC function and received packets are arguments;
// what shall happen leaves as effects, where addresses are ordered as sets.
// Absent on purpose: sockets, netlink, ARP and NDP packets (Announcer), HMAC
// itself (TLS), configuration files, and IPsec AH authentication of version 2.
