/** The environment of a router: that of the process that starts it, handed on and not read for anything else. */

/** Yarn's Plug'n'Play: without its loader a package in an archive cannot be read. */
const plugAndPlay =
  /(?:^|\s)(?:--require|-r|--import|--loader|--experimental-loader)[ =](?:"[^"]*\.pnp\.[^"]*"|\S*\.pnp\.\S*)/g;

const inspector = /(?:^|\s)--inspect(?:-brk|-wait|-port|-publish-uid)?(?:=\S*)?(?=\s|$)/g;

/** Beside Signalbox's own primary: all of it, but an inspector, whose port is taken already. */
export function withoutInspector(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: options, ...others } = environment;
  const kept = options?.replace(inspector, "").trim() ?? "";
  return kept === "" ? others : { ...others, NODE_OPTIONS: kept };
}

/**
 * Beside somebody else's program.
 * What Node is told by NODE_OPTIONS is meant for the program and its workers: an inspector's port is taken already, and
 * what instruments an application has nothing to do here.
 */
export function createRouterEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: options = "", ...others } = environment;
  const kept = [...options.matchAll(plugAndPlay)].map(([option]) => option.trim());
  return kept.length === 0 ? others : { ...others, NODE_OPTIONS: kept.join(" ") };
}
