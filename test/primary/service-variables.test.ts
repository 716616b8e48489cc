import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { takeServiceVariables } from "../../src/config/load-config.js";
import { readPassedSocket, readWatchdogMs } from "../../src/primary/service-variables.js";

describe("the variables of systemd", () => {
  test("are taken out of the environment, all of them and no others", () => {
    const own = {
      LISTEN_PID: "1",
      LISTEN_FDS: "1",
      LISTEN_FDNAMES: "a",
      NOTIFY_SOCKET: "/n",
      WATCHDOG_PID: "1",
      WATCHDOG_USEC: "2",
    };
    const environment: Record<string, string> = { ...own, PATH: "/bin", HOME: "/" };
    assert.deepEqual(takeServiceVariables(environment), { ...own, PATH: "/bin" });
    assert.deepEqual(environment, { PATH: "/bin", HOME: "/" });
  });

  test("an empty one is none", () => {
    assert.equal(takeServiceVariables({ NOTIFY_SOCKET: "" }).NOTIFY_SOCKET, undefined);
  });
});

describe("a passed socket", () => {
  test("there is none without systemd", () => {
    assert.deepEqual(readPassedSocket({}, 7), { fd: undefined, warning: undefined });
  });

  test("it is descriptor 3", () => {
    assert.deepEqual(readPassedSocket({ LISTEN_PID: "7", LISTEN_FDS: "1" }, 7), { fd: 3, warning: undefined });
  });

  test("one for another process is not used, and it is said", () => {
    const { fd, warning } = readPassedSocket({ LISTEN_PID: "6", LISTEN_FDS: "1" }, 7);
    assert.equal(fd, undefined);
    assert.match(warning ?? "", /process 6, and this is process 7.*ExecStart=/);
  });

  test("several are an error that names them", () => {
    const variables = { LISTEN_PID: "7", LISTEN_FDS: "2", LISTEN_FDNAMES: "a.socket:b.socket" };
    assert.throws(() => readPassedSocket(variables, 7), /passes 2 sockets \(a\.socket:b\.socket\)/);
  });
});

describe("the watchdog's limit", () => {
  const cases: [variables: Record<string, string>, expected: number | undefined][] = [
    [{}, undefined],
    [{ WATCHDOG_USEC: "30000000" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" }, undefined],
    [{ WATCHDOG_USEC: "0" }, undefined],
    [{ WATCHDOG_USEC: "soon" }, undefined],
  ];
  for (const [variables, expected] of cases) {
    test(`${JSON.stringify(variables)} is ${expected} ms`, () => assert.equal(readWatchdogMs(variables, 7), expected));
  }
});
