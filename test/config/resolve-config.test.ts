import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type ConfigSources, resolveConfig } from "../../src/config/resolve-config.js";
import { configSettings, type Setting } from "../../src/config/schema.js";
import { ConfigError } from "../../src/errors.js";

function resolve(sources: Partial<ConfigSources>) {
  return resolveConfig({ flags: {}, environment: {}, ...sources });
}

function findFaults(sources: Partial<ConfigSources>, settings?: readonly Setting[]): readonly string[] {
  try {
    resolveConfig({ flags: {}, environment: {}, ...sources }, settings);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults;
  }
  return [];
}

function inFile(values: Record<string, unknown>): Partial<ConfigSources> {
  return { file: { path: "/etc/signalbox.json", values } };
}

describe("defaults", () => {
  test("nothing given resolves to the documented defaults", () => {
    assert.deepEqual(resolve({}).config, {
      app: undefined,
      workers: "auto",
      fabric: "routed",
      watch: false,
      host: "127.0.0.1",
      port: 3000,
      listen: undefined,
      listenMode: 0o660,
      trustProxy: ["loopback"],
      proxyProtocol: false,
      hostKey: undefined,
      region: "default",
      adminPort: 9464,
      runtimeDir: undefined,
      redisUrl: undefined,
      redisPrefix: "signalbox",
      redisCa: undefined,
      links: undefined,
      linkListen: undefined,
      linkSecrets: undefined,
      linkCa: undefined,
      linkCertificate: undefined,
      linkKey: undefined,
      linkCompression: false,
      stockAdapter: "classic",
      stockKey: "socket.io",
      startTimeoutMs: 30_000,
      drainTimeoutMs: 10_000,
      reloadTimeoutMs: 600_000,
      headTimeoutMs: 10_000,
      requestTimeoutMs: 300_000,
      keepAliveTimeoutMs: 65_000,
      maxHeadBytes: 16_384,
      maxPendingConnections: 4096,
      maxOutboxBytes: 268_435_456,
      maxRoomsPerWorker: 200_000,
      maxHostOutboxBytes: 67_108_864,
      hostOutboxAgeMs: 60_000,
      hostUnreachableAfterMs: 3_000,
      maxRoomsPerHost: 1_000_000,
      emitterKey: "socket.io",
      maxWorkerRssBytes: undefined,
      maxWorkerAgeMs: undefined,
      hangTimeoutMs: 30_000,
      slowStartMs: 10_000,
      restartBackoffMinMs: 500,
      restartBackoffMaxMs: 30_000,
      maxRestarts: 10,
      logLevel: "info",
      logFormat: "auto",
      inspect: false,
      inspectPort: 9229,
    });
  });

  for (const setting of configSettings.filter(({ defaultValue }) => defaultValue !== undefined)) {
    test(`the default of ${setting.key}, typed as a flag, is allowed and means itself`, () => {
      const text = setting.kind.render(setting.defaultValue);
      const { config } = resolve({ flags: { [setting.flagName]: text } });
      assert.deepEqual(Object.entries(config).find(([key]) => key === setting.key)?.[1], setting.defaultValue);
    });
  }
});

describe("text of flags and variables", () => {
  const accepted: [variable: string, text: string, key: string, value: unknown][] = [
    ["SIGNALBOX_PORT", "0", "port", 0],
    ["SIGNALBOX_PORT", "65535", "port", 65_535],
    ["SIGNALBOX_WORKERS", "4", "workers", 4],
    ["SIGNALBOX_WORKERS", "auto", "workers", "auto"],
    ["SIGNALBOX_LISTEN_MODE", "0600", "listenMode", 0o600],
    ["SIGNALBOX_LISTEN_MODE", "666", "listenMode", 0o666],
    ["SIGNALBOX_TRUST_PROXY", "2", "trustProxy", 2],
    ["SIGNALBOX_TRUST_PROXY", "loopback, 10.0.0.0/8,fd00::1", "trustProxy", ["loopback", "10.0.0.0/8", "fd00::1"]],
    ["SIGNALBOX_WATCH", "true", "watch", true],
    ["SIGNALBOX_WATCH", "1", "watch", true],
    ["SIGNALBOX_INSPECT", "0", "inspect", false],
    ["SIGNALBOX_LOG_LEVEL", "trace", "logLevel", "trace"],
    ["SIGNALBOX_HOST_KEY", "ab-_", "hostKey", "ab-_"],
    ["SIGNALBOX_HOST", "::1", "host", "::1"],
    ["SIGNALBOX_REQUEST_TIMEOUT_MS", "0", "requestTimeoutMs", 0],
  ];
  for (const [variable, text, key, value] of accepted) {
    test(`${variable}=${text} is accepted`, () => {
      const { config, origins } = resolve({ environment: { [variable]: text } });
      assert.deepEqual({ ...config }, { ...resolve({}).config, [key]: value });
      assert.deepEqual({ ...origins }, { ...resolve({}).origins, [key]: { source: "environment", name: variable } });
    });
  }

  const refused: [variable: string, text: string, fault: string][] = [
    ["SIGNALBOX_DRAIN_TIMEOUT_MS", "abc", 'drainTimeoutMs: "abc" is not a whole number from 0 to 600000'],
    ["SIGNALBOX_DRAIN_TIMEOUT_MS", "1.5", 'drainTimeoutMs: "1.5" is not a whole number from 0 to 600000'],
    ["SIGNALBOX_DRAIN_TIMEOUT_MS", "600001", 'drainTimeoutMs: "600001" is not a whole number from 0 to 600000'],
    ["SIGNALBOX_PORT", "-1", 'port: "-1" is not a whole number from 0 to 65535'],
    ["SIGNALBOX_PORT", " 80", 'port: " 80" is not a whole number from 0 to 65535'],
    ["SIGNALBOX_PORT", "0x50", 'port: "0x50" is not a whole number from 0 to 65535'],
    ["SIGNALBOX_WORKERS", "0", 'workers: "0" is not "auto" or a whole number from 1 to 256'],
    ["SIGNALBOX_FABRIC", "redis", 'fabric: "redis" is not one of routed, stock'],
    ["SIGNALBOX_LOG_LEVEL", "loud", 'logLevel: "loud" is not one of trace, debug, info, warn, error'],
    ["SIGNALBOX_LISTEN_MODE", "0980", 'listenMode: "0980" is not an octal file mode in quotes, such as "0660"'],
    [
      "SIGNALBOX_TRUST_PROXY",
      "10.0.0.0/33",
      'trustProxy: "10.0.0.0/33" is not a whole number from 0 to 16, or a list of IP addresses and networks such as ' +
        '10.0.0.0/8, with "loopback" for this machine',
    ],
    ["SIGNALBOX_WATCH", "yes", 'watch: "yes" is not true or false'],
    ["SIGNALBOX_HOST_KEY", "abc", 'hostKey: "abc" is not 4 characters out of A-Z, a-z, 0-9, - and _'],
    ["SIGNALBOX_REGION", "-eu", 'region: "-eu" is not 1 to 32 characters out of a-z, 0-9 and - (not first)'],
    ["SIGNALBOX_MAX_HEAD_BYTES", "1023", 'maxHeadBytes: "1023" is not a whole number from 1024 to 65536'],
  ];
  for (const [variable, text, fault] of refused) {
    test(`${variable}=${text} is refused with the allowed values and the variable's name`, () => {
      assert.deepEqual(findFaults({ environment: { [variable]: text } }), [`${fault} (from ${variable})`]);
    });
  }

  test("an empty variable counts as not set", () => {
    assert.equal(resolve({ environment: { SIGNALBOX_PORT: "", SIGNALBOX_NONSENSE: "" } }).config.port, 3000);
  });

  test("variables of other programs are not looked at", () => {
    assert.deepEqual(findFaults({ environment: { PORT: "x", HOME: "/root", signalbox_port: "x" } }), []);
  });

  test("SIGNALBOX_CONFIG and SIGNALBOX_BOOTSTRAP are known without being settings", () => {
    assert.deepEqual(findFaults({ environment: { SIGNALBOX_CONFIG: "x.json", SIGNALBOX_BOOTSTRAP: "{}" } }), []);
  });

  test("variables that Kubernetes sets for a Service named signalbox are explained", () => {
    const faults = findFaults({
      environment: { SIGNALBOX_PORT: "tcp://10.0.0.1:3000", SIGNALBOX_SERVICE_HOST: "10.0.0.1" },
    });
    assert.equal(faults.length, 2);
    for (const fault of faults) assert.match(fault, /enableServiceLinks/);
  });
});

describe("values of the config file", () => {
  test("values keep their JSON types, and the octal mode is a string", () => {
    const { config } = resolve(inFile({ port: 80, watch: true, workers: 2, listenMode: "0600", hostKey: "abcd" }));
    const { port, watch, workers, listenMode, hostKey } = config;
    assert.deepEqual([port, watch, workers, listenMode, hostKey], [80, true, 2, 0o600, "abcd"]);
  });

  const refused: [key: string, value: unknown][] = [
    ["port", "80"],
    ["port", null],
    ["port", 80.5],
    ["watch", 1],
    ["watch", "true"],
    ["listenMode", 660],
    ["host", ["127.0.0.1"]],
    ["region", {}],
  ];
  for (const [key, value] of refused) {
    test(`${JSON.stringify({ [key]: value })} is refused`, () => {
      const [fault, ...others] = findFaults(inFile({ [key]: value }));
      assert.ok(fault?.startsWith(`${key}: ${JSON.stringify(value)} is not `), fault);
      assert.ok(fault?.endsWith("(from /etc/signalbox.json)"), fault);
      assert.deepEqual(others, []);
    });
  }

  test("names that every object has are unknown like any other", () => {
    const values: Record<string, unknown> = JSON.parse('{ "__proto__": 1, "constructor": 2 }');
    assert.equal(findFaults({ file: { path: "c.json", values } }).length, 2);
  });
});

describe("precedence", () => {
  test("flags win over the environment, that over the file, that over the default, whatever is given", () => {
    const optionalPort = fc.option(fc.integer({ min: 0, max: 9000 }), { nil: undefined });
    fc.assert(
      fc.property(optionalPort, optionalPort, optionalPort, (flag, variable, inTheFile) => {
        const { config, origins } = resolve({
          flags: flag === undefined ? {} : { "--port": String(flag) },
          environment: { SIGNALBOX_PORT: variable?.toString() },
          ...inFile(inTheFile === undefined ? {} : { port: inTheFile }),
        });
        assert.equal(config.port, flag ?? variable ?? inTheFile ?? 3000);
        const given = [flag, variable, inTheFile, 3000].findIndex((value) => value !== undefined);
        assert.equal(origins.port.source, ["flag", "environment", "file", "default"][given]);
      }),
    );
  });

  test("sources for different settings do not disturb each other", () => {
    const sources = { flags: { "--port": "1" }, environment: { SIGNALBOX_REGION: "eu" }, ...inFile({ workers: 3 }) };
    const { config, origins } = resolve(sources);
    assert.deepEqual([config.port, config.region, config.workers], [1, "eu", 3]);
    assert.deepEqual(
      [origins.port.name, origins.region.name, origins.workers.name, origins.host.name],
      ["--port", "SIGNALBOX_REGION", "/etc/signalbox.json", "default"],
    );
  });
});

describe("faults", () => {
  test("every fault of every source is in one message, overridden values included", () => {
    const sources = {
      flags: { "--port": "1", "--prot": "2", "--workers": "many" },
      environment: { SIGNALBOX_PORT: "x", SIGNALBOX_DRAIN_TIMEOUT: "5" },
      ...inFile({ port: "y", drain_timeout_ms: 5, colour: "red" }),
      earlierFaults: ["the flag --host needs a value"],
    };
    const faults = findFaults(sources);
    assert.deepEqual(faults, [
      "the flag --host needs a value",
      'port: "y" is not a whole number from 0 to 65535 (from /etc/signalbox.json)',
      '"drain_timeout_ms" is not a setting (from /etc/signalbox.json); did you mean drainTimeoutMs?',
      '"colour" is not a setting (from /etc/signalbox.json)',
      'port: "x" is not a whole number from 0 to 65535 (from SIGNALBOX_PORT)',
      "the variable SIGNALBOX_DRAIN_TIMEOUT is not known; did you mean SIGNALBOX_DRAIN_TIMEOUT_MS?",
      "the flag --prot is not known; did you mean --port?",
      'workers: "many" is not "auto" or a whole number from 1 to 256 (from --workers)',
    ]);
    assert.throws(
      () => resolve(sources),
      (error) => error instanceof ConfigError && faults.every((fault) => error.message.includes(fault)),
    );
  });

  test("a long value is shortened", () => {
    const [fault] = findFaults({ flags: { "--region": "x".repeat(5000) } });
    assert.ok(fault !== undefined && fault.length < 200, fault);
  });

  test("a secret is not shown in a fault", () => {
    const settings = configSettings.map((setting) => ({ ...setting, secret: setting.key === "hostKey" }));
    const [fault] = findFaults({ flags: { "--host-key": "hunter2" } }, settings);
    assert.match(fault ?? "", /^hostKey: the secret value is not 4 characters/);
    assert.doesNotMatch(fault ?? "", /hunter2/);
  });
});

describe("settings that exclude each other", () => {
  test("proxyProtocol without a proxy to trust is a fault", () => {
    for (const trustProxy of [0, []]) {
      assert.deepEqual(findFaults({ flags: { "--proxy-protocol": "true" }, ...inFile({ trustProxy }) }), [
        "proxyProtocol (from --proxy-protocol) is for the proxies of trustProxy (from /etc/signalbox.json), which are none; name them",
      ]);
    }
    assert.deepEqual(findFaults({ flags: { "--proxy-protocol": "true" } }), []);
  });

  test("listen with an explicit host or port is a fault, wherever each was set", () => {
    assert.deepEqual(
      findFaults({
        environment: { SIGNALBOX_LISTEN: "/run/s.sock", SIGNALBOX_HOST: "::1" },
        ...inFile({ port: 3000 }),
      }),
      [
        "listen (from SIGNALBOX_LISTEN) and host (from SIGNALBOX_HOST) exclude each other; keep one of them",
        "listen (from SIGNALBOX_LISTEN) and port (from /etc/signalbox.json) exclude each other; keep one of them",
      ],
    );
    assert.equal(resolve({ flags: { "--listen": "/run/s.sock" } }).config.listen, "/run/s.sock");
  });

  test("the smallest backoff must not exceed the largest", () => {
    const [fault] = findFaults({ flags: { "--restart-backoff-min-ms": "30001" } });
    assert.match(
      fault ?? "",
      /^restartBackoffMinMs \(from --restart-backoff-min-ms\) is 30001, more than the 30000 of/,
    );
    assert.deepEqual(findFaults({ flags: { "--restart-backoff-min-ms": "30000" } }), []);
  });

  test("public and admin port must differ, unless the system picks both or there is no public port", () => {
    assert.match(findFaults({ flags: { "--port": "9464" } })[0] ?? "", /are both 9464; give each its own port/);
    assert.deepEqual(findFaults({ flags: { "--port": "0", "--admin-port": "0" } }), []);
    assert.deepEqual(findFaults({ flags: { "--listen": "/run/s.sock", "--admin-port": "3000" } }), []);
  });

  test("a value that was already refused is not compared as well", () => {
    assert.equal(
      findFaults({ flags: { "--restart-backoff-min-ms": "99999", "--restart-backoff-max-ms": "no" } }).length,
      1,
    );
  });
});
