/** What Biome cannot see: promises (with types), exhaustive switches, and what a pure file must not call. */

import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

/** Files that get time, randomness and the outside world as arguments, so that their tests are tables. */
const pureFiles = [
  "src/address/**",
  "src/protocol/**",
  "src/routing/**",
  "src/link/**",
  "src/nginx/**",
  "src/redis/redis-url.ts",
  "src/redis/describe-redis.ts",
  "src/redis/retry-delay.ts",
  "src/redis/refusal.ts",
  "src/redis/cluster-slots.ts",
  "src/config/schema.ts",
  "src/primary/proxy-protocol.ts",
  "src/primary/request-head.ts",
  "src/primary/worker-choice.ts",
  "src/primary/restart-policy.ts",
  "src/primary/router-policy.ts",
  "src/primary/drain-spread.ts",
  "src/primary/roll-plan.ts",
  "src/primary/retire-policy.ts",
  "src/primary/service-notices.ts",
  "src/primary/service-variables.ts",
  "src/primary/working-directory.ts",
  "src/systemd/**",
  "src/worker/drain-plan.ts",
  "src/worker/idle-order.ts",
  "src/worker/stock/wanted-channels.ts",
  "src/worker/stock/outage-report.ts",
  "src/router/core.ts",
  "src/router/host-bus/bus-wire.ts",
  "src/router/forwarding.ts",
  "src/router/delivery.ts",
  "src/router/held-requests.ts",
  "src/router/host-bus/announcement-writer.ts",
  "src/router/host-bus/bus-effects.ts",
  "src/router/host-bus/host-bus.ts",
  "src/router/host-bus/host-facts.ts",
  "src/router/host-bus/host-list.ts",
  "src/router/host-bus/remote-hosts.ts",
  "src/router/host-bus/host-port.ts",
  "src/router/host-bus/host-view.ts",
  "src/router/host-bus/joins-under-way.ts",
  "src/router/host-bus/render-bus-note.ts",
  "src/router/host-bus/snapshot-server.ts",
  "src/router/emitter-channels.ts",
  "src/primary/bus-state.ts",
  "src/router/members.ts",
  "src/router/wishes.ts",
  "src/router/region-link/ack-gate.ts",
  "src/router/region-link/handshake.ts",
  "src/router/region-link/inbound-links.ts",
  "src/router/region-link/link-effects.ts",
  "src/router/region-link/outbound-regions.ts",
  "src/router/region-link/region-links.ts",
  "src/router/region-link/rendezvous.ts",
  "src/router/region-link/link-entrance.ts",
  "src/router/region-link/region-port.ts",
  "src/router/region-link/region-traffic.ts",
  "src/router/region-link/region-truth.ts",
  "src/router/region-link/render-link-note.ts",
  "src/router/port.ts",
  "src/router/pulse.ts",
  "src/router/request-relay.ts",
  "src/router/router-effects.ts",
  "src/router/render-note.ts",
  "src/router/repeat-filter.ts",
];

/** Files whose job includes ending the process. */
const endsProcess = ["src/cli/**", "src/worker/**", "src/router/router-main.ts"];

const processExit = {
  object: "process",
  property: "exit",
  message: "Only cli/, worker/ and router-main end the process: throw, or return the exit code.",
};

const impureGlobals = [
  "process",
  "performance",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "fetch",
  "crypto",
  "console",
].map((name) => ({ name, message: "A pure file gets time, randomness and the outside world as arguments." }));

const impureProperties = [
  { object: "Date", property: "now", message: "A pure file gets the time as an argument (nowMs)." },
  { object: "Math", property: "random", message: "A pure file gets randomness as an argument." },
];

const impureSyntax = [
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: "A pure file gets the time as an argument (nowMs).",
  },
];

/** Modules of Node with I/O, timers or randomness. */
const impureModules = {
  regex:
    "^(node:)?(fs|http|https|http2|tls|dns|dgram|os|cluster|child_process|worker_threads|timers|process|crypto|perf_hooks|readline|stream)(/.*)?$",
  allowTypeImports: true,
  message: "A pure file does no I/O: types of this module may be imported, nothing else.",
};

/** The module of sockets also reads and compares addresses. */
const socketModule = {
  regex: "^(node:)?net$",
  allowImportNames: ["BlockList", "SocketAddress", "isIP", "isIPv4", "isIPv6"],
  allowTypeImports: true,
  message: "A pure file does no I/O: of this module it may import what reads addresses, and types.",
};

export default defineConfig([
  // A fixture of the tests that has to stay unreadable.
  { ignores: ["dist/**", "node_modules/**", "test/fixtures/faults/syntax-error.mjs"] },
  {
    files: ["src/**/*.ts", "test/**/*.ts"],
    plugins: { "@typescript-eslint": tseslint.plugin },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: "./tsconfig.test.json", tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-floating-promises": [
        "error",
        // node:test runs what these return; a file need not wait for them.
        {
          allowForKnownSafeCalls: [
            { from: "package", package: "node:test", name: ["test", "it", "describe", "suite", "before", "after"] },
          ],
        },
      ],
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/return-await": ["error", "error-handling-correctness-only"],
      // A written default is a decision; without one every member of a union has its case.
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: [...endsProcess, ...pureFiles],
    rules: { "no-restricted-properties": ["error", processExit] },
  },
  {
    files: pureFiles,
    rules: {
      "no-restricted-globals": ["error", ...impureGlobals],
      "no-restricted-properties": ["error", ...impureProperties],
      "no-restricted-syntax": ["error", ...impureSyntax],
      "@typescript-eslint/no-restricted-imports": ["error", { patterns: [impureModules, socketModule] }],
    },
  },
]);
