/** The bus through one Redis server, plain: by TCP and by Unix socket. */

import { describe } from "node:test";
import { stateBusOver } from "../support/redis/bus-statements.js";
import { tcpForm, unixForm } from "../support/redis/redis-forms.js";

for (const form of [tcpForm, unixForm]) {
  describe(`the bus over ${form.name}`, () => stateBusOver(form));
}
