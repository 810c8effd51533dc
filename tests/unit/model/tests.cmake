tp_unit_test(model SOURCES unit/model/test_model.c LIBS tp_model)
tp_fuzz_target(model LIBS tp_model)
