# What one run of ansible-playbook does, told to muster as it happens: a line of
# JSON for each fact, into the pipe that MUSTER_LAUNCH_EVENTS names. Package
# launch says what the lines mean. It decides nothing.
#
# The playbook that is run ends with a play of muster's own, which only those
# reach that nothing has stopped before.
import json
import os

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: events
    type: notification
    short_description: tells muster what happens
    description: Writes a line of JSON for each fact into a pipe.
    requirements: ["MUSTER_LAUNCH_EVENTS in the environment"]
"""

LONGEST = 2000  # characters of a reason


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "muster.launch.events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.pipe = open(os.environ["MUSTER_LAUNCH_EVENTS"], "w", encoding="ascii")
        self.play = self.last = None
        self.end = ""

    def tell(self, event, **more):
        self.pipe.write(json.dumps(dict(more, event=event)) + "\n")
        self.pipe.flush()

    def v2_playbook_on_start(self, playbook):
        if playbook._file_name != os.environ["MUSTER_LAUNCH_PLAYBOOK"]:
            return  # another one, that somebody has put beside it
        plays = playbook.get_plays()
        self.end = plays[-1]._uuid
        self.last = plays[-2]._uuid if len(plays) > 1 else None
        self.tell("start", check=bool(context.CLIARGS.get("check")))

    def v2_playbook_on_play_start(self, play):
        # A play with `serial` starts once for each batch of its hosts.
        again = play._uuid == self.play
        self.play = play._uuid
        if self.play != self.end:
            self.tell("play", play=play.get_name(), next_batch=again and self.play == self.last)

    def v2_runner_on_ok(self, result):
        if self.play == self.end:
            self.tell("finished", host=result._host.get_name())
        else:
            self.task(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_skipped(self, result):
        self.task(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.task(result, "ignored" if ignore_errors else "failed", reason(result._result))

    def v2_runner_on_unreachable(self, result):
        ignored = getattr(result._task, "ignore_unreachable", False)
        self.task(result, "ignored" if ignored else "unreachable", reason(result._result))

    def task(self, result, state, why=""):
        self.tell("task", host=result._host.get_name(), task=result._task.get_name(), state=state, why=why)

    def v2_playbook_on_stats(self, stats):
        self.tell("stats", hosts={host: stats.summarize(host) for host in stats.processed})


def reason(result):
    """Why a task failed; Ansible has censored it where the task says no_log."""
    for item in result.get("results") or []:
        if isinstance(item, dict) and (item.get("failed") or item.get("unreachable")):
            return reason(item)
    parts = [str(result.get(key) or "").strip() for key in ("msg", "censored", "stderr", "module_stderr")]
    return ": ".join(part for part in dict.fromkeys(parts) if part)[:LONGEST]
