import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { escapeSpecifiers, quoteArgument, quoteWord, renderVariable } from "../../src/systemd/unit-syntax.js";

describe("words as systemd reads them", () => {
  test("a plain path stays as it is", () => {
    assert.equal(quoteWord("/opt/signalbox-1.0/dist/main.js"), "/opt/signalbox-1.0/dist/main.js");
  });

  test("blanks and quotes need quotes", () => {
    assert.equal(quoteWord('/srv/my "app"\\x'), '"/srv/my \\"app\\"\\\\x"');
  });

  test("a percent sign begins a specifier, a dollar sign in a command a variable", () => {
    assert.equal(escapeSpecifiers("/srv/100%i"), "/srv/100%%i");
    assert.equal(quoteArgument("/srv/$HOME"), '"/srv/$$HOME"');
    assert.equal(quoteWord("/srv/$HOME"), '"/srv/$HOME"');
  });

  test("the value of a variable is in quotes where it needs them, and nothing is replaced in it", () => {
    assert.equal(renderVariable("A", "redis://:p%40ss@host:6379"), "A=redis://:p%40ss@host:6379");
    assert.equal(renderVariable("A", 'a "b" $c `d` \\e'), 'A="a \\"b\\" \\$c \\`d\\` \\\\e"');
  });
});
