tp_fuzz_target(name LIBS tp_taxonomy)
tp_fuzz_target(backbone LIBS tp_taxonomy)
tp_unit_test(taxonomy SOURCES unit/taxonomy/test_taxonomy.c unit/taxonomy/shared.c LIBS tp_taxonomy)
tp_unit_test(misspelt SOURCES unit/taxonomy/test_misspelt.c unit/taxonomy/shared.c LIBS tp_taxonomy)
