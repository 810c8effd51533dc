/* tepal data fetch: the photos of a catalog that are known by their URL alone. */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/cancel.h"
#include "base/limits.h"
#include "cli/cli.h"
#include "data/fetch.h"

typedef struct {
	tp_fetch_opts o;
	int pause, backoff, max_wait, timeout, stall, max_photo, max_total;
	bool list;
} fetch_options;

#define AT(field) offsetof(fetch_options, field)
static const tp_option table[] = {
	{ "jobs", 'j', TP_OPT_INT, AT(o.jobs), "N", "downloads at one time", "16", .min = 1, .max = 256 },
	{ "per-host", 0, TP_OPT_INT, AT(o.per_host), "N", "of them, from one host", "4", .min = 1,
		.max = 256 },
	{ "pause", 0, TP_OPT_INT, AT(pause), "MS", "milliseconds between two requests to one host", "100",
		.max = 3600000 },
	{ "contact", 0, TP_OPT_TEXT, AT(o.contact), "TEXT",
		"how hosts reach you; sent to them with the name of this program" },
	{ "tries", 0, TP_OPT_INT, AT(o.tries), "N", "of a photo, where it may help", "5", .min = 1,
		.max = 100 },
	{ "backoff", 0, TP_OPT_INT, AT(backoff), "MS",
		"milliseconds before the second try, about; each wait is twice the one before", "1000",
		.max = 3600000 },
	{ "max-wait", 0, TP_OPT_INT, AT(max_wait), "SECONDS",
		"a host that wants to be left alone for longer is left for another run", "600",
		.max = 86400 },
	{ "timeout", 0, TP_OPT_INT, AT(timeout), "SECONDS", "that one try may take", "300", .min = 1,
		.max = 86400 },
	{ "stall", 0, TP_OPT_INT, AT(stall), "SECONDS",
		"a try ends when less than 1 KiB a second comes for so long", "30", .min = 1, .max = 86400 },
	{ "redirects", 0, TP_OPT_INT, AT(o.redirects), "N", "that are followed", "5", .max = 50 },
	{ "max-photo", 0, TP_OPT_INT, AT(max_photo), "KIB", "size of a photo", "51200", .min = 1,
		.max = TP_MAX_PHOTO_FILE >> 10 },
	{ "max-total", 0, TP_OPT_INT, AT(max_total), "MIB", "size of all that comes in this run",
		.fallback_help = "no limit", .max = 1000000000 },
	{ "allow-private", 0, TP_OPT_FLAG, AT(o.allow_private),
		.help = "also from addresses that are not of the open Internet: loopback, private, "
			"link-local, ..." },
	{ "again", 0, TP_OPT_FLAG, AT(o.again),
		.help = "also try what failed before for a reason that lasts" },
	{ "list", 'l', TP_OPT_FLAG, AT(list), .help = "list every photo that failed: number, reason, URL" },
	{ "quiet", 'q', TP_OPT_FLAG, AT(o.quiet), .help = "no progress" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "data fetch",
	.usage = "CATALOG [OPTION...]",
	.help = "Download the photos of a catalog that have a URL but no file yet.",
	.notes = "Ctrl-C keeps finished work; the same command goes on from there, in the middle of a photo "
		 "where the host "
		 "allows it. A photo that is not there any more, or is none, is not tried again (--again). "
		 "Only http and "
		 "https, no proxy, and only from addresses of the open Internet.",
	.example = "tepal data fetch plants/ --contact ann@example.org",
	.options = table,
	.min_words = 1,
	.max_words = 1,
	.wanted = "one folder with a catalog is needed" };

static void print_failed(void *ud, int64_t photo, const char *url, const char *reason)
{
	(void)ud;
	printf("%lld\t%s\t%s\n", (long long)photo, reason ? reason : "left", url);
}

static void print_sum(const tp_fetched *n)
{
	printf("%zu photos wanted: %zu fetched, %zu here already, %zu failed, %zu left; %.1f MiB came\n",
		n->wanted, n->fetched, n->here, n->failed, n->left, (double)n->bytes / (1 << 20));
	for (int i = 0; i < TP_FETCH_REASONS; i++)
		if (n->by[i])
			printf("%9zu  %s: %s%s\n", n->by[i], tp_fetch_reasons[i].rule,
				tp_fetch_reasons[i].help,
				tp_fetch_reasons[i].lasts ? "" : "; tried again in the next run");
	if (n->resumed)
		printf("%zu of those fetched went on from a part\n", n->resumed);
	if (n->hosts_given_up)
		printf("%zu hosts that do not answer, or want to be left alone, were given up in this run\n",
			n->hosts_given_up);
	if (n->limit)
		printf("stopped at --max-total\n");
	if (n->given_up)
		printf("%zu more failed in an earlier run and are not tried again (--again tries them)\n",
			n->given_up);
	if (n->excluded)
		printf("%zu more are excluded by a rule and are not fetched\n", n->excluded);
}

int data_fetch(int argc, char **argv)
{
	fetch_options x = { 0 };
	tp_err err = { 0 };
	tp_fetched n;
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &syntax, &x, argc, argv))
		return status;
	x.o.dir = words.v[0];
	x.o.pause = x.pause / 1e3;
	x.o.backoff = x.backoff / 1e3;
	x.o.max_wait = x.max_wait;
	x.o.timeout = x.timeout;
	x.o.stall = x.stall;
	x.o.max_photo = (int64_t)x.max_photo << 10;
	x.o.max_total = (int64_t)x.max_total << 20;
	x.o.version = TP_VERSION;
	x.o.seed = (uint64_t)time(NULL);
	x.o.failed = x.list ? print_failed : NULL;
	signal(SIGPIPE, SIG_IGN); /* connections that break are an answer, not an end */
	signal(SIGXFSZ, SIG_IGN); /* so is a disk that takes no more */
	tp_cancel_on_signals();
	tp_code rc = tp_fetch(&n, &x.o, &err);
	if (!rc || n.wanted)
		print_sum(&n);
	return rc ? tp_cli_fail(syntax.name, &err) : 0;
}
