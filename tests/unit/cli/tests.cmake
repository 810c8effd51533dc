tp_unit_test(cli SOURCES unit/cli/test_options.c LIBS tp_cli)
