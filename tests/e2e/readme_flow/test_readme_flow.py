"""Story 1: a fresh start, and the original README typed word for word while applications write."""

from support import compare, readme_flow, samples
from support.traffic import Traffic, marker


def test_the_readme_moves_a_database_under_writes_and_back(stage):
    sample = samples.best()
    source, dest = stage.pair(sample)
    machine = stage.machine(source, dest).wait_ready()

    # Up to the copy nobody may write what only a copy could bring; then everybody may.
    with Traffic(source, sample) as traffic:
        readme_flow.run(machine, source, dest, sample)
        marker(source, dest, sample, sample, seconds=60)
        traffic.wait_total(100)
    assert traffic.total() > 100
    compare.wait_equal(source, dest, sample, seconds=60)

    # Cut over: the applications write to the new server now, and the old one follows.
    with Traffic(dest, sample) as traffic:
        marker(dest, source, sample, sample, seconds=60)
        traffic.wait_total(100)
    compare.wait_equal(dest, source, sample, seconds=60)
    assert "MyDBSync" in machine.shell("bucardo status").check()
    assert "MyDestDB" in machine.shell("bucardo list all").check()
    machine.wait_ready(30)


def test_the_readme_works_typed_at_a_terminal(stage):
    """The same commands in `exec -i -t … -- bash -l`, as people paste them."""
    sample = samples.best()
    source, dest = stage.pair(sample)
    machine = stage.machine(source, dest).wait_ready()
    terminal = machine.terminal()
    terminal.wait_for("$ ")
    for name, value in readme_flow.environment(source, dest, sample).items():
        terminal.type(f"export {name}={value}\r")
    for number, (_, script) in enumerate(readme_flow.STEPS):
        terminal.type(script.replace("\n", "\r") + "\r")
        terminal.type(f'echo "step {number} ended with "$?.\r')
        terminal.wait_for(f"step {number} ended with 0.", 120)
    marker(source, dest, sample, sample, seconds=60)
    terminal.type("exit\r")
    assert terminal.wait_end() == 0
    compare.wait_equal(source, dest, sample)
