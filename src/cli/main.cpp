// The front's program.
#include "cli/cli.h"

int main(int argc, char** argv) { return hearth::cli::run_program(argc, argv); }
