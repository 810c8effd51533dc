tp_fuzz_target(name LIBS tp_taxonomy)
