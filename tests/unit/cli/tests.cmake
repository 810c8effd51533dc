tp_unit_test(cli SOURCES unit/cli/test_options.c LIBS tp_cli)
tp_unit_test(match_catalog SOURCES unit/cli/test_match_catalog.c LIBS tp_match_catalog PkgConfig::sqlite3)
