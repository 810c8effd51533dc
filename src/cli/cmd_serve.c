/* tepal serve: the page and the JSON API on one port, until Ctrl-C or SIGTERM. */
#include <arpa/inet.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "engine/engine.h"
#include "server/server.h"

static const char help[] =
	"Usage: tepal serve [OPTION...]\n\n"
	"Serve a model: a page for people, and a JSON API that Pl@ntNet clients understand.\n\n"
	"  -m, --model FILE     the model (default: models/plants83.safetensors)\n"
	"  -i, --index FILE     reference photos (default: FILE.index.safetensors beside the model, if "
	"there)\n"
	"  -H, --host ADDRESS   address to listen on; 0.0.0.0 is all (default: 127.0.0.1)\n"
	"  -p, --port N         port to listen on; 0 is any free one (default: 8080)\n"
	"  -w, --workers N      photos worked on at once (default: one for each processor)\n\n"
	"Example: tepal serve --model models/plants83.safetensors --port 8081\n";

typedef struct {
	const char *model, *index, *host;
	long port, workers;
} options;

/* 0 to go on, else the exit status plus one. */
static int parse(options *o, int argc, char **argv)
{
	static const struct option table[] = { { "model", required_argument, NULL, 'm' },
		{ "index", required_argument, NULL, 'i' }, { "host", required_argument, NULL, 'H' },
		{ "port", required_argument, NULL, 'p' }, { "workers", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	tp_err err = { 0 };
	for (int c; (c = getopt_long(argc, argv, "m:i:H:p:w:h", table, NULL)) != -1;) {
		if (c == 'm')
			o->model = optarg;
		else if (c == 'i')
			o->index = optarg;
		else if (c == 'H')
			o->host = optarg;
		else if (c == 'p' && tp_cli_int(&o->port, "port", optarg, 0, 65535, &err))
			return 1 + tp_cli_usage("serve", "%s", err.msg);
		else if (c == 'w' && tp_cli_int(&o->workers, "workers", optarg, 1, 256, &err))
			return 1 + tp_cli_usage("serve", "%s", err.msg);
		else if (c == 'h')
			return fputs(help, stdout), 1;
		else if (c == '?')
			return 1 + TP_EXIT_USAGE;
	}
	return optind < argc ? 1 + tp_cli_usage("serve", "\"%s\" is one word too many", argv[optind]) : 0;
}

/* An index that merely lies beside the model and does not fit it is no reason not to start. */
static tp_code open_engine(tp_engine **out, const options *o, tp_err *err)
{
	char *beside = o->index ? NULL : tp_cli_index_path(o->model);
	bool found = beside && tp_is_file(beside);
	tp_engine_opts eo = {
		.model_path = o->model, .index_path = found ? beside : o->index, .workers = (int)o->workers
	};
	tp_code rc = tp_engine_open(out, &eo, err);
	if (rc && found) {
		tp_err why = *err;
		eo.index_path = NULL;
		rc = tp_engine_open(out, &eo, err);
		if (!rc)
			fprintf(stderr, "warning: no reference photos: %s\n", why.msg);
	}
	tp_free(beside);
	return rc;
}

static bool is_every_address(const char *host)
{
	return !strcmp(host, "0.0.0.0") || !strcmp(host, "::");
}

static void print_network(int port)
{
	struct ifaddrs *list = NULL;
	char text[INET_ADDRSTRLEN];
	if (getifaddrs(&list))
		return;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || (i->ifa_flags & IFF_LOOPBACK))
			continue;
		const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)i->ifa_addr;
		if (inet_ntop(AF_INET, &a->sin_addr, text, sizeof text))
			printf("On your network:   http://%s:%d\n", text, port);
	}
	freeifaddrs(list);
	printf("Anyone on your network may use it: there are no passwords.\n");
}

static void print_welcome(const tp_engine *e, const options *o, int port)
{
	const tp_model *m = tp_engine_model(e);
	const tp_index *x = tp_engine_index(e);
	bool every = is_every_address(o->host), six = strchr(o->host, ':') && !every;
	char url[128];
	snprintf(url, sizeof url, "http://%s%.64s%s:%d", six ? "[" : "", every ? "127.0.0.1" : o->host,
		six ? "]" : "", port);
	printf("listening %s\n\n", url);
	printf("Model:             %s, %s, %d species\n", tp_model_name(m), tp_model_version(m),
		tp_model_classes(m));
	if (x)
		printf("Reference photos:  %zu\n", tp_index_count(x));
	else
		printf("Reference photos:  none; add them with: tepal index --model %s --photos FOLDER\n",
			o->model);
	printf("Page:              %s/\n", url);
	printf("API:               curl -F images=@photo.jpg -F organs=auto '%s/v2/identify/all'\n", url);
	if (every)
		print_network(port);
	printf("Stop with Ctrl-C.\n");
	fflush(stdout);
}

/* Signals that end the server go to sigwait() alone. Called before any thread starts, so that all inherit it. */
static void hold_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int cmd_serve(int argc, char **argv)
{
	options o = { .model = "models/plants83.safetensors", .host = "127.0.0.1", .port = 8080 };
	tp_engine *engine = NULL;
	tp_app *app = NULL;
	tp_server *server = NULL;
	tp_err err = { 0 };
	sigset_t set;
	int sig, stop = parse(&o, argc, argv);
	if (stop)
		return stop - 1;
	hold_signals(&set);
	tp_code rc = open_engine(&engine, &o, &err);
	if (!rc)
		rc = tp_app_new(&app, engine, &err);
	if (!rc) {
		tp_server_opts so = { .host = o.host, .port = (int)o.port, .workers = (int)o.workers };
		rc = tp_server_start(&server, app, &so, &err);
	}
	if (!rc) {
		print_welcome(engine, &o, tp_server_port(server));
		sigwait(&set, &sig);
		fprintf(stderr, "finishing what is under way; a second Ctrl-C ends at once\n");
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	}
	tp_server_stop(server);
	tp_app_free(app);
	tp_engine_close(engine);
	return rc ? tp_cli_fail("serve", &err) : 0;
}
