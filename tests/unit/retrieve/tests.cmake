tp_unit_test(retrieve SOURCES unit/retrieve/test_retrieve.c LIBS tp_retrieve)
tp_unit_test(retrieve_damage SOURCES unit/retrieve/test_damage.c LIBS tp_retrieve)
tp_fuzz_target(index LIBS tp_retrieve)
