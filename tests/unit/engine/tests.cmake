tp_unit_test(engine SOURCES unit/engine/test_fuse.c LIBS tp_engine)
