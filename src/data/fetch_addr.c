/* Special-purpose addresses: see fetch_addr.h. */
#include "data/fetch_addr.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
	uint8_t address[16];
	int bits;
	const char *what;
} range;

/* IANA IPv4 Special-Purpose Address Registry, and multicast. Those of it that are globally reachable (anycast of AS112 and
 * the like) serve no photos. */
static const range ranges4[] = {
	{ { 0 }, 8, "this network" },
	{ { 10 }, 8, "private" },
	{ { 100, 64 }, 10, "shared between providers" },
	{ { 127 }, 8, "loopback" },
	{ { 169, 254 }, 16, "link-local" },
	{ { 172, 16 }, 12, "private" },
	{ { 192, 0, 0 }, 24, "for protocols" },
	{ { 192, 0, 2 }, 24, "for documentation" },
	{ { 192, 31, 196 }, 24, "of AS112" },
	{ { 192, 52, 193 }, 24, "of AMT" },
	{ { 192, 88, 99 }, 24, "of 6to4" },
	{ { 192, 168 }, 16, "private" },
	{ { 192, 175, 48 }, 24, "of AS112" },
	{ { 198, 18 }, 15, "for benchmarks" },
	{ { 198, 51, 100 }, 24, "for documentation" },
	{ { 203, 0, 113 }, 24, "for documentation" },
	{ { 224 }, 4, "multicast" },
	{ { 255, 255, 255, 255 }, 32, "broadcast" },
	{ { 240 }, 4, "reserved" },
};

/* Of IPv6, only 2000::/3 is given to anybody; these lie in it, or have a name worth telling. */
static const range ranges6[] = {
	{ { 0 }, 128, "unspecified" },
	{ { [15] = 1 }, 128, "loopback" },
	{ { 0 }, 96, "IPv4-compatible" },
	{ { [8] = 0xff, 0xff }, 96, "IPv4-translated" },
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, "private to a NAT64" },
	{ { 0x01 }, 64, "discarded" },
	{ { 0x01, [7] = 1 }, 64, "for protocols" },
	{ { 0x20, 0x01, 0x00, 0x00 }, 32, "of Teredo" },
	{ { 0x20, 0x01 }, 23, "for protocols" },
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, "for documentation" },
	{ { 0x20, 0x02 }, 16, "of 6to4" },
	{ { 0x26, 0x20, 0x00, 0x4f, 0x80, 0x00 }, 48, "of AS112" },
	{ { 0x3f, 0xff }, 20, "for documentation" },
	{ { 0x5f }, 16, "of segment routing" },
	{ { 0xfc }, 7, "private" },
	{ { 0xfe, 0x80 }, 10, "link-local" },
	{ { 0xfe, 0xc0 }, 10, "site-local" },
	{ { 0xff }, 8, "multicast" },
};

static bool is_in(const uint8_t *address, const uint8_t *prefix, int bits)
{
	int whole = bits / 8, rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);
	return !memcmp(address, prefix, (size_t)whole) &&
	       (!rest || (address[whole] & mask) == (prefix[whole] & mask));
}

static const char *find(const range *r, size_t n, const uint8_t *address)
{
	for (size_t i = 0; i < n; i++)
		if (is_in(address, r[i].address, r[i].bits))
			return r[i].what;
	return NULL;
}

static const char *special4(const uint8_t address[4])
{
	return find(ranges4, sizeof ranges4 / sizeof *ranges4, address);
}

static const char *special6(const uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff }, nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	if (!memcmp(address, mapped, 12) || !memcmp(address, nat64, 12))
		return special4(address + 12);
	const char *what = find(ranges6, sizeof ranges6 / sizeof *ranges6, address);
	return what || (address[0] & 0xe0) == 0x20 ? what : "reserved";
}

const char *tp_special_address(const struct sockaddr *a, size_t len)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	if (len >= sizeof v4 && a->sa_family == AF_INET) {
		memcpy(&v4, a, sizeof v4);
		return special4((const uint8_t *)&v4.sin_addr);
	}
	if (len >= sizeof v6 && a->sa_family == AF_INET6) {
		memcpy(&v6, a, sizeof v6);
		return special6(v6.sin6_addr.s6_addr);
	}
	return "unknown";
}
