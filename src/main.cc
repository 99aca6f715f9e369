#include "app/arguments.h"
#include "app/command_line.h"

int main(int argc, char** argv) {
  probegate::app::Arguments arguments(argc, argv);
  return probegate::app::run_command_line(arguments.count(), arguments.values());
}
