tp_unit_test(weights SOURCES unit/nn/test_weights.c LIBS tp_nn)
tp_fuzz_target(safetensors LIBS tp_nn)
tp_fuzz_target(checkpoint LIBS tp_nn)
tp_unit_test(plan SOURCES unit/nn/test_plan.c LIBS tp_nn)
