/**
 * Boots a real systemd for a test: in namespaces of its own, over a copy-on-write view of the machine's files, with a network, a
 * cgroup tree, /run and /tmp of its own. It ends with the test's process, however that ends.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Outcome } from "./cli-process.js";
import { fixturePath, isAlive, pause, projectDir } from "./host.js";
import { findProgram } from "./prerequisite.js";

/** The project inside, read only. */
export const projectInside = "/mnt/project";

const systemdPath = "/lib/systemd/systemd";
const patienceMs = 20_000;
const cgroupPrefix = "signalbox-test-";
const namespaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"];
const environmentInside = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" };

export interface JournalEntry {
  readonly MESSAGE: string;
  /** "0" (emergency) to "7" (debug). */
  readonly PRIORITY: string;
  readonly _PID?: string;
  readonly SYSLOG_IDENTIFIER?: string;
}

/** Skips the test with the reason where the machine cannot have a sandbox; in CI as well, as no package would help there. */
export async function startSandbox(t: Pick<TestContext, "skip">): Promise<SystemdSandbox | undefined> {
  const reason = explainNoSandbox();
  if (reason === undefined) return await SystemdSandbox.start();
  t.skip(reason);
  return undefined;
}

function explainNoSandbox(): string | undefined {
  if (process.platform !== "linux") return "systemd runs on Linux only";
  if (process.getuid?.() !== 0) return "a systemd of its own needs root";
  const needed = [systemdPath, "unshare", "nsenter", "setpriv", "journalctl"];
  const missing = needed.filter((name) => !existsSync(name) && findProgram(name) === undefined);
  if (missing.length > 0) return `a systemd of its own needs ${missing.join(", ")}`;
  if (findCgroup() === undefined) return "a systemd of its own needs a cgroup2 mount";
  const script =
    "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r && mount -t cgroup2 cgroup2 /mnt/r && " +
    "umount /mnt/r && mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r";
  const tried = spawnSync("unshare", [...namespaces, "--fork", "sh", "-c", script], { encoding: "utf8" });
  return tried.status === 0 ? undefined : `this machine has no namespaces for it: ${tried.stderr.trim()}`;
}

/** Where this process may make cgroups in the unified hierarchy, which need not be the only one. */
function findCgroup(): string | undefined {
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync("/proc/self/mounts", "utf8"))?.[1];
  const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
  return mount === undefined || own === undefined ? undefined : join(mount, own);
}

/** `await using` ends it. */
export class SystemdSandbox implements AsyncDisposable {
  readonly #unshare: ChildProcess;
  readonly #pid: number;
  readonly #cgroup: string;

  private constructor(unshare: ChildProcess, pid: number, cgroup: string) {
    this.#unshare = unshare;
    this.#pid = pid;
    this.#cgroup = cgroup;
  }

  /** Resolves when systemd has booted. */
  static async start(): Promise<SystemdSandbox> {
    const parent = findCgroup() ?? "";
    removeLeftCgroups(parent);
    const cgroup = join(parent, `${cgroupPrefix}${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
    mkdirSync(cgroup);
    const unshare = spawn(
      "sh",
      [
        "-c",
        // The namespace's cgroup tree begins at the cgroup that its first process is in.
        'echo $$ > "$1/cgroup.procs"; shift; exec setpriv --pdeathsig KILL unshare "$@"',
        "sh",
        cgroup,
        ...namespaces,
        ...["--fork", "--kill-child=KILL", "sh", fixturePath("systemd/boot-sandbox.sh"), projectDir],
      ],
      { stdio: ["ignore", "ignore", "pipe"], env: environmentInside },
    );
    let said = "";
    unshare.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const pid = readFirstChild(unshare.pid ?? 0);
      if (pid !== undefined && existsSync(`/proc/${pid}/root/run/systemd/private`)) {
        const sandbox = new SystemdSandbox(unshare, pid, cgroup);
        const { stdout } = await sandbox.run(["systemctl", "is-system-running", "--wait"]);
        if (stdout.trim() === "running") return sandbox;
        said += stdout;
      }
      if (unshare.exitCode !== null || performance.now() > deadlineMs) {
        await end(unshare, pid, cgroup);
        throw new Error(`systemd did not boot: ${said}`);
      }
      await pause(10);
    }
  }

  /** Starts a program inside, as root and outside of every unit. */
  spawn(command: readonly string[]) {
    const entry = ["-t", String(this.#pid), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"];
    return spawn("nsenter", [...entry, ...command], { env: environmentInside });
  }

  /** Runs a program inside to its end; kills it when that takes too long. */
  async run(command: readonly string[]): Promise<Outcome> {
    const startedMs = performance.now();
    const child = this.spawn(command);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const limit = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    const [code] = (await once(child, "close")) as [number | null];
    clearTimeout(limit);
    return { code, stdout, stderr, durationMs: performance.now() - startedMs };
  }

  /** Its standard output; rejects when it does not end with 0. */
  async check(command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(command);
    if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** Path, on the machine, of a file inside. Symbolic links with absolute targets lead elsewhere. */
  path(inside: string): string {
    return join(`/proc/${this.#pid}/root`, inside);
  }

  write(inside: string, text: string): void {
    mkdirSync(join(this.path(inside), ".."), { recursive: true });
    writeFileSync(this.path(inside), text);
  }

  /** A property of a unit, as `systemctl show` has it. */
  async show(unit: string, property: string): Promise<string> {
    return (await this.check(["systemctl", "show", "--value", "-p", property, unit])).trim();
  }

  /** Asks for a property until it fits. */
  async waitFor(unit: string, property: string, fits: (value: string) => boolean): Promise<string> {
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const value = await this.show(unit, property);
      if (fits(value)) return value;
      if (performance.now() > deadlineMs) {
        const tail = (await this.readJournal(unit)).slice(-30).map((entry) => entry.MESSAGE);
        throw new Error(`${property} of ${unit} stayed ${JSON.stringify(value)}\n${tail.join("\n")}`);
      }
      await pause(50);
    }
  }

  /** All that the journal has of a unit, what systemd says about it included, oldest first. */
  async readJournal(unit: string): Promise<JournalEntry[]> {
    await this.check(["journalctl", "--sync"]);
    return (await this.check(["journalctl", "-u", unit, "-o", "json"]))
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as JournalEntry);
  }

  async stop(): Promise<void> {
    await end(this.#unshare, this.#pid, this.#cgroup);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The first process of a pid namespace takes all others of it along. */
async function end(unshare: ChildProcess, pid: number | undefined, cgroup: string): Promise<void> {
  if (unshare.exitCode === null && unshare.signalCode === null) {
    const exited = once(unshare, "exit");
    unshare.kill("SIGKILL");
    await exited;
  }
  const deadlineMs = performance.now() + patienceMs;
  while ((pid !== undefined && isAlive(pid)) || !removeCgroup(cgroup)) {
    if (performance.now() > deadlineMs) throw new Error(`processes of the sandbox are left in ${cgroup}`);
    await pause(10);
  }
}

/** Of test processes that were killed. */
function removeLeftCgroups(parent: string): void {
  for (const name of readdirSync(parent)) {
    const creator = name.startsWith(cgroupPrefix) ? Number.parseInt(name.slice(cgroupPrefix.length), 10) : undefined;
    if (creator !== undefined && !isAlive(creator)) removeCgroup(join(parent, name));
  }
}

/** False while a process is left in it. */
function removeCgroup(path: string): boolean {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory() && !removeCgroup(join(path, entry.name))) return false;
    }
    rmdirSync(path);
    return true;
  } catch {
    return !existsSync(path);
  }
}

function readFirstChild(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
    return first === undefined ? undefined : Number(first);
  } catch {
    return undefined;
  }
}
