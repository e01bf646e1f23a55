# Where programs find their libraries when they run. Built with the system's own libraries: nothing to do. Built inside the
# private Debian root (scripts/toolchain), a program names that root as its loader and first library folder, and so runs
# outside it, on a system whose libc is older, with no wrapper.
set(HEARTH_ROOT_DIR "" CACHE STRING "the private toolchain root this build runs in; empty: the system's own")
if(DEFINED ENV{HEARTH_ROOT})
  set(HEARTH_ROOT_DIR "$ENV{HEARTH_ROOT}" CACHE STRING "" FORCE)  # scripts/in-root says where it is, also after a new one was made
endif()
set(HEARTH_GGML_BACKEND_DIR "" CACHE INTERNAL "the folder of ggml's back ends; empty: ggml's own default")

if(HEARTH_ROOT_DIR)
  set(multiarch ${CMAKE_LIBRARY_ARCHITECTURE})  # as x86_64-linux-gnu
  file(GLOB loaders ${HEARTH_ROOT_DIR}/lib64/ld-linux-*.so.* ${HEARTH_ROOT_DIR}/lib/ld-linux-*.so.*)
  if(NOT loaders OR NOT multiarch)
    message(FATAL_ERROR "no program loader in ${HEARTH_ROOT_DIR}; remove that folder and run `make build` again")
  endif()
  list(GET loaders 0 loader)
  # RPATH, not RUNPATH: it also holds for what libraries and dlopened ggml back ends need in turn. And every library is named
  # by the program itself, because libllama.so carries a RUNPATH of its own, for which the loader forgets ours.
  add_link_options("SHELL:-Xlinker \"--dynamic-linker=${loader}\"" "LINKER:--disable-new-dtags,--no-as-needed"
    "SHELL:-Xlinker \"-rpath=${HEARTH_ROOT_DIR}/usr/lib/${multiarch}\"")
  file(GLOB backends LIST_DIRECTORIES true ${HEARTH_ROOT_DIR}/usr/lib/${multiarch}/ggml/backends*)
  if(backends)
    list(GET backends -1 newest)
    set(HEARTH_GGML_BACKEND_DIR ${newest} CACHE INTERNAL "")
  endif()
endif()

if(APPLE AND NOT HEARTH_ROOT_DIR)
  # Homebrew's prefix is not among the compiler's own folders.
  execute_process(COMMAND brew --prefix OUTPUT_VARIABLE brew_prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(brew_prefix)
    include_directories(SYSTEM ${brew_prefix}/include)
    list(APPEND CMAKE_PREFIX_PATH ${brew_prefix})
  endif()
endif()

if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(HEARTH_CCACHE ccache)
  if(HEARTH_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${HEARTH_CCACHE})
  endif()
endif()
