/** Development: calls back when a file of the application has changed. */

import { watch } from "node:fs";
import { sep } from "node:path";

/** An editor writes a file in several steps; they are one change. */
const settleMs = 150;

/** Watches a directory and all below it, but for dependencies and hidden directories. Returns the function that ends it. */
export function watchFiles(directory: string, onChange: (name: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(directory, { recursive: true, persistent: false }, (_event, name) => {
    if (name === null || name.split(sep).some((part) => part === "node_modules" || part.startsWith("."))) return;
    clearTimeout(timer);
    timer = setTimeout(() => onChange(name), settleMs);
  });
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}
