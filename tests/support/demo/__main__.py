"""The shows of scripts/demo."""

import argparse
import os
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

# pylint: disable=wrong-import-position
from support.demo.dashboard_picture import DashboardPicture  # noqa: E402
from support.demo.declared import Declared  # noqa: E402
from support.demo.dev import Dev  # noqa: E402
from support.demo.manual import Manual  # noqa: E402
from support.demo.picture import Picture  # noqa: E402
from support.demo.report_picture import ReportPicture  # noqa: E402
from support.demo.show import paint, say  # noqa: E402
from support.samples import REPOSITORY  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself")
    parser.add_argument("--manual", action="store_true", help="the original's commands, typed")
    parser.add_argument("--dev", action="store_true", help="a machine to play with")
    parser.add_argument("--picture", action="store_true", help="write docs/status.svg")
    parser.add_argument("--report-picture", action="store_true", help="write docs/proof.png")
    parser.add_argument("--dashboard-picture", action="store_true", help="write docs/dashboard.png")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # Whoever was started in the background of a script inherits that SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = tempfile.mkdtemp(prefix="bm-demo-", dir="/tmp")
    os.chmod(folder, 0o755)
    built = os.environ.get("BM_BINARY") or os.path.join(REPOSITORY, "build", "bucardo-machine")
    binary = shutil.copy(built, os.path.join(folder, "bucardo-machine"))
    kind = Manual if options.manual else Dev if options.dev else Picture if options.picture \
        else ReportPicture if options.report_picture else DashboardPicture if options.dashboard_picture else Declared
    show, code = kind(folder, binary), 1
    try:
        show.acts()
        code = 0
        if not (options.once or options.picture or options.report_picture or options.dashboard_picture):
            show.stay()
    except KeyboardInterrupt:
        pass
    except AssertionError as error:
        say(paint("1;31", f"\nThe demo failed: {error}") + "\n" + show.machine.log_tail())
    finally:
        say("\nCleaning up.")
        show.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
