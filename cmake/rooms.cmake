# hearth_room(NAME [USES room|target ...] [TESTS_USE target ...]): one folder under src/ is one static library `room_NAME` with every
# *.cpp in it except *_test.cpp; those become one doctest program `NAME_test`. The main() of the tests is
# tests/unit_main.cpp. An arrow between rooms is a USES here, and a test reads the includes to hold it true.
add_library(hearth_flags INTERFACE)
target_compile_definitions(hearth_flags INTERFACE $<$<BOOL:${HEARTH_DCHECK}>:HEARTH_DCHECK=1>)
target_compile_features(hearth_flags INTERFACE cxx_std_23)
target_include_directories(hearth_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
# Designated initialisers name what differs from the defaults; the rest being absent is the point of them.
target_compile_options(hearth_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Wold-style-cast -Wno-missing-field-initializers
  $<$<BOOL:${HEARTH_WERROR}>:-Werror>)
if(HEARTH_SANITIZE STREQUAL "address")
  target_compile_options(hearth_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(hearth_flags INTERFACE -fsanitize=address,undefined)
elseif(HEARTH_SANITIZE STREQUAL "thread")
  target_compile_options(hearth_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(hearth_flags INTERFACE -fsanitize=thread)
endif()
if(HEARTH_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC sees uninitialised members of std::function where its own instrumentation stands between.
  target_compile_options(hearth_flags INTERFACE -Wno-maybe-uninitialized)
endif()
if(HEARTH_FUZZ)
  # The driver of the fuzzers keeps the inputs that reach new code. clang's counts itself.
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(hearth_flags INTERFACE -fsanitize=fuzzer-no-link)
  else()
    target_compile_options(hearth_flags INTERFACE -fsanitize-coverage=trace-pc)
  endif()
endif()

if(HEARTH_TESTS)
  # The one main() of all unit tests, compiled once.
  add_library(unit_main OBJECT ${PROJECT_SOURCE_DIR}/tests/unit_main.cpp)
  target_link_libraries(unit_main PUBLIC hearth_flags)
endif()

function(hearth_room NAME)
  cmake_parse_arguments(ROOM "" "" "USES;TESTS_USE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$|/main\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  if(NOT sources)
    return()
  endif()
  add_library(room_${NAME} STATIC ${sources})
  target_link_libraries(room_${NAME} PUBLIC hearth_flags ${ROOM_USES})
  if(HEARTH_TESTS AND tests)
    add_executable(${NAME}_test ${tests})
    target_link_libraries(${NAME}_test PRIVATE unit_main room_${NAME} ${ROOM_TESTS_USE})
    # Test bodies run once: compiling them fast is worth more than running them fast.
    target_compile_options(${NAME}_test PRIVATE -Wno-conversion $<$<CONFIG:Release>:-O0>)
    set_property(GLOBAL APPEND PROPERTY HEARTH_TEST_PROGRAMS ${NAME}_test)
  endif()
endfunction()
