"""Run all measurements: `scripts/bench`, or `python -m benchmarks [NAME...]`.

Each compares ours with a baseline, the two taken in turn in one run, so that a busy
machine slows both. Medians are printed; the last figures stand in docs/performance.md.
"""

from collections.abc import Callable, Sequence

import click

from benchmarks import chaos, edges, help_text, judging, restart, sim, suite
from benchmarks.measure import Row

ALL: dict[str, Callable[[], Sequence[Row]]] = {
    "help": help_text.measure,
    "restart": restart.measure,
    "judging": judging.measure,
    "suite": suite.measure,
    "sim": sim.measure,
    "chaos": chaos.measure,
    "edges": edges.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(ALL)))
def main(names: tuple[str, ...]) -> None:
    """Print the measurements NAMES, or all of them."""
    click.echo(f"{'what':52} {'ours':>10} {'baseline':>10} {'ratio':>7}")
    for name in names or ALL:
        for one in ALL[name]():
            click.echo(one.row())


main()
