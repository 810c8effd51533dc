#ifndef TP_CLI_DATA_NAMES_H
#define TP_CLI_DATA_NAMES_H

#include "taxonomy/backbone.h"

/* tepal data names; as the commands of cli.h. */
int tp_cli_data_names(int argc, char **argv);

/* What was left out of a list and why, to standard error. */
void tp_cli_print_backbone(const char *path, const tp_backbone_stats *s);

#endif
