tp_unit_test(engine SOURCES unit/engine/test_fuse.c LIBS tp_engine)
tp_unit_test(photo_logits SOURCES unit/engine/test_photo_logits.c LIBS tp_engine)
