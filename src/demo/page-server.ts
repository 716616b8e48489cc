/** Serves the demo's page from a map of files read at start; never reads the disk for a request. */

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import { extname } from "node:path";

interface PageFile {
  readonly body: Buffer;
  readonly contentType: string;
  readonly etag: string;
}

export type PageFiles = ReadonlyMap<string, PageFile>;

const contentTypeByExtension: ReadonlyMap<string, string> = new Map([
  [".html", "text/html; charset=utf-8"],
  [".css", "text/css; charset=utf-8"],
  [".js", "text/javascript; charset=utf-8"],
  [".svg", "image/svg+xml"],
]);

// What the browser library is made of once compiled. It is served as it is: the page uses no bundler.
const libraryFolders = ["client", "address", "protocol"];

const commonHeaders = {
  "Cache-Control": "no-cache",
  // `ws:` and `wss:` by name: Safari before 15.4 did not count a WebSocket to the page's own host as 'self'.
  "Content-Security-Policy":
    "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
  "Referrer-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

/** All that can be asked for, by URL path. */
export async function readPageFiles(): Promise<PageFiles> {
  const files = await readFolder(new URL("page/", import.meta.url), "/", [...contentTypeByExtension.keys()]);
  for (const folder of libraryFolders) {
    const library = await readFolder(new URL(`../${folder}/`, import.meta.url), `/signalbox/${folder}/`, [".js"]);
    for (const [path, file] of library) files.set(path, file);
  }
  const index = files.get("/index.html");
  if (index) files.set("/", index);
  return files;
}

export function servePage(httpServer: HttpServer, files: PageFiles): void {
  httpServer.on("request", (request, response) => {
    const path = request.url?.split("?", 1)[0] ?? "";
    // Socket.IO listens on the same server and answers these itself.
    if (path.startsWith("/socket.io/")) return;
    answer(request, response, files.get(path));
  });
}

function answer(request: IncomingMessage, response: ServerResponse, file: PageFile | undefined): void {
  if (!file) return answerText(response, 404, "Not found\n");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return answerText(response, 405, "Method not allowed\n");
  }
  if (request.headers["if-none-match"] === file.etag) {
    response.writeHead(304, { ...commonHeaders, ETag: file.etag }).end();
    return;
  }
  response.writeHead(200, {
    ...commonHeaders,
    "Content-Type": file.contentType,
    "Content-Length": file.body.length,
    ETag: file.etag,
  });
  // Node leaves the body out of an answer to HEAD.
  response.end(file.body);
}

function answerText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    ...commonHeaders,
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

async function readFolder(folder: URL, urlPrefix: string, extensions: string[]): Promise<Map<string, PageFile>> {
  const files = new Map<string, PageFile>();
  for (const name of await readdir(folder)) {
    const contentType = contentTypeByExtension.get(extname(name));
    if (contentType === undefined || !extensions.includes(extname(name))) continue;
    const body = await readFile(new URL(name, folder));
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    files.set(urlPrefix + name, { body, contentType, etag });
  }
  return files;
}
