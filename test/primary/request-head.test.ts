import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type HeadVerdict, readRequestHead } from "../../src/primary/request-head.js";

const maxHeadBytes = 16_384;
const sid = "hostAA0123456789abcd";

function read(text: string | Buffer, limit = maxHeadBytes): HeadVerdict {
  return readRequestHead(Buffer.isBuffer(text) ? text : Buffer.from(text, "latin1"), 0, limit);
}

/** Feeds pieces as a connection does: all that is known each time, until there is a verdict. */
function feed(pieces: readonly Buffer[], limit = maxHeadBytes): HeadVerdict {
  let received = Buffer.alloc(0);
  let verdict: HeadVerdict = { kind: "incomplete" };
  for (const piece of pieces) {
    const known = received.length;
    received = Buffer.concat([received, piece]);
    verdict = readRequestHead(received, known, limit);
    if (verdict.kind !== "incomplete") break;
  }
  return verdict;
}

function complete(isHandshake: boolean, expectedSid?: string): HeadVerdict {
  return { kind: "complete", sid: expectedSid, isHandshake };
}

function refuse(status: 400 | 431, reason: "tls" | "http2" | "garbage" | "head-too-large"): HeadVerdict {
  return { kind: "refuse", status, reason };
}

const heads: { what: string; head: string; verdict: HeadVerdict }[] = [
  { what: "the shortest request", head: "GET / HTTP/1.1\r\n\r\n", verdict: complete(false) },
  {
    what: "a polling handshake",
    head: "GET /socket.io/?EIO=4&transport=polling&t=abc HTTP/1.1\r\nHost: localhost\r\n\r\n",
    verdict: complete(true),
  },
  {
    what: "a WebSocket handshake",
    head: "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    verdict: complete(true),
  },
  {
    what: "a request of a session",
    head: `POST /socket.io/?EIO=4&sid=${sid}&transport=polling HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n`,
    verdict: complete(false, sid),
  },
  { what: "a request of HTTP/1.0", head: "HEAD /health HTTP/1.0\r\n\r\n", verdict: complete(false) },
];

for (const { what, head, verdict } of heads) {
  describe(`${what}`, () => {
    const whole = Buffer.from(head, "latin1");

    test("is read in one piece, with or without a body behind it", () => {
      assert.deepEqual(read(whole), verdict);
      assert.deepEqual(read(`${head}body\r\n\r\n`), verdict);
    });

    test("is incomplete up to its last byte, and read from two pieces wherever the cut is", () => {
      for (let cut = 0; cut < whole.length; cut++) {
        assert.deepEqual(
          readRequestHead(whole.subarray(0, cut), 0, maxHeadBytes),
          { kind: "incomplete" },
          `cut at ${cut}`,
        );
        assert.deepEqual(readRequestHead(whole, cut, maxHeadBytes), verdict, `cut at ${cut}`);
      }
    });

    test("is read byte by byte", () => {
      const bytes = Array.from(whole, (byte) => Buffer.from([byte]));
      assert.deepEqual(feed(bytes), verdict);
      assert.deepEqual(feed(bytes.slice(0, -1)), { kind: "incomplete" });
    });
  });
}

describe("the session id is that of the query alone", () => {
  const other = "otheAA0123456789abcd";
  const handshake = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n";
  const cases: [string, string, HeadVerdict][] = [
    ["a cookie", `${handshake}Cookie: io=1; sid=${other}\r\n\r\n`, complete(true)],
    ["a Referer", `${handshake}Referer: http://a/?sid=${other}\r\n\r\n`, complete(true)],
    ["the path", `GET /sid=${other}/socket.io/?EIO=4 HTTP/1.1\r\n\r\n`, complete(true)],
    ["a body", `POST /socket.io/?EIO=4 HTTP/1.1\r\nContent-Length: 25\r\n\r\n/?sid=${other}`, complete(true)],
    [
      "a cookie before the query's own",
      `GET /?EIO=4&sid=${sid} HTTP/1.1\r\nCookie: sid=${other}\r\n\r\n`,
      complete(false, sid),
    ],
    ["another parameter's end", `GET /?EIO=4&xsid=${other} HTTP/1.1\r\n\r\n`, complete(true)],
  ];
  for (const [what, head, verdict] of cases) {
    test(`and not that of ${what}`, () => assert.deepEqual(read(head), verdict));
  }

  for (const text of ["a", "a".repeat(19), "a".repeat(21), "a%2Fb", "a.b"]) {
    test(`also one that no address has: ${text}`, () => {
      assert.deepEqual(read(`GET /socket.io/?EIO=4&sid=${text} HTTP/1.1\r\n\r\n`), complete(false, text));
    });
  }
});

test("only a request with EIO and without sid is a handshake", () => {
  assert.deepEqual(read("GET /socket.io/?EIO=4 HTTP/1.1\r\n\r\n"), complete(true));
  assert.deepEqual(read("GET /socket.io/?EIO=3 HTTP/1.1\r\n\r\n"), complete(true));
  assert.deepEqual(read("GET /socket.io/socket.io.js HTTP/1.1\r\n\r\n"), complete(false));
  assert.deepEqual(read(`GET /?sid=${sid} HTTP/1.1\r\n\r\n`), complete(false, sid));
});

/** The first bytes that openssl s_client sends. */
const clientHello = Buffer.from("16030101400100013c0303a7d90d3f8be6ad9c6d0d0a0d0a", "hex");

describe("a hopeless beginning is refused at once", () => {
  const cases: [string, Buffer | string, HeadVerdict][] = [
    ["a TLS ClientHello", clientHello, refuse(400, "tls")],
    ["the first byte of TLS", clientHello.subarray(0, 1), refuse(400, "tls")],
    ["the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refuse(400, "http2")],
    ["the first line of the HTTP/2 preface", "PRI * HTTP/2.0\r\n", refuse(400, "http2")],
    ["bytes that are no text", Buffer.from([0, 1, 2, 3]), refuse(400, "garbage")],
    ["bytes above ASCII", Buffer.from([0xff, 0xfe]), refuse(400, "garbage")],
    ["a space first", " GET / HTTP/1.1\r\n\r\n", refuse(400, "garbage")],
    ["an empty line first", "\r\n\r\n", refuse(400, "garbage")],
    ["a character that no method has", "GE(T / HTTP/1.1\r\n", refuse(400, "garbage")],
    ["a method without end", "A".repeat(25), refuse(400, "garbage")],
    ["a method too long", `${"A".repeat(25)} / HTTP/1.1\r\n\r\n`, refuse(400, "garbage")],
    ["a line without version", "GET /\r\n", refuse(400, "garbage")],
    ["a line without target", "GET HTTP/1.1\r\n", refuse(400, "garbage")],
    ["a whole head without version", "GET /\r\n\r\n", refuse(400, "garbage")],
    ["HTTP/0.9", "GET / HTTP/0.9\r\n", refuse(400, "garbage")],
    ["HTTP/2 in a line of HTTP/1", "GET / HTTP/2.0\r\n\r\n", refuse(400, "garbage")],
    ["HTTP/1.2", "GET / HTTP/1.2\r\n", refuse(400, "garbage")],
    ["a version in small letters", "GET / http/1.1\r\n", refuse(400, "garbage")],
    ["something behind the version", "GET / HTTP/1.1 x\r\n", refuse(400, "garbage")],
    ["a SOCKS greeting", Buffer.from([5, 1, 0]), refuse(400, "garbage")],
  ];
  for (const [what, bytes, verdict] of cases) test(what, () => assert.deepEqual(read(bytes), verdict));
});

describe("a beginning that may still become a request is waited for", () => {
  const cases: [string, string][] = [
    ["nothing", ""],
    ["one letter", "G"],
    ["a method that may go on", "A".repeat(24)],
    ["the longest method and its space", `${"A".repeat(24)} `],
    ["a line whose version may go on", "GET / HTTP/0"],
    ["a carriage return without its line feed", "GET / HTTP/1.1\r"],
    ["the letters of the HTTP/2 preface", "PRI * HTTP/2.0"],
    ["an open header", "GET / HTTP/1.1\r\nHost: a\r\n"],
    ["three of the last four bytes", "GET / HTTP/1.1\r\n\r"],
  ];
  for (const [what, text] of cases) test(what, () => assert.deepEqual(read(text), { kind: "incomplete" }));
});

describe("a head above the limit is refused with 431", () => {
  const start = "GET / HTTP/1.1\r\nX: ";
  const fill = (length: number): string => `${start}${"x".repeat(length - start.length - 4)}\r\n\r\n`;

  test("a whole head of exactly the limit passes, one byte more does not", () => {
    assert.deepEqual(read(fill(100), 100), complete(false));
    assert.deepEqual(read(fill(101), 100), refuse(431, "head-too-large"));
  });

  test("bytes behind the head do not count", () => {
    assert.deepEqual(read(fill(100) + "b".repeat(1_000), 100), complete(false));
  });

  test("a head without end is refused when the limit is passed, not before", () => {
    assert.deepEqual(read(fill(200).slice(0, 100), 100), { kind: "incomplete" });
    assert.deepEqual(read(fill(200).slice(0, 101), 100), refuse(431, "head-too-large"));
  });

  test("a target without end too", () => {
    assert.deepEqual(read(`GET /${"a".repeat(maxHeadBytes)}`), refuse(431, "head-too-large"));
  });
});

describe("pieces", () => {
  const fragments = fc.constantFrom(
    "GET ",
    "POST ",
    "/socket.io/?EIO=4",
    `&sid=${sid}`,
    " HTTP/1.1",
    " HTTP/0.9",
    "\r\n",
    "\r",
    "\n",
    "\r\n\r\n",
    "Host: a",
    " ",
    "A".repeat(20),
    "\u0016\u0003\u0001",
    "PRI * HTTP/2.0\r\n",
  );
  const garbage = fc.array(fragments, { maxLength: 12 }).map((parts) => Buffer.from(parts.join(""), "latin1"));
  const requests = fc
    .tuple(fc.constantFrom(...heads.map(({ head }) => head)), fc.array(fragments, { maxLength: 4 }))
    .map(([head, rest]) => Buffer.from(head + rest.join(""), "latin1"));
  const streams = fc.oneof(
    garbage,
    requests,
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  );

  /** Bytes, and the pieces in which they come. */
  const chopped = streams.chain((bytes) =>
    fc.uniqueArray(fc.integer({ min: 0, max: bytes.length }), { maxLength: 10 }).map((cuts) => {
      const edges = [0, ...cuts.sort((left, right) => left - right), bytes.length];
      return { bytes, pieces: edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge)) };
    }),
  );

  test("lead to the same verdict as the whole, however it is chopped", () => {
    fc.assert(
      fc.property(chopped, ({ bytes, pieces }) => {
        assert.deepEqual(feed(pieces), feed([bytes]));
      }),
      { numRuns: 2_000 },
    );
  });

  test("lead to the same kind of verdict under any limit", () => {
    fc.assert(
      fc.property(chopped, fc.integer({ min: 1, max: 120 }), ({ bytes, pieces }, limit) => {
        assert.equal(feed(pieces, limit).kind, feed([bytes], limit).kind);
      }),
      { numRuns: 2_000 },
    );
  });
});
