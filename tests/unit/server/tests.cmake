tp_unit_test(server SOURCES unit/server/test_server.c unit/server/fake_engine.c LIBS tp_server_app tp_image)
tp_fuzz_target(multipart LIBS tp_server_app)
tp_fuzz_target(query LIBS tp_server_app)
