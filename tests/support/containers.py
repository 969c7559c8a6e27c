"""The machine where it belongs: in podman, and in a real Kubernetes.

Both classes have the methods of support.machine.Machine that the README flow needs, and
what only a container has: replace() it by a new one on the same volume, look at its
processes, sit at a terminal in it. PodmanMachine has those of all stories: its processes
run on this computer, and root may signal them from outside.

Found in the environment, else beside the repository in a folder "shared":
    BM_IMAGE      an image that is built already; otherwise it is built, once a run
    BM_K8S        program that loads images into the cluster: BM_K8S load IMAGE
    KUBECONFIG    the cluster; BM_K8S_HOST: this computer as its pods see it
"""

import atexit
import fcntl
import functools
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from .documents import REPOSITORY, documented
from .init import METER, Init
from .machine import Result
from .processes import descendants
from .questions import Questions
from .terminal import Terminal
from .waiting import wait_for

SHARED = os.environ.get("BM_SHARED") or os.path.join(os.path.dirname(REPOSITORY), "shared")
# As the manifest names it; podman would say localhost/ otherwise.
IMAGE_NAME = "docker.io/library/bucardo-machine"
VOLUME = "/var/lib/bucardo-machine"
WRITE_CONFIG = f"cat >{VOLUME}/machine.yaml.tmp && mv {VOLUME}/machine.yaml.tmp {VOLUME}/machine.yaml"


def run(argv, seconds=60, stdin=None, env=None):
    """Run a client program; its output and exit code, never an exception for the latter."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          input=stdin or "", errors="replace", check=False, timeout=seconds,
                          env={**os.environ, **(env or {})})
    return Result(argv, done.returncode, done.stdout)


# ---- what is there ----

def podman_missing():
    """Why there can be no podman test here, or None."""
    if shutil.which("podman") is None:
        return "podman is not installed"
    if os.environ.get("BM_IMAGE") is None and not base_images():
        return "podman has no Debian base image (BM_BASE_IMAGE makes one)"
    return None


def base_images():
    names = run(["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"]).output.split()
    return [name for name in names if name.endswith("/debian:trixie-slim")]


def k8s_tool():
    path = os.environ.get("BM_K8S") or os.path.join(SHARED, "k8s", "k8s")
    return path if os.path.exists(path) else None


def kubeconfig():
    if os.environ.get("KUBECONFIG"):
        return os.environ["KUBECONFIG"]
    return run([k8s_tool(), "kubeconfig"]).output.strip() if k8s_tool() else None


def k8s_missing():
    """Why there can be no Kubernetes test here, or None."""
    if shutil.which("kubectl") is None:
        return "kubectl is not installed"
    if not kubeconfig() or not os.path.exists(kubeconfig()):
        return "there is no cluster: KUBECONFIG is not set"
    if run(["kubectl", "get", "nodes"], env={"KUBECONFIG": kubeconfig()}).code != 0:
        return "the cluster of KUBECONFIG does not answer"
    return podman_missing()


def version():
    with open(os.path.join(REPOSITORY, "Makefile"), encoding="utf-8") as file:
        return re.search(r"^VERSION := (\S+)$", file.read(), re.MULTILINE).group(1)


@functools.lru_cache(maxsize=None)
def image():
    """The image, built from the working tree unless BM_IMAGE names one."""
    given, made = os.environ.get("BM_IMAGE"), f"{IMAGE_NAME}:{version()}"
    if given:
        run(["podman", "tag", given, made]).check()
    else:
        run(["make", "-s", "-C", REPOSITORY, "image", f"IMAGE={IMAGE_NAME}"], seconds=900).check()
    return made


@functools.lru_cache(maxsize=None)
def network():
    """A network of our own. On a shared one, containers of others that come and go change the
    bridge's address, and for seconds nobody's packets arrive."""
    name = f"bm-{os.getpid()}"
    run(["podman", "network", "create", "--disable-dns", name]).check()
    atexit.register(run, ["podman", "network", "rm", "-f", "-t", "0", name])
    return name


@functools.lru_cache(maxsize=None)
def load_into_cluster():
    if k8s_tool():
        run([k8s_tool(), "load", image()], seconds=300).check()


def is_unlocked(path):
    """Does no live machine hold this lock file?"""
    try:
        with open(path, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        pass
    return True  # BlockingIOError otherwise: not yet


def namespace_of(pid):
    """Which pid namespace a process is in; of one that is gone: none."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def inner_pid(pid):
    """A process's pid in its own pid namespace."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            return next(int(line.split()[-1]) for line in status if line.startswith("NSpid:"))
    except OSError:
        return None


class Container(Questions):
    """What podman and Kubernetes have in common. Subclasses say how to reach the inside."""

    name = "machine"
    volume, runtime = VOLUME, "/run/bucardo-machine"

    def __init__(self):
        self.terminals = []

    def running(self):
        return True

    def exec_argv(self, argv, terminal=False, env=None):
        raise NotImplementedError

    def client_env(self):
        return None

    # ---- inside ----

    def exec(self, *argv, seconds=60, stdin=None, env=None):
        return run(self.exec_argv(list(argv), env=env), seconds, stdin, self.client_env())

    def cli(self, *words, seconds=20):
        return self.exec("bucardo-machine", *words, seconds=seconds)

    def shell(self, script, seconds=120, env=None):
        """What a person types: a login shell, as `kubectl exec … -- bash -lc SCRIPT`."""
        return self.exec("bash", "-lc", script, seconds=seconds, env=env)

    def fetch(self, path):
        """The text of a file, brought out as a person does it."""
        with tempfile.TemporaryDirectory(prefix="bm-fetch-") as folder:
            copy = os.path.join(folder, "copy")
            self.copy_out(path, copy).check()
            with open(copy, encoding="utf-8") as file:
                return file.read()

    def copy_out(self, path, copy):
        return run(["podman", "cp", f"{self.name}:{path}", copy])

    def terminal(self, *argv, answers=True, env=None):
        """Sit down at a terminal: by default the README's `bash -l`."""
        made = Terminal(self.exec_argv(list(argv) or ["bash", "-l"], terminal=True, env=env),
                        env={**os.environ, **(self.client_env() or {})}, answers=answers)
        self.terminals.append(made)
        return made

    def processes(self):
        """All processes as (pid, ppid, session, state, command line)."""
        lines = self.exec("ps", "-eo", "pid=,ppid=,sid=,stat=,args=").check().splitlines()
        rows = [line.split(None, 4) for line in lines]
        return [(int(r[0]), int(r[1]), int(r[2]), r[3], r[4]) for r in rows
                if not r[4].startswith("ps -eo")]

    def write_config(self, text):
        """machine.yaml, replaced in one step as an editor does."""
        self.exec("sh", "-c", WRITE_CONFIG, stdin=text).check()

    # ---- questions ----

    def log(self):
        raise NotImplementedError

    def log_of_this_one(self):
        """Without those of earlier containers on the same volume."""
        raise NotImplementedError

    def log_tail(self, lines=80):
        return "\n".join([f"--- status of {self.name}", self.cli("status").output,
                          f"--- log of {self.name}", *self.log().splitlines()[-lines:]])

    def _explain(self):
        return self.log_tail()

    def close_terminals(self):
        while self.terminals:
            self.terminals.pop().close()


class PodmanMachine(Container):
    """One container after the other on one named volume. Read-only root, no capabilities."""

    OPTIONS = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
               "--pids-limit=1000")

    # Never used twice: a container whose client was killed may resist its removal for a while.
    _names = itertools.count()

    def __init__(self, folder, number=0):
        super().__init__()
        self.name = f"bm-{os.getpid()}-{next(self._names)}"
        # The folder is mounted: a mounted file would stay the old one when it is replaced.
        self.pgpass = os.path.join(folder, f"secret-{number}", "pgpass")
        self.storage = self.name  # or a folder of this computer
        self.first_pid, self.namespace, self.last_exit, self.old_logs = 0, "", "", ""

    @staticmethod
    def host_address():
        """This computer as containers see it."""
        networks = json.loads(run(["podman", "network", "inspect", network()]).check())
        return networks[0]["subnets"][0]["gateway"]

    def write_pgpass(self, *servers):
        """Replaced in one step, as an editor does, with the owner and rights that README asks for."""
        os.makedirs(os.path.dirname(self.pgpass), exist_ok=True)
        with open(self.pgpass + ".new", "w", encoding="utf-8") as out:
            out.write("".join(server.pgpass_line() for server in servers))
        if os.getuid() == 0:
            os.chown(self.pgpass + ".new", 10001, 10001)
        os.chmod(self.pgpass + ".new", 0o600 if os.getuid() == 0 else 0o644)
        os.replace(self.pgpass + ".new", self.pgpass)

    def write_config(self, text):
        """Also before it is started."""
        if self.first_pid:
            super().write_config(text)
        else:
            self.on_volume("sh", "-c", WRITE_CONFIG, stdin=text).check()

    def start(self, *options):
        run(["podman", "run", "-d", "--name", self.name, f"--network={network()}",
             *self.OPTIONS, *options, "-v", f"{self.storage}:{VOLUME}",
             "-v", f"{os.path.dirname(self.pgpass)}:/etc/bucardo-machine/pgpass:ro", image()]).check()
        self.first_pid = int(self.inspect("{{.State.Pid}}"))
        self.namespace = namespace_of(self.first_pid)
        return self

    def inspect(self, what):
        return run(["podman", "inspect", "-f", what, self.name]).output.strip()

    # ---- its processes, as this computer sees them ----

    def pid(self):
        return self.first_pid

    def running(self):
        return os.path.exists(f"/proc/{self.first_pid}") and self.first_pid > 0

    def exit_code(self):
        return self.inspect("{{.State.ExitCode}}")

    def owns(self, pid):
        # With the first process of a namespace all others end, and its number is used again.
        return self.first_pid != 0 and namespace_of(pid) == self.namespace

    def host_pid(self, pid):
        """A pid of the status, as this computer sees it."""
        return next(p for p in descendants(self.first_pid) if inner_pid(p) == pid)

    # ---- its end ----

    def exec_argv(self, argv, terminal=False, env=None):
        options = ["-it"] if terminal else ["-i"]
        for name, value in (env or {}).items():
            options += ["-e", f"{name}={value}"]
        return ["podman", "exec", *options, self.name, *argv]

    def delete(self, force=False):
        """The container goes; the volume stays. Returns the seconds it took."""
        begin = time.monotonic()
        if force:
            run(["podman", "kill", "-s", "KILL", self.name])
        else:
            run(["podman", "stop", "-t", "30", self.name], seconds=90).check()
        took = time.monotonic() - begin
        self.last_exit = self.exit_code()
        self.old_logs = self.log()
        self.first_pid = 0
        run(["podman", "rm", "-f", "-t", "0", self.name]).check()
        return took

    def stop(self):
        """(exit code, seconds), as support.machine.Machine has it."""
        took = self.delete()
        return int(self.last_exit), took

    def fresh_runtime(self):
        """Each container has one of its own."""

    def replace(self, force=False):
        took = self.delete(force)
        self.start()
        return took

    def on_volume(self, *argv, stdin=None):
        """Run a program beside the volume of a container that is gone."""
        return run(["podman", "run", "--rm", "-i", "--network=none",
                    "-v", f"{self.storage}:{VOLUME}", "--entrypoint", argv[0], image(), *argv[1:]],
                   stdin=stdin)

    def log(self):
        """Of all containers on this volume."""
        return self.old_logs + (self.log_of_this_one() if self.first_pid else "")

    def log_of_this_one(self):
        return run(["podman", "logs", self.name]).output

    def remove(self):
        self.close_terminals()
        run(["podman", "rm", "-f", "-t", "0", self.name])
        run(["podman", "volume", "rm", "-f", self.name])


class ContainerInit(Init):
    """PID 1 of a container that is gone when it ends: `podman run IMAGE WORDS`."""

    _numbers = itertools.count()

    def __init__(self, words, options=()):  # pylint: disable=super-init-not-called
        self.name = f"bm-init-{os.getpid()}-{next(self._numbers)}"
        self.pidfile = f"/tmp/{self.name}.pid"
        self.process = subprocess.Popen(
            ["podman", "run", "--rm", "-i", "--network=none", "--log-driver=none",
             "--name", self.name, "--pidfile", self.pidfile, "-v", f"{METER}:{METER}:ro",
             *PodmanMachine.OPTIONS, *options, image(), *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @classmethod
    def of(cls, command):
        """`run -- COMMAND`, as support.init.Init does it."""
        return cls(["--", *command])

    @property
    def pid(self):
        def read():
            with open(self.pidfile, encoding="ascii") as file:
                return int(file.read())

        return wait_for(read, 20, f"the container {self.name} has a first process", every=0.002)

    def abandon(self):
        super().abandon()
        run(["podman", "rm", "-f", "-t", "0", "-v", self.name])
        if os.path.exists(self.pidfile):
            os.unlink(self.pidfile)


class KubernetesMachine(Container):
    """The StatefulSet of kubernetes/, in its own namespace, made by the commands of the README."""

    namespace, pod = "bucardo-machine", "bucardo-machine-0"

    def __init__(self, folder, number=0):
        super().__init__()
        self.name = self.pod
        self.pgpass = os.path.join(folder, f"secret-{number}", "pgpass")

    @staticmethod
    def host_address():
        return os.environ.get("BM_K8S_HOST", "10.88.77.1")

    def client_env(self):
        return {"KUBECONFIG": kubeconfig()}

    def kubectl(self, *words, seconds=120, stdin=None):
        return run(["kubectl", f"--namespace={self.namespace}", *words], seconds, stdin,
                   self.client_env())

    def write_pgpass(self, *servers):
        os.makedirs(os.path.dirname(self.pgpass), exist_ok=True)
        with open(self.pgpass, "w", encoding="utf-8") as out:
            out.write("".join(server.pgpass_line() for server in servers))

    def type(self, line, **own):
        """A line of a document, typed in the repository; `own`: what stands there for the reader's."""
        for name, value in {"./pgpass": self.pgpass, **own}.items():
            line = line.replace(name, value)
        return run(["bash", "-c", f"cd {REPOSITORY} && {line}"], 120, env=self.client_env())

    def start(self):
        load_into_cluster()
        self.remove()
        for line in documented("README.md", "kubectl apply -k"):
            self.type(line).check()
        self.wait_running(None, 120)
        return self

    def uid(self):
        return self.kubectl("get", "pod", self.pod, "-o", "jsonpath={.metadata.uid}").check()

    def wait_running(self, old, seconds):
        """Another pod than `old`, its container started."""
        path = "jsonpath={.metadata.uid} {.status.containerStatuses[0].state.running.startedAt}"

        def running():
            words = self.kubectl("get", "pod", self.pod, "-o", path).check().split()
            return len(words) == 2 and words[0] != old

        wait_for(running, seconds, "a new pod runs", every=0.2,
                 explain=lambda: self.kubectl("describe", "pod", self.pod).output)

    def exec_argv(self, argv, terminal=False, env=None):
        options = ["-i", "-t"] if terminal else ["-i"]
        given = ["env", *(f"{name}={value}" for name, value in env.items())] if env else []
        return ["kubectl", f"--namespace={self.namespace}", "exec", *options, self.pod, "--",
                *given, *argv]

    def copy_out(self, path, copy):
        return self.kubectl("cp", f"{self.pod}:{path}", copy)

    def is_ready(self):
        """By the pod's own condition: what the readiness probe found."""
        path = "jsonpath={.status.containerStatuses[0].ready}"
        return self.kubectl("get", "pod", self.pod, "-o", path).output == "true"

    def replace(self, force=False):
        """Delete the pod as the README says; the StatefulSet makes another one."""
        words = ("--force", "--grace-period=0") if force else ()
        return self.renew("delete", f"po/{self.pod}", *words)

    def renew(self, *words):
        """Type words for kubectl by which another pod comes; returns the seconds they took."""
        old, begin = self.uid(), time.monotonic()
        self.kubectl(*words).check()
        took = time.monotonic() - begin
        self.wait_running(old, 120)
        return took

    def log(self):
        return self.kubectl("logs", self.pod).output

    def log_of_this_one(self):
        return self.log()

    def exec(self, *argv, seconds=60, stdin=None, env=None):
        done = super().exec(*argv, seconds=seconds, stdin=stdin, env=env)
        # kubectl's own words after a command that failed.
        done.output = re.sub(r"command terminated with exit code \d+\n$", "", done.output)
        return done

    def remove(self):
        """Everything in the namespace, by force: a kubelet of 1.20 takes half a minute else."""
        self.close_terminals()
        claimed = self.kubectl("get", "pvc", "-o", "jsonpath={.items[*].spec.volumeName}").output
        force = ("--ignore-not-found", "--force", "--grace-period=0")
        self.kubectl("delete", "statefulset", "bucardo-machine", "--cascade=orphan", *force)
        self.kubectl("delete", "pod", self.pod, *force)
        self.kubectl("delete", "pvc,service,secret,configmap,networkpolicy,poddisruptionbudget", "--all",
                     *force)
        for volume in claimed.split():
            self._recycle(volume)

    def _recycle(self, volume):
        """A retained volume of this computer is emptied and offered again."""
        path = self.kubectl("get", "pv", volume, "-o", "jsonpath={.spec.hostPath.path}").output
        if not path or not os.path.isdir(path):
            return
        wait_for(lambda: is_unlocked(os.path.join(path, "lock")), 60, "the last machine is gone")
        for entry in os.scandir(path):
            shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) \
                else os.unlink(entry.path)
        self.kubectl("patch", "pv", volume, "--type=json",
                     "-p", '[{"op": "remove", "path": "/spec/claimRef"}]')
