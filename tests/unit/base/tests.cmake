tp_unit_test(base SOURCES unit/base/test_base.c LIBS tp_base)
add_test(NAME check.layers COMMAND ${PROJECT_SOURCE_DIR}/tools/check_layers.sh)
add_test(NAME check.style COMMAND ${PROJECT_SOURCE_DIR}/tools/check_style.sh)
add_test(NAME check.vendor COMMAND sha256sum -c --quiet SHA256SUMS WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/web/vendor)
