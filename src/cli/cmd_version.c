/* tepal version */
#include <stdio.h>

#include "cli/cli.h"
#include "nn/nn.h"

static const tp_option table[] = { { 0 } };
static const tp_syntax syntax = { .name = "version",
	.usage = "",
	.help = "Print the version and what it was built with.",
	.example = "tepal version",
	.options = table };

int cmd_version(int argc, char **argv)
{
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &syntax, NULL, argc, argv))
		return status;
	printf("tepal %s\nnetwork ops: %s\ncompiler: %s\n", TP_VERSION, tp_nn_backend(), __VERSION__);
	return 0;
}
