tp_unit_test(data SOURCES unit/data/test_data.c LIBS tp_data)
tp_fuzz_target(csv LIBS tp_data)
tp_fuzz_target(manifest LIBS tp_data)
tp_unit_test(loader SOURCES unit/data/test_loader.c LIBS tp_data)
