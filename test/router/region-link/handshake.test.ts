/** The handshake of a link: who gets in, who does not and by which close code, and what an eavesdropper can do with it. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { LinkClosure } from "../../../src/protocol/link-closures.js";
import { encodeLinkHandshake, type LinkIdentity } from "../../../src/protocol/link-handshake.js";
import { AcceptorHandshake, DiallerHandshake, type HandshakeStep } from "../../../src/router/region-link/handshake.js";
import { createLinkProver } from "../../../src/router/region-link/link-prover.js";

const eu: LinkIdentity = { region: "eu", hostKey: "aaaa", incarnation: "0.abc" };
const us: LinkIdentity = { region: "us", hostKey: "bbbb", incarnation: "1.def" };
const secret = "0123456789abcdef0123456789abcdef";
const other = "another secret that is long enough!";

function nonce(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function createPair(options: { dialler?: readonly string[]; acceptor?: readonly string[]; name?: string } = {}): {
  readonly dialler: DiallerHandshake;
  readonly acceptor: AcceptorHandshake;
} {
  const { dialler = [secret], acceptor = [secret], name = "" } = options;
  return {
    dialler: new DiallerHandshake(eu, "us", nonce(`d${name}`), createLinkProver(dialler)),
    acceptor: new AcceptorHandshake(us, nonce(`a${name}`), createLinkProver(acceptor)),
  };
}

function said(step: HandshakeStep): Buffer {
  assert.equal(step.type, "say");
  return step.type === "say" ? step.bytes : Buffer.alloc(0);
}

function assertRefused(step: HandshakeStep, closure: LinkClosure, reason?: RegExp): void {
  assert.equal(step.type, "refuse", JSON.stringify(step));
  if (step.type !== "refuse") return;
  assert.equal(step.closure, closure);
  if (reason !== undefined) assert.match(step.reason, reason);
}

/** All that is said, in order, and what came of it. */
function run(pair: ReturnType<typeof createPair>): { readonly spoken: Buffer[]; readonly end: HandshakeStep } {
  const hello = pair.dialler.begin();
  const challenge = pair.acceptor.take(hello);
  if (challenge.type !== "say") return { spoken: [hello], end: challenge };
  const proof = pair.dialler.take(challenge.bytes);
  if (proof.type !== "say") return { spoken: [hello, challenge.bytes], end: proof };
  const accepted = pair.acceptor.take(proof.bytes);
  const spoken = [hello, challenge.bytes, proof.bytes];
  if (accepted.type !== "linked") return { spoken, end: accepted };
  assert.deepEqual(accepted.peer, eu);
  return { spoken: [...spoken, accepted.bytes as Buffer], end: pair.dialler.take(accepted.bytes as Buffer) };
}

test("two regions with the same secret know each other after four messages, which do not hold it", () => {
  const { spoken, end } = run(createPair());
  assert.deepEqual(end, { type: "linked", peer: us, bytes: undefined });
  assert.equal(spoken.length, 4);
  for (const bytes of spoken) assert.ok(!bytes.toString("latin1").includes(secret.slice(0, 8)));
});

test("secrets are changed one region after the other without a moment in which they differ", () => {
  for (const [dialler, acceptor] of [
    [[secret], [secret, other]],
    [
      [secret, other],
      [other, secret],
    ],
    [[other], [other, secret]],
  ] as const) {
    assert.equal(run(createPair({ dialler, acceptor })).end.type, "linked");
    assert.equal(run(createPair({ dialler: acceptor, acceptor: dialler })).end.type, "linked");
  }
});

test("a wrong secret is refused by the acceptor before it has proven anything itself", () => {
  const { spoken, end } = run(createPair({ dialler: [other] }));
  assertRefused(end, "notProven", /linkSecrets/);
  assert.equal(spoken.length, 3);
  if (end.type === "refuse") assert.ok(!end.reason.includes(secret) && !end.reason.includes(other));
});

test("a dialler does not take somebody without the secret for the region", () => {
  const { dialler, acceptor } = createPair();
  const proof = said(dialler.take(said(acceptor.take(dialler.begin()))));
  assert.ok(proof.length > 0);
  assertRefused(dialler.take(encodeLinkHandshake({ type: "welcome", mac: nonce("made up") })), "notProven");
});

test("what was recorded of one handshake is refused in the next", () => {
  const { spoken } = run(createPair());
  const { acceptor } = createPair({ name: "next" });
  assert.equal(acceptor.take(spoken[0] as Buffer).type, "say");
  assertRefused(acceptor.take(spoken[2] as Buffer), "notProven");
});

test("a proof sent back to whoever made it is no proof", () => {
  const { dialler, acceptor } = createPair();
  const challenge = said(acceptor.take(dialler.begin()));
  const proof = said(dialler.take(challenge));
  // The same bytes as the acceptor's word: of another role.
  const mac = proof.subarray(-32);
  assertRefused(dialler.take(encodeLinkHandshake({ type: "welcome", mac })), "notProven");
});

test("versions, regions and host keys that do not fit are refused by name", () => {
  const table: [Partial<Parameters<typeof encodeLinkHandshake>[0]>, LinkClosure, RegExp][] = [
    [{ version: 0 }, "unknownVersion", /version 0 .* \(known: 1\)/],
    [{ version: 2 }, "unknownVersion", /version 2/],
    [{ region: "us" }, "notExpected", /of the region us, too/],
    [{ hostKey: "bbbb" }, "notExpected", /host key bbbb, too/],
  ];
  for (const [change, closure, reason] of table) {
    const hello = encodeLinkHandshake({ type: "hello", version: 1, ...eu, nonce: nonce("x"), ...change } as never);
    assertRefused(createPair().acceptor.take(hello), closure, reason);
  }
  // A version of which only the number is known.
  const later = Buffer.concat([Buffer.from([0, 0, 0, 4, 80, 0, 0, 9])]);
  assertRefused(createPair().acceptor.take(later), "unknownVersion", /version 9/);
});

test("a host of another region than the one that was dialled is refused", () => {
  const prover = createLinkProver([secret]);
  const dialler = new DiallerHandshake(eu, "ap", nonce("d"), prover);
  const challenge = said(new AcceptorHandshake(us, nonce("a"), prover).take(dialler.begin()));
  assertRefused(dialler.take(challenge), "notExpected", /region us .* region ap/);
});

test("bytes of any kind, at any moment, are refused or asked on, and never throw or link", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 2 }), fc.boolean(), (noise, moment, isCut) => {
      const { dialler, acceptor } = createPair();
      const messages = run(createPair()).spoken;
      const garbage = Buffer.from(noise);
      const hostile = isCut
        ? Buffer.concat([(messages[moment] as Buffer).subarray(0, noise.length % 40), garbage])
        : garbage;
      if (moment > 0) acceptor.take(dialler.begin());
      for (const end of [dialler, acceptor]) assert.notEqual(end.take(hostile).type, "linked");
    }),
  );
});

test("each changed bit of a proof is a wrong proof", () => {
  const { dialler, acceptor } = createPair();
  const challenge = said(acceptor.take(dialler.begin()));
  const proof = said(dialler.take(challenge));
  for (let bit = 0; bit < 256; bit++) {
    const changed = Buffer.from(proof);
    const at = changed.length - 32 + (bit >> 3);
    changed[at] = (changed[at] as number) ^ (1 << (bit & 7));
    assertRefused(acceptor.take(changed), "notProven");
  }
});
