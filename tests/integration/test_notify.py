"""`worker notify`: webhooks and commands hear of each change of state, once, and the latest."""

import json
import os
import signal
import time

import pytest
from support.receiver import Receiver, certificate
from support.users import give
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(200)

TOKEN = "t0ken-of-the-pager"
BROKEN = "version: 1\nbroken\n"


class Told:
    """A machine without a database to move, and whom it tells."""

    def __init__(self, machine, settle="300ms"):
        self.machine, self.settle = machine, settle
        machine.write_pgpass(text="")

    def file(self, name, text):
        path = os.path.join(self.machine.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        give(path)
        return path

    def config(self, *receivers, extra=""):
        lines = "".join(f"    - {{{one}}}\n" for one in receivers)
        return f"version: 1\nnotify:\n  settle: {self.settle}\n  receivers:\n{lines}{extra}"

    def start(self, *receivers):
        self.machine.write_config(self.config(*receivers))
        self.machine.start()
        self.machine.wait_ready(60)
        wait_for(lambda: all(one["told"]["machine"]["value"] == "ready" for one in self.kept().values()), 20,
                 "it knows how it stands", explain=self.machine.log_tail)
        return self

    def trouble(self):
        """The machine is degraded: an operator stopped its Bucardo."""
        self.machine.cli("service", "stop", "bucardo").check()

    def over(self):
        self.machine.cli("service", "start", "bucardo").check()
        self.machine.wait_ready(60)

    def kept(self):
        with open(os.path.join(self.machine.volume, "notified.json"), encoding="utf-8") as kept:
            return json.load(kept)


@pytest.fixture(name="told")
def _told(workshop):
    return Told(workshop.machine(installed=True))


@pytest.fixture(name="hook")
def _hook():
    receiver = Receiver()
    yield receiver
    receiver.close()


def of_machine(receiver):
    return [(was, now) for subject, was, now in receiver.changes() if subject == "machine"]


def webhook(receiver, name="chat", more="interval: 0s", scheme="http", host="127.0.0.1"):
    return f"name: {name}, url: \"{scheme}://{host}:{receiver.port}/hook\", {more}"


def test_a_change_is_told_once_with_its_reason_and_its_end_too(told, hook):
    told.start(webhook(hook))
    told.trouble()
    wait_for(lambda: of_machine(hook), 20, "it is told", explain=told.machine.log_tail)
    message = hook.messages[0]
    assert of_machine(hook) == [("ready", "degraded")]
    assert message["schema"] == 1 and message["kind"] == "change" and message["ready"] is False
    assert "'bucardo' is stopped" in message["text"] and "service start bucardo" in message["text"]
    assert hook.headers[0]["Content-Type"] == "application/json" and "Authorization" not in hook.headers[0]
    told.over()
    wait_for(lambda: of_machine(hook)[-1] == ("degraded", "ready"), 20, "its end is told", explain=told.machine.log_tail)
    wait_for(lambda: told.kept()["chat"]["told"]["machine"]["value"] == "ready", 20, "it is kept")
    count = len(of_machine(hook))
    with open(f"/proc/{told.machine.pid()}/maps", encoding="utf-8") as maps:
        assert "libcurl" not in maps.read()
    # A restart of its process, and of all, tells nothing again; what changed meanwhile it does.
    os.kill(told.machine.unit("notify")["pid"], signal.SIGKILL)
    wait_for(lambda: told.machine.unit("notify")["restarts"] == 1 and told.machine.unit("notify")["state"] == "ready",
             20, "it is started again")
    told.machine.kill9_everything()
    told.machine.start()
    told.machine.wait_ready(60)
    told.trouble()
    wait_for(lambda: of_machine(hook)[-1] == ("ready", "degraded"), 20, "it is told", explain=told.machine.log_tail)
    assert len(of_machine(hook)) == count + 1, hook.changes()


@pytest.mark.full
def test_what_comes_and_goes_sooner_is_not_told_and_what_was_held_back_comes_with_the_next(told, hook):
    told.settle = "2s"
    rare = Receiver()
    receivers = webhook(hook), webhook(rare, "rare", "interval: 12s")
    told.start(*receivers)
    told.machine.write_config(BROKEN)
    wait_for(lambda: told.machine.status_json()["state"] == "degraded", 20, "it is degraded")
    told.machine.write_config(told.config(*receivers))
    wait_for(lambda: told.machine.status_json()["state"] == "ready", 20, "it is ready")
    told.trouble()
    wait_for(lambda: of_machine(hook) and of_machine(rare), 20, "what lasts is told", explain=told.machine.log_tail)
    assert [now for _, now in of_machine(hook)] == ["degraded"]
    assert "is stopped" in hook.messages[-1]["text"]
    # Within its interval it hears nothing of the end and the next trouble, and then of the end of that.
    told.over()
    wait_for(lambda: of_machine(hook)[-1] == ("degraded", "ready"), 20, "its end is told")
    assert len(rare.messages) == 1
    wait_for(lambda: of_machine(rare)[-1] == ("degraded", "ready"), 20, "it hears it later")
    assert len(rare.messages) == 2
    rare.close()


WHY = {500: "answered 500", "close": "Server returned nothing", "elsewhere": "is not followed", "hang": "Timeout"}


def test_one_that_does_not_take_it_gets_the_latest_state_later_and_holds_up_nobody(told, hook):
    bad = {answer: Receiver() for answer in (*WHY, "flood")}
    for answer, receiver in bad.items():
        receiver.answer = answer
    told.start(webhook(hook), *(webhook(receiver, f"bad-{answer}", "interval: 0s, timeout: 1s")
                                for answer, receiver in bad.items()))
    told.trouble()
    wait_for(lambda: of_machine(hook), 20, "the other one is told", explain=told.machine.log_tail)
    for answer in WHY:
        wait_for(lambda answer=answer: f"'bad-{answer}' was not told, 1 time in a row" in told.machine.log(), 20,
                 f"{answer}: it is said", explain=told.machine.log_tail)
    # An answer of 100 MB is one: it is not read.
    wait_for(lambda: told.kept()["bad-flood"]["told"]["machine"]["value"] == "degraded", 20, "it counts",
             explain=told.machine.log_tail)
    listed = told.machine.cli("notify")
    assert listed.code == 1 and listed.output.count("NOT TOLD") == len(WHY), listed.output
    assert all(why in listed.output for why in WHY.values()), listed.output
    def failing():
        return {one["name"]: one for one in told.machine.status_json()["receivers"]}
    wait_for(lambda: all(why in failing()[f"bad-{answer}"]["why"] and failing()[f"bad-{answer}"]["failing_since"]
                         for answer, why in WHY.items()), 10, "the status has them", explain=lambda: json.dumps(failing()))
    assert failing()["chat"]["failures"] == 0 and failing()["chat"]["delivered_at"] and failing()["chat"]["why"] == ""
    assert "and 2 more: `bucardo-machine notify`" in " ".join(told.machine.cli("status").output.split())
    for receiver in bad.values():
        receiver.answer = 200
    told.over()
    wait_for(lambda: of_machine(hook)[-1] == ("degraded", "ready"), 20, "the other one hears the end")
    told.machine.cli("service", "stop", "bucardo").check()
    for answer, receiver in bad.items():
        wait_for(lambda answer=answer: told.kept()[f"bad-{answer}"]["failures"] == 0, 30, f"{answer}: it is told",
                 explain=told.machine.log_tail)
        wait_for(lambda receiver=receiver: of_machine(receiver)[-1] == ("ready", "degraded"), 20,
                 f"{answer}: the latest state", explain=told.machine.log_tail)
        receiver.close()
    assert "'bad-hang' was told again" in told.machine.log()
    wait_for(lambda: all(one["failures"] == 0 for one in told.machine.status_json()["receivers"]), 10, "the status has that")
    told.machine.cli("service", "stop", "notify").check()
    wait_for(lambda: told.machine.status_json()["receivers"] == [], 10, "nobody knows how they stand while it is stopped")


def test_secrets_are_read_from_files_and_are_nowhere_else(told, workshop):
    tls = certificate(workshop.folder)
    other = certificate(workshop.folder, "other")
    hook, wrong = Receiver(tls), Receiver(other)
    for path in (*tls, *other):
        give(path)
    url = told.file("url", f"https://127.0.0.1:{hook.port}/secret-path-of-the-chat\n")
    token = told.file("token", TOKEN + "\n")
    ca = f"ca_file: {tls[0]}, interval: 0s"
    told.start(f"name: chat, url_file: {url}, token_file: {token}, {ca}",
               f"name: wrong, url: \"https://127.0.0.1:{wrong.port}/\", token_file: {token}, {ca}")
    result = told.machine.cli("notify", "test")
    assert result.code == 1 and "chat: delivered in " in result.output, result.output
    assert "wrong: NOT delivered" in result.output and "certificate" in result.output, result.output
    assert hook.messages[0]["kind"] == "test" and hook.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    assert wrong.messages == []
    hook.answer = "hang"
    told.trouble()
    wait_for(lambda: len(hook.messages) == 2, 20, "a delivery is under way", explain=told.machine.log_tail)
    told.machine.status_json()
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as line:
                    assert b"secret-path" not in line.read()
            except OSError:
                pass
    seen = told.machine.log() + json.dumps(told.machine.status_json()) + result.output + json.dumps(told.kept() if
        os.path.exists(os.path.join(told.machine.volume, "notified.json")) else {}) + told.machine.cli("config", "show").output
    assert TOKEN not in seen and "secret-path" not in seen
    # A changed token counts with the next message.
    hook.answer = 200
    told.file("token", "another\n")
    assert "chat: delivered" in told.machine.cli("notify", "test", "chat").check()
    assert hook.headers[-1]["Authorization"] == "Bearer another"
    hook.close()
    wrong.close()


def test_a_command_gets_the_message_and_one_that_hangs_or_fails_is_ended_and_tried_again(told):
    out = told.file("out", "")
    good = told.file("good", f"#!/bin/sh\nprintf '%s\\n' \"$BUCARDO_MACHINE_MESSAGE\" >>{out}\nenv >>{out}.env\n")
    hangs = told.file("hangs", "#!/bin/sh\nsleep 1000 & exec yes it hangs\n")
    for script in (good, hangs):
        os.chmod(script, 0o755)
    told.start(f"name: good, command: [{good}], interval: 0s", f"name: hangs, command: [{hangs}], timeout: 300ms",
               "name: absent, command: [/no/such/program]")
    told.trouble()
    wait_for(lambda: "'hangs' was not told" in told.machine.log() and "'absent' was not told" in told.machine.log() and
             os.path.getsize(out) > 0, 30, "they are run", explain=told.machine.log_tail)
    with open(out, encoding="utf-8") as lines:
        message = json.loads(lines.readline())
    assert [c["now"] for c in message["changes"] if c["subject"] == "machine"] == ["degraded"]
    with open(out + ".env", encoding="utf-8") as text:
        environment = text.read()
    assert "BUCARDO_MACHINE_TEXT=bucardo-machine on" in environment
    assert "BUCARDO_MACHINE_RECEIVERS" not in environment
    listed = told.machine.cli("notify").output
    assert os.path.getsize(told.machine.log_path) < 200000  # it printed without end
    assert "did not end within" in listed and "no such file" in listed.lower(), listed


def test_receivers_come_and_go_with_machine_yaml_and_what_is_wrong_there_changes_nothing(told, hook):
    told.machine.write_config("version: 1\n")
    told.machine.start()
    told.machine.wait_ready(60)
    assert [u for u in told.machine.status_json()["units"] if u["name"] == "notify"] == []
    pid = told.machine.unit("bucardo")["pid"]
    told.machine.write_config(told.config(webhook(hook)))
    wait_for(lambda: told.machine.unit("notify")["state"] == "ready", 20, "it is started")
    for wrong, why in (("name: chat, url: \"ftp://x/\"", "http://HOST"), ("name: chat", "exactly one of them"),
                       ("name: chat, url: \"http://a:b@x/\"", "token_file"),
                       ("name: chat, command: [/bin/true], token_file: /x", "are for a url"),
                       (webhook(hook) + ", least: loud", "allowed")):
        told.machine.write_config(told.config(wrong))
        result = told.machine.cli("config", "check")
        assert result.code == 3 and why in result.output, result.output
    wait_for(lambda: of_machine(hook), 20, "the rejected file is told", explain=told.machine.log_tail)
    told.machine.write_config("version: 1\n")
    wait_for(lambda: [u for u in told.machine.status_json()["units"] if u["name"] == "notify"] == [], 20, "it is gone")
    assert told.machine.unit("bucardo")["pid"] == pid
    assert "names no receiver" in told.machine.cli("notify").output
