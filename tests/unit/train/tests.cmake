tp_unit_test(train SOURCES unit/train/test_train.c LIBS tp_train)
tp_unit_test(train_cache SOURCES unit/train/test_cache.c LIBS tp_train)
tp_unit_test(train_optim SOURCES unit/train/test_optim.c LIBS tp_train)
tp_unit_test(train_loss SOURCES unit/train/test_loss.c LIBS tp_train)
tp_unit_test(train_schedule SOURCES unit/train/test_schedule.c LIBS tp_train)
tp_unit_test(train_sampler SOURCES unit/train/test_sampler.c LIBS tp_train)
tp_unit_test(train_mixup SOURCES unit/train/test_mixup.c LIBS tp_train)
tp_unit_test(train_runlog SOURCES unit/train/test_runlog.c LIBS tp_train)
tp_unit_test(train_report SOURCES unit/train/test_html_report.c LIBS tp_train m)
add_executable(make_report e2e/make_report.c)
target_link_libraries(make_report PRIVATE tp_train tp_strict)
# Event files and reports, read back by readers that share no line with their writers.
find_program(TP_PYTHON python3)
if(TP_PYTHON)
	add_test(NAME unit.train_events
		COMMAND ${TP_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/unit/train/read_events.py $<TARGET_FILE:test_train_runlog>)
	add_test(NAME unit.train_report_page COMMAND ${TP_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/unit/train/read_report.py
		$<TARGET_FILE:test_train_runlog> $<TARGET_FILE:make_report>)
endif()
