/** The bus through one Redis server: with TLS, and as a user who may do nothing else. */

import { describe } from "node:test";
import { stateBusOver } from "../support/redis/bus-statements.js";
import { aclForm, tlsForm } from "../support/redis/redis-forms.js";

for (const form of [aclForm, tlsForm]) {
  describe(`the bus over ${form.name}`, () => stateBusOver(form));
}
