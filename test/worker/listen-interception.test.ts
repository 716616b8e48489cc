import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createNetServer } from "node:net";
import { describe, test } from "node:test";
import { describeRequestedAddress, parseListenArguments } from "../../src/worker/listen-interception.js";

const callback = (): void => {};
const none = { host: undefined, port: undefined, path: undefined };

describe("what the application asked for is read from", () => {
  const cases: [string, unknown[], unknown][] = [
    ["listen()", [], none],
    ["listen(callback)", [callback], none],
    ["listen(undefined, callback)", [undefined, callback], none],
    ["listen(null)", [null], none],
    ["listen(0)", [0], { ...none, port: 0 }],
    ["listen(port)", [3000], { ...none, port: 3000 }],
    ["listen(port, callback)", [3000, callback], { ...none, port: 3000 }],
    ["listen(port, host)", [3000, "::1"], { ...none, port: 3000, host: "::1" }],
    ["listen(port, host, callback)", [3000, "localhost", callback], { ...none, port: 3000, host: "localhost" }],
    ["listen(port, host, backlog, callback)", [3000, "::", 511, callback], { ...none, port: 3000, host: "::" }],
    ["listen(port, backlog)", [3000, 511], { ...none, port: 3000 }],
    ["listen(port, undefined, callback)", [3000, undefined, callback], { ...none, port: 3000 }],
    ["listen(port as text)", ["3000"], { ...none, port: 3000 }],
    ["listen(port as text, host)", ["3000", "0.0.0.0"], { ...none, port: 3000, host: "0.0.0.0" }],
    ["listen(path)", ["/run/app.sock"], { ...none, path: "/run/app.sock" }],
    ["listen(path, backlog, callback)", ["/run/app.sock", 511, callback], { ...none, path: "/run/app.sock" }],
    ["listen({ port })", [{ port: 3000 }], { ...none, port: 3000 }],
    ["listen({ port as text, host })", [{ port: "3000", host: "::1" }, callback], { ...none, port: 3000, host: "::1" }],
    ["listen({ port, exclusive, backlog })", [{ port: 0, exclusive: true, backlog: 9 }], { ...none, port: 0 }],
    ["listen({ path })", [{ path: "/run/app.sock", readableAll: true }], { ...none, path: "/run/app.sock" }],
    ["listen({ port, path }): the port counts", [{ port: 3000, path: "/run/app.sock" }], { ...none, port: 3000 }],
    ["listen({ port: null, path })", [{ port: null, path: "/a.sock" }], { ...none, path: "/a.sock" }],
    ["listen({ signal })", [{ signal: new AbortController().signal }], none],
  ];
  for (const [form, values, expected] of cases) {
    test(form, () => assert.deepEqual(parseListenArguments(values), expected));
  }
});

describe("handles and descriptors are left alone", () => {
  const cases: [string, unknown][] = [
    ["listen({ fd })", { fd: 3 }],
    ["listen(another net server)", createNetServer()],
    ["listen(another http server)", createServer()],
    ["listen({ _handle })", { _handle: {} }],
    ["listen(true)", true],
  ];
  for (const [form, value] of cases) test(form, () => assert.equal(parseListenArguments([value]), undefined));
});

describe("address() then says", () => {
  const cases: [string, unknown[], string | object][] = [
    ["the port asked for", [3000], { address: "127.0.0.1", family: "IPv4", port: 3000 }],
    ["the host asked for", [3000, "0.0.0.0"], { address: "0.0.0.0", family: "IPv4", port: 3000 }],
    ["an address for localhost", [3000, "localhost"], { address: "127.0.0.1", family: "IPv4", port: 3000 }],
    ["an IPv6 address", [3000, "::1"], { address: "::1", family: "IPv6", port: 3000 }],
    ["the path asked for", ["/run/app.sock"], "/run/app.sock"],
    ["port 0 when nothing was asked for", [], { address: "127.0.0.1", family: "IPv4", port: 0 }],
  ];
  for (const [what, values, expected] of cases) {
    test(what, () => {
      const requested = parseListenArguments(values);
      assert.ok(requested !== undefined);
      assert.deepEqual(describeRequestedAddress(requested), expected);
    });
  }
});
