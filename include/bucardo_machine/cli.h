/* cli - everything a person or a probe types: one table of commands. */
#ifndef BUCARDO_MACHINE_CLI_H
#define BUCARDO_MACHINE_CLI_H

/* Find the command in argv[1], check its words, run it; returns the exit code. */
int bm_cli_main(int argc, char **argv);

#endif
