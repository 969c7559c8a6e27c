/* main - hands over to the command table; every role is a command (docs/architecture.md). */
#include "bucardo_machine/cli.h"

int main(int argc, char **argv)
{
	return bm_cli_main(argc, argv);
}
