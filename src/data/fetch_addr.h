/* Which addresses a download may be made from: those of the open Internet, and no others. URLs come from strangers, and a
 * name of theirs may stand for any address, another one each time it is asked for; so this is asked of the address that is
 * about to be connected to, not of the URL. Threads: pure. */
#ifndef TP_DATA_FETCH_ADDR_H
#define TP_DATA_FETCH_ADDR_H

#include <stddef.h>
#include <sys/socket.h>

/* NULL: an address of the open Internet. Else what it is instead: "loopback", "private", ... from the registries of
 * special-purpose addresses (IANA, RFC 6890 and those after it), "reserved" for the IPv6 space that nobody has, and
 * "unknown" for what is no address of IPv4 or IPv6. An IPv4 address written as IPv6 (::ffff:0:0/96, and 64:ff9b::/96 of
 * NAT64) is judged as that IPv4 address. Of a network whose NAT64 has a prefix of its own this cannot know. */
const char *tp_special_address(const struct sockaddr *a, size_t len);

#endif
