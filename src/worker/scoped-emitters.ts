/** Socket.IO's own emitters with a narrower reach than the whole fleet: this host, or this region. */

import type { Namespace, Server } from "socket.io";

type Emitter = Namespace["local"];
type EmitterConstructor = new (
  adapter: unknown,
  rooms: Set<unknown>,
  except: Set<unknown>,
  flags: { readonly scope: "host" | "region" },
) => Emitter;

/** What is made from it by `to`, `except` and the like has the same reach. */
export function createScopedEmitter(of: Server | Namespace, scope: "host" | "region"): Emitter {
  const namespace = "of" in of ? of.of("/") : of;
  // The class is not exported: each emitter of a namespace is one.
  const Operator = namespace.local.constructor as EmitterConstructor;
  return new Operator(namespace.adapter, new Set(), new Set(), { scope });
}
