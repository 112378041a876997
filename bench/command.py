"""What every benchmark does around its measuring: end cleanly, print as text or as JSON."""

import argparse
import json
from collections.abc import Callable
from typing import Any

import processes
import report
from processes import say

Result = dict[str, Any]


def command(
    options: argparse.Namespace,
    measure: Callable[[argparse.Namespace], Result],
    render: Callable[[Result], str],
) -> Result:
    """What `measure` found, with machine and settings beside it, printed.

    Raises SystemExit when it was stopped (130) or could not be done (1).
    """
    try:
        with processes.ending_cleanly():
            figures = measure(options)
    except KeyboardInterrupt:
        say("stopped; nothing is left running")
        raise SystemExit(130) from None
    except RuntimeError as error:
        say(str(error))
        raise SystemExit(1) from None
    settings = {name: value for name, value in vars(options).items() if name != "json"}
    result = {"machine": report.machine(), "settings": settings, **figures}
    print(json.dumps(report.plain(result), indent=1) if options.json else render(result))
    return result
