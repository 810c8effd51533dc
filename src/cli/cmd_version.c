/* tepal version */
#include <stdio.h>

#include "cli/cli.h"
#include "nn/nn.h"

int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("tepal %s\nnetwork ops: %s\ncompiler: %s\n", TP_VERSION, tp_nn_backend(), __VERSION__);
	return 0;
}
