# Tests that start the real program. They need Node; the page's needs Chromium, and playwright-core from npm ci here.
find_program(TP_NODE node)
set(TP_E2E_MODEL ${PROJECT_SOURCE_DIR}/models/plants83.safetensors)
if(TP_NODE AND TARGET tepal)
	add_test(NAME e2e.server COMMAND ${TP_NODE} --test ${CMAKE_CURRENT_SOURCE_DIR}/e2e/server.test.mjs)
	set_tests_properties(e2e.server PROPERTIES
		ENVIRONMENT "TEPAL_BIN=$<TARGET_FILE:tepal>;TEPAL_MODEL=${TP_E2E_MODEL}")
	foreach(name cli manual tune shards data_fetch)
		add_test(NAME e2e.${name} COMMAND ${TP_NODE} --test ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${name}.test.mjs)
		set_tests_properties(e2e.${name} PROPERTIES
			ENVIRONMENT "TEPAL_BIN=$<TARGET_FILE:tepal>;TEPAL_MODEL=${TP_E2E_MODEL}")
	endforeach()
	add_test(NAME e2e.page COMMAND ${TP_NODE} --test ${CMAKE_CURRENT_SOURCE_DIR}/e2e/page.test.mjs)
	set_tests_properties(e2e.page PROPERTIES
		ENVIRONMENT "TEPAL_BIN=$<TARGET_FILE:tepal>;TEPAL_MODEL=${TP_E2E_MODEL};TEPAL_SHOTS=${CMAKE_BINARY_DIR}/page")
endif()
if(TP_NODE)
	add_test(NAME e2e.report COMMAND ${TP_NODE} --test ${CMAKE_CURRENT_SOURCE_DIR}/e2e/report.test.mjs)
	set_tests_properties(e2e.report PROPERTIES
		ENVIRONMENT "TEPAL_MAKE_REPORT=$<TARGET_FILE:make_report>;TEPAL_SHOTS=${CMAKE_BINARY_DIR}/report")
	add_test(NAME e2e.data_report COMMAND ${TP_NODE} --test ${CMAKE_CURRENT_SOURCE_DIR}/e2e/data_report.test.mjs)
	set_tests_properties(e2e.data_report PROPERTIES
		ENVIRONMENT "TEPAL_MAKE_DATA_REPORT=$<TARGET_FILE:make_data_report>;TEPAL_SHOTS=${CMAKE_BINARY_DIR}/data-report")
endif()
