tp_unit_test(resize SOURCES unit/image/test_resize.c LIBS tp_image)
tp_unit_test(decode SOURCES unit/image/test_decode.c LIBS tp_image)
tp_fuzz_target(decode LIBS tp_image)
