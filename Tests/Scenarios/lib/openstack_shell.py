"""Runs `openstack` commands in one process: a JSON list of words a line in, a JSON object a line out.

The real client's own entry point is called for each, with its output caught; only Python's start is saved.
"""

import contextlib
import io
import json
import sys

from openstackclient import shell

out = sys.stdout
for line in sys.stdin:
    words = json.loads(line)
    text, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(errors):
        sys.stdout.buffer = io.BytesIO()
        try:
            status = shell.main(words)
        except SystemExit as ending:
            status = ending.code
        except Exception as error:
            status = f"{type(error).__name__}: {error}"
        sys.stdout.flush()
        raw = sys.stdout.buffer.getvalue().decode()
    print(json.dumps({"status": status, "out": text.getvalue() + raw, "err": errors.getvalue()}), file=out, flush=True)
