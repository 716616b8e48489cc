import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nameWorkingDirectory } from "../../src/primary/working-directory.js";

const links: readonly (readonly [link: string, target: string])[] = [
  ["/srv/chat/current", "/srv/chat/releases/1"],
  ["/srv/plain/dist", "/srv/plain"],
];

function follow(directory: string): string | undefined {
  if (directory.startsWith("/gone")) return undefined;
  const [link, target] = links.find(([from]) => directory === from || directory.startsWith(`${from}/`)) ?? ["", ""];
  return target + directory.slice(link.length);
}

describe("the working directory, as the application's path names it", () => {
  const cases: [what: string, appPath: string, cwd: string, expected: string | undefined][] = [
    ["the link to the release", "/srv/chat/current/app.js", "/srv/chat/releases/1", "/srv/chat/current"],
    ["the link above the application", "/srv/chat/current/a/b.js", "/srv/chat/releases/1", "/srv/chat/current"],
    ["below the link", "/srv/chat/current/a/b.js", "/srv/chat/releases/1/a", "/srv/chat/current/a"],
    ["above the link: stays", "/srv/chat/current/app.js", "/srv/chat", "/srv/chat"],
    [
      "a release that was named itself: stays",
      "/srv/chat/releases/1/a.js",
      "/srv/chat/releases/1",
      "/srv/chat/releases/1",
    ],
    ["the nearest of two", "/srv/plain/dist/app.js", "/srv/plain", "/srv/plain/dist"],
    ["the root", "/srv/a/app.js", "/", "/"],
    ["elsewhere: none", "/srv/chat/current/app.js", "/root", undefined],
    ["another release: none", "/srv/chat/current/app.js", "/srv/chat/releases/2", undefined],
    ["a directory that is gone: none", "/gone/app.js", "/gone", undefined],
  ];
  for (const [what, appPath, cwd, expected] of cases) {
    test(what, () => assert.equal(nameWorkingDirectory(appPath, cwd, follow), expected));
  }
});
