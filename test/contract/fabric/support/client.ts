/** A client of either kind, and the worker that it is on. */

import { type Address, parseAddress } from "../../../../src/address/address.js";
import type { ModernClient, ModernTransport } from "./modern-client.js";
import type { OldClient, OldTransport } from "./old-client.js";

export type Client = ModernClient | OldClient;
export type Transport = ModernTransport | OldTransport;

/** Every id of a client is an address, behind the namespace's name in Engine.IO 3. */
export function readAddress(id: string): Address {
  const address = parseAddress(id.slice(id.indexOf("#") + 1));
  if (address === undefined) throw new Error(`${id} is no address`);
  return address;
}
