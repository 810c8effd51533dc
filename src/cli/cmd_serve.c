/* tepal serve: the page and the JSON API on one port, until Ctrl-C or SIGTERM. */
#include <arpa/inet.h>
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

typedef struct {
	const char *model, *index, *host;
	int port, workers;
} options;

static const tp_option table[] = {
	{ "model", 'm', TP_OPT_TEXT, offsetof(options, model), "FILE", "the model", TP_DEFAULT_MODEL },
	{ "index", 'i', TP_OPT_TEXT, offsetof(options, index), "FILE", "reference photos",
		.fallback_help = "FILE.index.safetensors beside the model, if there" },
	{ "host", 'H', TP_OPT_TEXT, offsetof(options, host), "ADDRESS",
		"address to listen on; 0.0.0.0 is all", "127.0.0.1" },
	{ "port", 'p', TP_OPT_INT, offsetof(options, port), "N", "port to listen on; 0 is any free one",
		"8080", .max = 65535 },
	{ "workers", 'w', TP_OPT_INT, offsetof(options, workers), "N", "photos worked on at once",
		.fallback_help = "one for each processor", .min = 1, .max = 256 },
	{ 0 },
};
static const tp_syntax syntax = { .name = "serve",
	.usage = "[OPTION...]",
	.help = "Serve a model: a page for people, and a JSON API that Pl@ntNet clients understand.",
	.example = "tepal serve --model " TP_DEFAULT_MODEL " --port 8081",
	.options = table };

/* An index that merely lies beside the model and does not fit it is no reason not to start. */
static tp_code open_engine(tp_engine **out, const options *o, tp_err *err)
{
	char *beside = o->index ? NULL : tp_cli_index_path(o->model);
	bool found = beside && tp_is_file(beside);
	tp_engine_opts eo = {
		.model_path = o->model, .index_path = found ? beside : o->index, .workers = o->workers
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
	options o = { 0 };
	tp_engine *engine = NULL;
	tp_app *app = NULL;
	tp_server *server = NULL;
	tp_err err = { 0 };
	sigset_t set;
	tp_words words;
	int sig, status;
	if (!tp_cli_parse(&words, &status, &syntax, &o, argc, argv))
		return status;
	hold_signals(&set);
	tp_code rc = open_engine(&engine, &o, &err);
	if (!rc)
		rc = tp_app_new(&app, engine, &err);
	if (!rc) {
		tp_server_opts so = { .host = o.host, .port = o.port, .workers = o.workers };
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
