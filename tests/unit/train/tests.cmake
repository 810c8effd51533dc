tp_unit_test(train SOURCES unit/train/test_train.c LIBS tp_train)
