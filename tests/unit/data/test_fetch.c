/* Fetching: which addresses are of the open Internet, which download may begin, what headers are believed, and what the
 * catalog learns. Servers that behave badly: tests/e2e/data_fetch.test.mjs. */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "data/catalog.h"
#include "data/fetch.h"
#include "data/fetch_addr.h"
#include "data/fetch_headers.h"
#include "data/fetch_hosts.h"
#include "image/image.h"
#include "t.h"

/* ---- addresses ---- */

static const char *judged(const char *text)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;
	memset(&a, 0, sizeof a);
	if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		return tp_special_address(&a.any, sizeof a.v4);
	}
	if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) != 1)
		abort();
	a.v6.sin6_family = AF_INET6;
	return tp_special_address(&a.any, sizeof a.v6);
}

/* Of every range its first and its last address, and those on both sides of it; NULL: of the open Internet. */
static const struct {
	const char *address, *is;
} addresses[] = {
	{ "0.0.0.0", "this network" },
	{ "0.255.255.255", "this network" },
	{ "1.0.0.0", NULL },
	{ "9.255.255.255", NULL },
	{ "10.0.0.0", "private" },
	{ "10.255.255.255", "private" },
	{ "11.0.0.0", NULL },
	{ "100.63.255.255", NULL },
	{ "100.64.0.0", "shared between providers" },
	{ "100.127.255.255", "shared between providers" },
	{ "100.128.0.0", NULL },
	{ "126.255.255.255", NULL },
	{ "127.0.0.0", "loopback" },
	{ "127.0.0.1", "loopback" },
	{ "127.255.255.255", "loopback" },
	{ "128.0.0.0", NULL },
	{ "169.253.255.255", NULL },
	{ "169.254.0.0", "link-local" },
	{ "169.254.169.254", "link-local" },
	{ "169.254.255.255", "link-local" },
	{ "169.255.0.0", NULL },
	{ "172.15.255.255", NULL },
	{ "172.16.0.0", "private" },
	{ "172.31.255.255", "private" },
	{ "172.32.0.0", NULL },
	{ "191.255.255.255", NULL },
	{ "192.0.0.0", "for protocols" },
	{ "192.0.0.170", "for protocols" },
	{ "192.0.0.255", "for protocols" },
	{ "192.0.1.0", NULL },
	{ "192.0.1.255", NULL },
	{ "192.0.2.0", "for documentation" },
	{ "192.0.2.255", "for documentation" },
	{ "192.0.3.0", NULL },
	{ "192.31.195.255", NULL },
	{ "192.31.196.0", "of AS112" },
	{ "192.31.197.0", NULL },
	{ "192.52.192.255", NULL },
	{ "192.52.193.0", "of AMT" },
	{ "192.52.194.0", NULL },
	{ "192.88.98.255", NULL },
	{ "192.88.99.0", "of 6to4" },
	{ "192.88.99.255", "of 6to4" },
	{ "192.88.100.0", NULL },
	{ "192.167.255.255", NULL },
	{ "192.168.0.0", "private" },
	{ "192.168.255.255", "private" },
	{ "192.169.0.0", NULL },
	{ "192.175.47.255", NULL },
	{ "192.175.48.0", "of AS112" },
	{ "192.175.49.0", NULL },
	{ "198.17.255.255", NULL },
	{ "198.18.0.0", "for benchmarks" },
	{ "198.19.255.255", "for benchmarks" },
	{ "198.20.0.0", NULL },
	{ "198.51.99.255", NULL },
	{ "198.51.100.0", "for documentation" },
	{ "198.51.100.255", "for documentation" },
	{ "198.51.101.0", NULL },
	{ "203.0.112.255", NULL },
	{ "203.0.113.0", "for documentation" },
	{ "203.0.113.255", "for documentation" },
	{ "203.0.114.0", NULL },
	{ "223.255.255.255", NULL },
	{ "224.0.0.0", "multicast" },
	{ "239.255.255.255", "multicast" },
	{ "240.0.0.0", "reserved" },
	{ "255.255.255.254", "reserved" },
	{ "255.255.255.255", "broadcast" },
	{ "8.8.8.8", NULL },
	{ "193.48.1.1", NULL },

	{ "::", "unspecified" },
	{ "::1", "loopback" },
	{ "::2", "IPv4-compatible" },
	{ "::127.0.0.1", "IPv4-compatible" },
	{ "::ffff:ffff", "IPv4-compatible" },
	{ "::1:0:0", "reserved" },
	{ "::ffff:127.0.0.1", "loopback" },
	{ "::ffff:10.1.2.3", "private" },
	{ "::ffff:255.255.255.255", "broadcast" },
	{ "::ffff:8.8.8.8", NULL },
	{ "::ffff:0:127.0.0.1", "IPv4-translated" },
	{ "::ffff:0:8.8.8.8", "IPv4-translated" },
	{ "64:ff9a:ffff:ffff::", "reserved" },
	{ "64:ff9b::127.0.0.1", "loopback" },
	{ "64:ff9b::169.254.169.254", "link-local" },
	{ "64:ff9b::192.168.1.1", "private" },
	{ "64:ff9b::8.8.8.8", NULL },
	{ "64:ff9b::1:0:0", "reserved" },
	{ "64:ff9b:1::", "private to a NAT64" },
	{ "64:ff9b:1:ffff:ffff:ffff:8.8.8.8", "private to a NAT64" },
	{ "64:ff9b:2::", "reserved" },
	{ "100::", "discarded" },
	{ "100::ffff:ffff:ffff:ffff", "discarded" },
	{ "100:0:0:1::1", "for protocols" },
	{ "100:0:0:2::", "reserved" },
	{ "1fff:ffff::", "reserved" },
	{ "2000::", NULL },
	{ "2000:ffff:ffff::", NULL },
	{ "2001::", "of Teredo" },
	{ "2001:0:ffff::", "of Teredo" },
	{ "2001:1::1", "for protocols" },
	{ "2001:2::", "for protocols" },
	{ "2001:10::", "for protocols" },
	{ "2001:20::", "for protocols" },
	{ "2001:30::", "for protocols" },
	{ "2001:1ff:ffff::", "for protocols" },
	{ "2001:200::", NULL },
	{ "2001:db7:ffff::", NULL },
	{ "2001:db8::", "for documentation" },
	{ "2001:db8:ffff::", "for documentation" },
	{ "2001:db9::", NULL },
	{ "2001:ffff::", NULL },
	{ "2002::", "of 6to4" },
	{ "2002:7f00:1::", "of 6to4" },
	{ "2002:ffff::", "of 6to4" },
	{ "2003::", NULL },
	{ "2620:4f:7fff::", NULL },
	{ "2620:4f:8000::", "of AS112" },
	{ "2620:4f:8001::", NULL },
	{ "2001:4860:4860::8888", NULL },
	{ "3ffe:ffff::", NULL },
	{ "3fff::", "for documentation" },
	{ "3fff:fff::", "for documentation" },
	{ "3fff:1000::", NULL },
	{ "3fff:ffff::", NULL },
	{ "4000::", "reserved" },
	{ "5f00::", "of segment routing" },
	{ "5f01::", "reserved" },
	{ "fbff::", "reserved" },
	{ "fc00::", "private" },
	{ "fd12:3456::1", "private" },
	{ "fdff::", "private" },
	{ "fe00::", "reserved" },
	{ "fe80::1", "link-local" },
	{ "febf::1", "link-local" },
	{ "fec0::1", "site-local" },
	{ "feff::1", "site-local" },
	{ "ff00::", "multicast" },
	{ "ff02::1", "multicast" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast" },
};

static int test_addresses(void)
{
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		const char *is = judged(addresses[i].address), *want = addresses[i].is;
		CHECK(want ? is && !strcmp(is, want) : !is, "%s is %s, not %s", addresses[i].address,
			is ? is : "open", want ? want : "open");
	}
	struct sockaddr_storage odd = { .ss_family = AF_UNIX };
	CHECK_STR(tp_special_address((struct sockaddr *)&odd, sizeof odd), "unknown");
	odd.ss_family = AF_INET6;
	CHECK_STR(tp_special_address((struct sockaddr *)&odd, sizeof(struct sockaddr_in)), "unknown");
	return 0;
}

/* ---- headers ---- */

static int test_content_ranges(void)
{
	tp_content_range r;
	CHECK(tp_content_range_parse(&r, "bytes 200-1023/1024") && r.first == 200 && r.last == 1023 &&
			r.total == 1024,
		"whole");
	CHECK(tp_content_range_parse(&r, "bytes 0-0/*") && !r.first && !r.last && r.total == -1, "no total");
	static const char *const wrong[] = { "", "bytes", "bytes ", "bytes */5", "bytes 5-4/9", "bytes 0-9/9",
		"bytes 0-8/9 ", "bytes -1-8/9", "bytes 0-8", "bytes 0-8/", "bytes 0 - 8/9", "pages 0-8/9",
		"bytes 0-8/9x", "bytes +1-8/9", "bytes 0-99999999999999999999/*",
		"bytes 99999999999999999999-1/*", "bytes 0x1-2/3", "bytes 0-8/-9" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(!tp_content_range_parse(&r, wrong[i]), "\"%s\" is taken", wrong[i]);
	return 0;
}

static int test_validators(void)
{
	char out[TP_VALIDATOR], longest[300];
	static const char date[] = "Tue, 24 Nov 2026 21:00:00 GMT";
	tp_validator_choose(out, "\"abc-1\"", date);
	CHECK_STR(out, "\"abc-1\"");
	tp_validator_choose(out, "W/\"abc\"", date); /* weak: not the same bytes */
	CHECK_STR(out, date);
	tp_validator_choose(out, NULL, date);
	CHECK_STR(out, date);
	tp_validator_choose(out, "W/\"abc\"", NULL);
	CHECK_STR(out, "");
	static const char *const wrong[] = { "", "\"\"", "abc", "\"a\r\nX: y\"", "\"a\"b\"", "\"a b\"", "\"a",
		"a\"", "\"\x7f\"", "\"\xc3\xa9\"", "Tue, 24 Nov 2026\r\n21:00:00 GMT", "*" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(!tp_is_validator(wrong[i], strlen(wrong[i])), "\"%s\" is taken", wrong[i]);
	memset(longest, 'x', sizeof longest);
	longest[0] = longest[TP_VALIDATOR - 2] = longest[TP_VALIDATOR - 1] = '"';
	CHECK(tp_is_validator(longest, TP_VALIDATOR - 1), "the longest");
	longest[TP_VALIDATOR - 2] = 'x';
	CHECK(!tp_is_validator(longest, TP_VALIDATOR), "too long");
	return 0;
}

static int test_notes_of_parts(void)
{
	tp_part_note n = { 1234567890123, "\"abc\"" }, back;
	char text[TP_PART_NOTE];
	size_t len = tp_part_note_write(text, &n);
	CHECK_STR(text, "tepal part 1 1234567890123 \"abc\"\n");
	CHECK(tp_part_note_read(&back, text, len) && back.total == n.total &&
			!strcmp(back.validator, n.validator),
		"back");
	for (size_t k = 0; k < len; k++) /* torn off anywhere */
		CHECK(!tp_part_note_read(&back, text, k), "%zu bytes are taken", k);
	text[11] = '2';
	CHECK(!tp_part_note_read(&back, text, len), "another version is taken");
	return 0;
}

/* ---- hosts ---- */

static tp_fetch_task *task(int64_t photo)
{
	tp_fetch_task *t = tp_calloc(1, sizeof *t);
	if (!t)
		abort();
	t->photo = photo;
	return t;
}

static int64_t taken(tp_hosts *h, double now, tp_fetch_task **out)
{
	*out = tp_hosts_take(h, now);
	return *out ? (*out)->photo : 0;
}

static void end(tp_fetch_task *t)
{
	tp_hosts_leave(t);
	tp_fetch_task_free(t);
}

static int lines(tp_hosts *h)
{
	tp_err err = { 0 };
	tp_fetch_task *t[8];
	for (int i = 1; i <= 4; i++)
		CHECK_OK(tp_hosts_put(h, task(i), "a:80", 0, &err), err);
	CHECK(tp_hosts_waiting(h) == 4, "waiting");
	CHECK(taken(h, 100, &t[1]) == 1, "the first");
	CHECK(!taken(h, 100.4, &t[0]) && fabs(tp_hosts_wait(h, 100.4) - 0.1) < 1e-9, "no pause");
	CHECK(taken(h, 100.5, &t[2]) == 2, "after the pause");
	CHECK(!taken(h, 200, &t[0]) && isinf(tp_hosts_wait(h, 200)), "three at one time");
	CHECK_OK(tp_hosts_put(h, task(9), "b:80", 200, &err), err);
	CHECK(tp_hosts_wait(h, 200) == 0 && taken(h, 200, &t[3]) == 9, "another host");
	end(t[1]);
	CHECK(taken(h, 200, &t[1]) == 3, "a place is free");
	tp_hosts_hold(t[1], 300);
	tp_hosts_hold(t[1], 250); /* not earlier than that */
	end(t[2]);
	CHECK(!taken(h, 299, &t[0]) && tp_hosts_wait(h, 299) == 1, "it asked to be left alone");
	CHECK(taken(h, 300, &t[2]) == 4, "the wait is over");
	end(t[1]);
	end(t[2]);
	end(t[3]);
	CHECK(!tp_hosts_waiting(h) && isinf(tp_hosts_wait(h, 400)), "all done");
	return 0;
}

static int later_and_given_up(tp_hosts *h)
{
	tp_err err = { 0 };
	tp_fetch_task *t = task(1), *u, *again = task(2);
	again->not_before = 50;
	CHECK_OK(tp_hosts_put(h, again, "a:80", 0, &err), err);
	CHECK_OK(tp_hosts_put(h, t, "a:80", 0, &err), err);
	CHECK(taken(h, 10, &u) == 1 && !taken(h, 40, &t) && tp_hosts_wait(h, 40) == 10,
		"tried again too early");
	CHECK(tp_hosts_bad(u) == 1 && tp_hosts_bad(u) == 2, "bad");
	tp_hosts_good(u);
	CHECK(tp_hosts_bad(u) == 1, "good");
	CHECK_OK(tp_hosts_put(h, task(3), "a:80", 10, &err), err);
	CHECK(!tp_hosts_given_up(h), "nothing is given up yet");
	CHECK(tp_hosts_give_up(u) && !tp_hosts_give_up(u), "given up once");
	CHECK(!taken(h, 100, &t), "asked again");
	CHECK_OK(tp_hosts_put(h, task(4), "a:80", 100, &err), err);
	int64_t sum = 0;
	while ((t = tp_hosts_given_up(h))) {
		sum += t->photo;
		tp_fetch_task_free(t);
	}
	CHECK(sum == 2 + 3 + 4 && !tp_hosts_waiting(h), "%lld", (long long)sum);
	end(u);
	return 0;
}

static int many_hosts(tp_hosts *h)
{
	tp_err err = { 0 };
	char name[32];
	int n[500] = { 0 };
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "host%d:443", i % 500);
		CHECK_OK(tp_hosts_put(h, task(1 + i % 500), name, 0, &err), err);
	}
	for (int round = 0; round < 2; round++) {
		tp_fetch_task *t;
		for (int i = 0; i < 500; i++) {
			CHECK(taken(h, round, &t), "round %d, %d", round, i);
			n[t->photo - 1]++;
			end(t);
		}
		CHECK(!taken(h, round, &t), "one more");
	}
	for (int i = 0; i < 500; i++)
		CHECK(n[i] == 2, "host %d: %d", i, n[i]);
	return 0;
}

static int test_hosts(void)
{
	int (*const tests[])(tp_hosts *) = { lines, later_and_given_up, many_hosts };
	for (int i = 0; i < 3; i++) {
		tp_hosts *h = NULL;
		long before = tp_mem_live();
		CHECK(!tp_hosts_new(&h, i == 0 ? 2 : 9, i == 0 ? 0.5 : 0.9, NULL), "new");
		CHECK(!tests[i](h), "%d", i);
		CHECK(!tp_hosts_put(h, task(1), "left", 0, NULL), "put"); /* freed with it */
		tp_hosts_free(h);
		CHECK(tp_mem_live() == before, "%d leaks", i);
	}
	return 0;
}

/* ---- a server and a catalog ---- */

static tp_buf picture; /* a PNG of 5 x 3 */
static char dir[64];
static int listener = -1, port, requests;

static void answer(int c)
{
	char q[4096], head[256];
	size_t n = 0;
	ssize_t k;
	while (n < sizeof q - 1 && (k = read(c, q + n, sizeof q - 1 - n)) > 0) {
		n += (size_t)k;
		q[n] = 0;
		if (strstr(q, "\r\n\r\n"))
			break;
	}
	bool found = !strncmp(q, "GET /p", 6);
	requests++;
	snprintf(head, sizeof head, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		found ? "200 OK" : "404 Not Found", found ? picture.len : (size_t)0);
	(void)!write(c, head, strlen(head));
	if (found)
		(void)!write(c, picture.ptr, picture.len);
	shutdown(c, SHUT_WR);
	while (read(c, q, sizeof q) > 0)
		;
}

static void *serve(void *ud)
{
	(void)ud;
	for (int c; (c = accept(listener, NULL, NULL)) >= 0; close(c))
		answer(c);
	return NULL;
}

static int begin_server(pthread_t *thread)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	tp_image *img = NULL;
	signal(SIGPIPE, SIG_IGN);
	tp_buf_init(&picture, 1 << 20);
	CHECK(!tp_image_new(&img, 5, 3, NULL) && !tp_image_encode_png(&picture, img, NULL), "picture");
	tp_image_free(img);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(!bind(listener, (struct sockaddr *)&a, sizeof a) && !listen(listener, 64) &&
			!getsockname(listener, (struct sockaddr *)&a, &len),
		"listen");
	port = ntohs(a.sin_port);
	return pthread_create(thread, NULL, serve, NULL);
}

static void end_server(pthread_t thread)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
	tp_buf_dispose(&picture);
}

static int make_catalog(const char *const *path, size_t n)
{
	char cmd[160], url[64];
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	const tp_catalog_source s = { .kind = "csv", .root = "/", .options = "", .started = 1 };
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	CHECK(!system(cmd), "rm");
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_CREATE, &err), err);
	CHECK_OK(tp_catalog_begin(c, &err), err);
	CHECK_OK(tp_catalog_source_begin(c, &s, &err), err);
	for (size_t i = 0; i < n; i++) {
		tp_row row = TP_ROW_INIT;
		tp_added how;
		snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", port, path[i]);
		row.url = url;
		row.name = "Aloe vera";
		row.where = "line";
		CHECK_OK(tp_catalog_add(c, &row, &how, &err), err);
	}
	CHECK_OK(tp_catalog_source_end(c, 2, (int64_t)n, 0, &err), err);
	CHECK_OK(tp_catalog_commit(c, &err), err);
	tp_catalog_close(c);
	return 0;
}

static tp_fetch_opts quick(void)
{
	return (tp_fetch_opts){ .dir = dir,
		.jobs = 4,
		.per_host = 4,
		.tries = 2,
		.backoff = 0.01,
		.max_wait = 5,
		.timeout = 60,
		.stall = 60,
		.redirects = 3,
		.max_photo = 1 << 20,
		.allow_private = true,
		.version = "0",
		.quiet = true };
}

typedef struct {
	char text[4096];
} notes;

static tp_code note_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	notes *x = ud;
	size_t at = strlen(x->text);
	(void)err;
	snprintf(x->text + at, sizeof x->text - at, "%lld %s %lld %dx%d %s%s%s\n", (long long)p->id,
		*p->file ? p->file : "-", (long long)p->bytes, p->width, p->height, p->sha256 ? "sha" : "-",
		p->excluded ? " " : "", p->excluded ? p->excluded : "");
	if (p->sha256) {
		const tp_sha256 want = tp_sha256_of(picture.ptr, picture.len);
		char hex[3];
		for (int i = 0; i < 32; i++) {
			snprintf(hex, sizeof hex, "%02x", p->sha256[i]);
			if (memcmp(hex, want.hex + 2 * i, 2) != 0)
				return tp_fail(
					err, TP_EFORMAT, "photo %lld: another sha256", (long long)p->id);
		}
	}
	return TP_OK;
}

static tp_code note_finding(void *ud, const tp_catalog_finding *f, tp_err *err)
{
	notes *x = ud;
	size_t at = strlen(x->text);
	(void)err;
	snprintf(x->text + at, sizeof x->text - at, "%lld %s %g\n", (long long)f->photo, f->rule, f->value);
	return TP_OK;
}

static int catalog_says(const char *want)
{
	static notes x;
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	x.text[0] = 0;
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_READ, &err), err);
	CHECK_OK(tp_catalog_each_photo(c, &all, note_photo, &x, &err), err);
	CHECK_OK(tp_catalog_each_finding(c, NULL, note_finding, &x, &err), err);
	tp_catalog_close(c);
	CHECK_STR(x.text, want);
	return 0;
}

static int set_column(int64_t photo, int column, tp_catalog_value v)
{
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_WRITE, &err), err);
	CHECK_OK(tp_catalog_set(c, &column, 1, &photo, 1, &v, &err), err);
	tp_catalog_close(c);
	return 0;
}

static int runs(const tp_fetch_opts *o, tp_fetched want)
{
	tp_fetched n;
	tp_err err = { 0 };
	CHECK_OK(tp_fetch(&n, o, &err), err);
	CHECK(n.wanted == want.wanted && n.fetched == want.fetched && n.here == want.here &&
			n.failed == want.failed && n.left == want.left && n.given_up == want.given_up &&
			n.excluded == want.excluded,
		"wanted %zu fetched %zu here %zu failed %zu left %zu given up %zu excluded %zu", n.wanted,
		n.fetched, n.here, n.failed, n.left, n.given_up, n.excluded);
	return 0;
}

static int rows(void)
{
	static const char *const paths[] = { "p1", "gone", "p3", "p4", "p5" };
	char want[1024], path[128];
	const int len = (int)picture.len;
	uint8_t sha[32] = { 1 };
	tp_fetch_opts o = quick();
	CHECK(!make_catalog(paths, 5), "catalog");
	CHECK(!set_column(
		      3, TP_SET_SHA256, (tp_catalog_value){ .kind = TP_VALUE_BYTES, .p = sha, .len = 32 }),
		"set");
	CHECK(!set_column(4, TP_SET_EXCLUDED, (tp_catalog_value){ .kind = TP_VALUE_TEXT, .p = "small" }),
		"set");
	CHECK(!runs(&o, (tp_fetched){ .wanted = 4, .fetched = 2, .failed = 2, .excluded = 1 }), "first run");
	CHECK(!set_column(3, TP_SET_SHA256, (tp_catalog_value){ .kind = TP_VALUE_NONE }), "set");
	snprintf(want, sizeof want,
		"1 photos/000000/000000001.png %d 5x3 sha\n2 - 0 0x0 - fetch_status\n3 - 0 0x0 - "
		"fetch_changed\n4 - 0 0x0 - small\n"
		"5 photos/000000/000000005.png %d 5x3 sha\n2 fetch_status 404\n3 fetch_changed nan\n",
		len, len);
	CHECK(!catalog_says(want), "rows");
	CHECK(!runs(&o, (tp_fetched){ .given_up = 2, .excluded = 1 }), "second run");
	o.again = true;
	CHECK(!runs(&o, (tp_fetched){ .wanted = 2, .fetched = 1, .failed = 1, .excluded = 1 }), "again");
	/* the catalog has forgotten photo 1, as after a kill before it was told; another file is not that photo */
	CHECK(!set_column(1, TP_SET_FILE, (tp_catalog_value){ .kind = TP_VALUE_NONE }), "set");
	CHECK(!set_column(5, TP_SET_FILE, (tp_catalog_value){ .kind = TP_VALUE_NONE }), "set");
	snprintf(path, sizeof path, "%s/photos/000000/000000005.png", dir);
	FILE *f = fopen(path, "w");
	CHECK(f && fputs("something else", f) > 0 && !fclose(f), "write");
	o.again = false;
	int before = requests;
	CHECK(!runs(&o, (tp_fetched){ .wanted = 2, .fetched = 1, .here = 1, .given_up = 1, .excluded = 1 }),
		"third run");
	CHECK(requests == before + 1, "%d requests", requests - before);
	snprintf(want, sizeof want,
		"1 photos/000000/000000001.png %d 5x3 sha\n2 - 0 0x0 - fetch_status\n3 "
		"photos/000000/000000003.png %d 5x3 sha\n"
		"4 - 0 0x0 - small\n5 photos/000000/000000005.png %d 5x3 sha\n2 fetch_status 404\n",
		len, len, len);
	return catalog_says(want);
}

/* Whichever allocation fails: it is said, nothing leaks, and the next run finishes the work. */
static int starve(void)
{
	static const char *const paths[] = { "p1", "gone", "p3" };
	char want[512];
	const int len = (int)picture.len;
	tp_fetch_opts o = quick();
	snprintf(want, sizeof want,
		"1 photos/000000/000000001.png %d 5x3 sha\n2 - 0 0x0 - fetch_status\n3 "
		"photos/000000/000000003.png %d 5x3 sha\n"
		"2 fetch_status 404\n",
		len, len);
	for (int n = 1;; n++) {
		tp_fetched done;
		CHECK(!make_catalog(paths, 3), "catalog");
		long before = tp_mem_live();
		tp_mem_fail_at(n);
		tp_code rc = tp_fetch(&done, &o, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == before, "allocation %d leaks", n);
		CHECK(rc == (failed ? TP_ENOMEM : TP_OK), "allocation %d: code %d", n, rc);
		CHECK(done.wanted == done.fetched + done.here + done.failed + done.left,
			"allocation %d: the sum", n);
		CHECK_OK(tp_fetch(&done, &o, NULL), ((tp_err){ 0 }));
		CHECK(!catalog_says(want), "allocation %d", n);
		if (!failed)
			return n > 10 ? 0 : 1;
	}
}

static int with_server(int (*test)(void))
{
	pthread_t thread;
	char cmd[96];
	snprintf(dir, sizeof dir, "/tmp/tepal-fetch-%d", (int)getpid());
	CHECK(!begin_server(&thread), "server");
	int bad = test();
	end_server(thread);
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) ? 1 : bad;
}

static int test_what_the_catalog_learns(void)
{
	return with_server(rows);
}

static int test_every_failed_allocation(void)
{
	return with_server(starve);
}

static int test_options_outside_their_range(void)
{
	tp_fetched n;
	tp_err err = { 0 };
	tp_fetch_opts o = quick();
	o.jobs = 0;
	CHECK(tp_fetch(&n, &o, &err) == TP_EINVAL && strstr(err.msg, "jobs is 0"), "%s", err.msg);
	o = quick();
	o.pause = NAN;
	CHECK(tp_fetch(&n, &o, &err) == TP_EINVAL && strstr(err.msg, "pause"), "%s", err.msg);
	o = quick();
	o.contact = "me\r\nX: y";
	CHECK(tp_fetch(&n, &o, &err) == TP_EINVAL && strstr(err.msg, "ASCII"), "%s", err.msg);
	o = quick();
	o.dir = "/nowhere/at/all";
	CHECK(tp_fetch(&n, &o, &err) == TP_ENOTFOUND, "%s", err.msg);
	return 0;
}

int main(void)
{
	return RUN(T(test_addresses), T(test_content_ranges), T(test_validators), T(test_notes_of_parts),
		T(test_hosts), T(test_options_outside_their_range), T(test_what_the_catalog_learns),
		T(test_every_failed_allocation));
}
