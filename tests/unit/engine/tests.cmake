tp_unit_test(engine SOURCES unit/engine/test_fuse.c LIBS tp_engine)
tp_unit_test(photo_logits SOURCES unit/engine/test_photo_logits.c LIBS tp_engine)

# The published weights come with the ordinary client, once a build folder; without the photos nothing needs them.
if(TARGET tepal)
	set(imagenet ${CMAKE_BINARY_DIR}/efficientnet-lite0.safetensors)
	add_test(NAME e2e.fetch COMMAND sh -c
		"[ -n \"$TEPAL_PHOTOS\" ] || exit 77; exec \"$0\" model fetch efficientnet-lite0 --output \"$1\""
		$<TARGET_FILE:tepal> ${imagenet})
	set_tests_properties(e2e.fetch PROPERTIES SKIP_RETURN_CODE 77 FIXTURES_SETUP imagenet)
	set_tests_properties(unit.photo_logits PROPERTIES FIXTURES_REQUIRED imagenet ENVIRONMENT "TEPAL_IMAGENET=${imagenet}")
endif()
