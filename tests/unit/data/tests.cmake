tp_unit_test(data SOURCES unit/data/test_data.c LIBS tp_data)
