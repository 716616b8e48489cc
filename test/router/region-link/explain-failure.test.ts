import assert from "node:assert/strict";
import { test } from "node:test";
import { explainDialAnswer, explainDialError } from "../../../src/router/region-link/explain-failure.js";

const alert =
  "40E7:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../deps/openssl/ssl/rec.c:1586:SSL alert number 116\n";

const errors: [what: string, error: Error & { code?: string }, said: RegExp][] = [
  [
    "a certificate of an own authority",
    Object.assign(new Error("self-signed certificate in certificate chain"), { code: "SELF_SIGNED_CERT_IN_CHAIN" }),
    /^its certificate is of no authority that is trusted here \(self-signed .* chain\): name that authority with linkCa$/,
  ],
  [
    "a client certificate that is wanted",
    Object.assign(new Error(alert), { code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" }),
    /^it does not take .* \(alert certificate required\): set linkCertificate and linkKey$/,
  ],
  [
    "nobody there",
    Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }),
    /^connect ECONNREFUSED$/,
  ],
  ["an error without a code", new Error("odd"), /^odd$/],
];
for (const [what, error, said] of errors) {
  test(`${what} is told with what to do`, () => assert.match(explainDialError(error), said));
}

test("an answer is told with what it means there, and cut", () => {
  assert.match(explainDialAnswer(404, "Not Found"), /^it answered HTTP 404 Not Found in place of a link; no links/);
  assert.equal(explainDialAnswer(418, ""), "it answered HTTP 418 in place of a link");
  assert.ok(!explainDialAnswer(500, "\u001b[2J").includes("\u001b"));
  assert.ok(explainDialAnswer(500, "x".repeat(10_000)).length < 200);
});
