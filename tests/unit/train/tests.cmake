tp_unit_test(train SOURCES unit/train/test_train.c LIBS tp_train)
tp_unit_test(train_cache SOURCES unit/train/test_cache.c LIBS tp_train)
tp_unit_test(train_optim SOURCES unit/train/test_optim.c LIBS tp_train)
tp_unit_test(train_schedule SOURCES unit/train/test_schedule.c LIBS tp_train)
