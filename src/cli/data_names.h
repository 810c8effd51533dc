#ifndef TP_CLI_DATA_NAMES_H
#define TP_CLI_DATA_NAMES_H

/* tepal data names; as the commands of cli.h. */
int tp_cli_data_names(int argc, char **argv);

#endif
