/** What a generated configuration is made of, after everything in it has been checked. */

import type { NginxVersion } from "./nginx-version.js";

export interface SiteHost {
  readonly hostKey: string;
  /** As nginx takes it after `server`: `10.0.0.1:3000`, `[::1]:3000`, `unix:/path`. */
  readonly address: string;
  /** Gets the requests of its sessions and no others. */
  readonly isDraining: boolean;
}

export interface NginxSite {
  /** At least one, each key once, and not all of them draining. */
  readonly hosts: readonly SiteHost[];
  /** None: whatever name a client asks for. */
  readonly serverNames: readonly string[];
  /** Where Engine.IO answers, with its final slash. */
  readonly path: string;
  /** After `listen`. */
  readonly listen: string;
  /** After `listen` of the server that sends clients on to TLS, if there is to be one. */
  readonly redirectFrom: string | undefined;
  readonly tls: { readonly certificatePath: string; readonly keyPath: string } | undefined;
  /** Lets servers of other regions in. */
  readonly hasLink: boolean;
  /** New sessions of one client address: `20r/s`. */
  readonly handshakeLimit: string | undefined;
  readonly accessLogPath: string;
  readonly version: NginxVersion;
}
